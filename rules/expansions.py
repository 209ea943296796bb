"""`x.expand(n, -1, -1)`: which axes keep their sizes is written out, so the shape can be asked of the array."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple, literal_node
from ..rewriter.lattice import Array, NoneType
from ..rewriter.lifting import is_cheap, named_value
from ..rewriter.read import Argument, BoundOp, Collected, Given, literal
from ..rewriter.rule import Rule
from .sizes import is_shape, is_size


@dataclass(frozen=True)
class Expansion:
    """An array stretched along axes of length 1 and new ones in front.

    sizes: one for each axis, None where the array's own stays; several at once in a starred element. shape: all of
    them in one expression instead. repeats: every axis that gets a size certainly has length 1 or is new.
    """

    array: cst.BaseExpression
    sizes: tuple[cst.BaseElement | None, ...]
    shape: cst.BaseExpression | None
    repeats: bool
    api: str


def read_call(node: cst.Call, context: FileContext) -> Expansion | None:
    """Every size is -1 or certainly none, and the array can be asked for those that stay."""
    bound = context.bound(node)
    if not isinstance(bound, BoundOp) or bound.op.name != "expand" or bound.starred:
        return None
    array, argument = bound.given("x"), bound.arguments.get("shape")
    if array is None or argument is None:
        return None
    if isinstance(argument, Given) and not isinstance(argument.node, (cst.Tuple, cst.List)):
        shape = argument.node
        return Expansion(array, (), shape, False, bound.api) if is_shape(shape, context) else None
    elements = _elements(argument)
    if not elements:
        return None
    sizes: list[cst.BaseElement | None] = []
    for element in elements:
        starred = isinstance(element, cst.StarredElement)
        stays = not starred and literal(element.value) == -1
        if not stays and not (is_shape if starred else is_size)(element.value, context):
            return None
        sizes.append(None if stays else element)
    stars = [index for index, size in enumerate(sizes) if isinstance(size, cst.StarredElement)]
    if stars and None in sizes[: stars[-1]]:
        return None  # the place of an axis is counted from the end
    repeats = not stars and _stretches_ones(array, sizes, context)
    type_ = context.type_of(array)
    if None in sizes and not repeats and not is_cheap(array) and isinstance(type_, Array) and type_.storage:
        return None
    return Expansion(array, tuple(sizes), None, repeats, bound.api)


def _elements(argument: Argument) -> list[cst.BaseElement]:
    """The sizes one by one, whether they were given as several arguments or as a tuple."""
    if isinstance(argument, Collected):
        return [cst.StarredElement(one.value) if one.star else cst.Element(one.value) for one in argument.arguments]
    node = argument.node if isinstance(argument, Given) else None
    return list(node.elements) if isinstance(node, (cst.Tuple, cst.List)) else []


def _stretches_ones(array: cst.BaseExpression, sizes: list[cst.BaseElement | None], context: FileContext) -> bool:
    """Whether every axis that gets a size is new or was made with length 1."""
    type_ = context.type_of(array)
    rank = type_.rank if isinstance(type_, Array) else None
    if rank is None and sizes[0] is None:
        rank = len(sizes)  # no new axis in front: there would be no size to keep
    ones = _made_axes(array, context)
    for index, size in enumerate(sizes):
        if size is None or (rank is not None and index < len(sizes) - rank):
            continue
        front = index - (len(sizes) - rank) if rank is not None else None
        # Without a rank the first axis is the array's first or, where that keeps its size behind it, a new one.
        first = rank is None and index == 0 and 0 in ones and len(sizes) > 1 and sizes[1] is None
        if not (index - len(sizes) in ones or front in ones or first):
            return False
    return True


def _made_axes(array: cst.BaseExpression, context: FileContext) -> set[int | None]:
    """The places of axes that an expression makes with length 1, counted from the front or, below 0, from the end."""
    bound = context.bound(array)
    if isinstance(bound, BoundOp) and bound.op.name == "expand_dims":
        axis = bound.given("axis")
        place = literal(axis) if axis is not None else None
        return {place} if isinstance(place, int) else set()
    if not isinstance(array, cst.Subscript) or not isinstance(context.type_of(array.value), Array):
        return set()
    indices = [element.slice for element in array.slice]
    dots = [i for i, part in enumerate(indices) if isinstance(part, cst.Index) and isinstance(part.value, cst.Ellipsis)]
    made: set[int | None] = set()
    for counted, base in ((indices[: dots[0]] if dots else indices, 0), (indices[dots[0] + 1 :] if dots else [], -1)):
        place = 0
        for part in counted if base == 0 else reversed(counted):
            if isinstance(part, cst.Slice):
                place += 1
            elif isinstance(part, cst.Index) and isinstance(context.type_of(part.value), NoneType):
                made.add(place if base == 0 else -1 - place)
                place += 1
            else:
                return set()
    return made


def write_call(construct: Expansion, node: cst.Call, context: FileContext) -> cst.BaseExpression | None:
    """`jnp.broadcast_to(x, (n, *x.shape[-2:]))`, or `jnp.tile(x[:, None], (1, n, 1))`."""
    asks = None in construct.sizes and (is_cheap(construct.array) or not construct.repeats)
    array = named_value(construct.array, node, "value", context) if asks else context.rewrite(construct.array)
    if array is None:
        return None
    context.converted(node, op="expand", api=construct.api, rule="expansions")
    if construct.shape is not None:
        shape = context.rewrite(construct.shape)
    elif None in construct.sizes and not asks:
        counts = [cst.Integer("1") if size is None else context.rewrite(size.value) for size in construct.sizes]
        return context.expression("jax.numpy.tile({array}, {counts})", array=array, counts=as_tuple(counts))  # type: ignore[no-any-return]
    else:
        shape = cst.Tuple(_shape_elements(construct, array, context))
    return context.expression("jax.numpy.broadcast_to({array}, {shape})", array=array, shape=shape)  # type: ignore[no-any-return]


def _shape_elements(construct: Expansion, array: cst.BaseExpression, context: FileContext) -> list[cst.BaseElement]:
    """The new shape: sizes that stay are the array's own, those next to each other as one part of its shape."""
    sizes = construct.sizes
    elements: list[cst.BaseElement] = []
    index = 0
    while index < len(sizes):
        size = sizes[index]
        if size is not None:
            value = context.rewrite(size.value)
            elements.append(cst.StarredElement(value) if isinstance(size, cst.StarredElement) else cst.Element(value))
            index += 1
            continue
        end = index
        while end < len(sizes) and sizes[end] is None:
            end += 1
        start, stop = index - len(sizes), end - len(sizes)
        parts = {"array": array, "start": literal_node(start), "stop": literal_node(stop)}
        if end == index + 1:
            elements.append(cst.Element(context.expression("{array}.shape[{start}]", **parts)))
        else:
            template = "{array}.shape[{start}:{stop}]" if stop else "{array}.shape[{start}:]"
            elements.append(cst.StarredElement(context.expression(template, **parts)))
        index = end
    if len(elements) == 1:
        elements[0] = elements[0].with_changes(comma=cst.Comma())
    return elements


RULES = (Rule("expansions", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=60),)
