"""`F.relu(x, inplace=True)`: a function that is told to overwrite its argument."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import BoundOp, Given, Refusal
from ..rewriter.storage import is_told_inplace
from .inplace_methods import MutatingCall, Node
from .places import without_wrappers


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """A call bound to an op with `inplace=True`; a flag that is no literal counts as True."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.is_layer or not is_told_inplace(node, bound):
        return None
    given = bound.arguments.get(bound.op.parameters[0].name)
    if not isinstance(given, Given):
        return None
    return MutatingCall(
        node, without_wrappers(given.node, context), bound.api, "in_place_argument", lambda c: _value(bound, c)
    )


def _value(bound: BoundOp, context: FileContext) -> Node | Refusal:
    return context.write(bound)
