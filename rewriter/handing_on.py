"""Functions that only hand on one of their arguments: what such a call gives depends on the call alone."""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from .lattice import NONE, UNKNOWN, Array, Callback, DType, Scalar, Sequence, Shape, Tuple, Type, join_all
from .lattice import Mapping as MappingType

_NOT_CALLABLE = (Array, Scalar, Shape, Tuple, Sequence, MappingType, DType)


def handed_on(function: cst.FunctionDef, call: cst.Call, types: Mapping[cst.CSTNode, Type]) -> Type:
    """The type of a call of such a function as `def default(value, other): return value if exists(value) else other`.

    types: those of the call's arguments. UNKNOWN for all other functions, and where an argument is not known.
    """
    returned = _returned(function.body)
    if not returned:
        return UNKNOWN
    given = _given(function.params, call, types)
    if given is None:
        return UNKNOWN
    options = [option for value in returned for option in _options(value, given)]
    return UNKNOWN if UNKNOWN in options else join_all(options)


def _returned(body: cst.BaseSuite) -> list[cst.BaseExpression] | None:
    """The returned expressions of a body that only tests and returns; None for any other body."""
    found: list[cst.BaseExpression] = []
    for statement in body.body:
        if isinstance(statement, cst.If):
            parts: list[cst.BaseSuite] = [statement.body]
            branch = statement.orelse
            while isinstance(branch, cst.If):
                parts.append(branch.body)
                branch = branch.orelse
            if branch is not None:
                parts.append(branch.body)
            for part in parts:
                inner = _returned(part)
                if inner is None:
                    return None
                found += inner
        elif isinstance(statement, (cst.SimpleStatementLine, cst.Return)):
            lines = statement.body if isinstance(statement, cst.SimpleStatementLine) else [statement]
            for line in lines:
                if isinstance(line, cst.Return) and line.value is not None:
                    found.append(line.value)
                elif not (isinstance(line, cst.Expr) and isinstance(line.value, cst.BaseString)):
                    return None
        else:
            return None
    return found


def _given(
    parameters: cst.Parameters, call: cst.Call, types: Mapping[cst.CSTNode, Type]
) -> dict[str, Type] | None:
    """The types of the arguments by parameter; None where the call cannot be read."""
    if not isinstance(parameters.star_arg, cst.MaybeSentinel) or parameters.star_kwarg is not None:
        return None
    names = [parameter.name.value for parameter in (*parameters.posonly_params, *parameters.params)]
    given: dict[str, Type] = {}
    for index, argument in enumerate(call.args):
        if argument.star or (argument.keyword is None and index >= len(names)):
            return None
        name = argument.keyword.value if argument.keyword is not None else names[index]
        given[name] = types.get(argument.value, UNKNOWN)
    return given


def _options(value: cst.BaseExpression, given: Mapping[str, Type]) -> list[Type]:
    """What an expression over the parameters may be."""
    match value:
        case cst.Name(value="None"):
            return [NONE]
        case cst.Name(value=name):
            return [given.get(name, UNKNOWN)]
        case cst.IfExp(body=body, orelse=orelse):
            return [*_options(body, given), *_options(orelse, given)]
        case cst.BooleanOperation(left=left, operator=cst.Or(), right=right):
            return [*_options(left, given), *_options(right, given)]
        case cst.Call(func=cst.Name(value=name), args=()) if name in given:
            function = given[name]
            if isinstance(function, _NOT_CALLABLE):  # The branch for functions is not taken.
                return []
            return [function.result if isinstance(function, Callback) else UNKNOWN]
    return [UNKNOWN]
