"""`F.relu(x, inplace=True)`: a function that is told to overwrite its argument."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import BoundOp, Given, Refusal, literal
from .inplace_methods import MutatingCall, Node
from .places import without_wrappers


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """A call bound to an op with `inplace=True`; a flag that is no literal counts as True."""
    flag = next((a.value for a in node.args if a.keyword is not None and a.keyword.value == "inplace"), None)
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.is_layer:
        return None
    if flag is None:
        flag = _positional_flag(node, bound)
    if flag is None or literal(flag) is False:
        return None
    given = bound.arguments.get(bound.op.parameters[0].name)
    if not isinstance(given, Given):
        return None
    return MutatingCall(node, without_wrappers(given.node, context), bound.api, "in_place_argument", lambda c: _value(bound, c))


def _positional_flag(node: cst.Call, bound: BoundOp) -> cst.BaseExpression | None:
    """The flag in `F.relu(x, True)`."""
    offset = 1 if bound.spelling.form == "method" else 0
    names = [parameter.name for parameter in bound.spelling.parameters]
    index = names.index("inplace") + offset if "inplace" in names else len(node.args)
    plain = [argument for argument in node.args if argument.keyword is None]
    return plain[index].value if index < len(plain) else None


def _value(bound: BoundOp, context: FileContext) -> Node | Refusal:
    return context.write(bound)
