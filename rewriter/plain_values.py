"""What Python's builtins give, and the methods, slices and arithmetic of its own values: texts, dictionaries, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from .lattice import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    NOTHING,
    STR,
    UNKNOWN,
    Array,
    Foreign,
    Instance,
    Mapping,
    Method,
    Reference,
    Scalar,
    Sequence,
    Shape,
    Tuple,
    Type,
    item_type,
    join,
    join_all,
    promote,
    without_storage,
)
from .operation_results import result_type
from .read import literal

if TYPE_CHECKING:
    from .infer_expressions import ExpressionEvaluator

_BUILTIN_RESULTS: dict[str, Type] = {
    "len": INT, "int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "repr": STR, "isinstance": BOOL,
    "hasattr": BOOL, "callable": BOOL, "any": BOOL, "all": BOOL, "ord": INT, "chr": STR, "id": INT,
    "format": STR, "hash": INT, "open": Foreign("io"), "print": NONE, "input": STR, "issubclass": BOOL,
    "dir": Sequence(STR), "vars": Mapping(UNKNOWN), "round": UNKNOWN, "dict": Mapping(UNKNOWN),
    "bytes": Scalar("bytes"), "complex": Scalar("complex"),
}  # fmt: skip
_STRING_METHODS = frozenset(dir(str))


def builtin_call(name: str, node: cst.Call, evaluator: ExpressionEvaluator) -> Type:
    """What a call of one of Python's own functions gives."""
    arguments = [evaluator.types.get(argument.value, UNKNOWN) for argument in node.args]
    first = arguments[0] if arguments else UNKNOWN
    if isinstance(first, Array):
        op = evaluator.summaries.read_builtin(name, node, evaluator)
        if op is not None:
            return result_type(op, evaluator)
    match name:
        case "range":
            return Sequence(INT, "iterator")
        case "enumerate":
            return Sequence(Tuple((INT, item_type(first))), "iterator")
        case "zip":
            return Sequence(Tuple(tuple(map(item_type, arguments))), "iterator")
        case "list" | "sorted" | "tuple" | "set" | "reversed" | "iter" | "filter":
            source = arguments[-1] if name == "filter" and arguments else first
            if name == "tuple" and isinstance(source, (Shape, Tuple)):
                return source
            return Sequence(item_type(source), "tuple" if name == "tuple" else "list")
        case "map":
            items = [item_type(argument) for argument in arguments[1:]]
            function = node.args[0].value if node.args else node
            if isinstance(function, cst.Lambda):
                return Sequence(evaluator.applied(function, items), "iterator")
            return Sequence(evaluator.result_of_callable(first), "iterator")
        case "next":
            return item_type(first)
        case "min" | "max" | "sum":
            return join_all(arguments) if len(arguments) > 1 and name != "sum" else item_type(first)
        case "abs" | "pow" | "divmod":
            return without_storage(first)
        case "getattr" if len(node.args) >= 2:
            attribute = literal(node.args[1].value)
            if isinstance(attribute, str) and attribute.isidentifier():
                if isinstance(first, Reference):
                    return evaluator.summaries.reference_type(f"{first.path}.{attribute}")
                found = evaluator.summaries.attribute(first, attribute)
                return UNKNOWN if isinstance(found, Method) and found.receiver == UNKNOWN else found
            return UNKNOWN
        case "dict" if not node.args or all(argument.keyword is not None for argument in node.args):
            result = Mapping(NOTHING)
            for argument, value in zip(node.args, arguments, strict=True):
                result = result.with_entry(argument.keyword.value, value)  # type: ignore[union-attr]
            return result
        case "type":
            return Reference(first.path) if isinstance(first, Instance) else UNKNOWN
    return _BUILTIN_RESULTS.get(name, UNKNOWN)


def plain_method(receiver: Type, name: str, call: cst.Call) -> Type:
    """What a method of a plain value gives."""
    match receiver:
        case Scalar(kind="str") if name in _STRING_METHODS:
            if name in ("split", "rsplit", "splitlines"):
                return Sequence(STR)
            return BOOL if name.startswith(("is", "starts", "ends")) else INT if name in (
                "find", "index", "count", "rfind") else STR  # fmt: skip
        case Mapping(value=value):
            match name:
                case "items":
                    return Sequence(Tuple((UNKNOWN, value)), "iterator")
                case "values":
                    return Sequence(value, "iterator")
                case "keys":
                    return Sequence(STR, "iterator")
                case "get" | "pop" | "setdefault":
                    return receiver.entry(literal(call.args[0].value)) if call.args else value
                case "copy":
                    return receiver
        case Sequence(item=item) if name in ("pop", "__getitem__"):
            return item
        case Sequence() if name == "copy":
            return receiver
        case Shape() if name == "numel":
            return INT
    return INT if name in ("index", "count") else UNKNOWN


def plain_arithmetic(operator: cst.BaseBinaryOp, left: Type, right: Type) -> Type:
    """What `left + right` and the like give where neither is an array."""
    if isinstance(operator, cst.Add) and isinstance(left, (Tuple, Shape, Sequence)):
        if isinstance(left, Tuple) and isinstance(right, Tuple):
            return Tuple(left.items + right.items)
        return join(left, right) if not isinstance(left, Shape) else Shape()
    if isinstance(operator, cst.Multiply) and isinstance(left, (Tuple, Sequence)):
        return Sequence(item_type(left), "tuple" if isinstance(left, Tuple) else "list")
    if isinstance(left, Scalar) and left.kind == "str":
        return STR
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return FLOAT if isinstance(operator, cst.Divide) else promote(left, right)
    return UNKNOWN


def sliced(value: Type, index: cst.Slice) -> Type:
    """What a slice of a value gives that is no array."""
    if isinstance(value, Tuple):
        bounds = [literal(part) if part is not None else None for part in (index.lower, index.upper, index.step)]
        if all(bound is None or isinstance(bound, int) for bound in bounds):
            return Tuple(value.items[slice(*bounds)])
        return Sequence(item_type(value), "tuple")
    return Shape() if isinstance(value, Shape) else value if isinstance(value, (Sequence, Scalar)) else UNKNOWN
