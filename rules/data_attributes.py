"""Reading `x.data`: the array's values without its history."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array, Unknown
from ..rewriter.names import dotted
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


def read_store(node: cst.Assign, context: FileContext) -> None:
    """`y.data = value` where y may be an array: nothing is rewritten, but the report says so."""
    inference = context.inference
    for target in node.targets:
        match target.target:
            case cst.Attribute(value=owner, attr=cst.Name(value="data")) if context.type_of(owner) == UNKNOWN:
                pass
            case _:
                continue
        owned = inference.defines_method("data") or any("data" in names for names in inference.attributes.values())
        if not owned and isinstance(context.type_of(node.value), (Array, Unknown)):
            name = dotted(owner) or "the owner"
            context.review(
                node,
                f"if {name} is an array, its values change here in {context.source.name}, but not in {context.target.name}; "
                "annotate its type",
                rule="data_attributes",
            )


RULES = (
    Rule("data_attributes", (cst.Attribute,), {"torch": read}, {"jax": write, "numpy": write}, order=70),
    Rule("data_stores", (cst.Assign,), {"torch": read_store}, {"jax": lambda *_: None}, order=70),
)
