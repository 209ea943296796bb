"""Functions inside functions, and lambdas with a name: what their calls tell of their parameters.

Only of those that are called and nothing else is every call seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import libcst as cst

from .infer_expressions import ExpressionEvaluator
from .lattice import UNKNOWN, Type, join
from .nodes import NodesByKind
from .read import literal

LocalFunction = cst.FunctionDef | cst.Lambda


class LocalCalls:
    """The argument types of calls of local functions, for the next pass over the files."""

    def __init__(self) -> None:
        self.seen: dict[LocalFunction, dict[str, Type]] = {}
        self.previous: dict[LocalFunction, dict[str, Type]] = {}
        self._only_called: dict[str, frozenset[str]] = {}

    def next_pass(self) -> None:
        """What was seen is what the next pass goes by."""
        self.previous, self.seen = self.seen, {}

    def note(self, function: LocalFunction, call: cst.Call, evaluator: ExpressionEvaluator) -> None:
        """Join the argument types of a call into the function's parameters."""
        sites = self.seen.setdefault(function, {})
        for name, argument in _matched(function, call):
            value = evaluator.types.get(argument, UNKNOWN)
            sites[name] = join(sites[name], value) if name in sites else value

    def parameter(self, function: LocalFunction, name: str, file: str, nodes: Callable[[str], NodesByKind]) -> Type:
        """What all calls pass for a parameter."""
        value = self.previous.get(function, {}).get(name, UNKNOWN)
        if value == UNKNOWN:
            return UNKNOWN
        if file not in self._only_called:
            self._only_called[file] = frozenset(_only_called(nodes(file)))
        bound = _bound_name(function, nodes(file))
        return value if bound in self._only_called[file] else UNKNOWN


def registered(function: LocalFunction, call: cst.Call) -> Iterator[tuple[cst.Call, str, cst.BaseExpression]]:
    """The methods that a lambda calls with a name and a value that it was given: call, name and value.

    `register = lambda name, value: self.register_buffer(name, value.float())`, then `register("scale", x)`.
    """
    if not isinstance(function, cst.Lambda) or not isinstance(function.body, cst.Call) or len(function.body.args) < 2:
        return
    inner = function.body
    given = dict(_matched(function, call))
    key = inner.args[0].value
    name = literal(given[key.value]) if isinstance(key, cst.Name) and key.value in given else None
    if isinstance(name, str):
        yield inner, name, inner.args[1].value


def _matched(function: LocalFunction, call: cst.Call) -> Iterator[tuple[str, cst.BaseExpression]]:
    """Parameter names with the arguments of a call, up to a starred one."""
    positional = iter([*function.params.posonly_params, *function.params.params])
    for argument in call.args:
        if argument.star:
            return
        if argument.keyword is not None:
            yield argument.keyword.value, argument.value
            continue
        parameter = next(positional, None)
        if parameter is None:
            return
        yield parameter.name.value, argument.value


def _bound_name(function: LocalFunction, nodes: NodesByKind) -> str:
    if isinstance(function, cst.FunctionDef):
        return "" if function.decorators else function.name.value
    for assign in nodes.of(cst.Assign):
        if assign.value is function and len(assign.targets) == 1 and isinstance(assign.targets[0].target, cst.Name):
            return assign.targets[0].target.value
    return ""


def _only_called(nodes: NodesByKind) -> Iterator[str]:
    """The names of a file that stand for nothing but one binding and calls."""
    uses = Counter(node.value for node in nodes.of(cst.Name))
    bound: Counter[str] = Counter()
    called: Counter[str] = Counter()
    for function in nodes.of(cst.FunctionDef):
        bound[function.name.value] += 1
    for assign in nodes.of(cst.Assign):
        if len(assign.targets) == 1 and isinstance(assign.targets[0].target, cst.Name):
            bound[assign.targets[0].target.value] += isinstance(assign.value, cst.Lambda)
    for call in nodes.of(cst.Call):
        if isinstance(call.func, cst.Name):
            called[call.func.value] += 1
    for attribute in nodes.of(cst.Attribute):
        uses[attribute.attr.value] -= 1
    for argument in nodes.of(cst.Arg):
        if argument.keyword is not None:
            uses[argument.keyword.value] -= 1
    yield from (name for name, count in bound.items() if count == 1 and uses[name] == 1 + called[name])
