"""Who else sees an array that is changed in place: the alias analysis behind every rule on mutation.

For each statement of a function it knows which memory a name may live in and which names are read later. A change of
`x` may be written as a new value of `x` when nothing that is read later shares memory with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import libcst as cst

from .evidence import all_parameters
from .lattice import Array, Type
from .liveness import Liveness, block_statements, names_read, target_names
from .names import dotted
from .nodes import is_node, walk
from .read import BoundOp
from .storage import (
    NOWHERE,
    Environment,
    Storage,
    StorageEvaluator,
    Storages,
    unbound,
)


class FunctionAliases(StorageEvaluator):
    """The storages before each statement of one function or file, and what the function returns and keeps."""

    def __init__(
        self, body: Sequence[cst.CSTNode], outside: Environment, live: Liveness, base: StorageEvaluator
    ) -> None:
        super().__init__(base.types, base.bound, base.facts, base.framework, base.summarize, base.layers)
        self.live = live
        self.before: dict[cst.CSTNode, Environment] = {}
        self.returned: Storages = NOWHERE
        self.returns_value = False
        self.derived: set[str] = set()
        self.reachable = True
        self._leaving: list[tuple[list[Environment], list[Environment]]] = []
        self._raising: list[list[Environment]] = []
        self.environment = dict(outside)
        self._block(body)
        self.last = self.environment

    def _block(self, body: Iterable[cst.CSTNode]) -> None:
        for node in body:
            if isinstance(node, cst.SimpleStatementLine):
                self._block(node.body)
                continue
            self.before[node] = dict(self.environment)
            for points in self._raising:
                points.append(self.before[node])
            self._statement(node)

    def _suite(self, suite: cst.CSTNode | None) -> None:
        if suite is not None:
            self._block(block_statements(suite))

    def _statement(self, node: cst.CSTNode) -> None:
        match node:
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Tuple() as names)]) if self._apart(names, node.value):
                pass
            case cst.Assign():
                found = self.of(node.value)
                for target in node.targets:
                    self._assign(target.target, found, node.value)
            case cst.AnnAssign(value=value) if value is not None:
                self._assign(node.target, self.of(value), value)
            case cst.AugAssign():
                self._augment(node)
            case cst.Expr():
                self.effects = frozenset({node.value})
                self.of(node.value)
                self.effects = frozenset()
                if isinstance(node.value, cst.Yield):
                    self.hold("the consumer of yield", self.of(node.value))
            case cst.Return():
                if node.value is not None:
                    self.returned |= self.of(node.value)
                    self.returns_value = True
                self.reachable = False
            case cst.Break() | cst.Continue():
                if self._leaving:
                    self._leaving[-1][isinstance(node, cst.Continue)].append(dict(self.environment))
                self.reachable = False
            case cst.Raise():
                self.reachable = False
            case cst.If():
                self.of(node.test)
                orelse = node.orelse
                self._branches([node.body], [orelse] if isinstance(orelse, cst.If) else orelse)
            case cst.For() | cst.While():
                self._loop(node)
            case cst.With():
                for item in node.items:
                    found = self.of(item.item)
                    if item.asname is not None:
                        self.bind(item.asname.name, found)
                self._suite(node.body)
            case cst.Try() | cst.TryStar():
                self._try(node)
            case cst.Match():
                self._match(node)
            case cst.FunctionDef():
                self.environment[node.name.value] = self.of(node)
            case cst.Assert() | cst.Del():
                self.union([node.test if isinstance(node, cst.Assert) else node.target])

    def _apart(self, target: cst.Tuple, value: cst.BaseExpression) -> bool:
        """Bind names to items whose memory can be told apart: `q, k = map(lambda t: f(t), (q, k))`, `q, k = x.chunk(2)`."""
        if not all(type(element) is cst.Element and type(element.value) is cst.Name for element in target.elements):
            return False
        bound = self.bound.get(value)
        if isinstance(bound, BoundOp) and bound.op.name in self.facts.disjoint_parts:
            shares = self._disjoint(value, len(target.elements))
        elif is_mapped(value, len(target.elements)) and "map" not in self.environment:
            shares = self._mapped(value)
        else:
            return False
        for element, share in zip(target.elements, shares, strict=True):
            self._assign(element.value, share, value)
        return True

    def _disjoint(self, value: cst.BaseExpression, count: int) -> list[Storages]:
        """Parts of memory that was made here: none of them is any other, but whoever holds the whole holds them all."""
        whole = self.of(value)
        if not whole or any(storage.kind != "fresh" for storage in whole):
            return [whole] * count
        parts = [self.fresh(value, index + 1) for index in range(count)]
        everything = NOWHERE.union(*parts)
        for name, held in self.environment.items():
            if held & whole:
                self.environment[name] = held | everything
        return parts

    def _mapped(self, value: Any) -> list[Storages]:
        """What a lambda gives for each of several expressions; what it makes is new each time."""
        function = value.args[0].value
        inside = set(walk(function.body))
        outer, shares = self.environment, []
        for index, element in enumerate(value.args[1].value.elements):
            share = self.of(element.value)
            self.environment = {**outer, function.params.params[0].name.value: share}
            self._sites -= inside
            made = self.of(function.body)
            self.environment = outer
            shares.append(
                frozenset(replace(one, site=(one.site, index)) if one.site in inside else one for one in made)
            )
        return shares

    def _assign(self, target: cst.BaseExpression, found: Storages, value: cst.BaseExpression) -> None:
        if isinstance(target, (cst.Tuple, cst.List)):
            parts: list[cst.BaseExpression | None] = [None] * len(target.elements)
            if isinstance(value, (cst.Tuple, cst.List)) and len(value.elements) == len(parts):
                parts = [element.value for element in value.elements]
            several = found == {Storage("fresh", value)}
            before = dict(self.environment)
            for index, (element, part) in enumerate(zip(target.elements, parts, strict=True)):
                if several:
                    share = self.fresh(value, index + 1)
                elif part is not None:
                    share = self._in(before, part)
                else:
                    share = found
                self._assign(element.value, share, part if part is not None else value)
        elif isinstance(target, cst.StarredElement):
            self._assign(target.value, found, value)
        elif isinstance(target, cst.Name):
            self._forget(target.value)
            self._note_derived(target.value, self.type_of(value))
            self.environment[target.value] = found
        elif isinstance(target, cst.Attribute):
            place = dotted(target)
            if place is not None and not isinstance(self.type_of(target.value), Array):
                self.environment[place] = found
            elif place is None:
                self.hold(f".{target.attr.value} of an object", found)
        elif isinstance(target, cst.Subscript) and not isinstance(self.type_of(target.value), Array):
            self.put_into(target.value, found)

    def bind(self, target: cst.CSTNode, found: Storages) -> None:
        super().bind(target, found)
        for name in target_names(target):
            self._note_derived(name, self.type_of(target))

    def _note_derived(self, name: str, value: Type) -> None:
        """A name for an array that is not itself a module's parameter or buffer, though it may share its memory."""
        if isinstance(value, Array) and not value.storage:
            self.derived.add(name)

    def _in(self, environment: Environment, node: cst.BaseExpression) -> Storages:
        current, self.environment = self.environment, dict(environment)
        found = self.of(node)
        self.environment = current
        return found

    def _forget(self, name: str) -> None:
        """A name that gets a new object loses what was known of the old one's attributes."""
        for place in [place for place in self.environment if place.startswith(f"{name}.")]:
            self.hold(place, self.environment.pop(place))

    def _augment(self, node: cst.AugAssign) -> None:
        found = self.of(node.value)
        arrays = isinstance(self.type_of(node.target), Array) or isinstance(self.type_of(node.value), Array)
        if isinstance(node.target, cst.Name) and not arrays:
            known = self.environment.get(node.target.value, NOWHERE)
            self.environment[node.target.value] = known | found
        else:
            self.of(node.target)

    # Paths through the function.

    def _branches(self, *branches: object) -> None:
        """Walk alternatives from one environment and join the ends that are reached."""
        start = self.environment
        ends: list[Environment] = []
        for branch in branches:
            self.environment, self.reachable = dict(start), True
            if isinstance(branch, list):
                for part in branch:
                    self._statement(part) if isinstance(part, cst.If) else self._suite(part)
            elif isinstance(branch, cst.CSTNode):
                self._suite(branch)
            if self.reachable:
                ends.append(self.environment)
        self.reachable = bool(ends)
        self.environment = joined(ends) if ends else start

    def _loop(self, node: cst.For | cst.While) -> None:
        iterated = self.items(node.iter) if isinstance(node, cst.For) else NOWHERE
        head = dict(self.environment)
        breaks: list[Environment] = []
        while True:
            self._leaving.append(([], []))
            self.environment, self.reachable = dict(head), True
            if isinstance(node, cst.For):
                self.bind(node.target, iterated)
            else:
                self.of(node.test)
            self._suite(node.body)
            breaks, continues = self._leaving.pop()
            ends = [head, *continues, *([self.environment] if self.reachable else [])]
            grown = joined(ends)
            if grown == head:
                break
            head = grown
        self.environment, self.reachable = head, True
        self._suite(node.orelse)
        self.environment = joined([self.environment, *breaks])
        self.reachable = True

    def _try(self, node: cst.Try | cst.TryStar) -> None:
        points: list[Environment] = [dict(self.environment)]
        self._raising.append(points)
        self._suite(node.body)
        self._suite(node.orelse)
        self._raising.pop()
        ends = [self.environment] if self.reachable else []
        raised = joined([*points, self.environment])
        for handler in node.handlers:
            self.environment, self.reachable = dict(raised), True
            self._suite(handler.body)
            if self.reachable:
                ends.append(self.environment)
        self.reachable = bool(ends)
        self.environment = joined(ends) if ends else raised
        self._suite(node.finalbody)

    def _match(self, node: cst.Match) -> None:
        found = self.of(node.subject)
        for case in node.cases:
            for name in names_read(case.pattern):
                self.environment[name] = found
        self._branches(*(case.body for case in node.cases), None)

    # Answers.

    def readers(self, statement: cst.CSTNode, found: Storages, place: str) -> list[str]:
        """Places other than `place` that share these storages and are read behind the statement."""
        live = self.live.after.get(statement, frozenset()) - frozenset(names_bound(statement))
        others = []
        for name, held in self.before.get(statement, {}).items():
            root = name.partition(".")[0]
            wanted = name.startswith("@") or "." in name or root in live
            if name != place and wanted and held & found:
                others.append(name.removeprefix("@"))
        return others

    def storages(self, statement: cst.CSTNode, node: cst.BaseExpression) -> Storages:
        """The storages of an expression as the statement begins."""
        return self._in(self.before.get(statement, {}), node)


