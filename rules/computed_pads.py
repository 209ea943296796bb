"""`F.pad(x, (n, 0))`: amounts that are written out one by one, though not as numbers, become pairs."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple, literal_node
from ..rewriter.lattice import Array, Scalar
from ..rewriter.lifting import named_value
from ..rewriter.read import Argument, BoundOp, Constant, Given, literal
from ..rewriter.rule import Rule
from .literal_pads import MODES
from .sizes import is_size


@dataclass(frozen=True)
class ComputedPad:
    """An array padded by (before, after) pairs for its last axes, in their order; negative amounts crop.

    value: what the new entries hold in mode `constant`, None for 0.
    """

    array: cst.BaseExpression
    pairs: tuple[tuple[cst.BaseExpression, cst.BaseExpression], ...]
    mode: str
    value: cst.BaseExpression | None
    api: str


def read_call(node: cst.Call, context: FileContext) -> ComputedPad | None:
    """The amounts are written out, and nothing is cropped in a mode that only adds."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "pad" or bound.starred:
        return None
    array, amounts, mode = bound.given("x"), bound.given("pad"), _mode(bound.arguments.get("mode"))
    type_ = context.type_of(array) if array is not None else None
    if array is None or not isinstance(type_, Array) or type_.storage or mode not in MODES:
        return None
    if not isinstance(amounts, (cst.Tuple, cst.List)) or not amounts.elements or len(amounts.elements) % 2:
        return None
    if any(isinstance(element, cst.StarredElement) for element in amounts.elements):
        return None
    given = [element.value for element in amounts.elements]
    if mode != "constant" and not all(is_size(amount, context) for amount in given):
        return None
    value = bound.arguments.get("value")
    filled = value.node if isinstance(value, Given) and literal(value.node) not in (None, 0) else None
    if filled is not None and not isinstance(context.type_of(filled), Scalar):
        return None
    return ComputedPad(array, tuple(zip(given[::2], given[1::2], strict=True))[::-1], mode, filled, bound.api)


def _mode(argument: Argument | None) -> str:
    found = argument.value if isinstance(argument, Constant) else literal(argument.node) if isinstance(argument, Given) else ""
    return found if isinstance(found, str) else ""


def write_call(construct: ComputedPad, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`jax.lax.pad`, which crops too, and `jnp.pad` in the other modes."""
    array = named_value(construct.array, node, "inner", context)
    if array is None:
        return None
    context.converted(node, op="pad", api=construct.api, rule="computed_pads")
    crops = construct.mode == "constant"
    pairs = [
        as_tuple([context.rewrite(before), context.rewrite(after), *([cst.Integer("0")] if crops else [])])
        for before, after in construct.pairs
    ]
    nodes = {
        "array": array,
        "pairs": cst.List([cst.Element(pair) for pair in pairs]),
        "last": literal_node(len(pairs)),
        "none": literal_node([(0, 0, 0) if crops else (0, 0)]),
    }
    widths = "{none} * ({array}.ndim - {last}) + {pairs}"
    if crops:
        nodes["value"] = cst.Integer("0") if construct.value is None else context.rewrite(construct.value)
        template = "jax.lax.pad({array}, {array}.dtype.type({value}), " + widths + ")"
    else:
        nodes["mode"] = literal_node(MODES[construct.mode])
        template = "jax.numpy.pad({array}, " + widths + ", mode={mode})"
    return context.expression(template, **nodes)  # type: ignore[no-any-return]


RULES = (Rule("computed_pads", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=61),)
