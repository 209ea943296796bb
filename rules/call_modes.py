"""Modes that come with the call: Keras' layers take `training=...`, torch's and NNX's modules keep a mode of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule

_LAYERS = frozenset(f"keras.layers.{name}" for name in ("Dropout", "BatchNormalization"))
_REASON = (
    "the layer takes its mode from train() and eval() now, and starts in training mode: call them where the original "
    "passed training=True or False (left out, it means False)"
)
_ARGUMENTS = "only an input and training=... have a counterpart at a call of"


@dataclass(frozen=True)
class ModeCall:
    """A call of a layer that behaves otherwise in training. mode: the position of the argument that says so, or None."""

    layer: str
    mode: int | None


def read_call(node: cst.Call, context: FileContext) -> ModeCall | Refusal | None:
    """`self.drop(x, training=training)`, with the mode by name, by position or left out."""
    layer = context.type_of(node.func)
    if not isinstance(layer, Instance) or layer.path not in _LAYERS or not _is_converted(layer.path, context):
        return None
    mode = None
    for index, argument in enumerate(node.args):
        name = argument.keyword.value if argument.keyword is not None else ("inputs", "training")[min(index, 1)]
        if argument.star or index > 1 or name not in ("inputs", "training"):
            return Refusal(f"{_ARGUMENTS} {layer.path}; leave out the others", node, layer.path)
        mode = index if name == "training" else mode
    return ModeCall(layer.path, mode)


def _is_converted(layer: str, context: FileContext) -> bool:
    """Whether the target has the layer; what stays Keras' own keeps taking its mode from the call."""
    ops = {row.op for row in context.source.by_path.get(layer, ())}
    return any(row.form != "unsupported" for op in ops for row in context.tables.writers(context.target.name, op))


def write_call(construct: ModeCall, node: cst.Call, context: FileContext) -> cst.Call:
    """The call without the mode."""
    context.review(node, _REASON, op="training_mode", api=construct.layer, rule="call_modes")
    updated: cst.Call = context.rewrite_children(node)
    args = [argument for index, argument in enumerate(updated.args) if index != construct.mode]
    if construct.mode == len(args):
        args[-1:] = [last.with_changes(comma=_last_comma(last.comma, updated.args[-1].comma)) for last in args[-1:]]
    return updated.with_changes(args=args)


def _last_comma(before: Any, last: Any) -> Any:
    """The comma behind what is the last argument now, with the comment that stood behind it before."""
    blanks: list[Any] = [getattr(comma, "whitespace_after", None) for comma in (before, last)]
    if not all(isinstance(blank, cst.ParenthesizedWhitespace) for blank in blanks):
        return last
    return last.with_changes(whitespace_after=blanks[1].with_changes(first_line=blanks[0].first_line))


RULES = (
    Rule("call_modes", (cst.Call,), {"tensorflow": read_call}, dict.fromkeys(("torch", "jax"), write_call), order=30),
)
