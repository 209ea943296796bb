"""The rules of this house: imports run one way, the stages know no framework, files and functions stay small."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("rewriter", "rules", "cli", "verify", "benchmarks")
HELPERS = sorted(path for path in ROOT.glob("api_maps/*/helpers/*.py") if path.name != "__init__.py")
FILES = [*sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")), ROOT / "__init__.py"]
FRAMEWORK_WORDS = re.compile(r"\b(torch|jax|jnp|flax|nnx|optax|orbax|grain|numpy|tensorflow|keras)\b")

#: What each folder may import of the others. `rewriter` finds the rules by name, so that it imports none of them.
MAY_IMPORT = {
    "rewriter": set(),
    "rules": {"rewriter"},
    "verify": set(),
    "cli": {"rewriter", "verify"},
    "__init__": {"rewriter", "cli", "verify"},
}

MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[Path]:
    """Files of this package that a file imports, also inside functions; what only type checkers import does not count."""
    module = tree(path)
    guarded = {
        id(inner)
        for node in ast.walk(module)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in guarded:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for alias in node.names:
                named = (folder / f"{alias.name}.py", folder / alias.name / "__init__.py")
                yield from [file for file in (*named, folder.with_suffix(".py"), folder / "__init__.py") if file.exists()][:1]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_between_folders_run_one_way(path: Path) -> None:
    own = relative(path).partition("/")[0].removesuffix(".py")
    used = {relative(other).partition("/")[0].removesuffix(".py") for other in imports(path)} - {own}
    assert used <= MAY_IMPORT.get(own, set())


def test_no_file_imports_itself_through_others() -> None:
    graph = {path: set(imports(path)) for path in FILES}
    done: set[Path] = set()

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, " → ".join(map(relative, (*above[above.index(path) :], path)))
        if path not in done:
            for other in sorted(graph.get(path, ())):
                visit(other, (*above, path))
            done.add(path)

    for path in FILES:
        visit(path, ())


@pytest.mark.parametrize("path", sorted((ROOT / "rewriter").glob("*.py")), ids=relative)
def test_the_stages_know_no_framework(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if FRAMEWORK_WORDS.search(line)] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in HELPERS}), ids=relative)
def test_a_helper_has_a_name_of_its_own(folder: Path) -> None:
    """All helpers of a framework may end in one module of the user's."""
    found: dict[str, str] = {}
    for path in HELPERS:
        if path.parent != folder:
            continue
        for node in tree(path).body:
            names = [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else []
            if isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            for name in names:
                assert name not in found, f"{name} stands in {found[name]} and in {path.name}"
                found[name] = path.name


@pytest.mark.parametrize("path", [*FILES, *HELPERS], ids=relative)
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]
    assert long == []
