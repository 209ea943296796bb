"""The read stage: a call, attribute or operator of the source framework becomes a `BoundOp`, or a `Refusal`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import libcst as cst

from .lattice import (
    Array,
    DType,
    Either,
    Foreign,
    Instance,
    Method,
    NoneType,
    Reference,
    Scalar,
    Sequence,
    Shape,
    Tuple,
    Type,
    Unknown,
)
from .lattice import Mapping as MappingType
from .overloads import differ, what_decides
from .signature import MISSING, Opaque, Passing
from .tables import CONTEXT, DROP, REFUSE, Framework, HubOp, Spelling, SpellingParameter, Tables


@dataclass(frozen=True)
class Given:
    """An argument written in the source. `keyword` tells how; `argument` keeps its whitespace and comments."""

    node: cst.BaseExpression
    argument: cst.Arg | None = None


@dataclass(frozen=True)
class Collected:
    """Arguments that a variadic parameter took, in order; stars are kept on the arguments."""

    arguments: tuple[cst.Arg, ...]


@dataclass(frozen=True)
class Constant:
    """A hub argument whose value is known although nothing was written: a default or a `where` value."""

    value: Any


Argument = Given | Collected | Constant


@dataclass(frozen=True)
class BoundOp:
    """A hub op with all its arguments, read from `node` through `spelling`.

    starred: `*args` and `**keywords` whose content is not known; they can only be handed on to a like signature.
    """

    op: HubOp
    spelling: Spelling
    arguments: Mapping[str, Argument]
    node: cst.BaseExpression
    api: str
    starred: tuple[cst.Arg, ...] = ()

    def given(self, name: str) -> cst.BaseExpression | None:
        """The source expression of a hub argument, if it was written."""
        argument = self.arguments.get(name)
        return argument.node if isinstance(argument, Given) else None


@dataclass(frozen=True)
class Refusal:
    """Why a place is left as it was, for a user to act on. undecided: a type that is not known would tell."""

    reason: str
    node: cst.CSTNode
    api: str = ""
    undecided: bool = False


TypeOf = Callable[[cst.CSTNode], Type]


class _Mismatch(Exception):
    """A spelling cannot take these arguments. `final` carries a reason worth telling the user."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


def read_call(tables: Tables, framework: str, path: str, call: cst.Call, type_of: TypeOf) -> BoundOp | Refusal | None:
    """Bind a call of the function at `path`, or of the method `ArrayClass.name` whose receiver is `call.func.value`.

    None when the tables do not know the path.
    """
    rows = [row for row in tables.spellings(framework, path) if row.form != "property"]
    if not rows:
        return None
    arguments = list(call.args)
    if rows[0].form == "method":
        if not isinstance(call.func, cst.Attribute):
            return Refusal("a method held in a variable; call it on its array", call, path)
        arguments.insert(0, cst.Arg(call.func.value))
    certain: list[BoundOp] = []
    possible: list[BoundOp] = []
    doubtful: list[BoundOp] = []
    reasons: list[str] = []
    for row in rows:
        try:
            bound, sure = _bind(tables.hub[row.op], row, arguments, call, path, type_of, tables.frameworks[framework])
        except _Mismatch as mismatch:
            reasons.append(mismatch.reason)
            continue
        (doubtful if sure is None else certain if sure else possible).append(bound)
    return _choose(certain, possible or doubtful, reasons, call, path, tables.frameworks[framework].array_class)


def _choose(
    certain: list[BoundOp], possible: list[BoundOp], reasons: list[str], call: cst.Call, path: str, array_class: str
) -> BoundOp | Refusal:
    chosen = certain or possible
    if not chosen:
        told = [reason for reason in reasons if reason]
        return Refusal(told[0] if told else f"{path} is not known to take these arguments", call, path)
    meanings = [
        (bound.op, {name: argument.node for name, argument in bound.arguments.items() if isinstance(argument, Given)})
        for bound in possible
    ]
    if certain or not differ(meanings):
        return chosen[0]
    return Refusal(what_decides(meanings, path, array_class), call, path, undecided=True)


def read_property(tables: Tables, framework: str, path: str, node: cst.Attribute) -> BoundOp | None:
    """Bind a property of an array, `ArrayClass.name`."""
    for row in tables.spellings(framework, path):
        if row.form == "property":
            op = tables.hub[row.op]
            arguments = _complete(op, row, {op.parameters[0].name: Given(node.value)})
            return BoundOp(op, row, arguments, node, path)
    return None


