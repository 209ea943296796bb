"""`x.clamp(min=0)`: where a bound is a number, the comparison is written out; it has the gradient 1 at the bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.gradient_paths import may_pass
from ..rewriter.lattice import Array, Scalar
from ..rewriter.local_values import bindings
from ..rewriter.read import Argument, BoundOp, Given, literal
from ..rewriter.rule import Rule
from ..rewriter.write import is_cheap


@dataclass(frozen=True)
class Bounds:
    """An array limited by one number, or by two of which the first is not the larger."""

    array: cst.BaseExpression
    low: cst.BaseExpression | None
    high: cst.BaseExpression | None
    api: str


def read_call(node: cst.Call, context: FileContext) -> Bounds | None:
    """The array can be named twice, and no bound is an array or no number at all (NaN)."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "clip" or bound.starred:
        return None
    array = bound.given("x")
    if array is None or not is_cheap(array):
        return None
    type_ = context.type_of(array)
    if not isinstance(type_, Array) or type_.storage:
        return None
    low, high = (_number(bound.arguments.get(name), context) for name in ("min", "max"))
    if low is False or high is False or (low is None and high is None) or not may_pass(bound, context):
        return None
    found = Bounds(array, low or None, high or None, bound.api)
    return found if found.low is None or found.high is None or _in_order(found.low, found.high) else None


def _number(argument: Argument | None, context: FileContext) -> cst.BaseExpression | Literal[False] | None:
    """The number that an argument is; None where there is none, False where it may be something else."""
    if not isinstance(argument, Given):
        return None
    value = literal(argument.node)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return False if math.isnan(value) else argument.node
    type_ = context.type_of(argument.node)
    if isinstance(argument.node, cst.Name) and isinstance(type_, Scalar) and type_.kind in ("int", "float"):
        found = bindings(argument.node.value, context)
        if isinstance(found, cst.Param):
            return argument.node
    return False


def _in_order(low: cst.BaseExpression, high: cst.BaseExpression) -> bool:
    first, second = literal(low), literal(high)
    return isinstance(first, (int, float)) and isinstance(second, (int, float)) and first <= second


def write_call(construct: Bounds, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`jnp.where(x < 0, 0, x)`, twice for two bounds."""
    context.converted(node, op="clip", api=construct.api, rule="literal_bounds")
    parts = {"x": context.rewrite(construct.array)}
    template = "{x}"
    if construct.high is not None:
        parts["high"] = context.rewrite(construct.high)
        template = "jax.numpy.where({x} > {high}, {high}, {x})"
    if construct.low is not None:
        parts["low"] = context.rewrite(construct.low)
        template = "jax.numpy.where({x} < {low}, {low}, " + template + ")"
    return context.expression(template, **parts)  # type: ignore[no-any-return]


RULES = (Rule("literal_bounds", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
