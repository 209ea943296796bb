"""How often converted code calls a function of ours instead of the target's own.

`python -m benchmarks.helper_share PACKAGE...` takes folders and names of installed packages. Classes that stand for
layers are counted apart: a layer that the target lacks has to come from somewhere. The share is of all calls that
were converted.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ivy_convert

#: How the module begins that a conversion writes its helpers into.
HEADER = '"""Helpers that this code was converted with by ivy-convert'


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
        leading = ", ".join(f"{name} {count}" for name, count in self.functions.most_common(12))
        return (
            f"{self.package}: {self.functions.total()} of {self.calls} converted calls ({self.share:.1%}) call a helper "
            f"function, {self.classes.total()} a helper class\n  {leading}"
        )


def converted_calls(source: Path, report: ivy_convert.Report) -> int:
    """How many calls of the original were rewritten."""
    places: dict[str, set[tuple[int, int]]] = {}
    for site in (*report.converted, *report.review):
        places.setdefault(site.path, set()).add((site.end_line, site.end_column))
    count = 0
    for path, ends in places.items():
        tree = ast.parse(source.joinpath(path).read_bytes())
        found = {(node.end_lineno, node.end_col_offset) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        count += len(ends & found)
    return count


def helper_calls(path: Path, helpers: set[str]) -> Iterator[str]:
    """The names of the helpers that a converted file calls."""
    tree = ast.parse(path.read_bytes())
    imported = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in helpers
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported:
            yield imported[node.func.id]


def measure(package: str, target: str) -> HelperUse:
    """Convert a package and count."""
    folder = Path(package)
    if not folder.is_dir():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"helper_share: {package} is neither a folder nor an installed package")
        folder = Path(spec.origin).parent
    with tempfile.TemporaryDirectory(prefix="ivy-benchmark-") as temporary:
        out = Path(temporary, folder.name)
        report = ivy_convert.convert_tree(folder, target=target, out=out)
        functions: set[str] = set()
        classes: set[str] = set()
        files = sorted(out.rglob("*.py"))
        written = [path for path in files if path.read_text(encoding="utf-8", errors="replace").startswith(HEADER)]
        for path in written:
            for node in ast.parse(path.read_bytes()).body:
                if isinstance(node, ast.FunctionDef):
                    functions.add(node.name)
                elif isinstance(node, ast.ClassDef):
                    classes.add(node.name)
        used = Counter(
            name
            for record in report.files
            if record.status == "converted"
            for name in helper_calls(out / record.path, functions | classes)
        )
    return HelperUse(
        folder.name,
        converted_calls(folder, report),
        Counter({name: count for name, count in used.items() if name in functions}),
        Counter({name: count for name, count in used.items() if name in classes}),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", default=["vit_pytorch", "x_transformers"])
    parser.add_argument("--to", default="jax")
    arguments = parser.parse_args()
    total: Counter[str] = Counter()
    calls = 0
    for package in arguments.packages:
        use = measure(package, arguments.to)
        print(use.text(), flush=True)
        total += use.functions
        calls += use.calls
    print(HelperUse("together", calls, total, Counter()).text())


if __name__ == "__main__":
    main()
