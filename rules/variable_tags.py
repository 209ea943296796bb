"""Attributes that code sets on parameters and buffers: `self.A._no_weight_decay = True`.

A variable keeps them as metadata, where reading finds them as in torch. Plain arrays of JAX take no attributes.
"""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.names import dotted
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule

_OF_TORCH = frozenset(("data", "grad", "requires_grad", "real", "imag"))


@dataclass(frozen=True)
class VariableTag:
    """An attribute set on a variable."""

    variable: cst.BaseExpression
    name: cst.BaseExpression
    value: cst.BaseExpression


def read_assignment(node: cst.SimpleStatementLine, context: FileContext) -> VariableTag | Refusal | None:
    """`self.weight.is_norm = True`, `setattr(p, "is_norm", True)`."""
    if len(node.body) != 1:
        return None
    match node.body[0]:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute(value=owner, attr=attr))], value=value):
            name: cst.BaseExpression = cst.SimpleString(f'"{attr.value}"')
            if attr.value in _OF_TORCH:
                return None
        case cst.Expr(value=cst.Call(func=function, args=[first, second, third])) if dotted(function) == "setattr":
            owner, name, value = first.value, second.value, third.value
        case _:
            return None
    kind = context.type_of(owner)
    if not isinstance(kind, Array):
        return None
    if not kind.storage:
        return Refusal(f"{context.target.name} arrays take no attributes; keep the value beside the array", node.body[0])
    if isinstance(value, (cst.Dict, cst.List, cst.Set)):
        return Refusal("a variable's metadata has to be hashable: write a tuple or a frozen dataclass", node.body[0])
    return VariableTag(owner, name, value)


def write_assignment(
    construct: VariableTag, node: cst.SimpleStatementLine, context: FileContext
) -> cst.SimpleStatementLine:
    """`self.weight.set_metadata("is_norm", True)`."""
    context.converted(node.body[0], op="attribute", rule="variable_tags")
    call = context.expression(
        "{variable}.set_metadata({name}, {value})",
        variable=context.rewrite(construct.variable),
        name=context.rewrite(construct.name),
        value=context.rewrite(construct.value),
    )
    return node.with_changes(body=[cst.Expr(call)])


RULES = (
    Rule("variable_tags", (cst.SimpleStatementLine,), {"torch": read_assignment}, {"jax": write_assignment}, order=75),
)
