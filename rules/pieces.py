"""`x.split(n, dim)`: pieces of one size, or of sizes that are written out, begin where plain arithmetic says."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import INT, Array
from ..rewriter.lifting import is_pure_number, named_value
from ..rewriter.local_values import parents_in
from ..rewriter.read import BoundOp, literal
from ..rewriter.rule import Rule
from .sizes import holds_sizes

#: Python's functions for which a list is as good as a tuple.
_TAKING_APART = frozenset("zip enumerate map list tuple len iter reversed".split())


@dataclass(frozen=True)
class Pieces:
    """An array cut along an axis.

    size: that of every piece but the last; None where there are `sizes`, one for each piece, of which none is starred,
    or `listed`, a list of them that has a name.
    """

    array: cst.BaseExpression
    size: cst.BaseExpression | None
    sizes: tuple[cst.BaseExpression, ...]
    listed: cst.BaseExpression | None
    axis: cst.BaseExpression | None
    api: str


def read_call(node: cst.Call, context: FileContext) -> Pieces | None:
    """One size for all, or a list of them; the pieces are taken apart at once, for JAX gives a list and no tuple."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "split" or bound.starred or not _is_taken_apart(node, context):
        return None
    array, sizes, axis = bound.given("x"), bound.given("sizes"), bound.given("axis")
    type_ = context.type_of(array) if array is not None else None
    if array is None or sizes is None or not isinstance(type_, Array) or type_.storage:
        return None
    if axis is not None and not isinstance(literal(axis), int):
        return None
    if context.type_of(sizes) == INT:
        return Pieces(array, sizes, (), None, axis, bound.api) if is_pure_number(sizes, context) else None
    if holds_sizes(context.type_of(sizes)) and not isinstance(sizes, (cst.Tuple, cst.List)):
        return Pieces(array, None, (), sizes, axis, bound.api)
    if not isinstance(sizes, (cst.Tuple, cst.List)) or not sizes.elements:
        return None
    each = tuple(element.value for element in sizes.elements)
    plain = all(isinstance(element, cst.Element) and is_pure_number(element.value, context) for element in sizes.elements)
    known = all(context.type_of(size) == INT for size in each)
    return Pieces(array, None, each, None, axis, bound.api) if plain and known else None


def _is_taken_apart(node: cst.Call, context: FileContext) -> bool:
    """Whether nothing can tell a list of the pieces from a tuple."""
    parents = parents_in(context)
    match parents.get(node):
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Tuple() | cst.List())]) | cst.Subscript() | cst.StarredElement():
            return True
        case cst.For(iter=iterated) | cst.CompFor(iter=iterated):
            return iterated is node
        case cst.Arg(star="*"):
            return True
        case cst.Arg(keyword=None, star="") as argument:
            call = parents.get(argument)
            return isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value in _TAKING_APART
    return False


def write_call(construct: Pieces, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`jnp.split(x, list(range(n, x.shape[0], n)))`, `jnp.split(x, [2, 5], axis=1)`."""
    parts: dict[str, cst.BaseExpression] = {}
    if construct.size is not None:
        array = named_value(construct.array, node, "whole", context)
        if array is None:
            return None
        parts |= {"array": array, "size": context.rewrite(construct.size)}
        parts["axis"] = context.rewrite(construct.axis) if construct.axis is not None else cst.Integer("0")
        template = "jax.numpy.split({array}, list(range({size}, {array}.shape[{axis}], {size}))"
    elif construct.listed is not None:
        parts |= {"array": context.rewrite(construct.array), "sizes": context.rewrite(construct.listed)}
        template = "jax.numpy.split({array}, numpy.cumsum({sizes})[:-1]"
    else:
        parts["array"] = context.rewrite(construct.array)
        template = "jax.numpy.split({array}, " + _ends(construct.sizes, parts, context)
    if construct.axis is not None:
        parts["axis"] = context.rewrite(construct.axis)
        template += ", axis={axis}"
    context.converted(node, op="split", api=construct.api, rule="pieces")
    return context.expression(template + ")", **parts)  # type: ignore[no-any-return]


def _ends(sizes: tuple[cst.BaseExpression, ...], parts: dict[str, cst.BaseExpression], context: FileContext) -> str:
    """Where the pieces but the last end: sums of sizes, computed where they are numbers."""
    numbers = [literal(size) for size in sizes]
    if all(isinstance(number, int) for number in numbers):
        return f"[{', '.join(str(sum(numbers[: end + 1])) for end in range(len(sizes) - 1))}]"  # type: ignore[arg-type]
    parts |= {f"size{index}": context.rewrite(size) for index, size in enumerate(sizes[:-1])}
    sums = (" + ".join(f"{{size{index}}}" for index in range(end + 1)) for end in range(len(sizes) - 1))
    return f"[{', '.join(sums)}]"


RULES = (Rule("pieces", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
