"""Functions that only hand on one of their arguments: what such a call gives depends on the call alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import libcst as cst

from .lattice import (
    NONE,
    UNKNOWN,
    Array,
    Callback,
    DType,
    Either,
    Instance,
    NoneType,
    Scalar,
    Shape,
    Tuple,
    Type,
    join_all,
)
from .lattice import Mapping as MappingType
from .lattice import Sequence as SequenceType
from .liveness import target_names
from .nodes import children

_NOT_CALLABLE = (Array, Scalar, Shape, Tuple, SequenceType, MappingType, DType)


def handed_on(function: cst.FunctionDef, call: cst.Call, types: Mapping[cst.CSTNode, Type]) -> Type:
    """The type of a call of such a function as `def default(value, other): return value if exists(value) else other`.

    types: those of the call's arguments. UNKNOWN for all other functions, and where an argument is not known.
    """
    returned = _returned(function.body)
    given = _given(function.params, call, types) if returned else None
    if not returned or given is None:
        return UNKNOWN
    for statement in function.body.body:
        if isinstance(statement, cst.For) and isinstance(statement.target, cst.Name):
            given[statement.target.value] = given.get(getattr(statement.iter, "value", ""), [UNKNOWN])
    options = [option for value in returned for option in _options(value, given)]
    return UNKNOWN if UNKNOWN in options else join_all(options)


def passed_through(function: cst.FunctionDef, call: cst.Call, types: Mapping[cst.CSTNode, Type]) -> Type:
    """The object that a call of such a function as `def initialized(model): fill(model); return model` gives back.

    UNKNOWN for other functions, and for arrays, which may come back with another shape.
    """
    nodes = list(_own_nodes(function.body))
    returned = [node.value for node in nodes if isinstance(node, cst.Return)]
    names = {value.value for value in returned if isinstance(value, cst.Name)}
    if len(names) != 1 or not all(isinstance(value, cst.Name) for value in returned):
        return UNKNOWN
    name = names.pop()
    targets = (cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.For, cst.CompFor, cst.NamedExpr)
    bound = {part for node in nodes if isinstance(node, targets) for part in target_names(node.target)}
    bound |= {part for node in nodes if isinstance(node, cst.AsName) for part in target_names(node.name)}
    given = _given(function.params, call, types) if name not in bound else None
    found = (given or {}).get(name, [UNKNOWN])[0]
    return found if isinstance(found, (Instance, Either)) else UNKNOWN


def _own_nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for child in children(node):
        if not isinstance(child, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
            yield child
            yield from _own_nodes(child)


def _returned(body: cst.BaseSuite) -> list[cst.BaseExpression] | None:
    """The returned expressions of a body that only tests and returns, or does so for each argument; else None."""
    found: list[cst.BaseExpression] = []
    for statement in body.body:
        inner: list[cst.BaseExpression] | None = None
        if isinstance(statement, (cst.If, cst.For)):
            inner = _of_branches(statement)
        elif isinstance(statement, (cst.SimpleStatementLine, cst.Return)):
            lines = statement.body if isinstance(statement, cst.SimpleStatementLine) else [statement]
            inner = _of_lines(lines)
        if inner is None:
            return None
        found += inner
    return found


def _of_branches(statement: cst.If | cst.For) -> list[cst.BaseExpression] | None:
    found: list[cst.BaseExpression] = []
    branch: cst.If | cst.For | cst.Else | None = statement
    while branch is not None:
        inner = _returned(branch.body)
        if inner is None:
            return None
        found += inner
        branch = None if isinstance(branch, cst.Else) else branch.orelse
    return found


def _of_lines(lines: Sequence[cst.BaseSmallStatement]) -> list[cst.BaseExpression] | None:
    found: list[cst.BaseExpression] = []
    for line in lines:
        if isinstance(line, cst.Return) and line.value is not None:
            found.append(line.value)
        elif not (isinstance(line, cst.Expr) and isinstance(line.value, cst.BaseString)):
            return None
    return found


def _given(
    parameters: cst.Parameters, call: cst.Call, types: Mapping[cst.CSTNode, Type]
) -> dict[str, list[Type]] | None:
    """The types of the arguments by parameter, several for a starred one; None where the call cannot be read."""
    if parameters.star_kwarg is not None:
        return None
    names = [parameter.name.value for parameter in (*parameters.posonly_params, *parameters.params)]
    starred = parameters.star_arg.name.value if isinstance(parameters.star_arg, cst.Param) else None
    given: dict[str, list[Type]] = {}
    for index, argument in enumerate(call.args):
        if argument.star or (argument.keyword is None and index >= len(names) and starred is None):
            return None
        name = (
            argument.keyword.value if argument.keyword is not None else names[index] if index < len(names) else starred
        )
        given.setdefault(str(name), []).append(types.get(argument.value, UNKNOWN))
    return given


def _options(value: cst.BaseExpression, given: Mapping[str, Sequence[Type]]) -> list[Type]:
    """What an expression over the parameters may be."""
    match value:
        case cst.Name(value="None"):
            return [NONE]
        case cst.Name(value=name):
            return list(given.get(name, [UNKNOWN]))
        case cst.IfExp(body=body, orelse=orelse):
            return [*_options(body, given), *_options(orelse, given)]
        case cst.BooleanOperation(left=left, operator=cst.Or(), right=right):
            return [*_options(left, given), *_options(right, given)]
        case cst.Call(func=cst.Name(value=name), args=()) if name in given:
            # Values that cannot be called do not come into the branch for functions.
            functions = [function for function in given[name] if not isinstance(function, (*_NOT_CALLABLE, NoneType))]
            return [function.result if isinstance(function, Callback) else UNKNOWN for function in functions]
    return [UNKNOWN]
