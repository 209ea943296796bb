"""`torch.add(a, b, out=c)`: the result goes into an array that is there already."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import Refusal, read_call
from .inplace_methods import MutatingCall, Node
from .places import without_wrappers


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """A call of a function of the source framework with an `out` argument."""
    out = next((a.value for a in node.args if a.keyword is not None and a.keyword.value == "out"), None)
    if out is None or (isinstance(out, cst.Name) and out.value == "None"):
        return None
    path = context.path(node.func)
    if path is None or not context.source.owns(path) or path not in context.source.by_path:
        return None
    array = without_wrappers(out, context)
    return MutatingCall(node, array, path, "out_argument", lambda c: _value(node, path, c))


def _value(node: cst.Call, path: str, context: FileContext) -> Node | Refusal:
    kept = [argument for argument in node.args if argument.keyword is None or argument.keyword.value != "out"]
    bound = read_call(context.tables, context.source.name, path, node.with_changes(args=kept), context.type_of)
    if bound is None or isinstance(bound, Refusal):
        return Refusal(bound.reason if bound is not None else f"{path} is not in the tables yet", node, path)
    return context.write(replace(bound, node=node))
