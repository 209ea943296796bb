"""Gradients with respect to values inside a function, written with `jax.vjp` of a local function."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple, parenthesized
from ..rewriter.names import dotted
from ..rewriter.read import BoundOp, Refusal, literal
from ..rewriter.rule import Rule
from .derivative_writing import DerivativeWriter
from .differentiated import is_differentiated
from .gradients import stop_gradient
from .input_gradient_lines import is_mark
from .input_gradient_plans import Derivative, Take
from .input_gradients import GRAD, plan_of
from .requires_grad import input_reason
from .training_plan import TrainingPlan
from .training_step import training_plan

_OP = "input_gradient"


def read_block(node: cst.IndentedBlock, context: FileContext) -> list[Derivative] | None:
    """A block in which gradients are taken, unless a training step takes it apart already."""
    plan = plan_of(context)
    if plan is None or node not in plan.blocks:
        return None
    training = training_plan(context, context.stack)
    if training is not None and not training.problem and node in training.blocks:
        if _within_losses(plan.blocks[node], training, node):
            return None  # they are written with the loss
        reason = "a gradient inside a training step; write a function that computes it and call that"
        for derivative in plan.blocks.pop(node):
            for take in derivative.takes:
                plan.takes.pop(take.call)
                plan.problems[take.call] = reason
        return None
    return plan.blocks[node]


def _within_losses(derivatives: list[Derivative], training: TrainingPlan, node: cst.IndentedBlock) -> bool:
    """Whether each derivative is one of a value on the way to a loss, with all that takes it."""
    lines = training.lines.of(node)
    if len(lines) != len(node.body) or any(one is not other for one, other in zip(lines, node.body, strict=True)):
        return False
    losses = [set(one.region.inside) for one in training.regions.values() if one.region.places[-1].statements is lines]
    return all(
        any({*range(one.start, one.end + 1), *(take.index for take in one.takes)} <= inside for inside in losses)
        for one in derivatives
    )


def write_block(construct: list[Derivative], node: cst.IndentedBlock, context: FileContext) -> Any:
    """The block with the statements that are differentiated as functions."""
    writer = DerivativeWriter(context, node.body)
    return node.with_changes(body=writer.written(range(len(node.body)), construct))


def read_take(node: cst.Call | cst.Subscript, context: FileContext) -> tuple[Derivative, Take, int | None] | Refusal | None:
    """`torch.autograd.grad(u, x)`, `torch.autograd.grad(u, x)[0]`, `u.backward()`."""
    position = None
    call: Any = node
    if isinstance(node, cst.Subscript):
        call = node.value
        if not isinstance(call, cst.Call) or len(node.slice) != 1 or not isinstance(node.slice[0].slice, cst.Index):
            return None
        position = literal(node.slice[0].slice.value)
        if not isinstance(position, int):
            return None
    is_grad = context.direct_path(call.func) == GRAD
    if not is_grad and not (isinstance(call.func, cst.Attribute) and call.func.attr.value == "backward"):
        return None
    plan = plan_of(context)
    if plan is not None and call in plan.takes:
        return (*plan.takes[call], position)
    reason = plan.problems.get(call) if plan is not None else None
    if reason is None and not is_grad:
        return None
    why = reason or "it differentiates values that exist already; write the function and use jax.grad"
    return Refusal(why, call, GRAD if is_grad else "Tensor.backward")


def write_take(construct: tuple[Derivative, Take, int | None], node: Any, context: FileContext) -> Any:
    """`u_vjp(jnp.ones_like(u))`, or the one of its results that is asked for."""
    derivative, take, position = construct
    api = "Tensor.backward" if take.holds else GRAD
    context.converted(node, op=_OP, api=api, rule="input_gradients", safety="rounding")
    if take.reviewed:
        reason = (
            "only the gradients of the inputs are computed; torch also adds to those of a module's parameters"
            if take.holds
            else "an input that the output does not depend on gets zeros here, and None in torch"
        )
        context.review(node, reason, op=_OP, api=api, rule="input_gradients")
    follows = take.follows or not is_differentiated(context)
    if take.of_module:
        return _of_module(derivative, position, follows, context)
    if take.cotangent is not None:
        cotangent = context.rewrite(take.cotangent)
    else:
        cotangent = context.expression("jax.numpy.ones_like({output})", output=cst.Name(derivative.outputs or ""))
    result: Any = context.expression("{pullback}({cotangent})", pullback=cst.Name(derivative.pullback), cotangent=cotangent)
    places = [derivative.inputs.index(name) for name in take.inputs]
    if position is not None:
        one = cst.parse_expression(f"x[{places[position]}]").with_changes(value=result)  # type: ignore[union-attr]
        return one if follows else stop_gradient(context, one)
    if places != list(range(len(derivative.inputs))):
        if places != list(range(places[0], places[-1] + 1)):
            return Refusal("the gradients are asked for in another order elsewhere; ask for all of them at once", node, api)
        stop = places[-1] + 1 if places[-1] + 1 < len(derivative.inputs) else ""
        result = cst.parse_expression(f"x[{places[0] or ''}:{stop}]").with_changes(value=result)  # type: ignore[union-attr]
    return result if follows else stop_gradient(context, result)


def _of_module(derivative: Derivative, position: int | None, follows: bool, context: FileContext) -> Any:
    """`parameter_gradients(model, loss_grads)`: the gradients in the order of the module's parameters."""
    result = context.expression(
        "helpers.parameter_gradients({module}, {grads})",
        module=cst.Name(derivative.inputs[0]), grads=cst.Name(derivative.pullback))  # fmt: skip
    if position is not None:
        result = cst.parse_expression(f"x[{position}]").with_changes(value=result)  # type: ignore[union-attr]
    return result if follows else stop_gradient(context, result)


