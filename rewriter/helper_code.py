"""Helpers: tested functions and classes of api_maps/<framework>/helpers that the output carries with it.

The output gets exactly the definitions it uses and what these use, in one module beside it, or at the end of a
single converted text.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .cache import remembered
from .free_names import free_names
from .imports import ImportTable
from .names import HELPER_MODULE as MODULE
from .table_loader import API_MAPS

HEADER = '''"""Helpers that this code was converted with by ivy-convert: plain functions and classes, yours to edit.

They come from ivy-convert's api_maps/{framework}/helpers, where they are tested against the original framework.
"""
'''


@dataclass(frozen=True)
class HelperDefinition:
    """One top-level definition of a helper file. needs: what it uses as soon as it is defined, such as a base class."""

    name: str
    text: str
    uses: frozenset[str]
    needs: frozenset[str]
    imports: frozenset[str]
    order: tuple[str, int]


@functools.cache
def helper_definitions(framework: str, root: Path = API_MAPS) -> dict[str, HelperDefinition]:
    """All helpers of a framework by name, from the user's cache folder when no file has changed."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted((root / framework / "helpers").glob("*.py"))}
    own = (Path(__file__), Path(__file__).with_name("free_names.py"))
    parts = [path.read_bytes() for path in own]
    for name, text in texts.items():
        parts += [name.encode(), text.encode()]
    return remembered("helpers", parts, lambda: _definitions(texts))


def _definitions(texts: Mapping[str, str]) -> dict[str, HelperDefinition]:
    """The definitions of helper files; tests keep the names unique."""
    found: dict[str, HelperDefinition] = {}
    for file, text in texts.items():
        lines = text.splitlines(keepends=True)
        tree = ast.parse(text)
        imports = _imported(tree)
        for node in tree.body:
            for name in _defined(node):
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
                while first > 1 and lines[first - 2].startswith("#"):
                    first -= 1
                source = "".join(lines[first - 1 : node.end_lineno])
                used = {each.id for each in free_names(node)}
                used.discard(name)
                found[name] = HelperDefinition(
                    name, source, frozenset(used), frozenset(_needed_at_once(node) - {name}),
                    frozenset(imports[n] for n in used if n in imports),
                    (file, node.lineno))  # fmt: skip
    return found


def _needed_at_once(node: ast.stmt) -> set[str]:
    """Names that are read when the definition itself runs: bases, decorators, defaults, values; not function bodies."""
    parts: list[ast.AST] = []
    if isinstance(node, ast.FunctionDef):
        parts = [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
    elif isinstance(node, ast.ClassDef):
        parts = [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
        needed = [_needed_at_once(statement) for statement in node.body]
        return {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}.union(*needed)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        parts = [node.value]
    return {part.id for root in parts for part in ast.walk(root) if isinstance(part, ast.Name)}


def _defined(node: ast.stmt) -> Iterable[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return (node.name,)
    if isinstance(node, ast.Assign):
        return tuple(target.id for target in node.targets if isinstance(target, ast.Name))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return (node.target.id,)
    return ()


def _imported(tree: ast.Module) -> dict[str, str]:
    """Local name → import statement, for imports from outside the helpers."""
    result: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                text = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                result[alias.asname or alias.name.partition(".")[0]] = text
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module != "__future__":
            for alias in node.names:
                suffix = f" as {alias.asname}" if alias.asname else ""
                result[alias.asname or alias.name] = f"from {node.module} import {alias.name}{suffix}"
    return result


@dataclass
class HelperLibrary:
    """The helpers of one target, and how a file of the output reaches them.

    module: the import path of the helper module as one file sees it, or '' when helpers stand in the file itself.
    """

    framework: str
    module: str
    names: dict[str, str] = field(default_factory=dict)

    def local_name(self, imports: ImportTable, name: str) -> str:
        """The name of a helper in a file; KeyError when there is no such helper."""
        if name not in helper_definitions(self.framework):
            raise KeyError(f"api_maps/{self.framework}/helpers has no {name}")
        if self.module:
            return imports.bind_from(self.module, name)
        return imports.free_name(name)


def closure(framework: str, names: Iterable[str]) -> list[HelperDefinition]:
    """The helpers named and everything they use, in an order in which they can be defined."""
    known = helper_definitions(framework)
    result: dict[str, HelperDefinition] = {}
    visiting: set[str] = set()
    waiting: dict[str, list[str]] = {}

    def add(name: str) -> None:
        if name in result or name in visiting or name not in known:
            return
        visiting.add(name)
        for used in sorted(known[name].needs):
            add(used)
        missing = next((used for used in sorted(known[name].needs & known.keys()) if used not in result), None)
        if missing is not None:  # A class that its own base uses in a method: it comes behind the base.
            visiting.discard(name)
            waiting.setdefault(missing, []).append(name)
            return
        for used in sorted(known[name].uses):
            add(used)
        result[name] = known[name]
        for later in waiting.pop(name, ()):
            add(later)

    for name in sorted(names):
        add(name)
    unique: dict[str, HelperDefinition] = {definition.text: definition for definition in result.values()}
    return list(unique.values())


def helper_module(framework: str, names: Iterable[str]) -> str:
    """The text of the helper module for the helpers named."""
    definitions = closure(framework, names)
    body = helper_body(definitions)
    imports = helper_imports(definitions)
    annotations = "from __future__ import annotations\n\n"
    return HEADER.format(framework=framework) + "\n" + annotations + "\n".join(imports) + "\n\n\n" + body


def is_helper_module(path: str, data: bytes, framework: str) -> bool:
    """Whether a file is the helper module of an earlier conversion to a framework."""
    first = HEADER.format(framework=framework).rstrip().encode()
    return path.rpartition("/")[2] == f"{MODULE}.py" and data.startswith(first)


def helper_imports(definitions: Iterable[HelperDefinition]) -> list[str]:
    """The import statements that these helpers need, standard library first."""
    statements = {statement for definition in definitions for statement in definition.imports}
    third_party = {s for s in statements if s.split()[1].partition(".")[0] not in sys.stdlib_module_names}
    standard = sorted(statements - third_party)
    return [*standard, *([""] if standard and third_party else []), *sorted(third_party)]


def helper_body(definitions: Iterable[HelperDefinition]) -> str:
    """The definitions, one after the other, as black would space them."""
    parts: list[str] = []
    for definition in definitions:
        is_block = definition.text.lstrip("#@ \n").startswith(("def ", "class ")) or "\n" in definition.text.strip()
        parts.append(definition.text.rstrip() + ("\n\n\n" if is_block else "\n\n"))
    return "".join(parts).rstrip() + "\n"
