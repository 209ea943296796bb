"""Calls of layers that name their first argument: the source calls it otherwise than the layers of the target do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance
from ..rewriter.rule import Rule

#: What torch's layers call their first argument.
FIRST = "input"


@dataclass(frozen=True)
class LayerCall:
    """`self.linear(input=x)`: `index` is the place of the argument that can stand first without its name."""

    index: int


def read_call(node: cst.Call, context: FileContext) -> LayerCall | None:
    """A call of one of the framework's own layers in which everything is named; losses keep their names."""
    named = [argument.keyword.value if argument.keyword is not None else None for argument in node.args]
    if FIRST not in named or None in named:
        return None
    layer = context.type_of(node.func)
    if not isinstance(layer, Instance):
        return None
    rows = context.inference.framework.framework.by_path.get(layer.path)
    if not rows or not context.tables.hub[rows[0].op].is_layer or layer.path.endswith("Loss"):
        return None
    return LayerCall(named.index(FIRST))


def write_call(construct: LayerCall, node: cst.Call, context: FileContext) -> Any:
    """`self.linear(x)`."""
    updated = context.rewrite_children(node)
    rest = list(updated.args)
    ordered = [cst.Arg(rest.pop(construct.index).value), *rest]
    # Commas, line breaks and comments stay where they are.
    return updated.with_changes(args=[
        argument.with_changes(comma=place.comma, whitespace_after_arg=place.whitespace_after_arg)
        for argument, place in zip(ordered, updated.args, strict=True)
    ])  # fmt: skip


RULES = (Rule("layer_call", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=90),)
