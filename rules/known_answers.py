"""Conditions that come to the same whatever a converted program does: questions to the source framework about itself.

Its compilers and its process groups are not there, its version is the one that the tables describe, and what its
modules hold is known. A function of the repository that only asks such questions answers them likewise.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst

from ..rewriter.infer import Inference
from ..rewriter.lattice import Array, Reference
from ..rewriter.names import Definition
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, literal
from ..rewriter.signature import MISSING
from ..rewriter.tables import Framework

_COMPARISONS: Mapping[type[cst.BaseCompOp], Callable[[Any, Any], bool]] = {
    cst.Equal: operator.eq,
    cst.NotEqual: operator.ne,
    cst.LessThan: operator.lt,
    cst.LessThanEqual: operator.le,
    cst.GreaterThan: operator.gt,
    cst.GreaterThanEqual: operator.ge,
}
_PARSERS = frozenset(("parse", "Version", "LooseVersion", "StrictVersion", "parse_version", "TorchVersion"))


@dataclass(frozen=True)
class Answer:
    """The value of a question, or of a condition made of them; `doubt` says where it may differ."""

    value: bool
    api: str
    doubt: str = ""


@dataclass(frozen=True)
class Release:
    """A parsed version: its numbers, without trailing zeros."""

    numbers: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Release | None:
        """`2.0.1+cpu` → 2, 0, 1; None for what is no version, and for those before a release."""
        found = re.fullmatch(r"v?(\d+(?:\.\d+)*)(?:\+\w+)?", text.strip())
        if found is None:
            return None
        numbers = [int(part) for part in found[1].split(".")]
        while numbers and numbers[-1] == 0:
            numbers.pop()
        return cls(tuple(numbers))


class Answers:
    """The answers that one file's expressions have."""

    def __init__(self, inference: Inference, file: str, target: Framework) -> None:
        self.inference = inference
        self.target = target
        self.bound = inference.files[file].bound
        self.scope = inference.repository.scopes[file]
        self.types = inference.files[file].types
        self.source = inference.tables.frameworks[inference.source]
        self.fact = self.source.fact

    def answer(self, node: cst.BaseExpression) -> Answer | None:
        """What a condition comes to; None if that is open."""
        match node:
            case cst.Call():
                return self._call(node)
            case cst.Attribute():
                return self._attribute(node)
            case cst.UnaryOperation(operator=cst.Not(), expression=inner):
                found = self.answer(inner)
                return replace(found, value=not found.value) if found is not None else None
            case cst.BooleanOperation(left=left, right=right):
                decisive = isinstance(node.operator, cst.Or)
                sides = [self.answer(side) for side in (left, right)]
                for side in sides:
                    if side is not None and side.value == decisive:
                        return side
                return sides[0] if None not in sides else None
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=cst.In() | cst.NotIn()) as target]):
                return self._listed(left, target)
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget() as target]):
                return self._version_comparison(left, target)
        return None

    def path(self, node: cst.BaseExpression) -> str | None:
        """The dotted path of an imported object, named itself and not through a variable."""
        value = self.types.get(node)
        if isinstance(value, Reference):
            return value.path if self.inference.is_direct(self.scope, node) else None
        if isinstance(node, cst.Name):
            return self.scope.imports.get(node.value)
        if isinstance(node, cst.Attribute):
            owner = self.path(node.value)
            return f"{owner}.{node.attr.value}" if owner is not None else None
        return None

    def _call(self, node: cst.Call) -> Answer | None:
        path = self.path(node.func) or ""
        if path in self.fact("always_false", default=()):
            return Answer(False, path)
        bound = self.bound.get(node)
        hub = bound.op.name if isinstance(bound, BoundOp) else self.source.hub_name("questions", path)
        known = self._constant(hub, path or (bound.api if isinstance(bound, BoundOp) else ""))
        if known is not None:
            return known
        starter = self.fact("false_unless_started", default={}).get(path)
        if starter is not None:
            return None if _calls(self.inference, starter) else Answer(False, path)
        if isinstance(node.func, cst.Name) and node.func.value == "isinstance" and len(node.args) == 2:
            return self._instance(node.args[1].value)
        if isinstance(node.func, cst.Name) and node.func.value == "hasattr" and len(node.args) == 2:
            return self._held(node.args[0].value, literal(node.args[1].value))
        callee = self.types.get(node.func)
        if isinstance(callee, Reference) and not node.args:
            definition = self.inference.repository.resolve(callee.path)
            return _function_answer(self, definition) if definition is not None else None
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "startswith" and len(node.args) == 1:
            text, start = self._version(node.func.value), literal(node.args[0].value)
            if isinstance(text, str) and isinstance(start, str):
                return Answer(text.startswith(start), self._version_path)
        return None

    def _attribute(self, node: cst.Attribute) -> Answer | None:
        """`x.requires_grad` of an array that is no weight."""
        value = self.types.get(node.value)
        if not isinstance(value, Array) or value.storage:
            return None
        api = f"{self.source.array_class.rpartition('.')[2]}.{node.attr.value}"
        return self._constant(self.source.hub_name("questions", api), api)

    def _constant(self, hub: str | None, api: str) -> Answer | None:
        """What the target always answers."""
        known = self.target.fact("constant_answers", hub) if hub is not None else None
        return Answer(known["value"], api, known.get("review", "")) if known is not None else None

    def _instance(self, classes: cst.BaseExpression) -> Answer | None:
        """`isinstance(model, DataParallel)` where nothing in the repository builds one."""
        options = [one.value for one in classes.elements] if isinstance(classes, cst.Tuple) else [classes]
        paths = [self.path(option) for option in options]
        wrappers = self.fact("wrappers", default=())
        if not paths or not all(path in wrappers and not _calls(self.inference, path) for path in paths if path) or None in paths:
            return None
        return Answer(False, str(paths[0]))

    def _held(self, owner: cst.BaseExpression, name: object) -> Answer | None:
        """`hasattr(module, "name")` for a module of the source framework."""
        path = self.path(owner)
        if path is None or not isinstance(name, str) or not self.inference.framework.owns(path):
            return None
        whole = f"{path}.{name}"
        if self.inference.framework.knows(whole) or whole in self.fact("attributes_there", default=()):
            return Answer(True, whole)
        return Answer(False, whole) if whole in self.fact("attributes_not_there", default=()) else None

    def _listed(self, name: cst.BaseExpression, target: cst.ComparisonTarget) -> Answer | None:
        """`"name" in dir(module)`."""
        match target.comparator:
            case cst.Call(func=cst.Name(value="dir"), args=[cst.Arg(value=owner)]):
                found = self._held(owner, literal(name))
                if found is None or isinstance(target.operator, cst.In):
                    return found
                return Answer(not found.value, found.api)
        return None

    @property
    def _version_path(self) -> str:
        return str(self.fact("version", "path", default=""))

    def _version_comparison(self, left: cst.BaseExpression, target: cst.ComparisonTarget) -> Answer | None:
        compare = _COMPARISONS.get(type(target.operator))
        if compare is None or not any(self._is_version(node) for node in (*walk(left), *walk(target.comparator))):
            return None
        values = [self._version(left), self._version(target.comparator)]
        if self._is_version(left) or self._is_version(target.comparator):
            # The version itself compares by its numbers, also with plain text.
            values = [Release.parse(value) if isinstance(value, str) else MISSING for value in values]
        if any(value is MISSING or value is None for value in values) or type(values[0]) is not type(values[1]):
            return None
        if isinstance(values[0], Release):
            values = [value.numbers for value in values]
        return Answer(compare(*values), self._version_path)

    def _is_version(self, node: cst.CSTNode) -> bool:
        return isinstance(node, (cst.Name, cst.Attribute)) and bool(self._version_path) and (
            self.path(node) == self._version_path
        )  # fmt: skip

    def _version(self, node: cst.BaseExpression) -> Any:
        """The value of an expression that takes the version apart, or of a literal; MISSING if it is none."""
        if self._is_version(node):
            return str(self.fact("version", "value"))
        match node:
            case cst.Call(args=args) if any(argument.star or argument.keyword is not None for argument in args):
                return MISSING
            case cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value="split")), args=[argument]):
                text, separator = self._version(owner), literal(argument.value)
                return text.split(separator) if isinstance(text, str) and isinstance(separator, str) else MISSING
            case cst.Call(func=cst.Name(value="int"), args=[argument]):
                value = self._version(argument.value)
                return int(value) if isinstance(value, (str, int)) and str(value).isdigit() else MISSING
            case cst.Call(func=cst.Name(value="tuple" | "list" as kind), args=[argument]):
                value = self._version(argument.value)
                return (tuple if kind == "tuple" else list)(value) if isinstance(value, (tuple, list)) else MISSING
            case cst.Call(func=cst.Name(value="map"), args=[cst.Arg(value=cst.Name(value="int")), argument]):
                return _numbers(self._version(argument.value))
            case cst.ListComp() | cst.GeneratorExp():
                return self._converted_items(node)
            case cst.Call(func=cst.Name(value=name) | cst.Attribute(attr=cst.Name(value=name)), args=[argument]):
                text = self._version(argument.value) if name in _PARSERS else MISSING
                return (Release.parse(text) or MISSING) if isinstance(text, str) else MISSING
            case cst.Subscript(value=owner, slice=[cst.SubscriptElement(slice=index)]):
                return _item(self._version(owner), index)
        return literal(node)

    def _converted_items(self, node: cst.ListComp | cst.GeneratorExp) -> Any:
        """`int(part) for part in version.split(".")[:2]`."""
        match node:
            case cst.ListComp(
                elt=cst.Call(func=cst.Name(value="int"), args=[cst.Arg(value=cst.Name(value=name))]),
                for_in=cst.CompFor(target=cst.Name(value=bound), iter=source, ifs=[], inner_for_in=None),
            ) | cst.GeneratorExp(
                elt=cst.Call(func=cst.Name(value="int"), args=[cst.Arg(value=cst.Name(value=name))]),
                for_in=cst.CompFor(target=cst.Name(value=bound), iter=source, ifs=[], inner_for_in=None),
            ) if name == bound:
                return _numbers(self._version(source))
        return MISSING


