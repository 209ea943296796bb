"""einops: its functions take any framework's arrays, its layers belong to one framework each."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.rule import Rule

_LAYERS = ("Rearrange", "Reduce")


@dataclass(frozen=True)
class EinopsLayer:
    """A mention of an einops layer class."""

    name: str


@dataclass(frozen=True)
class EinopsCall:
    """A call of an einops function with arrays that a module owns."""

    owned: tuple[cst.BaseExpression, ...]


def read_layer(node: cst.Name | cst.Attribute, context: FileContext) -> EinopsLayer | None:
    """`Rearrange` and `Reduce` of einops.layers.torch, called or passed on."""
    path = context.direct_path(node)
    if path is None or not path.startswith("einops.layers.torch."):
        return None
    name = path.removeprefix("einops.layers.torch.")
    return EinopsLayer(name) if name in _LAYERS else None


def write_layer(construct: EinopsLayer, node: cst.BaseExpression, context: FileContext) -> cst.BaseExpression:
    """The helper layer of the same name."""
    context.converted(node, op=construct.name, api=f"einops.layers.torch.{construct.name}", rule="einops_layers")
    return context.helper(construct.name)


def read_call(node: cst.Call, context: FileContext) -> EinopsCall | None:
    """`rearrange(self.weight, ...)`: einops asks for the array itself, not for the variable that holds it."""
    path = context.path(node.func)
    if path is None or not takes_any_arrays(path, context):
        return None
    owned = []
    for argument in node.args:
        for part in _parts(argument.value):
            value = context.type_of(part)
            if isinstance(value, Array) and value.storage:
                owned.append(part)
    return EinopsCall(tuple(owned)) if owned else None


def _parts(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """An argument, or the items of one that is written as a list."""
    return [element.value for element in node.elements] if isinstance(node, (cst.List, cst.Tuple)) else [node]


def takes_any_arrays(path: str, context: FileContext) -> bool:
    """Whether a function of another library takes arrays of any framework, and gives one."""
    listed = path in context.source.fact("array_functions", default=())
    return listed or (not context.source.owns(path) and f"{path}()" in context.source.fact("results", default={}))


def write_call(construct: EinopsCall, node: cst.Call, context: FileContext) -> cst.Call:
    """`rearrange(self.weight[...], ...)`."""
    context.converted(node, op="einops", rule="einops_layers")
    arguments = []
    for argument in node.args:
        value = argument.value
        if isinstance(value, (cst.List, cst.Tuple)):
            items = [one.with_changes(value=_plain(one.value, construct, context)) for one in value.elements]
            arguments.append(argument.with_changes(value=value.with_changes(elements=items)))
        else:
            arguments.append(argument.with_changes(value=_plain(value, construct, context)))
    return node.with_changes(args=arguments)


def _plain(node: cst.BaseExpression, construct: EinopsCall, context: FileContext) -> cst.BaseExpression:
    """The array itself, where a module's variable holds it."""
    value: cst.BaseExpression = context.rewrite(node)
    return context.expression("{value}[...]", value=value) if node in construct.owned else value


RULES = (
    Rule("einops_layer", (cst.Name, cst.Attribute), {"torch": read_layer}, {"jax": write_layer}, order=30),
    Rule("einops_call", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=30),
)
