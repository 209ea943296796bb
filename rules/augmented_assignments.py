"""`x += y` changes an array in place in the source and makes a new one in JAX: fine where nobody else holds it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array, Method, Scalar, Unknown
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .places import (
    NoPlace,
    Place,
    check_sharing,
    describe,
    find_place,
    is_unknown,
    surroundings,
    with_update,
    without_wrappers,
)


@dataclass(frozen=True)
class AugmentedAssignment:
    """An array updated by an operator, in a place without indices into the array."""

    place: Place


def read(node: cst.AugAssign, context: FileContext) -> AugmentedAssignment | Refusal | None:
    """`x += y`, `self.count += 1`, `w.data -= step`, `items[0] *= 2`, where the target is an array."""
    if not isinstance(context.type_of(without_wrappers(node.target, context)), Array):
        _note_unknown(node, context)
        return None
    if isinstance(node.target, cst.Subscript) and isinstance(context.type_of(node.target.value), Array):
        return None
    try:
        place = find_place(node.target, context)
    except NoPlace as problem:
        return Refusal(str(problem), node) if str(problem) else None
    refusal = check_sharing(place, context, node, describe(node))
    return refusal if refusal is not None else AugmentedAssignment(place)


def _note_unknown(node: cst.AugAssign, context: FileContext) -> None:
    """A name of unknown type that may share memory with another: nothing is rewritten, but the report says so."""
    if not (isinstance(node.target, cst.Name) and is_unknown(node.target, context)):
        return
    analysis, where = surroundings(context, node)
    found = analysis.storages(where.statement, node.target)
    readers = [name for name in analysis.readers(where.statement, found, node.target.value) if name.isidentifier()]
    if readers and not isinstance(context.type_of(node.value), (Scalar, Unknown, Method)):
        name, others = node.target.value, " and ".join(sorted(readers)[:2])
        context.review(
            node,
            f"if {name} is an array, {describe(node)} also changes {others} in {context.source.name}, but not in "
            f"{context.target.name}; annotate its type",
            rule="mutation",
        )


def write(construct: AugmentedAssignment, node: cst.AugAssign, context: FileContext) -> cst.AugAssign | None:
    """The same statement; a parameter or buffer is written with `[...]`."""
    target = with_update(construct.place, cst.Name("_"), context)[0]
    if target is node.target or target.deep_equals(node.target):
        return None
    context.converted(node, op="in_place_update", api=type(node.operator).__name__, rule="augmented_assignments")
    return node.with_changes(target=target, value=context.rewrite(node.value))


RULES = (
    Rule(name="augmented_assignments", nodes=(cst.AugAssign,), read={"torch": read}, write={"jax": write}, order=22),
)
