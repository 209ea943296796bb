"""The alias analysis of a whole conversion: functions as asked for, what they do with arguments, and who calls them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from .alias_facts import AliasFacts
from .aliases import FunctionAliases, bound_names, parameter_names
from .infer import Inference
from .lattice import UNKNOWN, Instance, Method, Reference, Type
from .liveness import Liveness, captured_names
from .names import Definition, dotted
from .nodes import children
from .read import BoundOp
from .storage import (
    NOWHERE,
    Environment,
    FileLayers,
    Storage,
    StorageEvaluator,
    Summary,
    is_told_inplace,
)


@dataclass(frozen=True)
class Where:
    """The statement and the function (or module) that a node belongs to.

    conditional: it is not evaluated exactly once with the statement: inside a lambda, comprehension or conditional.
    """

    statement: cst.CSTNode
    function: cst.CSTNode
    conditional: bool


_CONDITIONAL = (cst.Lambda, cst.BaseComp, cst.IfExp, cst.BooleanOperation)


@functools.cache
def _part(kind: type[cst.CSTNode]) -> str:
    """What a class of nodes is for `_collect_places`; asking abstract classes for each node would be slow."""
    if issubclass(kind, (cst.BaseSmallStatement, cst.BaseCompoundStatement)):
        return "statement"
    return "call" if issubclass(kind, cst.Call) else "conditional" if issubclass(kind, _CONDITIONAL) else ""


def _collect_places(node: cst.CSTNode, where: Where, found: dict[cst.CSTNode, Where]) -> None:
    part = _part(type(node))
    body = None
    if part == "statement":
        where = found[node] = Where(node, where.function, False)
        body = node.body if isinstance(node, (cst.FunctionDef, cst.ClassDef)) else None
    elif part == "call":
        found[node] = where
    elif part == "conditional":
        where = Where(where.statement, where.function, True)
    for child in children(node):
        _collect_places(child, Where(node, node, False) if child is body else where, found)


@dataclass(frozen=True)
class CallPlace:
    """A call, its statement, and the function and file that it stands in."""

    call: cst.Call
    statement: cst.CSTNode
    function: cst.CSTNode
    file: str


class Aliases:
    """The alias analysis of a whole conversion, function by function as asked."""

    def __init__(self, inference: Inference, facts: AliasFacts | None = None) -> None:
        self.inference = inference
        self.facts = facts or AliasFacts.of(inference.tables.frameworks[inference.source], inference.tables)
        self._functions: dict[cst.CSTNode, FunctionAliases] = {}
        self._summaries: dict[cst.CSTNode, Summary | None] = {}
        self._layers: dict[str, FileLayers] = {}
        self._places: dict[str, dict[cst.CSTNode, Where]] = {}
        self._call_index: dict[cst.CSTNode, list[CallPlace]] | None = None

    def function(self, node: cst.CSTNode, file: str) -> FunctionAliases:
        """The analysis of a FunctionDef, or of the top level of a Module."""
        known = self._functions.get(node)
        if known is None:
            known = self._functions[node] = self._analyse(node, file)
        return known

    def _analyse(self, node: cst.CSTNode, file: str) -> FunctionAliases:
        found = self.inference.files[file]
        layers = self.layers(file)
        base = StorageEvaluator(found.types, found.bound, self.facts, self.inference.framework, self.summary, layers)
        outside: Environment = {}
        body: Sequence[cst.CSTNode]
        if isinstance(node, cst.ClassDef):
            body, end = node.body.body, frozenset(bound_names(node.body.body)) | captured_names(node.body)
        elif isinstance(node, cst.FunctionDef):
            body = node.body.body
            end = captured_names(node.body)
            outside = {name: frozenset({Storage("parameter", name)}) for name in parameter_names(node)}
            if self._is_method(node, file) and outside:
                outside[next(iter(outside))] = NOWHERE
        else:
            assert isinstance(node, cst.Module)
            body = node.body
            end = frozenset(bound_names(node.body)) | captured_names(node)
        return FunctionAliases(body, outside, Liveness(body, end), base)

    def layers(self, file: str) -> FileLayers:
        """What a file's assignments say of the layers that it gives names."""
        if file not in self._layers:
            in_place: set[str] = set()
            new: dict[str, bool] = {}
            for node in self.inference.nodes(file).of(cst.Assign):
                for target in node.targets:
                    name = dotted(target.target)
                    if name is not None and self._works_in_place(node.value, file):
                        in_place.add(name)
                    if name is not None:
                        new[name] = new.get(name, True) and self._makes_new(node.value, file)
            self._layers[file] = FileLayers(
                frozenset(in_place), frozenset(name for name, sure in new.items() if sure)
            )
        return self._layers[file]

    def _works_in_place(self, value: cst.CSTNode, file: str) -> bool:
        """A layer made to work in place, or a sequence of layers with one before any that makes a new array."""
        if not isinstance(value, cst.Call):
            return False
        bound = self.inference.files[file].bound.get(value)
        if isinstance(bound, BoundOp) and bound.op.is_layer and not self._is_sequence(value, file):
            return is_told_inplace(value, bound)
        if not self._is_sequence(value, file):
            return False
        for argument in value.args:
            if self._works_in_place(argument.value, file):
                return True
            if self._makes_new(argument.value, file):
                return False
        return False

    def _is_sequence(self, value: cst.Call, file: str) -> bool:
        found = self.inference.files[file].types.get(value)
        return isinstance(found, Instance) and found.path in self.facts.layers

    def _makes_new(self, value: cst.CSTNode, file: str) -> bool:
        """A layer whose result is certainly new memory, or a sequence of layers with one among them."""
        if not isinstance(value, cst.Call):
            return False
        if self._is_sequence(value, file):
            return any(self._makes_new(argument.value, file) for argument in value.args)
        bound = self.inference.files[file].bound.get(value)
        return isinstance(bound, BoundOp) and bound.op.is_layer and not is_told_inplace(value, bound)

    def _is_method(self, node: cst.FunctionDef, file: str) -> bool:
        static = any(dotted(decorator.decorator) == "staticmethod" for decorator in node.decorators)
        first = next(iter(parameter_names(node)), None)
        return not static and first in ("self", "cls")

    def summary(self, call: cst.Call, callee: Type) -> Summary | None:
        """What the repository's function that a call runs does with its arguments' memory."""
        definition = self.definition(callee)
        if definition is None or not isinstance(definition.node, cst.FunctionDef):
            return None
        return self.summary_of(definition)

    def summary_of(self, definition: Definition) -> Summary | None:
        """The summary of a function; None while it is being made, as in recursion."""
        node = definition.node
        assert isinstance(node, cst.FunctionDef)
        if node not in self._summaries:
            self._summaries[node] = None
            self._summaries[node] = self._summarize(node, definition.file)
        return self._summaries[node]

    def _summarize(self, node: cst.FunctionDef, file: str) -> Summary:
        analysis = self.function(node, file)
        places = [
            place for environment in (*analysis.before.values(), analysis.last) for place in environment.items()
        ]
        kept = NOWHERE.union(*(held for name, held in places if name.startswith("@") or "." in name))
        names = parameter_names(node)
        if self._is_method(node, file):
            names = names[1:]
        return Summary(
            frozenset(s.site for s in analysis.returned if s.kind == "parameter"),
            frozenset(s.site for s in kept if s.kind == "parameter"),
            tuple(names),
            frozenset(s for s in analysis.returned if s.kind in ("attribute", "outer")),
        )

    # Callers.

    def callers_lose_nothing(self, function: cst.CSTNode, parameter: str, seen: tuple[cst.CSTNode, ...] = ()) -> bool:
        """Whether every known call passes an array that nobody reads afterwards; False if no call is known."""
        calls = self.calls_of(function)
        if not isinstance(function, cst.FunctionDef) or not calls or function in seen or len(seen) > 5:
            return False
        return all(self._loses_nothing(call, function, parameter, (*seen, function)) for call in calls)

    def _loses_nothing(
        self, place: CallPlace, function: cst.CSTNode, parameter: str, seen: tuple[cst.CSTNode, ...]
    ) -> bool:
        assert isinstance(function, cst.FunctionDef)
        argument = self.argument(place.call, function, parameter)
        if argument is None:
            return False
        analysis = self.function(place.function, place.file)
        found = analysis.storages(place.statement, argument)
        if analysis.readers(place.statement, found, ""):
            return False
        for storage in found:
            if storage.kind == "parameter" and isinstance(place.function, cst.FunctionDef):
                if not self.callers_lose_nothing(place.function, str(storage.site), seen):
                    return False
            elif storage.kind != "fresh":
                return False
        return True

    def passed_names(self, function: cst.FunctionDef) -> list[str]:
        """The parameters that callers write, without `self`."""
        names = parameter_names(function)
        return names[1:] if names and names[0] in ("self", "cls") else names

    def calls_of(self, function: cst.CSTNode) -> list[CallPlace]:
        """Every known call of a function of the repository."""
        return self._calls().get(function, [])

    def argument(self, call: cst.Call, function: cst.FunctionDef, parameter: str) -> cst.BaseExpression | None:
        """The argument that a call passes for a parameter; None if that cannot be told."""
        return _argument(call, self.passed_names(function), parameter)

    def _calls(self) -> dict[cst.CSTNode, list[CallPlace]]:
        """Every call of a function of the repository, by the function's node."""
        if self._call_index is None:
            self._call_index = {}
            for file in self.inference.modules:
                types = self.inference.files[file].types
                for node, where in self.places(file).items():
                    if not isinstance(node, cst.Call):
                        continue
                    definition = self.definition(types.get(node.func, UNKNOWN))
                    if definition is not None:
                        found = CallPlace(node, where.statement, where.function, file)
                        self._call_index.setdefault(definition.node, []).append(found)
        return self._call_index

    def places(self, file: str) -> dict[cst.CSTNode, Where]:
        """Where each call and each statement of a file stands."""
        known = self._places.get(file)
        if known is None:
            module = self.inference.modules[file]
            known = self._places[file] = {}
            _collect_places(module, Where(module, module, False), known)
        return known

    def definition(self, callee: Type) -> Definition | None:
        """The function of the repository that a call of such a value runs."""
        inference = self.inference
        match callee:
            case Reference(path=path):
                found = inference.repository.resolve(path)
                if found is not None and isinstance(found.node, cst.FunctionDef):
                    return found
                return None
            case Method(receiver=Instance(path=path), name=name):
                method = inference.method(path, name)
                return method[1] if method is not None else None
            case Instance(path=path):
                for name in (*inference.framework.forward_methods, "__call__"):
                    method = inference.method(path, name)
                    if method is not None:
                        return method[1]
        return None


def _argument(call: cst.Call, names: list[str], parameter: str) -> cst.BaseExpression | None:
    """The argument that a call passes for a parameter; None if that cannot be told."""
    if any(argument.star for argument in call.args):
        return None
    for index, argument in enumerate(call.args):
        passed = (
            argument.keyword.value if argument.keyword is not None else names[index] if index < len(names) else None
        )
        if passed == parameter:
            return argument.value
    return None