def read_backward(node: cst.SimpleStatementLine, context: FileContext) -> tuple[Derivative, Take] | str | None:
    """`u.backward()` as a statement of its own, and marks of inputs in other blocks."""
    plan = plan_of(context)
    if plan is not None and is_mark(node, tuple(plan.marked)):
        return "Tensor.requires_grad_"
    match node:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call() as call)]):
            return plan.takes.get(call) if plan is not None else None
    return None


def write_backward(construct: tuple[Derivative, Take] | str, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """`x_grad, = u_vjp(jnp.ones_like(u))`: what torch leaves in `.grad`. Marks go away."""
    if isinstance(construct, str):
        context.converted(node, op=_OP, api=construct, rule="input_gradients")
        return cst.RemovalSentinel.REMOVE
    derivative, take = construct
    value = write_take((derivative, take, 0 if len(take.inputs) == 1 else None), take.call, context)
    names = [cst.Name(gradient_name(name)) for name in take.inputs]
    target: Any = names[0] if len(names) == 1 else as_tuple(names).with_changes(lpar=[], rpar=[])
    return node.with_changes(body=[cst.Assign([cst.AssignTarget(target)], value)])


def gradient_name(name: str) -> str:
    """What holds `name.grad`."""
    return f"{name}_grad"


def read_held(node: cst.Attribute, context: FileContext) -> str | None:
    """`x.grad` behind a `backward()` that fills it."""
    if node.attr.value != "grad" or not isinstance(node.value, cst.Name):
        return None
    plan = plan_of(context)
    name = node.value.value
    held = plan is not None and any(take.holds and name in take.inputs for _, take in plan.takes.values())
    return name if held else None


def write_held(construct: str, node: cst.Attribute, context: FileContext) -> cst.Name:
    """`x_grad`."""
    context.converted(node, op=_OP, api="Tensor.grad", rule="input_gradients")
    return cst.Name(gradient_name(construct))


def read_marked(node: cst.Call, context: FileContext) -> cst.BaseExpression | Refusal | None:
    """`x = y.clone().requires_grad_()`, `x = torch.zeros(3, requires_grad=True)` of an input that is differentiated."""
    plan = plan_of(context) if context.target.name == "jax" else None
    is_input = plan is not None and _assigned(context) in plan.marked
    if isinstance(node.func, cst.Attribute) and node.func.attr.value == "requires_grad_" and is_input:
        flag = literal(node.args[0].value) if node.args else True
        return node.func.value if flag is True else None
    flags = [a for a in node.args if a.keyword is not None and a.keyword.value == "requires_grad"]
    if not flags or literal(flags[0].value) is False:
        return None
    path = context.direct_path(node.func)
    if is_input and path == "torch.autograd.Variable":
        return node.args[0].value
    is_creation = isinstance(context.bound(node), BoundOp)
    return Refusal(input_reason(context), node, path or "") if is_creation and not is_input else None


def _assigned(context: FileContext) -> str | None:
    """The name that the statement being rewritten assigns to."""
    match context.enclosing(cst.SimpleStatementLine):
        case cst.SimpleStatementLine(body=[cst.Assign(targets=[cst.AssignTarget(target=target)])]):
            return dotted(target)
    return None


def write_marked(construct: cst.BaseExpression, node: cst.Call, context: FileContext) -> Any:
    """The value itself."""
    context.converted(node, op=_OP, api="Tensor.requires_grad_", rule="input_gradients")
    value: Any = context.rewrite(construct)
    statement: Any = context.enclosing(cst.SimpleStatementLine)
    is_whole = statement is not None and getattr(statement.body[0], "value", None) is node
    return value.with_changes(lpar=node.lpar, rpar=node.rpar) if is_whole else parenthesized(value)


RULES = (
    Rule("input_gradients", (cst.IndentedBlock,), {"torch": read_block}, {"jax": write_block}, order=15),
    Rule("input_gradient_backward", (cst.SimpleStatementLine,), {"torch": read_backward}, {"jax": write_backward}, order=4),
    Rule("input_gradient_takes", (cst.Call, cst.Subscript), {"torch": read_take}, {"jax": write_take}, order=4),
    Rule("input_gradient_held", (cst.Attribute,), {"torch": read_held}, {"jax": write_held}, order=4),
    Rule("input_gradient_marks", (cst.Call,), {"torch": read_marked}, dict.fromkeys(("jax", "tensorflow", "numpy"), write_marked), order=6),
)
