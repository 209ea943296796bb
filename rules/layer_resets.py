"""`self.linear.reset_parameters()`: the weights of one of the framework's own layers are drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Either, Instance, Type
from ..rewriter.rule import Rule
from .rngs import module_rngs


@dataclass(frozen=True)
class LayerReset:
    """A layer that gets new initial values."""

    layer: cst.BaseExpression
    api: str


def read(node: cst.Call, context: FileContext) -> LayerReset | None:
    """`layer.reset_parameters()` where the layer's class is known."""
    if not isinstance(node.func, cst.Attribute) or node.func.attr.value != "reset_parameters" or node.args:
        return None
    layers = _layers(context.type_of(node.func.value))
    if not layers or not all(_has_weights(path, context) for path in layers):
        return None
    return LayerReset(node.func.value, f"{layers[0]}.reset_parameters")


def _layers(value: Type) -> list[str]:
    options = value.options if isinstance(value, Either) else (value,)
    return [option.path if isinstance(option, Instance) else "" for option in options]


def _has_weights(path: str, context: FileContext) -> bool:
    """Whether a class is a layer of the source framework with weights of its own, and none within others."""
    rows = context.source.by_path.get(path, ())
    if not rows or not rows[0].weights or not context.tables.hub[rows[0].op].is_layer:
        return False
    return not any("." in weight for weight in rows[0].weights)


def write(construct: LayerReset, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`reset_parameters(layer, rngs=rngs)`."""
    context.converted(node, op="reset_parameters", api=construct.api, rule="layer_resets")
    result: cst.BaseExpression = context.expression(
        "helpers.reset_parameters({layer}, rngs={rngs})",
        layer=context.rewrite(construct.layer), rngs=module_rngs(context))  # fmt: skip
    return result


RULES = (Rule("layer_resets", (cst.Call,), {"torch": read}, {"jax": write}, order=30),)