def _numbers(parts: Any) -> Any:
    if isinstance(parts, list) and all(isinstance(part, str) and part.isdigit() for part in parts):
        return [int(part) for part in parts]
    return MISSING


def _item(value: Any, index: cst.BaseSlice) -> Any:
    """`value[0]` or `value[:2]`."""
    if not isinstance(value, (str, tuple, list)):
        return MISSING
    if isinstance(index, cst.Slice):
        if index.lower is not None or index.step is not None:
            return MISSING
        stop = literal(index.upper) if index.upper is not None else None
        return value[:stop] if stop is None or isinstance(stop, int) else MISSING
    position = literal(index.value) if isinstance(index, cst.Index) else MISSING
    return value[position] if isinstance(position, int) and -len(value) <= position < len(value) else MISSING


def _calls(inference: Inference, path: str) -> bool:
    """Whether any file of the repository calls a function of the framework."""
    cache: dict[str, bool] = inference.__dict__.setdefault("_known_answers_calls", {})
    if path not in cache:
        cache[path] = any(
            found.types.get(call.func) == Reference(path)
            for file, found in inference.files.items()
            for call in inference.nodes(file).of(cst.Call)
        )
    return cache[path]


def _function_answer(caller: Answers, definition: Definition) -> Answer | None:
    """The answer of a function that only asks such questions."""
    inference = caller.inference
    cache: dict[str, Answer | None] = inference.__dict__.setdefault("_known_answers_functions", {})
    if definition.path not in cache:
        cache[definition.path] = None  # recursion stays open
        node = definition.node
        if isinstance(node, cst.FunctionDef) and not node.decorators and not definition.owner:
            body = node.body.body if isinstance(node.body, cst.IndentedBlock) else ()
            found = _returned(Answers(inference, definition.file, caller.target), body, "")
            cache[definition.path] = found if isinstance(found, Answer) else None
    return cache[definition.path]


def _returned(answers: Answers, body: Sequence[cst.CSTNode], api: str) -> Answer | str | None:
    """What statements return; the question they asked where they return nothing; None where that is open."""
    for statement in body:
        match statement:
            case cst.SimpleStatementLine(body=[cst.Return(value=cst.BaseExpression() as value)]):
                constant = literal(value)
                if isinstance(constant, bool):
                    return Answer(constant, api) if api else None
                return answers.answer(value)
            case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString())]):
                continue
            case cst.If(test=test, body=cst.IndentedBlock(body=inner), orelse=orelse):
                found = answers.answer(test)
                if found is None:
                    return None
                other = orelse.body.body if isinstance(orelse, cst.Else) else [orelse] if orelse is not None else ()
                result = _returned(answers, inner if found.value else other, found.api)
                if not isinstance(result, str):
                    return result
                api = result
            case _:
                return None
    return api
