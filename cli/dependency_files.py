"""Finds the dependency files of a repository and lets them follow its conversion."""

from __future__ import annotations

from collections.abc import Mapping

from ..rewriter.dependencies import editor_for, replace_packages
from ..rewriter.requirement import Packages
from ..rewriter.tree import SourceTree


def dependency_contents(tree: SourceTree) -> dict[str, bytes]:
    """The dependency files of a repository that are not Python files, by key."""
    return {
        key: tree.place(key).read_bytes() for key in tree.others if editor_for(key) and not tree.place(key).is_symlink()
    }


def follow(contents: Mapping[str, bytes], others: Mapping[str, bytes], source: str, target: str) -> dict[str, bytes]:
    """The dependency files that change when the Python files of a repository become `contents`.

    others: its dependency files that are not Python files.
    """
    from ..rewriter.source import imported_modules

    modules: set[str] = set()
    for key, content in contents.items():
        if key.endswith(".py"):
            modules |= {name.partition(".")[0] for name in imported_modules(content) or ()}
    files = {key: content for key, content in contents.items() if editor_for(key)} | dict(others)
    return replace_packages(files, packages(source), packages(target), modules)


def packages(framework: str) -> Packages:
    """What `framework` is installed from, by its `framework.yaml`."""
    from ..rewriter.table_loader import load_tables

    facts = load_tables().frameworks[framework]
    return Packages.of(
        facts.fact("packages", default={}),
        facts.fact("package_aliases", default=()),
        facts.fact("package_indexes", default=()),
    )
