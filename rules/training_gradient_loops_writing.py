"""Writes loops over parameters that use their gradients: a map over all gradients, or a loop over both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import dotted_name, parenthesized
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from .inplace_methods import recognize
from .training_plan import GradientLoop

_OPERATORS: Mapping[type, str] = {
    cst.AddAssign: "+", cst.SubtractAssign: "-", cst.MultiplyAssign: "*", cst.DivideAssign: "/",
}  # fmt: skip


def written_loop(loop: GradientLoop, grads: str, line: cst.For, context: FileContext) -> list[Any]:
    """The statements that take the place of the loop."""
    if loop.changes:
        value = _changed(loop, context)
        return context.statements(
            "{grads} = jax.tree.map(lambda {name}: {value}, {grads})",
            grads=cst.Name(grads), name=cst.Name(loop.name), value=value)  # fmt: skip
    if _only_clears(loop, line.body):
        return []
    result = context.rewrite(line)
    gradients = context.expression(
        "helpers.parameter_gradients({model}, {grads})", model=dotted_name(loop.model), grads=cst.Name(grads))  # fmt: skip
    uses = [node for node in walk(line.body) if isinstance(node, cst.Name) and node.value == loop.parameter]
    held = [
        n
        for n in walk(line.body)
        if isinstance(n, cst.Attribute) and n.attr.value == "grad" and dotted(n.value) == loop.parameter
    ]
    if isinstance(line.target, cst.Name) and len(uses) == len(held):
        return [result.with_changes(target=cst.Name(loop.name), iter=gradients)]
    pair = cst.Tuple([cst.Element(_in_parentheses(result.target)), cst.Element(cst.Name(loop.name))], lpar=[], rpar=[])
    both = context.expression("zip({parameters}, {gradients})", parameters=result.iter, gradients=gradients)
    return [result.with_changes(target=pair, iter=both)]


def _in_parentheses(target: Any) -> Any:
    return parenthesized(target) if isinstance(target, cst.Tuple) and not target.lpar else target


def _changed(loop: GradientLoop, context: FileContext) -> Any:
    """The new value of a gradient."""
    (statement,) = loop.changes
    match statement:
        case cst.Expr(value=cst.Call() as call):
            mutation = recognize(call, context)
            value = mutation.value(context) if mutation is not None else Refusal("what this does to p.grad", call)
        case cst.AugAssign(operator=operator, value=other) if type(operator) in _OPERATORS:
            value = context.expression(
                f"{{name}} {_OPERATORS[type(operator)]} {{other}}",
                name=cst.Name(loop.name), other=context.rewrite(other))  # fmt: skip
        case cst.Assign(value=new):
            value = context.rewrite(new)
        case _:
            value = Refusal("what this does to p.grad", statement)
    if isinstance(value, Refusal):
        context.unsupported(statement, value.reason, api="Tensor.grad", rule="training_step")
        return cst.Name(loop.name)
    return value


def _only_clears(loop: GradientLoop, body: cst.CSTNode) -> bool:
    small = [node for node in walk(body) if isinstance(node, cst.BaseSmallStatement)]
    return bool(loop.clearing) and all(any(node is cleared for cleared in loop.clearing) for node in small)
