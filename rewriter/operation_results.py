"""What operations give: the type of a bound op's result, from the hub row and the argument types."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .framework_types import dtype_kind
from .lattice import (
    ARRAY,
    UNKNOWN,
    Array,
    Callback,
    DType,
    Instance,
    LikeResult,
    Scalar,
    Sequence,
    Shape,
    Tuple,
    Type,
    promote,
    without_rank,
    without_storage,
)
from .ranks import created_rank
from .read import BoundOp, Constant, Given, literal
from .result_ranks import result_rank
from .result_types import name_results, parse_type

if TYPE_CHECKING:
    from .infer_expressions import ExpressionEvaluator

_KINDS = ("bool", "int", "float", "complex")


def result_type(op: BoundOp, evaluator: ExpressionEvaluator) -> Type:
    """The type of a bound op's result, with its number of axes where that follows from the arguments."""
    found = _result_type(op, evaluator)
    match found:
        case Array(rank=None):
            return replace(found, rank=result_rank(op, evaluator.type_of))
        case Tuple(items=items) if all(isinstance(item, Array) for item in items):
            rank = result_rank(op, evaluator.type_of)
            return replace(found, items=tuple(replace(item, rank=rank) for item in items if isinstance(item, Array)))
        case Shape(rank=None) if op.op.name == "shape" and op.op.parameters:
            array = op.given(op.op.parameters[0].name)
            type_ = evaluator.type_of(array) if array is not None else UNKNOWN
            return Shape(type_.rank) if isinstance(type_, Array) else found
    if op.op.name == "tolist":
        return _listed(evaluator.type_of(op.given(op.op.parameters[0].name) or op.node))
    return found


def _listed(array: Type) -> Type:
    """The numbers of an array with one axis as a list."""
    if isinstance(array, Array) and array.rank == 1 and array.dtype is not None:
        return Sequence(Scalar(array.dtype))
    return UNKNOWN


def _result_type(op: BoundOp, evaluator: ExpressionEvaluator) -> Type:
    """The type of a bound op's result, from the hub row and the argument types."""
    text = op.op.result
    if op.op.is_layer:
        return Instance(op.spelling.path)
    if text == "array[same]":
        first = next(evaluator.type_of(one.node) for one in op.arguments.values() if isinstance(one, Given))
        return without_storage(first) if isinstance(first, Array) else ARRAY
    if text in ("array", "array[inexact]", "array[sum]"):
        found = _elementwise_result(op, text, evaluator)
        rank = created_rank(op, evaluator.type_of)
        return found if rank is None else Array(found.dtype, rank)
    if text == "array[dtype]":
        dtype = op.given("dtype")
        value = evaluator.types.get(dtype) if dtype is not None else None
        rank = created_rank(op, evaluator.type_of)
        if isinstance(value, DType):
            return Array(value.kind, rank)
        fixed = op.arguments.get("dtype")
        if isinstance(fixed, Constant) and isinstance(fixed.value, str):
            return Array(dtype_kind(fixed.value), rank)
        return Array(_default_kind(op, evaluator) if dtype is None else None, rank)
    if text.startswith("asked["):
        return _asked_results(op, text, evaluator)
    if text == "arrays":
        return Sequence(Array(_arrays_kind(op, evaluator)), "tuple")
    if text == "same":
        return next((evaluator.types.get(a.node, ARRAY) for a in op.arguments.values() if isinstance(a, Given)), ARRAY)
    result = parse_type(text)
    if result == Callback(LikeResult()):
        function = next(argument.node for argument in op.arguments.values() if isinstance(argument, Given))
        return Callback(without_rank(evaluator.result_of_callable(evaluator.types.get(function, UNKNOWN))))
    if isinstance(result, Array):
        return Array(result.dtype, created_rank(op, evaluator.type_of), result.storage)
    return name_results(result, op.spelling.results)