def names_bound(statement: cst.CSTNode) -> Iterable[str]:
    """The names to which an assignment gives a new value."""
    if isinstance(statement, cst.Assign):
        for target in statement.targets:
            yield from target_names(target.target)
    elif isinstance(statement, cst.AnnAssign):
        yield from target_names(statement.target)


def joined(environments: Sequence[Environment]) -> Environment:
    """Where several paths meet, a name may live wherever it does on any of them."""
    names = dict.fromkeys(name for environment in environments for name in environment)
    return {name: NOWHERE.union(*(one.get(name, unbound(name)) for one in environments)) for name in names}


def parameter_names(node: cst.FunctionDef) -> list[str]:
    """The names of all parameters, the starred ones last."""
    names = [parameter.name.value for parameter in all_parameters(node.params)]
    for star in (node.params.star_arg, node.params.star_kwarg):
        if isinstance(star, cst.Param):
            names.append(star.name.value)
    return names


def bound_names(body: Iterable[cst.CSTNode]) -> Iterable[str]:
    """The names that a block's statements bind, nested blocks included, inner functions not."""
    for node in body:
        if type(node) is cst.FunctionDef or type(node) is cst.ClassDef:
            yield node.name.value
            continue
        if type(node) is cst.Assign:
            for target in node.targets:
                yield from target_names(target.target)
        elif type(node) in (cst.AnnAssign, cst.AugAssign, cst.For):
            yield from target_names(node.target)  # type: ignore[attr-defined]
        elif type(node) is cst.With:
            for item in node.items:
                if item.asname is not None:
                    yield from target_names(item.asname.name)
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, None)
            if is_node(inner):
                inner = [inner] if type(inner) is cst.If else block_statements(inner)  # type: ignore[arg-type]
            if isinstance(inner, (list, tuple)):
                yield from bound_names(inner)


def is_mapped(value: cst.BaseExpression, count: int) -> bool:
    """`map(lambda item: ..., (a, b, c))`, with so many items."""
    match value:
        case cst.Call(
            func=cst.Name(value="map"),
            args=[
                cst.Arg(value=cst.Lambda(params=cst.Parameters(params=[cst.Param()]))),
                cst.Arg(value=cst.Tuple(elements=elements) | cst.List(elements=elements)),
            ],
        ):
            return len(elements) == count and all(type(element) is cst.Element for element in elements)
    return False
