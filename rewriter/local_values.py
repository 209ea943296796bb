"""What local names were given: every expression that a function binds to a name."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from .context import FileContext
from .liveness import target_names
from .nodes import children


@dataclass(frozen=True)
class Binding:
    """One way in which a name gets a value.

    value: the expression; None where it cannot be told, as in augmented assignments. part: the name gets this item of
    the value, counted from the end where negative; `each` where it gets every item in turn.
    """

    value: cst.BaseExpression | None
    part: int | str | None = None


def bindings(name: str, context: FileContext) -> tuple[Binding, ...] | cst.Param | None:
    """What the function being rewritten binds to a name, or its parameter; None for names of other scopes."""
    function = context.enclosing(cst.FunctionDef)
    return _of_function(function, context).get(name) if function is not None else None


def _of_function(function: cst.FunctionDef, context: FileContext) -> dict[str, tuple[Binding, ...] | cst.Param]:
    known: dict[cst.CSTNode, dict[str, tuple[Binding, ...] | cst.Param]] = context.state.setdefault("local_values", {})
    if function not in known:
        found: dict[str, list[Binding]] = {}
        for node in context.within(function.body, *_BINDING):
            _note(node, found)
        parameters = function.params
        stars = (p for p in (parameters.star_arg, parameters.star_kwarg) if isinstance(p, cst.Param))
        result: dict[str, tuple[Binding, ...] | cst.Param] = {
            parameter.name.value: parameter
            for parameter in (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params, *stars)
        }
        for name, all_of_them in found.items():
            bound_before = (Binding(None),) if name in result else ()
            result[name] = (*bound_before, *all_of_them)
        known[function] = result
    return known[function]


#: The classes of nodes that `_note` knows.
_BINDING = (
    cst.Assign, cst.AnnAssign, cst.NamedExpr, cst.For, cst.CompFor, cst.AugAssign, cst.AsName, cst.Del, cst.FunctionDef,
    cst.ClassDef, cst.ImportAlias, cst.MatchAs, cst.MatchStar, cst.Global, cst.Nonlocal, cst.Param,
)  # fmt: skip


def _note(node: cst.CSTNode, found: dict[str, list[Binding]]) -> None:
    """Add what one statement or expression binds."""
    match node:
        case cst.Assign(targets=targets, value=value):
            for target in targets:
                _note_target(target.target, value, found)
        case cst.AnnAssign(target=target, value=cst.BaseExpression() as value):
            _note_target(target, value, found)
        case cst.NamedExpr(target=target, value=value):
            _note_target(target, value, found)
        case (
            cst.For(target=cst.Name(value=name), iter=iterated)
            | cst.CompFor(target=cst.Name(value=name), iter=iterated)
        ):
            found.setdefault(name, []).append(Binding(iterated, "each"))
        case cst.AugAssign(target=target) | cst.For(target=target) | cst.CompFor(target=target):
            for name in target_names(target):
                found.setdefault(name, []).append(Binding(None))
        case cst.AsName(name=target) | cst.Del(target=target):
            for name in target_names(target):
                found.setdefault(name, []).append(Binding(None))
        case cst.FunctionDef(name=cst.Name(value=name)) | cst.ClassDef(name=cst.Name(value=name)):
            found.setdefault(name, []).append(Binding(None))
        case cst.ImportAlias(name=cst.Name(value=name), asname=None):
            found.setdefault(name, []).append(Binding(None))
        case cst.MatchAs(name=cst.Name(value=name)) | cst.MatchStar(name=cst.Name(value=name)):
            found.setdefault(name, []).append(Binding(None))
        case cst.Global(names=names) | cst.Nonlocal(names=names):
            for item in names:
                found.setdefault(item.name.value, []).append(Binding(None))
        case cst.Param(name=cst.Name(value=name)):  # of a lambda or a function inside
            found.setdefault(name, []).append(Binding(None))
        case _:
            pass


def _note_target(target: cst.BaseExpression, value: cst.BaseExpression, found: dict[str, list[Binding]]) -> None:
    if isinstance(target, cst.Name):
        found.setdefault(target.value, []).append(Binding(value))
        return
    if not isinstance(target, (cst.Tuple, cst.List)):
        return
    given = value.elements if isinstance(value, (cst.Tuple, cst.List)) else ()
    one_by_one = len(given) == len(target.elements) and all(type(element) is cst.Element for element in given)
    star = next((i for i, e in enumerate(target.elements) if isinstance(e, cst.StarredElement)), len(target.elements))
    for index, element in enumerate(target.elements):
        if index == star:
            for name in target_names(element.value):
                found.setdefault(name, []).append(Binding(None))
        elif one_by_one:
            _note_target(element.value, given[index].value, found)
        elif isinstance(element.value, cst.Name):
            part = index if index < star else index - len(target.elements)
            found.setdefault(element.value.value, []).append(Binding(value, part))
        else:
            for name in target_names(element.value):
                found.setdefault(name, []).append(Binding(None))


def parents_in(context: FileContext) -> dict[cst.CSTNode, cst.CSTNode]:
    """The parent of every node of the file."""
    known: dict[cst.CSTNode, cst.CSTNode] | None = context.state.get("parents")
    if known is None:
        known = context.state["parents"] = {}
        pending: list[cst.CSTNode] = [context.module]
        while pending:
            node = pending.pop()
            for child in children(node):
                known[child] = node
                pending.append(child)
    return known
