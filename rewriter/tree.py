"""Finds the files of a conversion; `placing.py` writes what became of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from .problems import InputError, Problem

# Folders that hold a tool's own state or an installation, never the repository's source.
SKIPPED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", "__pycache__", ".venv", ".tox", ".nox", ".eggs", "node_modules",
        ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints",
    }
)  # fmt: skip
# Build artefacts where they lie at the top and are not packages of the repository's own.
BUILD_FOLDERS = frozenset({"build", "dist"})
NOTEBOOK_REMEDY = "export it with `jupyter nbconvert --to script` and convert that"
SKIPPED_SUFFIXES = (".pyc", ".pyo", ".egg-info")


@dataclass
class SourceTree:
    """The input of one conversion, held in memory.

    root: what the keys are relative to. files: content of every Python file, by posix path relative to root.
    others: every other file and symbolic link to be copied along. Both are in path order.
    """

    root: Path
    given: tuple[Path, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_folder(self) -> bool:
        """Whether a single folder was given, so that a whole repository is converted."""
        return len(self.given) == 1 and self.given[0].is_dir()

    def place(self, key: str) -> Path:
        """Where the file named `key` lies on disk."""
        return self.root / key

    def display(self, key: str) -> str:
        """The path of `key` as the user would type it here."""
        return os.path.normpath(os.path.join(shorten(self.root), key))


def discover(paths: Sequence[str | Path], exclude: Sequence[str] = ()) -> SourceTree:
    """Read all Python files under `paths` (files and folders); raise InputError where there are none.

    exclude: shell patterns, matched against the relative path, its folders and the bare name.
    """
    given = tuple(Path(path) for path in paths)
    for path in given:
        require_existing(path)
    tree = SourceTree(root_of(given), given)
    seen: set[str] = set()
    for path in given:
        for key, place in sorted(walk(path, tree)):
            if key not in seen and not is_excluded(key, exclude):
                seen.add(key)
                add_file(tree, key, place)
    if not tree.files and not any(problem.unreadable for problem in tree.problems):
        names = ", ".join(str(path) for path in given)
        raise InputError(names, "no Python files here", "name a folder or a file with Python source (.py)")
    return tree


def require_existing(path: Path) -> None:
    """Raise InputError unless `path` is a readable folder or a Python file."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(path, "no such file or folder", "check the spelling and the current folder") from None
    except PermissionError:
        raise InputError(path, "may not be read", "check its permissions") from None
    except OSError as error:
        what = "symbolic link loop" if is_loop(path) else str(error.strerror)
        raise InputError(path, what, "name the real file or folder") from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise InputError(path, "neither a file nor a folder", "name a Python file or a folder")
    if stat.S_ISREG(mode) and path.suffix not in (".py", ".pyi"):
        notebook = path.suffix == ".ipynb"
        raise InputError(path, "not a Python file", NOTEBOOK_REMEDY if notebook else "name a .py file or a folder")


def root_of(given: Sequence[Path]) -> Path:
    """The folder that keys are relative to: the one folder, the one file's folder, or what they share.

    Several paths below the current folder share the current folder, so that package names in imports and
    lines printed for the user stay whole whichever files a commit hook happens to pass.
    """
    absolute = [Path(os.path.abspath(path)) for path in given]
    if len(given) == 1:
        return absolute[0] if given[0].is_dir() else absolute[0].parent
    here = Path.cwd()
    if all(path.is_relative_to(here) for path in absolute):
        return here
    folders = [path if path.is_dir() else path.parent for path in absolute]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        raise InputError(given[-1], "lies on another drive", "convert one drive at a time") from None


