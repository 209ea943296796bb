"""Framework objects that are mentioned without being called: element types, classes, functions as values."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import libcst as cst

from .context import FileContext
from .expressions import keyword_argument, literal_node
from .read import Refusal, hub_value
from .signature import MISSING, Opaque, Passing
from .tables import CONTEXT, DROP, REFUSE, HubOp, Spelling
from .write_arguments import own_value, same_value


def write_reference(context: FileContext, node: cst.BaseExpression, path: str) -> cst.BaseExpression | Refusal | None:
    """The target's name for the source object at `path`; None when it needs no change."""
    dtype = context.source.hub_name("dtypes", path)
    if dtype is not None:
        return _from_facts(context, node, path, "dtypes", dtype)
    known = context.source.hub_name("objects", path)
    if known is not None:
        return _from_facts(context, node, path, "objects", known)
    rows = context.source.by_path.get(path, ())
    if rows:
        return _callable(context, node, rows[0])
    reason = family_reason(context, path)
    return Refusal(reason or f"{path} has no counterpart in {context.target.name} that the tables know", node, path)


def family_reason(context: FileContext, path: str) -> str:
    """Why the target has nothing like the whole family of source objects that `path` belongs to, or ''."""
    for pattern, family in context.source.fact("families", default={}).items():
        if fnmatchcase(path, pattern):
            reason = context.target.fact("missing_families", family)
            return f"{path}: {reason}" if reason else ""
    return ""


def unknown(context: FileContext, node: cst.CSTNode, path: str) -> Refusal:
    """The refusal of a source function or method that no row reads."""
    return Refusal(family_reason(context, path) or f"{path} is not in the tables yet", node, path)


def _from_facts(
    context: FileContext, node: cst.BaseExpression, path: str, table: str, hub: str
) -> cst.BaseExpression | Refusal:
    spelling = context.target.fact(table, hub)
    if isinstance(spelling, list):
        spelling = spelling[0] if spelling else None
    if spelling is None:
        reason = family_reason(context, path)
        return Refusal(reason or f"{path} ({hub}) does not exist in {context.target.name}", node, path)
    context.converted(node, op=hub, api=path, rule="reference")
    if "." not in spelling:
        return cst.Name(spelling)
    return context.reference(spelling)


def _callable(context: FileContext, node: cst.BaseExpression, row: Spelling) -> cst.BaseExpression | Refusal:
    """A function or class as a value: the target's, with defaults that differ bound by `functools.partial`."""
    chosen = value_spelling(context, row)
    if isinstance(chosen, str):
        return Refusal(f"{row.path} as a value: {chosen}", node, row.path)
    target, bound = chosen
    function = context.reference(target.path)
    context.converted(node, op=row.op, api=row.path, rule="reference")
    if not bound:
        return function
    partial = context.imports.bind_from("functools", "partial")
    arguments = [keyword_argument(name, literal_node(value)) for name, value in bound.items()]
    return cst.Call(cst.Name(partial), [cst.Arg(function), *arguments])


def value_spelling(context: FileContext, row: Spelling) -> tuple[Spelling, dict[str, object]] | str:
    """The target's spelling for a function as a value, with the defaults to bind; or why there is none."""
    op = context.tables.hub[row.op]
    reason = f"{context.target.name} has no row for {row.op}"
    for target in context.tables.writers(context.target.name, row.op):
        if target.form == "unsupported":
            reason = target.reason
        if target.form not in ("function", "helper") or target.where:
            continue
        try:
            bound = _defaults_to_bind(op, row, target)
            state = context.snapshot()
            context.reference(target.path)
            context.restore(state)
        except (ValueError, KeyError) as error:
            reason = str(error)
            continue
        return target, bound
    return reason


def _defaults_to_bind(op: HubOp, source: Spelling, target: Spelling) -> dict[str, object]:
    """Keyword arguments that make `target` behave as `source` when called as that is called.

    Raises ValueError when the positional parameters do not correspond, or a default cannot be given.
    """
    if not op.is_layer and any(p.hub == CONTEXT and p.default is MISSING for p in target.parameters):
        raise ValueError(f"{target.path} draws random numbers and needs a key at each call; call it in a function")
    theirs = [p for p in target.parameters if p.passing is not Passing.KEYWORD_ONLY and p.hub not in (CONTEXT, DROP)]
    ours = [p for p in source.parameters if p.passing is not Passing.KEYWORD_ONLY and p.hub not in (DROP, REFUSE)]
    for index, parameter in enumerate(ours):
        counterpart = target.parameter_for(parameter.hub)
        if counterpart is None:
            raise ValueError(f"{target.path} has no argument {parameter.hub}")
        if parameter.default is MISSING and (index >= len(theirs) or theirs[index] is not counterpart):
            raise ValueError(f"the arguments of {target.path} stand in another order")
    bound = {}
    for name, value in _defaults(op, source).items():
        counterpart = target.parameter_for(name)
        if counterpart is None:
            known = op.parameter(name)
            if known is None or not same_value(value, known.default):
                raise ValueError(f"{target.path} has no argument {name}")
        elif not same_value(own_value(target, name, value), counterpart.default):
            bound[counterpart.name] = own_value(target, name, value)
    if op.is_layer and bound:
        raise ValueError(f"{target.path} has other defaults")
    return bound


def _defaults(op: HubOp, source: Spelling) -> dict[str, Any]:
    """The hub's arguments that a call of `source` without options means: its own defaults, or else the hub's."""
    values = {parameter.name: parameter.default for parameter in op.parameters}
    for parameter in source.parameters:
        if parameter.hub in values:
            values[parameter.hub] = hub_value(source, parameter.hub, parameter.default)
    values |= {name: value for name, value in source.where.items() if not isinstance(value, list)}
    return {name: value for name, value in values.items() if value is not MISSING and not isinstance(value, Opaque)}
