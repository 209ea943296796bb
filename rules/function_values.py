"""Functions of the framework as values: `partial(F.softmax, dim=-1)`, and calls of names that hold one."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import keyword_argument
from ..rewriter.lattice import Either, Partial, Reference, Type
from ..rewriter.references import value_spelling
from ..rewriter.rule import Rule
from ..rewriter.signature import Passing
from ..rewriter.tables import CONTEXT, DROP, REFUSE


@dataclass(frozen=True)
class RenamedKeywords:
    """A call that names arguments of a function that became another one. `names`: new names, None where dropped."""

    names: dict[str, str | None]


def read_call(node: cst.Call, context: FileContext) -> RenamedKeywords | None:
    """Keywords of `partial(f, ...)` and of `g(...)`, where `f` is a function of the framework and `g` holds one."""
    keywords = [argument.keyword.value for argument in node.args if argument.keyword is not None]
    if not keywords:
        return None
    if context.direct_path(node.func) == "functools.partial":
        if not node.args or node.args[0].star or node.args[0].keyword is not None:
            return None
        function = context.type_of(node.args[0].value)
    elif context.direct_path(node.func) is None:
        function = context.type_of(node.func)
    else:
        return None
    options = [_renamed(context, path, keywords) for path in _paths(function)]
    if not options or any(option is None or option != options[0] for option in options):
        return None
    names = options[0]
    assert names is not None
    return RenamedKeywords(names) if any(new != old for old, new in names.items()) else None


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


def _renamed(context: FileContext, path: str, keywords: list[str]) -> dict[str, str | None] | None:
    """What the keywords of the function at `path` are called in the target; None where that is not known."""
    rows = context.source.by_path.get(path, ())
    if not rows or context.tables.hub[rows[0].op].is_layer:
        return None
    chosen = value_spelling(context, rows[0])
    if isinstance(chosen, str):
        return None
    by_name = {p.name: p for p in rows[0].parameters if p.passing is not Passing.POSITIONAL_ONLY}
    names: dict[str, str | None] = {}
    for keyword in keywords:
        parameter = by_name.get(keyword)
        if parameter is None or parameter.hub in (REFUSE, CONTEXT):
            return None
        if parameter.hub == DROP:
            names[keyword] = None
            continue
        counterpart = chosen[0].parameter_for(parameter.hub)
        if counterpart is None or parameter.hub in rows[0].values or parameter.hub in chosen[0].values:
            return None
        names[keyword] = counterpart.name
    return names


def write_call(construct: RenamedKeywords, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """The same call with the target's names; `partial` without arguments is the function itself."""
    context.converted(node, op="function_value", rule="function_values")
    arguments = []
    for argument in node.args:
        value = context.rewrite(argument.value)
        if argument.keyword is None:
            arguments.append(argument.with_changes(value=value))
            continue
        name = construct.names[argument.keyword.value]
        if name is not None:
            arguments.append(argument.with_changes(value=value, keyword=keyword_argument(name, value).keyword))
    if len(arguments) == 1 and context.direct_path(node.func) == "functools.partial":
        function: cst.BaseExpression = arguments[0].value
        return function
    if arguments and len(arguments) < len(node.args) and arguments[-1] is not node.args[-1]:
        arguments[-1] = arguments[-1].with_changes(comma=node.args[-1].comma)
    return node.with_changes(func=context.rewrite(node.func), args=arguments)


RULES = (Rule("function_values", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=40),)
