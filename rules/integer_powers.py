"""`i ** j` of integers: JAX and NumPy raise for a negative power, or JAX gives any number, where torch rounds towards zero."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array, Scalar
from ..rewriter.read import BoundOp, Constant, Given, Refusal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class IntegerPower:
    """A power of which both sides are integers, the exponents those of an array."""

    bound: BoundOp


def read(node: cst.BinaryOperation, context: FileContext) -> IntegerPower | None:
    """`x ** y` where inference knows the element types."""
    if not isinstance(node.operator, cst.Power):
        return None
    base, exponent = context.type_of(node.left), context.type_of(node.right)
    is_whole = (isinstance(base, Array) and base.dtype == "int") or base == Scalar("int")
    if not is_whole or not (isinstance(exponent, Array) and exponent.dtype == "int") or _counts_up(node.right, context):
        return None
    hub = context.tables.hub["pow"]
    first, second = (parameter.name for parameter in hub.parameters[:2])
    spelling = next(row for row in context.source.by_op[hub.name] if row.form == "operator")
    return IntegerPower(BoundOp(hub, spelling, {first: Given(node.left), second: Given(node.right)}, node, "**"))


def _counts_up(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether these are the numbers from 0: `torch.arange(n)`."""
    bound = context.bound(node)
    return isinstance(bound, BoundOp) and bound.op.name == "arange" and bound.arguments.get("stop") == Constant(None)


def write(construct: IntegerPower, node: cst.BinaryOperation, context: FileContext) -> cst.BaseExpression | Refusal:
    """A helper with torch's values for negative powers."""
    made = context.write(construct.bound)
    if not isinstance(made, Refusal):
        context.converted(node, op=construct.bound.op.name, api="**", rule="integer_powers")
    return made


RULES = (Rule("integer_powers", (cst.BinaryOperation,), {"torch": read}, dict.fromkeys(("jax", "numpy"), write)),)
