"""Where code under test lives, and under which names it imports: as its author meant."""

from __future__ import annotations

import ast
import inspect
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .problems import VerifyError

# Framework -> the top-level modules whose import shows that a file uses it, most telling framework first.
FRAMEWORK_IMPORTS = {
    "torch": {"torch"},
    "tensorflow": {"tensorflow", "keras"},
    "jax": {"jax", "flax", "optax"},
    "numpy": {"numpy"},
}
_NOT_COPIED = {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache", ".pytest_cache"}
LARGEST_COPIED_FILE = 20_000_000


@dataclass(frozen=True)
class CodeBase:
    """A repository or a single file.

    path: what the user named. search: what goes on sys.path, in order. modules: dotted name -> file.
    only: names of the classes or functions to compare; empty for all.
    """

    path: Path
    search: tuple[Path, ...]
    modules: dict[str, Path]
    only: tuple[str, ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether this is a single file."""
        return self.path.is_file()

    def frameworks(self) -> set[str]:
        """The frameworks that the files import."""
        return {framework for file in self.modules.values() for framework in imported_frameworks(file)}


def locate(place: Any) -> CodeBase:
    """The code base of a path, or of a live function, class, module instance or module object.

    Raises VerifyError where there is no such path or the object's source file is not known.
    """
    if isinstance(place, (str, os.PathLike)):
        path = Path(place).resolve()
        if not path.exists():
            raise VerifyError(f"{place}: no such file or folder")
        return _of_folder(path) if path.is_dir() else _of_file(path)
    target = place if inspect.ismodule(place) or inspect.isclass(place) or inspect.isroutine(place) else type(place)
    try:
        file = inspect.getsourcefile(inspect.unwrap(target))  # type: ignore[arg-type]
    except TypeError:
        file = None
    if file is None or not Path(file).exists():
        raise VerifyError(f"{target!r}: its source file is not known; give a path")
    found = _of_file(Path(file).resolve())
    if inspect.ismodule(place):
        return found
    return CodeBase(found.path, found.search, found.modules, (target.__qualname__,))


def _of_file(path: Path) -> CodeBase:
    root, parts = path.parent, [path.stem]
    while (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    if path.stem == "__init__":
        parts.pop()
    return CodeBase(path, (root,), {".".join(parts): path})


def _of_folder(path: Path) -> CodeBase:
    root = path
    while (root / "__init__.py").exists():
        root = root.parent
    search = tuple(place for place in (path / "src", root) if place.is_dir())
    modules: dict[str, Path] = {}
    for file in python_files(path):
        home = next(place for place in search if place in file.parents)
        parts = list(file.relative_to(home).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if parts and all(part.isidentifier() for part in parts):
            modules[".".join(parts)] = file
    if not modules:
        raise VerifyError(f"{path}: no Python files")
    return CodeBase(path, search, modules)


def python_files(folder: Path) -> Iterator[Path]:
    """All Python files below a folder, sorted, without environments and caches; links are not followed."""
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_COPIED and not name.startswith("."))
        yield from (Path(current) / name for name in sorted(files) if name.endswith(".py"))


def is_test(name: str) -> bool:
    """Whether a module belongs to the tests."""
    parts = name.split(".")
    last = parts[-1]
    return last == "conftest" or last.startswith("test_") or last.endswith("_test") or parts[0] in ("tests", "test")


def imported_frameworks(file: Path) -> set[str]:
    """The frameworks that a file imports."""
    imported = _imported(file)
    return {framework for framework, names in FRAMEWORK_IMPORTS.items() if names & imported}


def _imported(file: Path) -> set[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def working_copy(base: CodeBase, folder: Path, name: str) -> CodeBase:
    """A copy of a repository in `folder`, under `name`, so that running it cannot touch the user's files.

    Both sides get the same name: a repository that is itself a package is imported by its folder's name.
    Large files are linked, not copied. A single file stays where it is.
    """
    if base.is_file:
        return base

    def copy(source: str, target: str) -> None:
        if os.path.getsize(source) > LARGEST_COPIED_FILE:
            os.symlink(source, target)
        else:
            shutil.copyfile(source, target)

    target = folder / name
    shutil.copytree(
        base.path,
        target,
        copy_function=copy,
        ignore=lambda _, names: [item for item in names if item in _NOT_COPIED],
        ignore_dangling_symlinks=True,
    )
    return _of_folder(target)


def choose_frameworks(original: CodeBase, converted: CodeBase) -> tuple[str, str]:
    """The frameworks of both sides, from their imports."""
    theirs, ours = original.frameworks(), converted.frameworks()
    source = next((framework for framework in FRAMEWORK_IMPORTS if framework in theirs), "numpy")
    others = [framework for framework in FRAMEWORK_IMPORTS if framework in ours and framework != source]
    return source, others[0] if others else source if source in ours else "numpy"
