"""`nn.init.zeros_(w[0])`: initializers of plain arrays, of parts of variables, and those that one number or one draw says.

Other initializers of whole variables: module_tree.py.
"""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array
from ..rewriter.read import literal
from .inplace_methods import MutatingCall, Value
from .module_tree import NamedMethod, initializer_call, initializer_key, read_initializer
from .places import NoPlace, Place, find_place, surroundings, without_wrappers

_CONSTANTS = {"zeros": "0", "ones": "1", "constant": "{value}"}
#: The parameters, behind the array, of initializers that are one call of jax.random.
_DRAWS = {"normal": ("mean", "std"), "uniform": ("a", "b")}
_DEFAULTS = {"mean": 0, "std": 1, "a": 0, "b": 1}


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """An initializer whose array is no variable of its own, or that fills a variable with one number or draw."""
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
    if place.kind == "variable" and not place.indices:
        if context.target.name != "jax" or _stored(construct, array) is None or not _is_statement(node, context):
            return None
    elif not place.indices and _is_given(place, node, context):
        return None
    api = f"torch.nn.init.{construct.function}_"
    return MutatingCall(
        node,
        array,
        api,
        "initializer",
        lambda c: _value(construct, node, array, c),
        _stored(construct, array),
    )


def _is_statement(node: cst.Call, context: FileContext) -> bool:
    """Whether nobody uses what the call gives."""
    line = context.enclosing(cst.SimpleStatementLine)
    return line is not None and any(isinstance(part, cst.Expr) and part.value is node for part in line.body)


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


def _stored(construct: NamedMethod, array: cst.BaseExpression) -> Value | None:
    """What to store where one number fills the place, or one plain draw does."""
    if construct.function in _DRAWS:
        return _stored_draw(construct, array)
    template = _CONSTANTS.get(construct.function)
    if template is None or (construct.function == "constant") != (len(construct.arguments) == 2):
        return None
    value = construct.arguments[-1].value
    return lambda c: c.expression(template, **({"value": c.rewrite(value)} if "{" in template else {}))


def _stored_draw(construct: NamedMethod, array: cst.BaseExpression) -> Value | None:
    """Numbers of the array's shape, drawn anew."""
    names = _DRAWS[construct.function]
    given = {}
    for index, argument in enumerate(construct.arguments[1:]):
        if argument.star or index >= len(names):
            return None
        given[argument.keyword.value if argument.keyword is not None else names[index]] = argument.value
    if not set(given) <= set(names):
        return None

    def draw(context: FileContext) -> cst.BaseExpression:
        parts = {name: context.rewrite(value) for name, value in given.items() if literal(value) != _DEFAULTS[name]}
        template = "jax.random.normal({key}, {x}.shape)"
        if construct.function == "uniform":
            limits = "".join(f", {limit}={{{name}}}" for name, limit in (("a", "minval"), ("b", "maxval")) if name in parts)
            template = "jax.random.uniform({key}, {x}.shape" + limits + ")"
        elif "std" in parts:
            template = "{std} * " + template
        if "mean" in parts:
            template = "{mean} + " + template
        return context.expression(  # type: ignore[no-any-return]
            template, x=context.rewrite(array), key=initializer_key(None, context), **parts
        )

    return draw
