"""Decides where the results go: a new folder, a file beside the source, or the source itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..rewriter.helper_merge import join_helpers
from ..rewriter.placing import create_folder, merge_folder, replace_files, require_free
from ..rewriter.problems import InputError
from ..rewriter.tree import SourceTree
from .git import uncommitted

if TYPE_CHECKING:
    from .convert import Job, Request


@dataclass(frozen=True)
class Placement:
    """Where the trees of one run go.

    groups: the sources to be converted together. In a default run each has its own output, so each is its own
    group; otherwise all share one root.
    """

    request: Request
    groups: tuple[tuple[Path, ...], ...]

    @staticmethod
    def of(request: Request) -> Placement:
        apart = request.writes and not request.in_place and request.out is None
        groups = tuple((source,) for source in request.sources) if apart else (request.sources,)
        return Placement(request, groups)

    def require_room(self, tree: SourceTree) -> None:
        """Raise InputError, before any work, if writing would lose something of the user's."""
        if not self.request.writes:
            return
        if self.request.in_place:
            self.require_committed(tree)
        elif self.is_single_file(tree):
            destination = self.destination(tree)
            if destination.exists() and not self.request.force:
                raise InputError(destination, "output exists", "choose another -o, or pass --force")
            if destination.resolve() == self.only_file(tree).resolve():
                raise InputError(destination, "output is the source itself", "choose another -o, or use --in-place")
        else:
            require_free(self.destination(tree), tree, self.request.force)

    def require_committed(self, tree: SourceTree) -> None:
        """Ask for --force where git does not hold what is about to be rewritten."""
        dirty = [] if self.request.force else uncommitted(tree.given)
        if dirty:
            more = f" and {len(dirty) - 1} more" if len(dirty) > 1 else ""
            what = f"uncommitted changes ({dirty[0]}{more})"
            raise InputError(tree.given[0], what, "commit them first, or pass --force to rewrite all the same")

    @staticmethod
    def is_single_file(tree: SourceTree) -> bool:
        return len(tree.given) == 1 and not tree.is_folder

    @staticmethod
    def only_file(tree: SourceTree) -> Path:
        return tree.root / tree.given[0].name

    def destination(self, tree: SourceTree) -> Path:
        """The folder or, for a single source file, the file that is written."""
        out, target = self.request.out, self.request.target
        if self.request.in_place:
            return tree.given[0]
        if self.is_single_file(tree):
            source = tree.given[0]
            if out is None:
                return source.with_name(f"{source.stem}_{target}{source.suffix}")
            return out if out.suffix == source.suffix and not out.is_dir() else out / source.name
        if out is not None:
            return out
        resolved = tree.given[0].resolve()
        named = tree.given[0] if tree.given[0].name not in ("", "..") else resolved
        return named.with_name(f"{resolved.name}_{target}")

    def write(self, job: Job) -> None:
        """Write what the job became; nothing is touched if any part of it fails."""
        tree = job.tree
        if self.request.in_place:
            replace_files({tree.place(key): job.contents[key] for key in job.changed})
        elif self.is_single_file(tree):
            self.write_file(job)
        elif self.destination(tree).is_dir() and any(self.destination(tree).iterdir()):
            merge_folder(self.destination(tree), tree, job.contents)
        else:
            create_folder(self.destination(tree), tree, job.contents)

    def write_file(self, job: Job) -> None:
        """Write a single converted file, with the helper modules it needs beside it."""
        destination, key = self.destination(job.tree), self.only_file(job.tree).name
        contents = {destination: job.contents[key]}
        for helper in set(job.contents) - set(job.tree.files):
            place = destination.parent / helper
            existing = place.read_bytes() if place.is_file() else None
            contents[place] = join_helpers(place, existing, job.contents[helper], self.request.force)
        replace_files(contents, {destination: self.only_file(job.tree)})