def shorten(path: Path) -> str:
    """`path` relative to the current folder if it lies below it, else as it is."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def walk(path: Path, tree: SourceTree) -> Iterator[tuple[str, Path]]:
    """Every file and symbolic link below `path` with its key; links to folders are not followed."""
    top = Path(os.path.abspath(path))
    if not top.is_dir():
        yield key_of(top, tree), top
        return

    def unreadable(error: OSError) -> None:
        shown = tree.display(key_of(Path(error.filename), tree))
        tree.problems.append(Problem(shown, "folder may not be read", "check its permissions"))

    for folder, subfolders, names in os.walk(top, onerror=unreadable):
        here = Path(folder)
        links = [name for name in subfolders if (here / name).is_symlink()]
        subfolders[:] = sorted(
            name for name in subfolders if name not in links and not is_skipped_folder(here / name, here == top)
        )
        for name in [*names, *links]:
            if not name.endswith(SKIPPED_SUFFIXES):
                yield key_of(here / name, tree), here / name


def key_of(place: Path, tree: SourceTree) -> str:
    return place.relative_to(tree.root).as_posix()


def is_skipped_folder(folder: Path, at_top: bool) -> bool:
    """Whether a folder is a tool's state, an environment or a build artefact."""
    if folder.name in SKIPPED_FOLDERS or folder.name.endswith(".egg-info"):
        return True
    if (folder / "pyvenv.cfg").exists():
        return True
    return at_top and folder.name in BUILD_FOLDERS and not (folder / "__init__.py").exists()


def is_excluded(key: str, patterns: Iterable[str]) -> bool:
    """Whether `key`, one of its folders or its bare name matches a pattern."""
    parts = key.split("/")
    candidates = ["/".join(parts[: count + 1]) for count in range(len(parts))] + parts
    return any(fnmatch(candidate, pattern.rstrip("/")) for pattern in patterns for candidate in candidates)


def add_file(tree: SourceTree, key: str, place: Path) -> None:
    """Sort one file into the tree: read it, list it to be copied, or note why neither is possible."""
    given = place in {Path(os.path.abspath(path)) for path in tree.given}
    if place.is_symlink() and not given:
        add_link(tree, key, place)
        return
    if not stat.S_ISREG(place.stat().st_mode):
        return  # sockets, pipes and devices: nothing to read, and opening a pipe would hang
    if place.suffix == ".ipynb":
        shown, what = tree.display(key), "notebooks are not converted, copied as it is"
        tree.problems.append(Problem(shown, what, NOTEBOOK_REMEDY, unreadable=False))
    if place.suffix != ".py" and not given:
        if os.access(place, os.R_OK):
            tree.others.append(key)
        else:
            tree.problems.append(Problem(tree.display(key), "may not be read, left out", "check its permissions"))
        return
    try:
        tree.files[key] = place.read_bytes()
    except OSError as error:
        what = "may not be read" if isinstance(error, PermissionError) else str(error.strerror)
        remedy = "check its permissions; the other files are converted"
        tree.problems.append(Problem(tree.display(key), what, remedy))


def add_link(tree: SourceTree, key: str, place: Path) -> None:
    """List a symbolic link to be copied as a link; one that leads in a circle or out of the tree is noted."""
    shown = tree.display(key)
    if is_loop(place):
        remedy = "remove the link or point it elsewhere"
        tree.problems.append(Problem(shown, "symbolic link loop, left out", remedy, unreadable=False))
        return
    tree.others.append(key)
    if is_dangling(place):
        what, remedy = "symbolic link to nothing, copied as it is", "mend the link"
        tree.problems.append(Problem(shown, what, remedy, unreadable=False))
        return
    target = place.resolve()
    if not target.is_relative_to(tree.root.resolve()) and (place.suffix == ".py" or target.is_dir()):
        what, remedy = "symbolic link out of the source, not converted", f"convert {target} by itself"
        tree.problems.append(Problem(shown, what, remedy, unreadable=False))


def is_loop(place: Path) -> bool:
    """Whether the link `place` leads round in a circle, or to a folder that holds the link itself."""
    if not place.is_symlink():
        return False
    try:
        resolved = place.resolve(strict=True)
    except FileNotFoundError:
        return False
    except (OSError, RuntimeError):
        return True
    return place.parent.resolve().is_relative_to(resolved)


def is_dangling(place: Path) -> bool:
    """Whether the link leads to a name that does not exist."""
    return place.is_symlink() and not place.exists()
