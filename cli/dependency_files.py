"""Finds the dependency files of a repository and lets them follow its conversion."""

from __future__ import annotations

from collections.abc import Mapping

from ..rewriter.dependencies import editor_for, replace_packages
from ..rewriter.requirement import Packages
from ..rewriter.source import imported_modules
from ..rewriter.table_loader import load_tables
from ..rewriter.tree import SourceTree


def follow(tree: SourceTree, contents: Mapping[str, bytes], source: str, target: str) -> dict[str, bytes]:
    """The dependency files that change when the Python files of `tree` become `contents`."""
    modules: set[str] = set()
    for key, content in contents.items():
        if key.endswith(".py"):
            modules |= {name.partition(".")[0] for name in imported_modules(content) or ()}
    files = {key: content for key, content in contents.items() if editor_for(key)}
    for key in tree.others:
        if editor_for(key) and not tree.place(key).is_symlink():
            files[key] = tree.place(key).read_bytes()
    return replace_packages(files, packages(source), packages(target), modules)


def packages(framework: str) -> Packages:
    """What `framework` is installed from, by its `framework.yaml`."""
    facts = load_tables().frameworks[framework]
    return Packages.of(
        facts.fact("packages", default={}),
        facts.fact("package_aliases", default=()),
        facts.fact("package_indexes", default=()),
    )
