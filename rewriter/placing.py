"""Puts a finished conversion on disk so that an error or Ctrl-C half-way leaves everything as it was."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .problems import InputError
from .tree import SourceTree


def create_folder(out: Path, tree: SourceTree, contents: Mapping[str, bytes]) -> None:
    """Write a converted repository as the new folder `out`.

    contents: every file to write by its key; the tree's other files are copied beside them. The whole is built
    in a hidden sibling folder which is renamed at the end, so `out` is there complete or not at all.
    """
    out = out.resolve()
    with writing_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            fill_folder(staging, tree, contents)
            staging.chmod(stat.S_IMODE(tree.root.stat().st_mode) | stat.S_IRWXU)
            if out.is_dir():
                out.rmdir()  # only ever an empty one: `require_free` has looked
            os.rename(staging, out)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def merge_folder(out: Path, tree: SourceTree, contents: Mapping[str, bytes]) -> None:
    """Write a converted repository over the existing folder `out` (asked for with --force).

    Files that stand there under the same names are replaced, all or none; others are left alone.
    """
    replace_files(
        {out / key: content for key, content in contents.items()},
        {out / key: tree.place(key) for key in contents if tree.place(key).exists()},
    )
    with writing_errors(out):
        for key in tree.others:
            if key not in contents:
                target = out / key
                target.parent.mkdir(parents=True, exist_ok=True)
                staging = target.with_name(f".{target.name}.new")
                copy_other(tree.place(key), staging, tree.root)
                os.replace(staging, target)


def fill_folder(folder: Path, tree: SourceTree, contents: Mapping[str, bytes]) -> None:
    for key in tree.others:
        if key not in contents:
            target = folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_other(tree.place(key), target, tree.root)
    for key, content in contents.items():
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        copy_mode(tree.place(key), target)


def copy_other(place: Path, target: Path, root: Path) -> None:
    """Copy a file with mode and times, or a link as a link; a link out of `root` is made absolute."""
    if not place.is_symlink():
        shutil.copy2(place, target)
        return
    leads_to = os.readlink(place)
    resolved = place.resolve()
    inside = not os.path.isabs(leads_to) and resolved.is_relative_to(root.resolve())
    os.symlink(leads_to if inside else resolved, target)


def copy_mode(place: Path, target: Path) -> None:
    """Give `target` the permissions of the original, if there is one; always writable by its owner."""
    if place.exists():
        target.chmod(stat.S_IMODE(place.stat().st_mode) | stat.S_IWUSR)


def replace_files(contents: Mapping[Path, bytes], modes: Mapping[Path, Path] | None = None) -> None:
    """Write all of `contents`, or none of it: on any failure the files that stood there are put back.

    modes: the file whose permissions a new file takes over (default: its own, if it exists). Each file is written
    beside its place first; only when all are there are they renamed into place, keeping the old ones until the end.
    """
    places = {place.resolve(): content for place, content in contents.items()}
    like = {place.resolve(): original for place, original in (modes or {}).items()}
    staged: dict[Path, Path] = {}
    made: list[Path] = []
    try:
        for place, content in places.items():
            with writing_errors(place):
                require_writable(place)
                made += make_folders(place.parent)
                staged[place] = stage(place, content, like.get(place, place))
        swap(staged)
    except BaseException:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
        for folder in reversed(made):
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def require_writable(place: Path) -> None:
    """Raise InputError if the file is write-protected; renaming over it would succeed all the same."""
    if place.exists() and not place.stat().st_mode & 0o222:
        raise InputError(place, "is write-protected", "make it writable (chmod u+w) or write elsewhere with -o")


def make_folders(folder: Path) -> list[Path]:
    """Create `folder` and its parents; return those that were missing, outermost first."""
    missing: list[Path] = []
    while not folder.exists():
        missing.insert(0, folder)
        folder = folder.parent
    for each in missing:
        each.mkdir()
    return missing


def stage(place: Path, content: bytes, like: Path) -> Path:
    """Write `content` to a temporary file in the folder of `place` and return it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".new", dir=place.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        mode = like.stat().st_mode if like.exists() else 0o666 & ~current_umask()
        temporary.chmod(stat.S_IMODE(mode))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def swap(staged: Mapping[Path, Path]) -> None:
    """Rename every staged file into place; put everything back if one cannot be."""
    kept: dict[Path, Path] = {}
    done: list[Path] = []
    with deferred_interrupts() as interrupted:
        try:
            for place, temporary in staged.items():
                if interrupted():
                    raise KeyboardInterrupt
                with writing_errors(place):
                    if place.exists():
                        kept[place] = set_aside(place)
                    os.replace(temporary, place)
                    done.append(place)
        except BaseException:
            for place in done:
                if place in kept:
                    os.replace(kept.pop(place), place)
                else:
                    place.unlink()
            raise
        finally:
            for backup in kept.values():
                backup.unlink(missing_ok=True)


def set_aside(place: Path) -> Path:
    """A second name (or, where the disk has no hard links, a copy) for the file at `place`."""
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".old", dir=place.parent)
    os.close(descriptor)
    backup = Path(name)
    backup.unlink()
    try:
        os.link(place, backup)
    except OSError:
        shutil.copy2(place, backup)
    return backup


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back for the few milliseconds of renaming; yields a function that tells whether it came."""
    arrived: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: bool(arrived)
        return

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(arrived)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def writing_errors(place: Path) -> Iterator[None]:
    """Turn the system's refusals to write into one line that names the place."""
    try:
        yield
    except PermissionError:
        raise InputError(place, "may not be written", "check the permissions or choose another -o") from None
    except OSError as error:
        what = f"cannot be written ({error.strerror or error})"
        raise InputError(place, what, "nothing was changed; mend that and run again") from None


def require_free(out: Path, tree: SourceTree, force: bool) -> None:
    """Raise InputError if writing the folder `out` would touch the source or, unless forced, what stands there."""
    resolved = out.resolve()
    for source in (path.resolve() for path in tree.given):
        if resolved == source or (source.is_file() and resolved == tree.root.resolve()):
            raise InputError(out, "output is the source itself", "choose another -o, or use --in-place")
        if resolved.is_relative_to(source):
            raise InputError(out, "output lies inside the source", "choose a folder outside of it with -o")
        if source.is_dir() and source.is_relative_to(resolved):
            raise InputError(out, "output holds the source", "choose a folder beside the source with -o")
    if out.is_symlink() and not out.exists():
        raise InputError(out, "is a symbolic link to nothing", "choose another -o")
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file, but a folder is to be written", "choose another -o")
    if out.exists() and any(out.iterdir()) and not force:
        raise InputError(out, "output exists and is not empty", "choose another -o, or pass --force")
