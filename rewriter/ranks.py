"""How many axes arrays have, where shapes and indices are written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import libcst as cst

from .lattice import Array, NoneType, Scalar, Sequence, Shape, Tuple, Type
from .read import Argument, BoundOp, Collected, Given, Refusal, literal

#: Hub operations that always give as many axes.
_AXES = {"arange": 1, "linspace": 1, "logspace": 1, "eye": 2}
#: Hub operations that make arrays of numbers in lists, and those that give an array a shape.
_FROM_DATA = frozenset(("array", "asarray"))
_SHAPED = frozenset("reshape broadcast_to expand new_zeros new_ones new_empty new_full".split())

TypeOf = Callable[[cst.CSTNode], Type]


def created_rank(op: BoundOp, type_of: TypeOf) -> int | None:
    """The number of axes of a new array, or of one of a given shape; None if that is not known."""
    if op.op.name in _AXES:
        return _AXES[op.op.name]
    first = op.op.parameters[0] if op.op.parameters else None
    if op.op.name in _FROM_DATA:
        data = op.given(first.name) if first is not None else None
        return _nesting(data, type_of) if data is not None else None
    name = "shape" if op.op.name in _SHAPED else first.name if first is not None and first.kind == "shape" else ""
    argument = op.arguments.get(name)
    if isinstance(argument, Given):
        return _length(argument.node, type_of)
    if not isinstance(argument, Collected) or any(one.star for one in argument.arguments):
        return None
    if len(argument.arguments) == 1:
        return _length(argument.arguments[0].value, type_of)
    return len(argument.arguments)


def _nesting(data: cst.BaseExpression, type_of: TypeOf) -> int | None:
    """How deep numbers are nested in lists: the number of axes of an array made of them."""
    if isinstance(data, (cst.List, cst.Tuple)):
        inner = {
            None if isinstance(element, cst.StarredElement) else _nesting(element.value, type_of)
            for element in data.elements
        }
        depth = inner.pop() if len(inner) == 1 else None
        return None if depth is None else depth + 1
    depth = 0
    found = type_of(data)
    while isinstance(found, Sequence):
        depth, found = depth + 1, found.item
    if isinstance(found, Shape):
        return depth + 1
    if isinstance(found, Scalar):
        return depth
    return depth + found.rank if isinstance(found, Array) and found.rank is not None else None


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
    """The number of axes that indices leave of an array, of which at most one is an array itself; None for others."""
    rank = array.rank
    gathered = False
    for element in node.slice:
        if isinstance(element.slice, cst.Slice):
            continue
        assert isinstance(element.slice, cst.Index)
        index = type_of(element.slice.value)
        if isinstance(index, Scalar) and index.kind == "int":
            rank = rank - 1 if rank else None
        elif isinstance(index, NoneType):
            rank = rank + 1 if rank is not None else None
        elif isinstance(index, Array) and not gathered and index.dtype in ("int", "bool"):
            taken = index.rank if index.dtype == "bool" else 1
            rank = None if rank is None or taken is None or index.rank is None else rank - taken
            rank = None if rank is None else rank + (1 if index.dtype == "bool" else index.rank or 0)
            gathered = True
        elif not isinstance(element.slice.value, cst.Ellipsis):
            return None
    return rank


Bound = Mapping[cst.CSTNode, BoundOp | Refusal]


def unpacked_rank(node: cst.Assign, bound: Bound) -> tuple[str, int] | None:
    """The name of the array that `b, n, d = x.shape` asks, and how many axes it has then."""
    target = node.targets[0].target
    array = _asked_of(node.value, "shape", bound)
    if not isinstance(array, cst.Name) or not isinstance(target, (cst.Tuple, cst.List)):
        return None
    starred = any(isinstance(element, cst.StarredElement) for element in target.elements)
    return None if starred else (array.value, len(target.elements))


def tested_rank(test: cst.Comparison, truth: bool, bound: Bound) -> tuple[str, int] | None:
    """The name of an array and its number of axes, where `x.ndim == 4` is true or `len(x.shape) != 4` is not."""
    part = test.comparisons[0]
    rank = literal(part.comparator)
    expected = cst.Equal if truth else cst.NotEqual
    if len(test.comparisons) > 1 or not isinstance(part.operator, expected) or type(rank) is not int:
        return None
    array = _asked_of(test.left, "ndim", bound)
    match test.left:
        case cst.Call(func=cst.Name(value="len"), args=[cst.Arg(value=shape)]):
            array = _asked_of(shape, "shape", bound)
    return (array.value, rank) if isinstance(array, cst.Name) else None


def _asked_of(node: cst.CSTNode, question: str, bound: Bound) -> cst.BaseExpression | None:
    """The array of which an operation asks the shape or the number of axes."""
    op = bound.get(node)
    is_it = isinstance(op, BoundOp) and op.op.name == question
    return op.given(op.op.parameters[0].name) if is_it else None  # type: ignore[union-attr]
