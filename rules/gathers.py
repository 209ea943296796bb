"""`x.gather(1, index)`: an index may be shorter than the array along the other axes, where it takes the leading part."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.lattice import Array
from ..rewriter.lifting import named_value
from ..rewriter.read import BoundOp, literal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class Gather:
    """Entries of `array` along `axis` (counted from the front) at an index that has `rank` axes too."""

    array: cst.BaseExpression
    axis: int
    index: cst.BaseExpression
    written_axis: cst.BaseExpression
    rank: int
    api: str


def read_call(node: cst.Call, context: FileContext) -> Gather | None:
    """Both have as many axes, which is known of one of them."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "gather" or bound.starred:
        return None
    array, index, axis = bound.given("x"), bound.given("index"), bound.given("axis")
    if array is None or index is None or axis is None:
        return None
    types = [context.type_of(array), context.type_of(index)]
    if any(not isinstance(type_, Array) or type_.storage for type_ in types):
        return None
    rank = next((type_.rank for type_ in types if isinstance(type_, Array) and type_.rank), None)
    place = literal(axis)
    if rank is None or not isinstance(place, int) or not -rank <= place < rank:
        return None
    return Gather(array, place % rank, index, axis, rank, bound.api)


def write_call(construct: Gather, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`jnp.take_along_axis(x[: index.shape[0]], index, axis=1)`."""
    others = [axis for axis in range(construct.rank) if axis != construct.axis]
    index = named_value(construct.index, node, "index", context) if others else context.rewrite(construct.index)
    if index is None:
        return None
    context.converted(node, op="gather", api=construct.api, rule="gathers")
    slices = [":" if axis == construct.axis else f": {{index}}.shape[{axis}]" for axis in range(max(others, default=-1) + 1)]
    leading = f"{{array}}[{', '.join(slices)}]" if slices else "{array}"
    return context.expression(  # type: ignore[no-any-return]
        f"jax.numpy.take_along_axis({leading}, {{index}}, axis={{axis}})",
        array=parenthesized(context.rewrite(construct.array)) if slices else context.rewrite(construct.array),
        index=index,
        axis=context.rewrite(construct.written_axis),
    )


RULES = (Rule("gathers", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
