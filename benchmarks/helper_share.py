"""How often converted code calls a function of ours instead of the target's own.

`python -m benchmarks.helper_share [PACKAGE ...]` converts whole packages, downloaded as the sweep does, or folders;
`--write` writes the helper part of docs/coverage.md. The share is of all calls that were converted, constructions of
layers among them. Calls of helper functions count; constructions of helper classes are counted apart, for a layer that
the target lacks has to come from somewhere.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivy_convert.rewriter.repository import TreeResult, convert_files

from .conformance.page import COVERAGE, write_parts
from .sweep import PACKAGES, package_files

#: How the module begins that a conversion writes its helpers into.
HEADER = '"""Helpers that this code was converted with by ivy-convert'
#: The packages that are measured unless others are asked for.
MEASURED = ("vit-pytorch", "x-transformers", "torchmetrics", "kornia")
#: How many helpers the page lists.
LISTED = 25


@dataclass(frozen=True)
class HelperUse:
    """One package: how many calls were converted, and how often the output calls each helper function and class."""

    package: str
    calls: int
    functions: Counter[str]
    classes: Counter[str]

    @property
    def share(self) -> float:
        """The share of converted calls that call a helper function."""
        return self.functions.total() / max(self.calls, 1)

    def text(self) -> str:
        """One line with the numbers and the helpers that lead."""
        leading = ", ".join(f"{name} {count}" for name, count in self.functions.most_common(LISTED))
        return (
            f"{self.package}: {self.functions.total()} of {self.calls} converted calls ({self.share:.1%}) call a helper "
            f"function, {self.classes.total()} a helper class\n  {leading}"
        )


def converted_calls(files: Mapping[str, bytes], result: TreeResult) -> int:
    """How many calls of the original were rewritten."""
    places: dict[str, set[tuple[int, int]]] = {}
    for site in (*result.report.converted, *result.report.review):
        places.setdefault(site.path, set()).add((site.end_line, site.end_column))
    count = 0
    for path, ends in places.items():
        calls = (node for node in ast.walk(ast.parse(files[path])) if isinstance(node, ast.Call))
        count += len(ends & {(node.end_lineno or 0, node.end_col_offset or 0) for node in calls})
    return count


def helper_calls(tree: ast.Module, helpers: set[str], modules: set[str]) -> Iterator[str]:
    """The names of the helpers that a converted file calls; `modules`: those that hold them, not the package's own."""
    imported = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2] in modules
        for alias in node.names
        if alias.name in helpers
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported:
            yield imported[node.func.id]


def measure(package: str, files: Mapping[str, bytes], target: str) -> HelperUse:
    """Convert a package and count."""
    result = convert_files(files, "torch", target)
    written = {**files, **result.files, **result.helpers}
    definitions = [
        node
        for data in written.values()
        if data.startswith(HEADER.encode())
        for node in ast.parse(data).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
    modules = {Path(path).stem for path, data in written.items() if data.startswith(HEADER.encode())}
    names = {node.name for node in definitions}
    classes = {node.name for node in definitions if isinstance(node, ast.ClassDef)}
    converted = [record.path for record in result.report.files if record.status == "converted"]
    used = Counter(name for path in converted for name in helper_calls(ast.parse(written[path]), names, modules))
    return HelperUse(
        package,
        converted_calls(files, result),
        Counter({name: count for name, count in used.items() if name not in classes}),
        Counter({name: count for name, count in used.items() if name in classes}),
    )


def together(uses: list[HelperUse]) -> HelperUse:
    """All packages as one."""
    return HelperUse(
        "together",
        sum(use.calls for use in uses),
        sum((use.functions for use in uses), Counter()),
        sum((use.classes for use in uses), Counter()),
    )


def part(uses: list[HelperUse]) -> str:
    """The part of the page: one line for each package, and the helpers that are called most."""
    lines = [
        "## JAX: helpers",
        "",
        "How many of the calls that were converted call a helper function that travels with the output, instead of a "
        "function of the target. All calls of the original that were rewritten count, constructions of layers too; "
        "constructions of layers that are helper classes stand in a column of their own.",
        "",
        "| package | version | converted calls | helper functions | share | helper classes |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {use.package} | {PACKAGES.get(use.package, '')} | {use.calls:,} | {use.functions.total():,} "
        f"| {use.share:.1%} | {use.classes.total():,} |"
        for use in [*uses, together(uses)]
    ]
    leading = together(uses).functions.most_common(LISTED)
    lines += ["", "Most used: " + ", ".join(f"`{name}` {count}" for name, count in leading) + "."]
    return "\n".join(lines)


def _files(package: str) -> dict[str, bytes]:
    """The Python files of a folder, or of a package of the sweep."""
    folder = Path(package)
    if folder.is_dir():
        return {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.py"))}
    if package not in PACKAGES:
        raise SystemExit(f"helper_share: {package} is neither a folder nor a package of the sweep")
    return package_files(package)


def main() -> None:
    """Print a line for each package as it is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.helper_share", description=__doc__.split("\n")[0])
    parser.add_argument("packages", nargs="*", default=list(MEASURED), metavar="PACKAGE")
    parser.add_argument("--to", default="jax")
    parser.add_argument("--write", action="store_true", help=f"write the helper part of docs/{COVERAGE.name}")
    arguments = parser.parse_args()
    uses: list[HelperUse] = []
    for package in arguments.packages:
        uses.append(measure(package, _files(package), arguments.to))
        print(uses[-1].text(), flush=True)
    print(together(uses).text())
    if arguments.write:
        write_parts(COVERAGE, {"helpers": part(uses)})


if __name__ == "__main__":
    main()
