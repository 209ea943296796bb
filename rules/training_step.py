"""The training step: a loss, its gradients, what is done to them, and the optimizer's update.

torch keeps gradients in the parameters: `zero_grad`, `backward`, `step`. JAX returns them from a function of the model,
so the statements that compute the loss become that function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .optimizer_models import Scope
from .training_closures import Closures
from .training_events import APIS
from .training_plan import TrainingPlan
from .training_reading import linked_plans
from .training_step_writing import BlockWriter

_TELLING = frozenset(("backward", "step", "zero_grad", "clip_grad_norm_", "clip_grad_value_"))


@dataclass(frozen=True)
class TrainingStep:
    """The part of one or more training steps that stands in one block, within the plan of its function."""

    plan: TrainingPlan
    block: cst.CSTNode


def read_block(node: cst.CSTNode, context: FileContext) -> TrainingStep | None:
    """A block with statements that compute a loss, its gradients, or use them."""
    plan = training_plan(context, context.stack)
    if plan is None or node not in plan.blocks:
        return None
    return TrainingStep(plan, node)


def read_call(node: cst.Call, context: FileContext) -> Refusal | None:
    """A call that concerns gradients in a function whose training step cannot be expressed."""
    plan = training_plan(context, context.stack)
    if plan is None or not plan.problem:
        return None
    for call, kind, _ in plan.calls:
        if call is node:
            return Refusal(plan.problem, node, APIS[kind])
    return None


@dataclass(frozen=True)
class ClosureCall:
    """A closure that is called outside of any step; its gradients are not asked for."""

    call: cst.Call


def read_closure_call(node: cst.Call, context: FileContext) -> ClosureCall | None:
    """`closure().item()`."""
    if not Closures.of(context).uses or (context.stack and isinstance(context.stack[-1], cst.Expr)):
        return None
    scope = _scope(context, context.stack)
    closure = Closures.of(context).called(node, scope) if scope is not None else None
    plan = _plan(context, closure) if closure is not None else None
    return ClosureCall(node) if plan is not None and not plan.problem else None


def write_closure_call(construct: ClosureCall, node: cst.Call, context: FileContext) -> Any:
    """`closure()[0].item()`: the loss alone."""
    return context.expression("{call}[0]", call=context.rewrite_children(construct.call))


def read_held(node: cst.Attribute, context: FileContext) -> str | None:
    """`p.grad` in a loop over parameters."""
    if node.attr.value != "grad":
        return None
    plan = training_plan(context, context.stack)
    return plan.held.get(node) if plan is not None else None


def write_held(construct: str, node: cst.Attribute, context: FileContext) -> Any:
    """The name that holds the gradient."""
    context.converted(node, op="training_step", api="Tensor.grad", rule="training_step")
    return cst.Name(construct)


def read_removed(node: cst.SimpleStatementLine, context: FileContext) -> TrainingPlan | None:
    """`p.grad.zero_()` in such a loop."""
    plan = training_plan(context, context.stack)
    return plan if plan is not None and len(node.body) == 1 and node.body[0] in plan.removed else None


def write_removed(construct: TrainingPlan, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """Nothing: gradients are new values in each step."""
    return cst.RemovalSentinel.REMOVE


def training_plan(context: FileContext, stack: Sequence[cst.CSTNode]) -> TrainingPlan | None:
    """The plan of the function in which the rewriting is."""
    if "telling" not in context.state:
        context.state["telling"] = any(
            node.attr.value in _TELLING for node in context.inference.nodes(context.scope.file).of(cst.Attribute)
        )
    if not context.state["telling"]:
        return None
    scope = _scope(context, stack)
    return _plan(context, scope) if scope is not None else None


def _plan(context: FileContext, scope: Scope) -> TrainingPlan | None:
    plans: dict[cst.FunctionDef | None, TrainingPlan | None] = context.state.setdefault("training_step", {})
    if scope.function not in plans:
        plans.update(linked_plans(context, scope))
    return plans[scope.function]


def _scope(context: FileContext, stack: Sequence[cst.CSTNode]) -> Scope | None:
    """The function in which the rewriting is; None directly in a class."""
    around = [node for node in stack if isinstance(node, (cst.FunctionDef, cst.ClassDef))]
    function = around[-1] if around else None
    if isinstance(function, cst.ClassDef):
        return None
    owner = around[-2] if len(around) > 1 else None
    enclosing = tuple(node for node in around[:-1] if isinstance(node, cst.FunctionDef))
    return Scope(context.scope.file, function, owner if isinstance(owner, cst.ClassDef) else None, enclosing)


def write_block(construct: TrainingStep, node: Any, context: FileContext) -> Any:
    """The block with its losses as functions, gradients as values and updates of the optimizer."""
    return BlockWriter(context, construct.plan).written(node)


BLOCKS = (cst.IndentedBlock, cst.SimpleStatementSuite, cst.Module)
RULES = (
    Rule("training_step", BLOCKS, {"torch": read_block}, {"jax": write_block}, order=20),
    Rule("held_gradient", (cst.Attribute,), {"torch": read_held}, {"jax": write_held}, order=2),
    Rule("cleared_gradient", (cst.SimpleStatementLine,), {"torch": read_removed}, {"jax": write_removed}, order=2),
    Rule("closure_call", (cst.Call,), {"torch": read_closure_call}, {"jax": write_closure_call}, order=4),
    Rule("training_call", (cst.Call,), {"torch": read_call}, {"jax": lambda *_: None}, order=5),
)
