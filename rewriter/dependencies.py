"""The converted repository's own lists of packages: the source framework's are replaced by the target's.

Files are edited as text, so that comments, order, markers and formatting stay. Which packages a framework
consists of stands in `api_maps/<framework>/framework.yaml`; which of them are needed is read off the imports
of the converted files.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath

from .requirement import Packages, Replacement, name_of

Editor = Callable[[str, Replacement], str]
Span = tuple[int, int]

QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'")
INDEX_OPTION = re.compile(r"^\s*(--(?:extra-)?index-url|--find-links|-i|-f)\b")
# Keys of setup.cfg and setup.py that hold requirements.
REQUIREMENT_KEYS = frozenset({"install_requires", "tests_require", "setup_requires", "extras_require"})


def replace_packages(
    files: Mapping[str, bytes], source: Packages, target: Packages, imported: Iterable[str]
) -> dict[str, bytes]:
    """The dependency files among `files` that change, with their new content.

    imported: top-level modules that the converted code imports. A package of the source framework that is still
    imported stays; the target's packages that are imported are added where the source's stood.
    """
    modules = frozenset(imported)
    additions = tuple(text for module, text in target.requirements.items() if module in modules)
    changed: dict[str, bytes] = {}
    if not additions:
        return changed
    replacement = Replacement(source, modules, additions)
    for key, content in files.items():
        editor = editor_for(key)
        if editor is not None:
            codec = codec_of(content)
            text = content.decode(codec)
            mark = "\ufeff" if text.startswith("\ufeff") else ""
            edited = (mark + editor(text.removeprefix(mark), replacement)).encode(codec)
            if edited != content:
                changed[key] = edited
    return changed


def editor_for(key: str) -> Editor | None:
    """The function that edits the dependency file `key`; None for any other file."""
    path = PurePosixPath(key)
    if path.suffix in (".txt", ".in") and (
        path.parent.name == "requirements" or fnmatch(path.name, "*requirements*") or fnmatch(path.name, "constraints*")
    ):
        return edit_requirements
    if path.suffix in (".yml", ".yaml") and (fnmatch(path.name, "*environment*") or fnmatch(path.name, "conda*")):
        return edit_environment
    return {
        "pyproject.toml": edit_toml,
        "Pipfile": edit_toml,
        "setup.cfg": edit_setup_cfg,
        "setup.py": edit_setup_py,
    }.get(path.name)


def codec_of(content: bytes) -> str:
    """The encoding of a dependency file (PowerShell's `pip freeze > requirements.txt` writes UTF-16)."""
    if content.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if content.startswith(b"\xfe\xff"):
        return "utf-16-be"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def edit_requirements(text: str, replacement: Replacement) -> str:
    """Replace whole requirement lines; a line continued with backslashes (hashes) goes as one."""
    lines = [match[0] for match in re.finditer(r"(?:[^\n]*\\\r?\n)*[^\n]*(?:\n|$)", text) if match[0]]
    present = {name_of(line) for line in lines}
    gone = replacement.source_is_gone()
    written: list[str] = []
    for line in lines:
        if gone and INDEX_OPTION.match(line) and any(host in line for host in replacement.source.indexes):
            continue
        written += edit_line(line, "", replacement, present)
    return "".join(written)


def edit_line(line: str, prefix: str, replacement: Replacement, present: set[str]) -> list[str]:
    """The lines in place of a line that consists of `prefix`, a requirement and perhaps a comment.

    present: the distributions listed already; what is added without a marker joins them.
    """
    body = line[len(prefix) :].rstrip("\r\n")
    newline = line[len(prefix) + len(body) :]
    requirement = re.split(r"\s+#|\\", body, maxsplit=1)[0].rstrip()
    if not replacement.covers(requirement):
        return [line]
    comment = re.search(r"\s+#[^\n]*$", body)
    texts = replacement.fresh(requirement, present)
    present.update(name_of(text) for text in texts if ";" not in text)
    indent = prefix + requirement[: len(requirement) - len(requirement.lstrip())]
    if replacement.keeps(requirement):
        written = [line.rstrip("\r\n")] + [indent + text for text in texts]
    else:
        written = [indent + text for text in texts]
        if written and comment:
            written[0] += comment[0].rstrip("\r")
    between = newline or "\n"
    return [text + between for text in written[:-1]] + [text + newline for text in written[-1:]]


def edit_environment(text: str, replacement: Replacement) -> str:
    """The list under `dependencies:` of a conda environment, and the `pip:` list within it."""
    lines = text.splitlines(keepends=True)
    items = [(line, re.match(r"\s*-\s+", line)) for line in lines]
    present = {name_of(line[found.end() :].rstrip()) for line, found in items if found}
    section = ""
    written: list[str] = []
    for line, found in items:
        heading = re.match(r"(\w+)\s*:", line)
        section = heading[1] if heading else section
        if found and section == "dependencies":
            written += edit_line(line, found[0], replacement, present)
        else:
            written.append(line)
    return "".join(written)


def edit_setup_cfg(text: str, replacement: Replacement) -> str:
    """The indented requirement lines under `[options]` and `[options.extras_require]`."""
    lines = text.splitlines(keepends=True)
    present = {name_of(line.rstrip()) for line in lines}
    section, key = "", ""
    written: list[str] = []
    for line in lines:
        header, assignment = re.match(r"\[([^\]]+)\]", line), re.match(r"([\w.-]+)\s*[=:]\s*", line)
        section = header[1].strip() if header else section
        key = assignment[1] if assignment else key
        holds = section == "options.extras_require" or (section == "options" and key in REQUIREMENT_KEYS)
        if holds and assignment and ";" not in line:
            prefix = assignment[0].rstrip("\r\n")
            first, *rest = edit_line(line, prefix, replacement, present)
            written += [first, *("    " + more[len(prefix) :] for more in rest)]
        elif holds and line[:1] in " \t":
            written += edit_line(line, "", replacement, present)
        else:
            written.append(line)
    return "".join(written)


def edit_toml(text: str, replacement: Replacement) -> str:
    """Requirement strings in dependency arrays, and the `name = version` lines of Poetry's and Pipenv's tables."""
    try:
        tomllib.loads(text)
        edited = replace_version_lines(text, replacement)
        spans = [
            (offset + match.start(), offset + match.end())
            for offset, line, table, key, in_array in toml_lines(edited)
            if in_array and holds_requirements(table, key)
            for match in QUOTED.finditer(code_part(line))
        ]
        edited = replace_strings(edited, spans, replacement)
        tomllib.loads(edited)
    except tomllib.TOMLDecodeError:
        return text  # not for us to mend
    return edited


def toml_lines(text: str) -> Iterator[tuple[int, str, str, str, bool]]:
    """Each line with its offset, table, key, and whether it holds a part of an array."""
    table, key, offset, depth = "", "", 0, 0
    for line in text.splitlines(keepends=True):
        bare = QUOTED.sub("", code_part(line))
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line) if depth == 0 else None
        if header:
            table, key = header[1], ""
        else:
            assignment = re.match(r"\s*([\w.\"'-]+)\s*=", line) if depth == 0 else None
            key = assignment[1].strip("\"'") if assignment else key
            yield offset, line, table, key, depth > 0 or "[" in bare
            depth += bare.count("[") - bare.count("]")
        offset += len(line)


