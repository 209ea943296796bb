"""Reading `x.data`: the array's values without its history."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.read import BoundOp, Given, Refusal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class Values:
    """An array from which no gradient flows back."""

    op: BoundOp


def read(node: cst.Attribute, context: FileContext) -> Values | None:
    """`x.data`, where x is an array and the expression is not stored to."""
    if node.attr.value != "data" or not isinstance(context.type_of(node.value), Array):
        return None
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, cst.AssignTarget) or (isinstance(parent, cst.AugAssign) and parent.target is node):
        return None
    hub = context.tables.hub["stop_gradient"]
    spelling = next(row for rows in context.source.by_path.values() for row in rows if row.op == hub.name)
    api = f"{context.source.array_class}.data"
    return Values(BoundOp(hub, spelling, {hub.parameters[0].name: Given(node.value)}, node, api))


def write(construct: Values, node: cst.Attribute, context: FileContext) -> cst.BaseExpression | Refusal:
    """What the target writes for an array without gradient."""
    written = context.write(construct.op)
    if not isinstance(written, Refusal):
        context.converted(node, op=construct.op.op.name, api=construct.op.api, rule="data_attributes")
    return written


RULES = (Rule(name="data_attributes", nodes=(cst.Attribute,), read={"torch": read}, write={"jax": write, "numpy": write}, order=70),)
