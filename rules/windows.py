"""`x.unfold(dim, size, step)`: windows along an axis, taken by the places where they begin."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import literal_node
from ..rewriter.lattice import INT, Array
from ..rewriter.lifting import is_pure_number, named_value
from ..rewriter.read import BoundOp, literal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class Windows:
    """Windows of `size` entries along `axis`, one every `step` entries; their entries become the last axis."""

    array: cst.BaseExpression
    axis: int
    size: cst.BaseExpression
    step: cst.BaseExpression
    api: str


def read_call(node: cst.Call, context: FileContext) -> Windows | None:
    """The axis is a number, size and step are integers that can be written twice."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "unfold_axis" or bound.starred:
        return None
    given = [bound.given(name) for name in ("x", "axis", "size", "step")]
    array, axis, size, step = given
    if array is None or axis is None or size is None or step is None:
        return None
    type_, place = context.type_of(array), literal(axis)
    if not isinstance(type_, Array) or type_.storage or type_.rank == 0 or not isinstance(place, int):
        return None
    if not all(context.type_of(number) == INT and is_pure_number(number, context) for number in (size, step)):
        return None
    return Windows(array, place, size, step, bound.api)


def write_call(construct: Windows, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`jnp.take(x, jnp.arange(0, x.shape[-1] - size + 1, step)[:, None] + jnp.arange(size), axis=-1)`."""
    array = named_value(construct.array, node, "whole", context)
    if array is None:
        return None
    context.converted(node, op="unfold_axis", api=construct.api, rule="windows")
    axis = construct.axis
    starts = "jax.numpy.arange(0, {array}.shape[{axis}] - {size} + 1, {step})[:, None]"
    template = "jax.numpy.take({array}, " + starts + " + jax.numpy.arange({size}), axis={axis})"
    if axis != -1:
        template = "jax.numpy.moveaxis(" + template + ", {inner}, -1)"
    parts = {"axis": literal_node(axis), "inner": literal_node(axis if axis < 0 else axis + 1)}
    size, step = context.rewrite(construct.size), context.rewrite(construct.step)
    return context.expression(template, array=array, size=size, step=step, **parts)  # type: ignore[no-any-return]


RULES = (Rule("windows", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
