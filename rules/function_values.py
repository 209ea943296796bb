"""Functions of the framework as values: `partial(F.softmax, dim=-1)`, and calls of names that hold one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import keyword_argument, literal_node
from ..rewriter.lattice import Either, Partial, Reference, Type
from ..rewriter.read import Refusal, hub_value, literal
from ..rewriter.references import value_spelling
from ..rewriter.rule import Rule
from ..rewriter.signature import MISSING, Passing
from ..rewriter.tables import CONTEXT, DROP, REFUSE, Spelling


@dataclass(frozen=True)
class RenamedKeywords:
    """A call that names arguments of a function that became another one.

    names: new names, None where dropped. values: by old name, what is written instead of a literal.
    """

    names: dict[str, str | None]
    values: dict[str, Any]


def read_call(node: cst.Call, context: FileContext) -> RenamedKeywords | Refusal | None:
    """Keywords of `partial(f, ...)` and of `g(...)`, where `f` is a function of the framework and `g` holds one."""
    keywords = {argument.keyword.value: argument.value for argument in node.args if argument.keyword is not None}
    if context.direct_path(node.func) == "functools.partial":
        if not node.args or node.args[0].star or node.args[0].keyword is not None:
            return None
        function = context.type_of(node.args[0].value)
        positional = node.args[1:]
    elif context.direct_path(node.func) is None:
        function = context.type_of(node.func)
        positional = node.args
    else:
        return None
    misplaced = _misplaced(node, function, sum(one.keyword is None and not one.star for one in positional), context)
    if misplaced is not None or not keywords:
        return misplaced
    options = [_renamed(context, path, keywords) for path in _paths(function)]
    if not options or any(option is None or option != options[0] for option in options):
        return _open_keywords(node, function, context)
    renamed = options[0]
    assert renamed is not None
    return renamed if renamed.values or any(new != old for old, new in renamed.names.items()) else None


def _open_keywords(node: cst.Call, function: Type, context: FileContext) -> Refusal | None:
    """Keywords of a function of the framework that nothing says how to write, where the function itself is written."""
    for path in _paths(function):
        rows = context.source.by_path.get(path, ())
        if rows and not context.tables.hub[rows[0].op].is_layer and not isinstance(value_spelling(context, rows[0]), str):
            reason = f"{path} with keywords that have no counterpart one by one; write a function that calls it"
            return Refusal(reason, node, path)
    return None


def _misplaced(node: cst.Call, function: Type, count: int, context: FileContext) -> Refusal | None:
    """Arguments by position of a function that takes them in another order in the target."""
    if not isinstance(function, Reference):
        return None
    rows = context.source.by_path.get(function.path, ())
    if not rows or context.tables.hub[rows[0].op].is_layer:
        return None
    chosen = value_spelling(context, rows[0])
    if isinstance(chosen, str):
        return None
    ours, theirs = (
        [p for p in row.parameters if p.passing is not Passing.KEYWORD_ONLY and p.hub != CONTEXT]
        for row in (rows[0], chosen[0])
    )
    if any(p.passing is Passing.VARIADIC for p in (*ours, *theirs)):
        return None
    for own, other in zip_longest(ours[:count], theirs[:count]):
        if own is not None and other is not chosen[0].parameter_for(own.hub):
            reason = f"{function.path} takes {own.name} at another place in {context.target.name}; name the argument"
            return Refusal(reason, node, function.path)
    return None


def _paths(function: Type) -> list[str]:
    """The functions that a value may stand for; an empty path for what is none."""
    match function:
        case Reference(path=path):
            return [path]
        case Partial(function=inner):
            return _paths(inner)
        case Either(options=options):
            return [path for option in options for path in _paths(option)]
    return [""]


def _renamed(context: FileContext, path: str, keywords: Mapping[str, cst.BaseExpression]) -> RenamedKeywords | None:
    """What the keywords of the function at `path` are called in the target; None where that is not known."""
    rows = context.source.by_path.get(path, ())
    if not rows or context.tables.hub[rows[0].op].is_layer:
        return None
    chosen = value_spelling(context, rows[0])
    if isinstance(chosen, str):
        return None
    found = (_renamed_by(row, chosen[0], keywords) for row in rows if row.op == rows[0].op)
    return next((renamed for renamed in found if renamed is not None), None)


def _renamed_by(row: Spelling, written: Spelling, keywords: Mapping[str, cst.BaseExpression]) -> RenamedKeywords | None:
    by_name = {p.name: p for p in row.parameters if p.passing is not Passing.POSITIONAL_ONLY}
    names: dict[str, str | None] = {}
    values: dict[str, Any] = {}
    for keyword, value in keywords.items():
        parameter = by_name.get(keyword)
        if parameter is None or parameter.hub in (REFUSE, CONTEXT):
            return None
        if parameter.hub == DROP:
            names[keyword] = None
            continue
        counterpart = written.parameter_for(parameter.hub)
        if counterpart is None:
            return None
        if parameter.hub in row.values or parameter.hub in written.values:
            own = literal(value)
            if own is MISSING or not _is_among(own, row.values.get(parameter.hub, {}).values()):
                return None
            hub = hub_value(row, parameter.hub, own)
            if not _is_among(hub, written.values.get(parameter.hub, {})):
                return None
            values[keyword] = written.values.get(parameter.hub, {}).get(hub, hub)
        names[keyword] = counterpart.name
    return RenamedKeywords(names, values)


def _is_among(value: Any, known: Collection[Any]) -> bool:
    """Whether a value is one of those that a table translates; where it translates none, any is."""
    return not known or any(value == one and type(value) is type(one) for one in known)


def write_call(construct: RenamedKeywords, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """The same call with the target's names; `partial` without arguments is the function itself."""
    context.converted(node, op="function_value", rule="function_values")
    arguments = []
    for argument in node.args:
        name = argument.keyword.value if argument.keyword is not None else ""
        given = name in construct.values
        value = literal_node(construct.values[name]) if given else context.rewrite(argument.value)
        if argument.keyword is None:
            arguments.append(argument.with_changes(value=value))
            continue
        new = construct.names[name]
        if new is not None:
            arguments.append(argument.with_changes(value=value, keyword=keyword_argument(new, value).keyword))
    if len(arguments) == 1 and context.direct_path(node.func) == "functools.partial":
        function: cst.BaseExpression = arguments[0].value
        return function
    if arguments and len(arguments) < len(node.args) and arguments[-1] is not node.args[-1]:
        arguments[-1] = arguments[-1].with_changes(comma=node.args[-1].comma)
    return node.with_changes(func=context.rewrite(node.func), args=arguments)


RULES = (Rule("function_values", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=40),)
