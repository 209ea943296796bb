"""`init=nn.init.xavier_uniform_`: initializers as values, and the sizes and gains that custom initializers ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import normal_commas
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .module_tree import INITIALIZERS

_MODULE = "torch.nn.init."
_FILLS = "it fills a module's variable (self.weight); an array that is handed to it raises"


@dataclass(frozen=True)
class InitializerValue:
    """An initializer that is handed on. is_random: each of its calls draws a key."""

    name: str
    is_random: bool


@dataclass(frozen=True)
class Gain:
    """The recommended gain of a nonlinearity."""


@dataclass(frozen=True)
class Fans:
    """The fan in and fan out of a weight."""

    weight: cst.BaseExpression


def read_value(node: cst.Attribute | cst.Name, context: FileContext) -> InitializerValue | None:
    """`nn.init.xavier_uniform_` where it is not called."""
    path = context.direct_path(node) or ""
    name = path.removeprefix(_MODULE)
    if name == path or name not in INITIALIZERS:
        return None
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, cst.Call) and parent.func is node:
        return None
    return InitializerValue(f"{name.rstrip('_')}_", INITIALIZERS[name])


def write_value(construct: InitializerValue, node: cst.CSTNode, context: FileContext) -> cst.BaseExpression:
    """`keyed(xavier_uniform_)`, `zeros_`."""
    context.review(node, _FILLS, op=construct.name, api=f"{_MODULE}{construct.name}", rule="initializer_value")
    template = "helpers.keyed({function})" if construct.is_random else "{function}"
    return context.expression(template, function=context.helper(construct.name))  # type: ignore[no-any-return]


def read_question(node: cst.Call, context: FileContext) -> Gain | Fans | Refusal | None:
    """`nn.init.calculate_gain("relu")`, `nn.init._calculate_fan_in_and_fan_out(weight)`."""
    path = context.direct_path(node.func) or ""
    if path == f"{_MODULE}calculate_gain":
        return Gain()
    if path != f"{_MODULE}_calculate_fan_in_and_fan_out":
        return None
    if len(node.args) != 1 or node.args[0].star:
        return Refusal("one weight is asked for its fans", node, path)
    return Fans(node.args[0].value)


def write_question(construct: Gain | Fans, node: cst.Call, context: FileContext) -> Any:
    """`calculate_gain("relu")`, `fans(weight.shape)`."""
    api = context.direct_path(node.func) or ""
    context.converted(node, op=api.removeprefix(_MODULE).lstrip("_"), api=api, rule="initializer_value")
    if isinstance(construct, Fans):
        return context.expression("helpers.fans({weight}.shape)", weight=context.rewrite(construct.weight))
    arguments = [context.rewrite(argument) for argument in node.args]
    return node.with_changes(func=context.helper("calculate_gain"), args=normal_commas(arguments))


RULES = (
    Rule("initializer_value", (cst.Attribute, cst.Name), {"torch": read_value}, {"jax": write_value}, order=30),
    Rule("initializer_question", (cst.Call,), {"torch": read_question}, {"jax": write_question}, order=30),
)
