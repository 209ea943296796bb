"""Layers made with the keywords of the function around them: `nn.Conv2d(i, o, 3, **kwargs)`.

Code that hands `{"device": device, "dtype": dtype}` from function to function makes these reach the layer, which takes
neither after the conversion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.read import BoundOp, literal
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class LayerKeywords:
    """A layer made with the keywords that its function was given."""

    op: BoundOp
    name: str


def read(node: cst.Call, context: FileContext) -> LayerKeywords | None:
    """`nn.Linear(n, m, **kwargs)` in a function that takes `**kwargs`."""
    bound = context.bound(node)
    function = context.enclosing(cst.FunctionDef)
    if not isinstance(bound, BoundOp) or not bound.op.is_layer or function is None or function.params.star_kwarg is None:
        return None
    name = function.params.star_kwarg.name.value
    given = any(
        argument.star == "**" and isinstance(argument.value, cst.Name) and argument.value.value == name
        for argument in node.args
    )
    return LayerKeywords(bound, name) if given and _hands_settings_on(context.inference) else None


def _hands_settings_on(inference: Inference) -> bool:
    """Whether the repository has a dictionary of a device and an element type."""
    known: bool | None = inference.__dict__.get("_hands_settings_on")
    if known is None:
        known = inference.__dict__["_hands_settings_on"] = any(
            {"device", "dtype"}
            <= {literal(element.key) for element in node.elements if isinstance(element, cst.DictElement)}
            for scope in inference.repository.scopes.values()
            for node in inference.nodes(scope.file).of(cst.Dict)
        )
    return known


def write(construct: LayerKeywords, node: cst.Call, context: FileContext) -> Any:
    """`Linear(n, m, rngs=rngs, **layer_options(kwargs))`."""
    written: Any = context.write(construct.op)
    if not isinstance(written, cst.Call):
        return written
    context.converted(node, op=construct.op.op.name, api=construct.op.api, rule="layer_keywords")
    arguments = []
    for argument in written.args:
        if argument.star == "**" and isinstance(argument.value, cst.Name) and argument.value.value == construct.name:
            options = context.expression("helpers.layer_options({given})", given=argument.value)
            argument = argument.with_changes(value=options)
        arguments.append(argument)
    return written.with_changes(args=arguments)


RULES = (Rule("layer_keywords", (cst.Call,), {"torch": read}, {"jax": write}, order=56),)