def _asked_results(op: BoundOp, text: str, evaluator: ExpressionEvaluator) -> Type:
    """`asked[inverse, counts]`: an array, with a whole-number array for each of the flags that a call sets."""
    flags = [op.arguments.get(name.strip()) for name in text.removeprefix("asked[").removesuffix("]").split(",")]
    set_to = [literal(flag.node) if isinstance(flag, Given) else getattr(flag, "value", None) for flag in flags]
    if not all(isinstance(flag, bool) for flag in set_to):
        return UNKNOWN
    found = _elementwise_result(op, "array", evaluator)
    return Tuple((found, *[Array("int")] * len([flag for flag in set_to if flag]))) if any(set_to) else found


def _elementwise_result(op: BoundOp, text: str, evaluator: ExpressionEvaluator) -> Array:
    """An array of the arguments' common kind; floats of whole numbers, or whole numbers of truth values."""
    kinds = {parameter.name: parameter.kind for parameter in op.op.parameters}
    dtype: str | None = None
    first = True
    for name, argument in op.arguments.items():
        if isinstance(argument, Constant) or not kinds.get(name, "").startswith("array"):
            continue
        if not isinstance(argument, Given) or kinds[name] == "arrays":
            return Array(_arrays_kind(op, evaluator))
        value = evaluator.types.get(argument.node, UNKNOWN)
        kind = value.dtype if isinstance(value, Array) else value.kind if isinstance(value, Scalar) else None
        dtype = kind if first else (promote(Array(dtype), Array(kind)).dtype)  # type: ignore[attr-defined]
        first = False
    if text == "array[inexact]" and dtype in ("int", "bool"):
        modes = (op.arguments.get(name) for name, kind in kinds.items() if kind == "str")
        return Array("float" if all(isinstance(mode, Constant) for mode in modes) else None)
    asked = op.given("dtype") if text == "array[sum]" else None
    if asked is not None:
        found = evaluator.types.get(asked)
        return Array(found.kind if isinstance(found, DType) else None)
    if text == "array[sum]" and dtype == "bool":
        return Array("int")
    return Array(dtype if dtype in ("float", "int", "bool", "complex") else None)


def _default_kind(op: BoundOp, evaluator: ExpressionEvaluator) -> str | None:
    """The kind of a new array when no element type was asked for: that of its contents, or float."""
    fixed = op.arguments.get("dtype")
    if isinstance(fixed, Constant) and fixed.value is not None:
        return None
    contents = [parameter.name for parameter in op.op.parameters if parameter.kind in ("scalar", "any")]
    if not contents:
        return "float"
    given = [op.arguments[name] for name in contents if isinstance(op.arguments.get(name), Given)]
    return _common_kind([_content_kind(evaluator.types.get(argument.node, UNKNOWN)) for argument in given])  # type: ignore[union-attr]


def _arrays_kind(op: BoundOp, evaluator: ExpressionEvaluator) -> str | None:
    """The common kind of all arrays that an op takes, in sequences or one by one."""
    kinds: list[str | None] = []
    for parameter in op.op.parameters:
        argument = op.arguments.get(parameter.name)
        if not parameter.kind.startswith("array") or argument is None or isinstance(argument, Constant):
            continue
        nodes = [argument.node] if isinstance(argument, Given) else [one.value for one in argument.arguments]
        kinds += [_content_kind(evaluator.types.get(node, UNKNOWN)) for node in nodes]
    return _common_kind(kinds)


def _content_kind(value: Type) -> str | None:
    """The element kind of an array made of a value; None if it is not known."""
    match value:
        case Array(dtype=dtype):
            return dtype
        case Scalar(kind=kind):
            return kind if kind in _KINDS else None
        case Sequence(item=item):
            return _content_kind(item)
        case Tuple(items=items):
            return _common_kind([_content_kind(item) for item in items])
    return None


def _common_kind(kinds: list[str | None]) -> str | None:
    """The kind that holds all; None if one is not known."""
    if not kinds or any(kind is None for kind in kinds):
        return None
    return max((kind for kind in kinds if kind is not None), key=_KINDS.index)
