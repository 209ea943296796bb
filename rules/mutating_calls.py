"""Calls that change an array in place, wherever they stand: methods such as `x.add_(y)`, `out=c`, `inplace=True`.

As a statement such a call becomes an assignment; inside an expression it becomes the value alone where nobody reads the
changed array again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.aliases import names_bound
from ..rewriter.context import FileContext
from ..rewriter.liveness import target_names
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from . import initializers, inplace_arguments, inplace_layers, inplace_methods, out_arguments
from .inplace_methods import MutatingCall, on_array
from .places import (
    NoPlace,
    Place,
    assignment,
    check_sharing,
    describe,
    find_place,
    index_kind,
    reads_shared,
    surroundings,
    with_update,
    without_wrappers,
)

_RECOGNIZERS: tuple[Callable[[cst.Call, FileContext], MutatingCall | None], ...] = (
    initializers.recognize,
    out_arguments.recognize,
    inplace_arguments.recognize,
    inplace_methods.recognize,
    inplace_layers.recognize,
)
STATEMENTS = (cst.Expr, cst.Assign, cst.AnnAssign, cst.Return)


@dataclass(frozen=True)
class InPlaceUpdate:
    """An array changed by a chain of calls, innermost first, that stands as a statement or as the whole right side."""

    place: Place
    calls: tuple[MutatingCall, ...]


@dataclass(frozen=True)
class SeparateUpdates:
    """A chain on a module's variable whose later calls read what may be the same memory: one statement for each call,
    so that they read what the calls before them left there."""

    place: Place
    calls: tuple[MutatingCall, ...]


@dataclass(frozen=True)
class NewValue:
    """A mutating call whose array nobody else reads: only its value counts."""

    call: MutatingCall


def recognize(node: cst.CSTNode, context: FileContext) -> MutatingCall | None:
    """The mutating call that a node is, if it is one."""
    if not isinstance(node, cst.Call):
        return None
    for recognizer in _RECOGNIZERS:
        found = recognizer(node, context)
        if found is not None:
            return found
    return None


def chain(node: cst.CSTNode, context: FileContext) -> tuple[MutatingCall, ...]:
    """The mutating calls that follow one another on the same array, innermost first."""
    calls: list[MutatingCall] = []
    while True:
        node = without_wrappers(node, context) if isinstance(node, cst.BaseExpression) else node
        found = recognize(node, context)
        if found is None:
            return tuple(reversed(calls))
        calls.append(found)
        node = found.array


def read_statement(node: Any, context: FileContext) -> InPlaceUpdate | SeparateUpdates | Refusal | None:
    """A statement whose value is a chain of mutating calls on an array that something holds."""
    known: dict[cst.CSTNode, InPlaceUpdate | SeparateUpdates | Refusal | None] = context.state.setdefault("mutating_calls", {})
    if node not in known:
        known[node] = None if node.value is None else _read_update(node, context)
    return known[node]


def _read_update(node: Any, context: FileContext) -> InPlaceUpdate | SeparateUpdates | Refusal | None:
    calls = chain(node.value, context)
    if not calls:
        return None
    last = calls[-1]
    try:
        place = find_place(calls[0].array, context)
    except NoPlace as problem:
        return Refusal(str(problem), last.node, last.api) if str(problem) else None
    if isinstance(node, cst.Expr) and place.kind == "variable" and _reader(place, calls, context) is not None:
        separate = [on_array(call, calls[0].array, context) for call in calls]
        if None not in separate:
            return SeparateUpdates(place, tuple(call for call in separate if call is not None))
    refusal = _check(place, calls, node, context)
    return InPlaceUpdate(place, calls) if refusal is None else refusal


def write_statement(construct: InPlaceUpdate | SeparateUpdates, node: Any, context: FileContext) -> Any:
    """`x = value`, `self.buf[...] = value`, `y = x = value` or `return value`."""
    if isinstance(construct, SeparateUpdates):
        return _write_separately(construct, context)
    place, first, last = construct.place, construct.calls[0], construct.calls[-1]
    value = first.written(context) if first is last and first.direct(place) else None
    if value is None:
        value = context.rewrite(last.node)
        for call in construct.calls:
            if call.node in _refused(context):
                return _refused(context)[call.node]
    for call in construct.calls:
        context.converted(call.node, op="in_place_update", api=call.api, rule=call.rule)
    if isinstance(node, cst.Expr):
        return assignment(*with_update(place, value, context))
    if isinstance(node, cst.Return):
        return node.with_changes(value=_without_parentheses(value))
    return _assigned(place, value, node, context)


def _write_separately(construct: SeparateUpdates, context: FileContext) -> Any:
    lines = []
    for call in construct.calls:
        stored = call.written(context) if call.direct(construct.place) else None
        value = call.value(context) if stored is None else stored
        if isinstance(value, Refusal):
            return value
        lines.append(assignment(*with_update(construct.place, value, context)))
    for call in construct.calls:
        context.converted(call.node, op="in_place_update", api=call.api, rule=call.rule)
    return cst.FlattenSentinel(lines)


def _without_parentheses(value: cst.BaseExpression) -> cst.BaseExpression:
    return assignment(cst.Name("_"), value).value


def _assigned(place: Place, value: cst.BaseExpression, node: cst.Assign | cst.AnnAssign, context: FileContext) -> Any:
    if not isinstance(place.node, cst.Name) or not _read_later(place.node.value, node, context):
        return node.with_changes(value=_without_parentheses(value))
    if isinstance(node, cst.AnnAssign):
        return Refusal(f"{describe(node)} gives one array two names; split the line", node)
    targets = [context.rewrite(target) for target in node.targets]
    return assignment(place.node, value, *targets)


def _check(place: Place, calls: tuple[MutatingCall, ...], node: Any, context: FileContext) -> Refusal | None:
    what = describe(calls[-1].node)
    for subscript in place.indices:
        kind = index_kind(subscript, context)
        if kind != "basic":
            reason = "changes a copy, not the array" if kind in ("mask", "gather") else "changes the array or a copy"
            return Refusal(
                f"{what} {reason}: store with {describe(subscript)} = ... instead", calls[-1].node, calls[-1].api
            )
    if place.kind == "temporary" and (isinstance(node, cst.Expr) or place.indices):
        return Refusal(f"{what} changes an array through {describe(place.node)}, and JAX arrays have no views; "
                       "write to the array itself or build the new one", calls[-1].node, calls[-1].api)  # fmt: skip
    if not isinstance(node, cst.Expr) and (place.kind not in ("name", "temporary") or place.indices):
        return Refusal(
            f"{what} changes an array within a larger statement; give it a line of its own", calls[-1].node
        )
    reader = _reader(place, calls, context)
    if reader is not None:
        return Refusal(
            f"{what} reads {reader} while it changes; split the chain of calls", calls[-1].node, calls[-1].api
        )
    return check_sharing(place, context, calls[-1].node, what)


def _reader(place: Place, calls: tuple[MutatingCall, ...], context: FileContext) -> str | None:
    """What later calls of a chain read that may share memory with the place."""
    later = [argument.value for call in calls[1:] for argument in call.node.args if argument.value is not call.array]
    return reads_shared(place, later, calls[-1].node, context)


def _read_later(name: str, statement: cst.CSTNode, context: FileContext) -> bool:
    analysis, _ = surroundings(context, statement)
    return name in analysis.live.after.get(statement, frozenset()) and name not in set(names_bound(statement))


# Inside expressions.


def _refused(context: FileContext) -> dict[cst.CSTNode, Refusal]:
    refused: dict[cst.CSTNode, Refusal] = context.state.setdefault("mutating_calls_refused", {})
    return refused


def read_call(node: cst.Call, context: FileContext) -> NewValue | Refusal | None:
    """A mutating call in an expression: its value, if the statement puts it back or nobody reads the array again."""
    found = recognize(node, context)
    if found is None:
        return None
    statement = surroundings(context, node)[1].statement
    if isinstance(statement, STATEMENTS):
        update = read_statement(statement, context)
        if isinstance(update, InPlaceUpdate) and any(call.node is node for call in update.calls):
            return NewValue(found)
        if isinstance(update, Refusal) and update.node is node:
            return update
    try:
        place = find_place(chain(node, context)[0].array, context)
    except NoPlace as problem:
        return Refusal(str(problem), node, found.api) if str(problem) else NewValue(found)
    reason = _stays_in_expression(place, node, context)
    if reason:
        return Refusal(f"{describe(node)} changes an array within a larger expression{reason}", node, found.api)
    refusal = check_sharing(place, context, node, describe(node))
    return refusal if refusal is not None else NewValue(found)


def _stays_in_expression(place: Place, node: cst.Call, context: FileContext) -> str:
    """Why the value alone does not do in place of a mutating call; '' if it does."""
    own_line = "; give it a line of its own"
    if place.kind == "temporary" and not place.indices:
        return ""
    if place.kind != "name" or place.indices or not isinstance(place.node, cst.Name):
        return own_line
    where = surroundings(context, node)[1]
    statement = where.statement
    if where.conditional or not isinstance(statement, (*STATEMENTS, cst.AugAssign)):
        return own_line
    name = place.node.value
    own = set(walk(node))
    around = [part for part in walk(statement) if isinstance(part, cst.Name) and part not in own]
    uses = sum(part.value == name for part in around)
    bound = [found for target in getattr(statement, "targets", ()) for found in target_names(target.target)]
    if uses > bound.count(name) or (isinstance(statement, cst.AugAssign) and name in target_names(statement.target)):
        return f" that uses {name} again{own_line}"
    reader = reads_shared(place, [part for part in around if part.value != name], node, context)
    if reader is not None:
        return f" that also reads {reader}, which may share its memory{own_line}"
    return f" and {name} is used later{own_line}" if _read_later(name, statement, context) else ""


def write_call(construct: NewValue, node: cst.Call, context: FileContext) -> Any:
    """The value that the call would have left in the array."""
    value = construct.call.value(context)
    if isinstance(value, Refusal):
        _refused(context)[node] = value
        return value
    context.converted(node, op="in_place_update", api=construct.call.api, rule=construct.call.rule)
    return value


RULES = (
    Rule(
        name="in_place_statement",
        nodes=STATEMENTS,
        read={"torch": read_statement},
        write={"jax": write_statement},
        order=20,
    ),
    Rule(name="in_place_call", nodes=(cst.Call,), read={"torch": read_call}, write={"jax": write_call}, order=20),
)