def code_part(line: str) -> str:
    """`line` without a comment at its end."""
    whole = re.match(rf"(?:{QUOTED.pattern}|[^#\"'])*", line)
    return whole[0] if whole else line


def holds_requirements(table: str, key: str) -> bool:
    return (
        (table == "project" and key in ("dependencies", "optional-dependencies"))
        or table in ("project.optional-dependencies", "dependency-groups")
        or (table == "tool.uv" and key == "dev-dependencies")
        or table == "tool.pdm.dev-dependencies"
    )


def holds_versions(table: str) -> bool:
    poetry = re.fullmatch(r"tool\.poetry\.(group\.[\w-]+\.)?(dev-)?dependencies", table)
    return bool(poetry) or table in ("packages", "dev-packages")


def replace_version_lines(text: str, replacement: Replacement) -> str:
    """`name = "^2.0"` becomes one such line for each requirement of the target."""
    lines = list(toml_lines(text))
    present = {name_of(key) for _, _, table, key, _ in lines if holds_versions(table)}
    edited = text
    for offset, line, table, key, _ in reversed(lines):
        whole = re.match(r"(\s*)[\w.\"'-]+\s*=", line)
        if not (whole and holds_versions(table) and replacement.covers(key)):
            continue
        new = []
        for requirement in replacement.fresh(key, present):
            found = re.match(r"[\w.-]+", requirement)
            name = found[0] if found else requirement
            new.append(f'{whole[1]}{name} = "{requirement[len(name) :] or "*"}"')
        newline = line[len(line.rstrip("\r\n")) :] or "\n"
        kept = [line.rstrip("\r\n")] if replacement.keeps(key) else []
        comment = line[len(code_part(line)) :].strip()
        if comment and new and not kept:
            new[0] += f"  {comment}"
        block = "".join(text + newline for text in kept + new)
        edited = edited[:offset] + block + edited[offset + len(line) :]
    return edited


def replace_strings(text: str, spans: list[Span], replacement: Replacement) -> str:
    """Replace quoted requirements at `spans`; one alone on its line gets a line for each that replaces it."""
    present = {name_of(text[start + 1 : end - 1]) for start, end in spans}
    for start, end in reversed(spans):
        quote, requirement = text[start], text[start + 1 : end - 1]
        if not replacement.covers(requirement):
            continue
        new = [quote + each + quote for each in replacement.fresh(requirement, present)]
        if replacement.keeps(requirement):
            new.insert(0, text[start:end])
        line_start = text.rfind("\n", 0, start) + 1
        indent = text[line_start:start]
        alone = not indent.strip() and re.match(r"\s*(,|#|\r?\n)", text[end:])
        if new:
            separator = f",{newline_of(text)}{indent}" if alone else ", "
            text = text[:start] + separator.join(new) + text[end:]
        else:
            text = text[:start].rstrip(" ") + re.sub(r"^\s*,?", "", text[end:], count=1)
    return text


def newline_of(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def edit_setup_py(text: str, replacement: Replacement) -> str:
    """String literals in lists given as `install_requires=` and the like, directly or through a variable."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    strings = {
        (offset(node.lineno, node.col_offset), offset(node.end_lineno or 0, node.end_col_offset or 0))
        for holder in requirement_holders(module)
        for node in ast.walk(holder)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    plain = sorted(span for span in strings if QUOTED.fullmatch(text[span[0] : span[1]]))
    edited = replace_strings(text, plain, replacement)
    try:
        ast.parse(edited)
    except SyntaxError:
        return text
    return edited


def requirement_holders(module: ast.Module) -> Iterator[ast.expr]:
    """The expressions given for requirement arguments, and what variables named there are set to."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.keyword) and node.arg in REQUIREMENT_KEYS:
            names |= {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
            yield node.value
    for node in ast.walk(module):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, (ast.List, ast.Tuple, ast.Dict))):
            continue
        if any(isinstance(target, ast.Name) and target.id in names for target in node.targets):
            yield node.value
