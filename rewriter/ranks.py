"""How many axes arrays have, where shapes and indices are written out."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from .lattice import Array, NoneType, Scalar, Shape, Tuple, Type
from .read import Argument, BoundOp, Collected, Given

TypeOf = Callable[[cst.CSTNode], Type]


def created_rank(op: BoundOp, type_of: TypeOf) -> int | None:
    """The number of axes of a new array of a given shape; None if that is not known."""
    first = op.op.parameters[0] if op.op.parameters else None
    argument = op.arguments.get(first.name) if first is not None and first.kind == "shape" else None
    if isinstance(argument, Given):
        return _length(argument.node, type_of)
    if not isinstance(argument, Collected) or any(one.star for one in argument.arguments):
        return None
    if len(argument.arguments) == 1:
        return _length(argument.arguments[0].value, type_of)
    return len(argument.arguments)


def argument_ranks(argument: Argument | None, type_of: TypeOf) -> set[int]:
    """The known numbers of axes of the array, or of the arrays, that an argument is."""
    nodes: list[cst.BaseExpression] = []
    if isinstance(argument, Given):
        is_written_out = isinstance(argument.node, (cst.Tuple, cst.List))
        nodes = [element.value for element in argument.node.elements] if is_written_out else [argument.node]  # type: ignore[attr-defined]
    elif isinstance(argument, Collected):
        nodes = [one.value for one in argument.arguments]
    found = [type_of(node) for node in nodes]
    return {one.rank for one in found if isinstance(one, Array) and one.rank is not None}


def _length(shape: cst.BaseExpression, type_of: TypeOf) -> int | None:
    """The length of a shape, which may also be a single number."""
    if isinstance(shape, (cst.Tuple, cst.List)):
        starred = any(isinstance(element, cst.StarredElement) for element in shape.elements)
        return None if starred else len(shape.elements)
    match type_of(shape):
        case Scalar(kind="int"):
            return 1
        case Shape(rank=rank):
            return rank
        case Tuple(items=items):
            return len(items)
    return None


def indexed_rank(array: Array, node: cst.Subscript, type_of: TypeOf) -> int | None:
    """The number of axes that numbers and slices leave of an array; None for other indices."""
    rank = array.rank
    for element in node.slice:
        if isinstance(element.slice, cst.Slice):
            continue
        assert isinstance(element.slice, cst.Index)
        index = type_of(element.slice.value)
        if isinstance(index, Scalar) and index.kind == "int":
            rank = rank - 1 if rank else None
        elif isinstance(index, NoneType):
            rank = rank + 1 if rank is not None else None
        elif not isinstance(element.slice.value, cst.Ellipsis):
            return None
    return rank
