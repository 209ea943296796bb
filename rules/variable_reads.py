"""Arrays that a module owns, where JAX asks for the array itself and not for the variable that holds it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.read import BoundOp, Refusal
from ..rewriter.rule import Rule

#: Functions that do not take variables: their target paths begin so.
_STRICT = ("jax.lax.", "jax.nn.sigmoid", "jax.random.")
#: Python's functions that take an array of one element, and no variable.
_ASKING = frozenset(("bool", "max", "min", "divmod", "format", "range", "hash"))
#: Operators, by the paths of their rows, that variables do not know.
_COMPARISONS = frozenset(f"x1 {operator} x2" for operator in ("<", "<=", ">", ">=", "!="))
_LENIENT = ("jax.lax.stop_gradient",)


@dataclass(frozen=True)
class VariableRead:
    """A module's array as an index, or as an argument of a function that takes nothing else than arrays."""


def read_variable(node: cst.BaseExpression, context: FileContext) -> VariableRead | None:
    """`table[self.index]`, `jax.lax.top_k(self.scores, 3)`."""
    value = context.type_of(node)
    if not isinstance(value, Array) or not value.storage or len(context.stack) < 2:
        return None
    parent = context.stack[-2]
    if isinstance(parent, cst.Arg) and len(context.stack) > 2:
        parent = context.stack[-3]
    if isinstance(parent, cst.Attribute) and parent.value is node and len(context.stack) > 2:
        parent = context.stack[-3]
    asked = isinstance(parent, cst.Index) or _is_asked(node, parent) or is_strict(context.bound(parent), context)
    return VariableRead() if asked else None


def _is_asked(node: cst.BaseExpression, parent: cst.CSTNode) -> bool:
    """Whether a place asks for a truth value, a size or a number: a variable answers by its length, or not at all."""
    match parent:
        case cst.If() | cst.While() | cst.IfExp() | cst.Assert() | cst.CompIf():
            return parent.test is node
        case cst.UnaryOperation(operator=cst.Not()) | cst.BooleanOperation():
            return True
        case cst.Call(func=cst.Name(value=name)):
            return name in _ASKING
        case cst.FormattedStringExpression(format_spec=format_spec):
            return format_spec is not None
    return False


def is_strict(bound: BoundOp | Refusal | None, context: FileContext) -> bool:
    """Whether a call becomes one of a function that does not take variables, or a comparison."""
    if not isinstance(bound, BoundOp) or not isinstance(bound.node, cst.Call):
        return False
    rows = context.tables.writers(context.target.name, bound.op.name)
    if rows and rows[0].path in _COMPARISONS:
        return True
    return any(row.path.startswith(_STRICT) and not row.path.startswith(_LENIENT) for row in rows)


def write_variable(construct: VariableRead, node: cst.BaseExpression, context: FileContext) -> cst.BaseExpression:
    """`table[self.index[...]]`."""
    context.converted(node, op="variable", rule="variable_reads")
    result: cst.BaseExpression = context.expression("{value}[...]", value=context.rewrite_children(node))
    return result


RULES = (
    Rule("variable_reads", (cst.Name, cst.Attribute), {"torch": read_variable}, {"jax": write_variable}, order=60),
)
