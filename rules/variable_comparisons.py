"""Comparisons of a module's parameters and buffers: NNX variables do arithmetic as arrays do, but do not compare."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.lattice import Array
from ..rewriter.rule import Rule

_ORDERINGS = (cst.LessThan, cst.LessThanEqual, cst.GreaterThan, cst.GreaterThanEqual, cst.Equal, cst.NotEqual)


@dataclass(frozen=True)
class VariableComparison:
    """A comparison of arrays in which at least one operand is a parameter or buffer."""


def read(node: cst.Comparison, context: FileContext) -> VariableComparison | None:
    """`self.scale > 0`, by elements."""
    if not all(isinstance(part.operator, _ORDERINGS) for part in node.comparisons):
        return None
    operands = [node.left, *(part.comparator for part in node.comparisons)]
    return VariableComparison() if any(_is_variable(operand, context) for operand in operands) else None


def _is_variable(node: cst.BaseExpression, context: FileContext) -> bool:
    found = context.type_of(node)
    return isinstance(found, Array) and bool(found.storage) and isinstance(node, (cst.Name, cst.Attribute))


def write(construct: VariableComparison, node: cst.Comparison, context: FileContext) -> cst.Comparison:
    """`self.scale[...] > 0`."""

    def operand(original: cst.BaseExpression) -> cst.BaseExpression:
        rewritten: cst.BaseExpression = context.rewrite(original)
        if not _is_variable(original, context):
            return rewritten
        return cst.Subscript(parenthesized(rewritten), [cst.SubscriptElement(cst.Index(cst.Ellipsis()))])

    parts = [part.with_changes(comparator=operand(part.comparator)) for part in node.comparisons]
    context.converted(node, op="comparison", rule="variable_comparisons")
    return node.with_changes(left=operand(node.left), comparisons=parts)


RULES = (
    Rule(name="variable_comparisons", nodes=(cst.Comparison,), read={"torch": read}, write={"jax": write}, order=60),
)
