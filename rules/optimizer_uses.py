"""What is asked of optimizers: their parameter groups, and their state for a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple
from ..rewriter.lattice import UNKNOWN, Instance
from ..rewriter.names import dotted
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .optimizer_models import OPTIMIZERS, SEVERAL_EVALUATIONS, OptimizerModels, Scope, is_optimizer
from .optimizers import only_groups


@dataclass(frozen=True)
class OptimizerUse:
    """Something asked of an optimizer. kind: `param_groups`, `state_dict`, `load_state_dict`."""

    kind: str
    optimizer: cst.BaseExpression
    arguments: tuple[cst.Arg, ...] = ()


def read_groups(node: cst.Attribute, context: FileContext) -> OptimizerUse | None:
    """`optimizer.param_groups`."""
    if node.attr.value != "param_groups":
        return None
    value = context.type_of(node.value)
    return OptimizerUse("param_groups", node.value) if is_optimizer(value) or value == UNKNOWN else None


def read_state(node: cst.Call, context: FileContext) -> OptimizerUse | Refusal | None:
    """`optimizer.state_dict()` and `optimizer.load_state_dict(state)`."""
    if not isinstance(node.func, cst.Attribute):
        return None
    name = node.func.attr.value
    value = context.type_of(node.func.value)
    if not is_optimizer(value):
        return None
    if name in ("state_dict", "load_state_dict") and value == Instance(SEVERAL_EVALUATIONS):
        reason = "the history of L-BFGS is not saved; build the optimizer anew, it learns the curvature within a few steps"
        return Refusal(reason, node, f"{SEVERAL_EVALUATIONS}.{name}")
    if name in ("state_dict", "load_state_dict"):
        return OptimizerUse(name, node.func.value, tuple(node.args))
    if name == "add_param_group":
        return Refusal(
            "add_param_group: give all groups to the optimizer when it is built", node, f"{OPTIMIZERS}Optimizer.{name}"
        )
    return None


def write_use(construct: OptimizerUse, node: cst.CSTNode, context: FileContext) -> Any:
    """The helper that answers for an `nnx.Optimizer` as well as for parameter groups."""
    helper = construct.kind if construct.kind == "param_groups" else f"optimizer_{construct.kind}"
    arguments = [cst.Arg(context.rewrite(construct.optimizer)), *(context.rewrite(a) for a in construct.arguments)]
    if construct.kind == "load_state_dict":
        arguments += _stepped_models(construct, context)
    try:
        function = context.helper(helper)
    except KeyError:
        return Refusal(f"an optimizer's {construct.kind} cannot be written yet", node)
    context.converted(node, op=construct.kind, api=f"{OPTIMIZERS}Optimizer.{construct.kind}", rule="optimizers")
    return context.expression("{function}({arguments})", function=function, arguments=arguments)


def _stepped_models(construct: OptimizerUse, context: FileContext) -> list[cst.Arg]:
    """The modules that the optimizer steps, where this is evident: they name what torch's states only number."""
    name = dotted(construct.optimizer)
    if name is None or len(construct.arguments) != 1 or only_groups(context):
        return []
    around = [part for part in context.stack if isinstance(part, (cst.FunctionDef, cst.ClassDef))]
    functions = [part for part in around if isinstance(part, cst.FunctionDef)]
    owner = around[-2] if len(around) > 1 and functions and around[-1] is functions[-1] else None
    scope = Scope(context.scope.file, functions[-1] if functions else None,
                  owner if isinstance(owner, cst.ClassDef) else None, tuple(functions[:-1]))  # fmt: skip
    units = OptimizerModels.of(context.inference).units(scope, name)
    if not units:
        return []
    parts = [cst.parse_expression(unit) for unit in units]
    return [cst.Arg(parts[0] if len(parts) == 1 else as_tuple(parts))]


RULES = (
    Rule("optimizer_groups", (cst.Attribute,), {"torch": read_groups}, {"jax": write_use}, order=20),
    Rule("optimizer_state", (cst.Call,), {"torch": read_state}, {"jax": write_use}, order=20),
)
