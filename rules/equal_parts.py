"""`a, b, c = x.chunk(3, dim)`: as many names as parts, so the parts are equal ones."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import BoundOp, Constant, Given, literal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class EqualParts:
    """An array cut into `count` equal parts along an axis, each with a name."""

    array: cst.BaseExpression
    count: cst.BaseExpression
    axis: cst.BaseExpression | None
    api: str


def read_assignment(node: cst.Assign, context: FileContext) -> EqualParts | None:
    """The number of parts is a literal and that of the names."""
    bound = context.bound(node.value)
    if len(node.targets) != 1 or not isinstance(bound, BoundOp) or bound.op.name != "chunk" or bound.starred:
        return None
    target, count, array = node.targets[0].target, bound.given("chunks"), bound.given("x")
    if not isinstance(target, (cst.Tuple, cst.List)) or count is None or array is None:
        return None
    if any(isinstance(element, cst.StarredElement) for element in target.elements):
        return None
    axis = bound.arguments.get("axis")
    if literal(count) != len(target.elements) or not isinstance(axis, (Given, Constant)):
        return None
    return EqualParts(array, count, axis.node if isinstance(axis, Given) else None, bound.api)


def write_assignment(construct: EqualParts, node: cst.Assign, context: FileContext) -> cst.Assign:
    """`a, b, c = jnp.split(x, 3, axis)`, which says so where the parts would not be equal."""
    context.converted(node.value, op="chunk", api=construct.api, rule="equal_parts")
    array = context.rewrite(construct.array)
    if isinstance(array, (cst.BinaryOperation, cst.UnaryOperation)):
        array = array.with_changes(lpar=[], rpar=[])
    parts = {"array": array, "count": context.rewrite(construct.count)}
    if construct.axis is None:
        value = context.expression("jax.numpy.split({array}, {count})", **parts)
    else:
        value = context.expression(
            "jax.numpy.split({array}, {count}, axis={axis})", axis=context.rewrite(construct.axis), **parts)  # fmt: skip
    return node.with_changes(targets=[context.rewrite(target) for target in node.targets], value=value)


RULES = (Rule("equal_parts", (cst.Assign,), {"torch": read_assignment}, {"jax": write_assignment}, order=60),)
