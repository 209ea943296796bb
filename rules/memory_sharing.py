"""Which names share memory in the source and in a target with mutable arrays, and where the two differ.

Views share memory in both, but not everywhere alike: what one framework copies the other may only look at, and a
single number picked from an array is a copy.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import libcst as cst

from ..rewriter.alias_facts import AliasFacts
from ..rewriter.aliases import FunctionAliases
from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import Array
from ..rewriter.read import Refusal
from ..rewriter.sharing import Aliases
from ..rewriter.storage import Storages
from .inplace_methods import Node
from .places import describe, surroundings


@dataclass(frozen=True)
class Sharing:
    """What an array shares its memory with, and which part of that may differ between source and target.

    readers: names read later. kept: memory that the function did not make itself. differing: readers and memory that
    share in one of the two frameworks only.
    """

    readers: frozenset[str]
    kept: Storages
    differing: tuple[str, ...]


@functools.lru_cache(maxsize=4)
def _target_aliases(inference: Inference, target: str, alike: bool) -> Aliases:
    """The alias analysis with the views of source or target (all), or with those that both make alike."""
    source, other = inference.tables.frameworks[inference.source], inference.tables.frameworks[target]
    facts = AliasFacts.of(source, inference.tables)
    names = frozenset(other.fact("views_alike" if alike else "own_views", default=()))
    views = names & facts.views if alike else names | facts.views
    return Aliases(inference, replace(facts, views=views, numbers_are_copies=alike))


def analysis_of(context: FileContext, node: cst.CSTNode, alike: bool) -> FunctionAliases:
    where = surroundings(context, node)[1]
    aliases = _target_aliases(context.inference, context.target.name, alike)
    return aliases.function(where.function, context.scope.file)


def sharing(array: Node, node: cst.CSTNode, context: FileContext) -> Sharing:
    """What shares memory with an array that `node` is about to change."""
    statement = surroundings(context, node)[1].statement
    name = _name(array)
    found: list[tuple[set[str], Storages]] = []
    for alike in (False, True):
        analysis = analysis_of(context, node, alike)
        storages = analysis.storages(statement, array)
        kept = frozenset(storage for storage in storages if storage.kind != "fresh")
        found.append((set(analysis.readers(statement, storages, name)), kept))
    (readers, kept), (same_readers, same_kept) = found
    memory = {str(storage.site) for storage in kept - same_kept}
    return Sharing(frozenset(readers), kept, tuple(sorted((readers - same_readers) | memory)))


def _name(array: Node) -> str:
    return array.value if isinstance(array, cst.Name) else ""


def has_axes(array: Node, context: FileContext) -> bool:
    """Whether an expression is certainly an array with axes, not a single number."""
    found = context.type_of(array)
    return isinstance(found, Array) and bool(found.rank)


def check(array: Node, node: cst.CSTNode, what: str, context: FileContext) -> Refusal | None:
    """A refusal where the target's names would not share memory as the source's do."""
    shared = sharing(array, node, context)
    source, target = context.source.name, context.target.name
    if shared.differing:
        return Refusal(
            f"{what} also changes {' and '.join(shared.differing[:2])} in one of {source} and {target} only, where a view "
            "in one is a copy in the other; copy explicitly before changing", node)  # fmt: skip
    fresh = isinstance(array, cst.Name) and not shared.kept
    if fresh and shared.readers and not has_axes(array, context):
        return Refusal(
            f"{what} also changes {' and '.join(sorted(shared.readers)[:2])}, but not where {describe(array)} is a single "
            f"number, which {target} does not change in place; annotate its shape or copy it", node)  # fmt: skip
    return None
