"""Which arrays gradients are taken for: `requires_grad` of parameters, and the `.grad` that arrays hold in torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .name_flow import effects_of_targets

INPUT_REASON = "gradients with respect to an input; write the computation as a function of it and use jax.grad"


@dataclass(frozen=True)
class Trainable:
    """A parameter, or all of a module's, frozen or thawed; `flag` None asks instead."""

    target: cst.BaseExpression
    flag: cst.BaseExpression | None


def input_reason(context: FileContext) -> str:
    """Why an input is not marked as one to differentiate by."""
    return context.target.fact("missing_families", "derivatives") or INPUT_REASON


def read_flag(node: cst.Attribute, context: FileContext) -> Trainable | Refusal | None:
    """`p.requires_grad` of a parameter."""
    if node.attr.value != "requires_grad":
        return None
    parent = context.stack[-2] if len(context.stack) > 1 else None
    value = context.type_of(node.value)
    if isinstance(parent, cst.AssignTarget) or not (isinstance(value, Array) or value == UNKNOWN):
        return None
    if (isinstance(value, Array) and value.storage == "parameter") or is_listed_parameter(node.value, context):
        return Trainable(node.value, None)
    return Refusal(
        "whether an array requires a gradient is not known in JAX; parameters say so with isinstance(p, nnx.Param)",
        node,
        "Tensor.requires_grad")  # fmt: skip


def write_flag(construct: Trainable, node: cst.Attribute, context: FileContext) -> Any:
    """The helper's answer."""
    context.converted(node, op="requires_grad", api="Tensor.requires_grad", rule="gradients")
    return context.expression("helpers.requires_grad({target})", target=context.rewrite(construct.target))


def is_listed_parameter(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether a name runs over `.parameters()` or `.named_parameters()` in the same function."""
    name = dotted(node)
    body = context.enclosing(cst.FunctionDef) or context.module
    for loop in walk(body):
        if isinstance(loop, (cst.For, cst.CompFor)) and isinstance(loop.iter, cst.Call):
            listed = (dotted(loop.iter.func) or "").rpartition(".")[2] in ("parameters", "named_parameters")
            if listed and name in effects_of_targets([loop.target]).binds:
                return True
    return False


def read_grad(node: cst.Attribute, context: FileContext) -> Refusal | None:
    """`p.grad`: gradients are values of their own in JAX."""
    if node.attr.value != "grad":
        return None
    value = context.type_of(node.value)
    if not isinstance(value, Array) and not (value == UNKNOWN and _calls_backward(context)):
        return None
    return Refusal("arrays hold no .grad in JAX; use what nnx.grad or jax.grad returns", node, "Tensor.grad")


def _calls_backward(context: FileContext) -> bool:
    body = context.enclosing(cst.FunctionDef) or context.module
    return any(isinstance(part, cst.Attribute) and part.attr.value in ("backward", "zero_grad") for part in walk(body))


RULES = (
    Rule("grad_attribute", (cst.Attribute,), {"torch": read_grad}, {"jax": lambda *_: None}, order=10),
    Rule(
        "requires_grad",
        (cst.Attribute,),
        {"torch": read_flag},
        dict.fromkeys(("jax", "tensorflow"), write_flag),
        order=25,
    ),
)
