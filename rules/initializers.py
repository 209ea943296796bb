"""`nn.init.zeros_(w[0])`: initializers of plain arrays and of parts of variables. Whole variables: module_tree.py."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from .inplace_methods import MutatingCall, Value
from .module_tree import NamedMethod, initializer_call, read_initializer
from .places import NoPlace, Place, find_place, surroundings, without_wrappers

_CONSTANTS = {"zeros": "0", "ones": "1", "constant": "{value}"}


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """An initializer whose array is no variable of its own."""
    construct = read_initializer(node, context)
    if construct is None or not construct.arguments or construct.arguments[0].keyword is not None:
        return None
    array = without_wrappers(construct.arguments[0].value, context)
    if not isinstance(context.type_of(array), Array):
        return None
    try:
        place = find_place(array, context)
    except NoPlace:
        return None
    if not place.indices and (place.kind == "variable" or _is_given(place, node, context)):
        return None
    api = f"torch.nn.init.{construct.function}_"
    return MutatingCall(
        node,
        array,
        api,
        "initializer",
        lambda c: _value(construct, node, array, c),
        _stored(construct),
    )


def _is_given(place: Place, node: cst.Call, context: FileContext) -> bool:
    """Whether the array is an argument of the function: perhaps a variable, which the helper fills."""
    analysis, where = surroundings(context, node)
    return any(storage.kind != "fresh" for storage in analysis.storages(where.statement, place.node))


def _value(construct: NamedMethod, node: cst.Call, array: cst.BaseExpression, context: FileContext) -> cst.BaseExpression:
    """What the helper leaves in a variable made for it."""
    target = context.expression("flax.nnx.Variable({x})", x=context.rewrite(array))
    filled: cst.BaseExpression = context.expression(
        "{call}[...]", call=initializer_call(construct, node, target, context)
    )
    return filled


def _stored(construct: NamedMethod) -> Value | None:
    """What to store where one number fills the place."""
    template = _CONSTANTS.get(construct.function)
    if template is None or (construct.function == "constant") != (len(construct.arguments) == 2):
        return None
    value = construct.arguments[-1].value
    return lambda c: c.expression(template, **({"value": c.rewrite(value)} if "{" in template else {}))