def _bind(
    op: HubOp, row: Spelling, arguments: list[cst.Arg], call: cst.Call, path: str, type_of: TypeOf, framework: Framework
) -> tuple[BoundOp, bool | None]:
    """Match arguments to one spelling; the flag tells whether every kind was certain, None if what is dropped is not."""
    parameters = row.parameters
    if row.form == "method":
        receiver = SpellingParameter("self", op.parameters[0].name, MISSING, Passing.POSITIONAL_ONLY)
        parameters = (receiver, *parameters)
    bound, starred = _match(parameters, arguments, framework.fact("argument_aliases", default={}))
    sure, doubtful = not starred, False
    hub_arguments: dict[str, Argument] = {}
    for parameter in parameters:
        value = bound.get(parameter.name)
        if value is None and starred:
            continue
        if value is None:
            if parameter.default is MISSING and parameter.passing is not Passing.VARIADIC:
                if parameter.hub not in (CONTEXT, DROP):
                    raise _Mismatch(f"{path} is called without {parameter.name}")
            elif parameter.hub not in (REFUSE, DROP, CONTEXT) and parameter.passing is not Passing.VARIADIC:
                hub_arguments[parameter.hub] = Constant(hub_value(row, parameter.hub, parameter.default))
            continue
        if parameter.hub == REFUSE:
            if not (isinstance(value, Given) and _is_idle(value, parameter, type_of, framework)):
                raise _Mismatch(f"the argument {parameter.name} of {path} has no counterpart in the hub")
            continue
        if parameter.hub in (DROP, CONTEXT):
            if isinstance(parameter.default, bool) and isinstance(value, Given):
                doubtful = doubtful or not _is_flag(value, type_of)
            continue
        hub = op.parameter(parameter.hub)
        assert hub is not None
        if isinstance(value, Collected) and hub.passing is not Passing.VARIADIC and len(value.arguments) == 1:
            only = value.arguments[0]
            if not only.star and not is_integer(only, type_of):
                value = Given(only.value, only)
        if isinstance(value, Collected) and _is_one_sequence(value, hub.kind, type_of):
            value = Given(value.arguments[0].value, value.arguments[0])
        if isinstance(value, Given) and parameter.hub in row.values:
            written = literal(value.node)
            if written is not MISSING and any(_same(written, own) for own in row.values[parameter.hub].values()):
                hub_arguments[parameter.hub] = Constant(hub_value(row, parameter.hub, written))
                continue
        if isinstance(value, Given):
            accepted = _accepts(hub.kind, type_of(value.node), hub.default, value.node)
            if accepted is False:
                raise _Mismatch()
            sure = sure and accepted is True
        hub_arguments[parameter.hub] = value
    complete = hub_arguments if starred else _complete(op, row, hub_arguments)
    return BoundOp(op, row, complete, call, path, starred), None if doubtful else sure


def _is_idle(value: Given, parameter: SpellingParameter, type_of: TypeOf, framework: Framework) -> bool:
    """Whether an argument says nothing new: its parameter's default, or the framework's name for that."""
    found = type_of(value.node)
    named = isinstance(found, Reference) and found.path in framework.fact("idle_values", default=())
    return named or bool(literal(value.node) == parameter.default)


def _is_flag(value: Given, type_of: TypeOf) -> bool:
    """Whether what is dropped as a flag is one: `x.to(device, dtype)` has no flag, whatever `dtype` may be."""
    if value.argument is None or value.argument.keyword is not None:
        return True
    found = type_of(value.node)
    if isinstance(found, Unknown):
        return False
    if not (isinstance(found, Scalar) and found.kind in ("bool", "int")):
        raise _Mismatch()
    return True


def is_integer(argument: cst.Arg, type_of: TypeOf) -> bool:
    """Whether a lone variadic argument is certainly a single integer and not a sequence."""
    value = type_of(argument.value)
    return isinstance(value, Scalar) and value.kind == "int"


def _is_one_sequence(collected: Collected, kind: str, type_of: TypeOf) -> bool:
    """Whether arrays that a call takes one by one are given as a single list or tuple."""
    arguments = collected.arguments
    if kind != "arrays" or len(arguments) != 1 or arguments[0].star:
        return False
    return isinstance(type_of(arguments[0].value), (Tuple, Sequence))


def _match(
    parameters: tuple[SpellingParameter, ...], arguments: list[cst.Arg], aliases: Mapping[str, list[str]]
) -> tuple[dict[str, Given | Collected], tuple[cst.Arg, ...]]:
    """Python's own binding of call arguments to parameters, and the starred arguments that it cannot look into.

    aliases: other names that the framework takes for its parameters.
    """
    positional = [p for p in parameters if p.passing in (Passing.POSITIONAL_ONLY, Passing.POSITIONAL_OR_KEYWORD)]
    variadic = next((p for p in parameters if p.passing is Passing.VARIADIC), None)
    by_name = {p.name: p for p in parameters if p.passing is not Passing.POSITIONAL_ONLY}
    bound: dict[str, Given | Collected] = {}
    collected: list[cst.Arg] = []
    starred: list[cst.Arg] = []
    index = 0
    for argument in arguments:
        if argument.star == "**":
            starred.append(argument)
        elif argument.keyword is not None:
            name = argument.keyword.value
            if name not in by_name:
                name = next((other for other in aliases.get(name, ()) if other in by_name), name)
            parameter = by_name.get(name)
            if parameter is None or name in bound:
                raise _Mismatch(f"unknown argument {name}")
            bound[name] = Given(argument.value, argument)
        elif argument.star == "*":
            if variadic is None or index < len(positional):
                starred.append(argument)
            else:
                collected.append(argument)
        elif starred:
            raise _Mismatch("the arguments behind * cannot be read; write them out")
        elif index < len(positional):
            bound[positional[index].name] = Given(argument.value, argument)
            index += 1
        elif variadic is not None:
            collected.append(argument)
        else:
            raise _Mismatch("too many arguments")
    if variadic is not None and collected:
        bound[variadic.name] = Collected(tuple(collected))
    return bound, tuple(starred)


