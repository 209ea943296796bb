"""Which numbers are sizes, and so never negative: `x.shape[0]`, `len(names)`, `2 * n + 1`, a count that is passed in."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import INT, Sequence, Shape, Tuple, Type
from ..rewriter.local_values import Binding, bindings
from ..rewriter.read import BoundOp, literal
from ..rewriter.signature import MISSING

#: Hub operations that count.
_COUNTS = frozenset(("size_along", "size", "length", "ndim"))
#: How far names are followed to what they were given.
_MOST_STEPS = 6


def is_size(node: cst.BaseExpression, context: FileContext, steps: int = _MOST_STEPS) -> bool:
    """Whether an integer expression is not negative.

    Parameters and attributes that are integers count: functions do not take sizes below zero unless they say so by a
    default or by what they do with them.
    """
    value = literal(node)
    if value is not MISSING:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if steps == 0:
        return False
    bound = context.bound(node)
    if isinstance(bound, BoundOp):
        return bound.op.name in _COUNTS
    match node:
        case cst.Name(value=name):
            return _is_size_by_name(name, context, steps - 1)
        case cst.Attribute():
            return context.type_of(node) == INT
        case cst.Subscript(value=inner, slice=[cst.SubscriptElement(slice=cst.Index())]):
            return is_shape(inner, context, steps - 1)
        case cst.BinaryOperation(
            left=left, operator=cst.Add() | cst.Multiply() | cst.FloorDivide() | cst.Modulo(), right=right
        ):
            return is_size(left, context, steps) and is_size(right, context, steps)
        case cst.IfExp(body=first, orelse=second):
            return is_size(first, context, steps) and is_size(second, context, steps)
        case cst.Call(func=cst.Name(value="len"), args=[_]):
            return True
        case cst.Call(func=cst.Name(value="int"), args=[cst.Arg(value=inner)]):
            return is_size(inner, context, steps)
        case cst.Call(func=cst.Name(value="max" | "min" as name), args=arguments) if len(arguments) > 1:
            among = any if name == "max" else all
            return among(is_size(argument.value, context, steps) for argument in arguments)
    return False


def _is_size_by_name(name: str, context: FileContext, steps: int) -> bool:
    found = bindings(name, context)
    if isinstance(found, cst.Param):
        default = literal(found.default) if found.default is not None else MISSING
        return context.type_of(found) == INT and not (isinstance(default, int) and default < 0)
    return bool(found) and all(_binds_size(binding, context, steps) for binding in found or ())


def _binds_size(binding: Binding, context: FileContext, steps: int) -> bool:
    value = binding.value
    if value is None:
        return False
    if binding.part is None:
        return is_size(value, context, steps)
    if binding.part == "each":
        match value:
            case cst.Call(func=cst.Name(value="range"), args=arguments):
                return all(is_size(argument.value, context, steps) for argument in arguments)
    return is_shape(value, context, steps)


def is_shape(node: cst.BaseExpression, context: FileContext, steps: int = _MOST_STEPS) -> bool:
    """Whether an expression is the shape of an array, a part of one, or several of them joined.

    Parameters and attributes that hold integers count, as in `is_size`.
    """
    if steps == 0:
        return False
    bound = context.bound(node)
    if isinstance(bound, BoundOp):
        return bound.op.name in ("shape", "broadcast_shapes")
    match node:
        case cst.Name(value=name):
            found = bindings(name, context)
            if isinstance(found, cst.Param):
                # What a function takes one by one it may hand on as it is, -1 included.
                return found.default is None and not found.star and holds_sizes(context.type_of(found))
            return isinstance(found, tuple) and all(
                one.value is not None and one.part is None and is_shape(one.value, context, steps - 1) for one in found
            )
        case cst.Attribute():
            return holds_sizes(context.type_of(node))
        case cst.Subscript(value=inner, slice=[cst.SubscriptElement(slice=cst.Slice())]):
            return is_shape(inner, context, steps)
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            return all(
                is_shape(e.value, context, steps)
                if isinstance(e, cst.StarredElement)
                else is_size(e.value, context, steps)
                for e in elements
            )
        case cst.BinaryOperation(left=left, operator=cst.Add(), right=right) if isinstance(
            context.type_of(node), Shape
        ):
            return is_shape(left, context, steps) and is_shape(right, context, steps)
        case cst.Call(func=cst.Name(value="tuple" | "list"), args=[cst.Arg(value=inner)]):
            return is_shape(inner, context, steps)
    return False


def holds_sizes(type_: Type) -> bool:
    """Whether a value is a sequence of integers."""
    if isinstance(type_, Tuple):
        return bool(type_.items) and all(item == INT for item in type_.items)
    return isinstance(type_, Shape) or (isinstance(type_, Sequence) and type_.item == INT)
