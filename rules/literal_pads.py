"""`F.pad(x, (1, 0))`: amounts that are written out become pairs, the first axis first."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import literal_node
from ..rewriter.lattice import Array
from ..rewriter.lifting import named_value
from ..rewriter.read import Argument, BoundOp, Constant, Given, literal
from ..rewriter.rule import Rule
from ..rewriter.signature import MISSING

#: The hub's modes in NumPy's words.
MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@dataclass(frozen=True)
class LiteralPad:
    """An array padded by (before, after) pairs for its last axes, in their order.

    value: what the new entries hold in mode `constant`, None for 0. rank: the number of axes, if known.
    """

    array: cst.BaseExpression
    pairs: tuple[tuple[int, int], ...]
    mode: str
    value: cst.BaseExpression | None
    rank: int | None
    api: str


def read_call(node: cst.Call, context: FileContext) -> LiteralPad | None:
    """No amount takes entries away."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "pad" or bound.starred:
        return None
    array, mode = bound.given("x"), _value(bound.arguments.get("mode"))
    amounts = _value(bound.arguments.get("pad"))
    if array is None or mode not in MODES or not isinstance(amounts, (tuple, list)) or not amounts or len(amounts) % 2:
        return None
    if not all(isinstance(n, int) and n >= 0 for n in amounts):
        return None
    type_ = context.type_of(array)
    if not isinstance(type_, Array) or (type_.rank is None and type_.storage):
        return None
    rank = type_.rank
    value = bound.arguments.get("value")
    filled = value.node if isinstance(value, Given) and literal(value.node) not in (None, 0) else None
    pairs = tuple(zip(amounts[::2], amounts[1::2], strict=True))[::-1]
    if rank is not None and rank < len(pairs):
        return None
    return LiteralPad(array, pairs, mode, filled, rank, bound.api)


def _value(argument: Argument | None) -> object:
    """The literal value of an argument."""
    if isinstance(argument, Constant):
        return argument.value
    return literal(argument.node) if isinstance(argument, Given) else MISSING


def write_call(construct: LiteralPad, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 0)])`, all pairs written out where the rank is known."""
    if construct.rank is not None:
        array: cst.BaseExpression | None = context.rewrite(construct.array)
    else:
        array = named_value(construct.array, node, "inner", context)
    if array is None:
        return None
    context.converted(node, op="pad", api=construct.api, rule="literal_pads")
    given = list(construct.pairs)
    nodes = {"array": array}
    if construct.rank is not None:
        nodes["pairs"] = literal_node([(0, 0)] * (construct.rank - len(given)) + given)
        template = "jax.numpy.pad({array}, {pairs}"
    else:
        nodes |= {"pairs": literal_node(given), "last": literal_node(len(given))}
        template = "jax.numpy.pad({array}, [(0, 0)] * ({array}.ndim - {last}) + {pairs}"
    if construct.mode != "constant":
        nodes["mode"] = literal_node(MODES[construct.mode])
        template += ", mode={mode}"
    elif construct.value is not None:
        nodes["value"] = context.rewrite(construct.value)
        template += ", constant_values={value}"
    return context.expression(template + ")", **nodes)  # type: ignore[no-any-return]


RULES = (Rule("literal_pads", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