def _complete(op: HubOp, row: Spelling, arguments: dict[str, Argument]) -> dict[str, Argument]:
    """Add what `where` fixes and the hub's own defaults."""
    for name, value in row.where.items():
        if not isinstance(value, list):
            arguments[name] = Constant(value)
    for parameter in op.parameters:
        if parameter.name not in arguments and parameter.passing is not Passing.VARIADIC:
            if parameter.default is MISSING:
                raise _Mismatch(f"{row.path} does not give {parameter.name}")
            arguments[parameter.name] = Constant(parameter.default)
    return arguments


def hub_value(row: Spelling, name: str, value: Any) -> Any:
    """A framework's enumeration value as the hub names it."""
    try:
        for hub, own in row.values.get(name, {}).items():
            if own == value and type(own) is type(value):
                return hub
    except TypeError:
        return value
    return value


def _same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and bool(first == second)


def literal(node: cst.BaseExpression) -> Any:
    """The value of a literal expression, or MISSING. Never executes code."""
    if type(node) in (cst.Attribute, cst.Subscript, cst.BinaryOperation):
        return MISSING
    match node:
        case cst.Name(value="None"):
            return None
        case cst.Name(value="True"):
            return True
        case cst.Name(value="False"):
            return False
        case cst.Integer() | cst.Float() | cst.Imaginary():
            return node.evaluated_value
        case cst.SimpleString() | cst.ConcatenatedString():
            return node.evaluated_value
        case cst.UnaryOperation(operator=cst.Minus(), expression=inner):
            value = literal(inner)
            return -value if isinstance(value, (int, float, complex)) else MISSING
        case cst.Call(func=cst.Name(value="float"), args=[cst.Arg(value=cst.SimpleString() as text)]):
            return float(text.evaluated_value) if text.evaluated_value in ("inf", "-inf", "nan") else MISSING
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            values = [literal(element.value) for element in elements]
            if any(value is MISSING for value in values) or any(
                isinstance(element, cst.StarredElement) for element in elements
            ):
                return MISSING
            return tuple(values) if isinstance(node, cst.Tuple) else values
    return MISSING


_SEQUENCES = (Tuple, Sequence, Shape)

#: Kinds of arguments that are never arrays with axes.
_NUMBERS = frozenset(("int", "float", "bool", "str", "dtype", "device", "key"))


def _is_block(node: cst.BaseExpression) -> bool:
    """Whether an expression such as `boxes[:, 2:]` can only be an array: it has several indices, slices among them."""
    indices = node.slice if isinstance(node, cst.Subscript) else ()
    return len(indices) > 1 and any(isinstance(index.slice, cst.Slice) for index in indices)


def _accepts(kind: str, value: Type, default: Any = MISSING, node: cst.BaseExpression | None = None) -> bool | None:
    """Whether a value of this type can be an argument of this kind; None if that is not known."""
    if isinstance(value, NoneType):
        return default is None or kind in ("any", "axes", "device", "key")
    if kind in _NUMBERS and node is not None and _is_block(node):
        return False
    if isinstance(value, (Unknown, Method)) or (isinstance(value, (Foreign, MappingType)) and kind != "array"):
        return True if kind == "any" else None
    match kind:
        case "any":
            return True
        case "array":
            return isinstance(value, Array) or (None if isinstance(value, (Instance, Reference, Either)) else False)
        case "array_or_scalar" | "scalar":
            if isinstance(value, Scalar):
                return value.kind not in ("str", "bytes")
            return (
                isinstance(value, Array) if kind == "array_or_scalar" else None if isinstance(value, Array) else False
            )
        case "arrays":
            return isinstance(value, (*_SEQUENCES, Array, MappingType))
        case "int":
            if isinstance(value, Scalar):  # what runs gives an integer, whatever a default such as `1.` says
                computed = value.kind == "float" and node is not None and literal(node) is MISSING
                return None if computed else value.kind in ("int", "bool")
            return None if isinstance(value, (Instance, Reference, Either)) else False
        case "float" | "bool":
            return isinstance(value, (Scalar, Array)) and value not in (Scalar("str"),)
        case "str":
            return isinstance(value, Scalar) and value.kind == "str"
        case "shape" | "axes":
            if isinstance(value, Scalar):
                return value.kind == "int"
            return isinstance(value, _SEQUENCES) or (None if isinstance(value, Reference) else False)
        case "dtype":
            if isinstance(value, Scalar) and value.kind == "str":
                return None
            return isinstance(value, (DType, Reference))
        case "device" | "key":
            return not isinstance(value, (DType, Tuple, Shape))
    return None


def is_opaque(value: Any) -> bool:
    """Whether a default is an expression rather than a literal."""
    return isinstance(value, Opaque)
