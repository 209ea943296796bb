"""`torch.add(a, b, out=c)`: the result goes into an array that is there already."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.lattice import FLOAT, Array, Type
from ..rewriter.read import BoundOp, Given, Refusal, read_call
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
    return MutatingCall(node, array, path, "out_argument", lambda c: _value(node, path, array, c))


def _value(node: cst.Call, path: str, array: Node, context: FileContext) -> Node | Refusal:
    """The result in the element type of the array that it goes into."""
    kept = [argument for argument in node.args if argument.keyword is None or argument.keyword.value != "out"]
    bound = read_call(context.tables, context.source.name, path, node.with_changes(args=kept), context.type_of)
    if bound is None or isinstance(bound, Refusal):
        return Refusal(bound.reason if bound is not None else f"{path} is not in the tables yet", node, path)
    written = context.write(replace(bound, node=node))
    stored = isinstance(array, cst.Subscript)  # a store casts by itself
    if isinstance(written, Refusal) or stored or (_is_float(context.type_of(array)) and _gives_floats(bound, context)):
        return written
    cast: Node = context.expression(
        "{value}.astype({array}.dtype)", value=parenthesized(written), array=context.rewrite(array)
    )
    return cast


def _is_float(value: Type) -> bool:
    return value == FLOAT or (isinstance(value, Array) and value.dtype == "float")


def _gives_floats(bound: BoundOp, context: FileContext) -> bool:
    """Whether an operation gives floats because it is given nothing else."""
    arrays = {parameter.name for parameter in bound.op.parameters if parameter.kind.startswith("array")}
    given = [bound.arguments[name] for name in arrays if name in bound.arguments]
    return bound.op.result in ("array", "array[same]", "array[inexact]") and all(
        isinstance(one, Given) and _is_float(context.type_of(one.node)) for one in given
    )
