"""Which methods the classes of a repository define, by name and by the arguments that they take.

A method call on a value of unknown type may mean an array's method or one of these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import libcst as cst


class MethodDefinitions:
    """The methods of a repository's classes by name."""

    def __init__(self, classes: Iterable[cst.ClassDef]) -> None:
        self._found: dict[str, list[cst.FunctionDef]] = defaultdict(list)
        for node in classes:
            for statement in node.body.body:
                if isinstance(statement, cst.FunctionDef):
                    self._found[statement.name.value].append(statement)

    def defines(self, name: str, call: cst.Call | None = None) -> bool:
        """Whether a class has a method of this name; with a call, one that takes the call's arguments."""
        found = self._found.get(name, ())
        return bool(found) if call is None else any(_takes(function, call) for function in found)


def _takes(function: cst.FunctionDef, call: cst.Call) -> bool:
    """Whether a bound method can be called with these arguments."""
    if any(argument.star for argument in call.args):
        return True
    parameters = function.params
    positional = [*parameters.posonly_params, *parameters.params]
    if not _is_static(function):
        positional = positional[1:]
    given = sum(argument.keyword is None for argument in call.args)
    named = {argument.keyword.value for argument in call.args if argument.keyword is not None}
    if given > len(positional) and not isinstance(parameters.star_arg, cst.Param):
        return False
    filled = {parameter.name.value for parameter in positional[:given]} | named
    known = {parameter.name.value for parameter in (*positional, *parameters.kwonly_params)}
    if named - known and parameters.star_kwarg is None:
        return False
    required = {
        parameter.name.value for parameter in (*positional, *parameters.kwonly_params) if parameter.default is None
    }
    return required <= filled


def _is_static(function: cst.FunctionDef) -> bool:
    return any(
        isinstance(decorator.decorator, cst.Name) and decorator.decorator.value == "staticmethod"
        for decorator in function.decorators
    )
