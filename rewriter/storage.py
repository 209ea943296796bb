"""Which memory an expression's value may live in: the abstract storages that the alias analysis tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import libcst as cst

from .alias_facts import AliasFacts, takes_several
from .evidence import all_parameters
from .framework_types import FrameworkTypes
from .lattice import (
    UNKNOWN,
    Array,
    Callback,
    Device,
    DType,
    Instance,
    Mapping,
    Method,
    NoneType,
    Partial,
    RandomKey,
    Reference,
    Scalar,
    Sequence,
    Shape,
    Tuple,
    Type,
    Unknown,
)
from .liveness import target_names
from .names import dotted
from .nodes import children, walk
from .read import BoundOp, Collected, Given, Refusal, literal


@dataclass(frozen=True)
class Storage:
    """A piece of memory. kind: `fresh` (made at `site`), `parameter`, `attribute` or `outer` (named by `site`).

    old: made at the same place in an earlier turn of a loop. part: which of several results.
    """

    kind: str
    site: Any
    old: bool = False
    part: int = 0


Storages = frozenset[Storage]
Environment = dict[str, Storages]
NOWHERE: Storages = frozenset()

_PLAIN = (Scalar, Shape, NoneType, DType, Device, RandomKey, Callback, Partial, Reference)
_JOINING = (cst.Add, cst.Multiply, cst.BitOr, cst.BitAnd, cst.Subtract)
_GROWING = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "appendleft"})


@dataclass(frozen=True)
class Summary:
    """What a function does with its parameters' memory.

    returned: names of parameters whose memory the result may share; keeps: those that an object holds on to.
    """

    returned: frozenset[str]
    keeps: frozenset[str]
    names: tuple[str, ...]
    attributes: Storages = NOWHERE


@dataclass(frozen=True)
class FileLayers:
    """Dotted names that a file gives layers: those that work in place, and sequences of layers that make new arrays."""

    in_place: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()


#: The summary of the repository's function that a call runs, None if that is not known.
Summarize = Callable[[cst.Call, Type], "Summary | None"]


class StorageEvaluator:
    """Finds the storages of expressions in an environment of names; dotted names such as `self.x` are names too."""

    def __init__(
        self,
        types: dict[cst.CSTNode, Type],
        bound: dict[cst.CSTNode, BoundOp | Refusal],
        facts: AliasFacts,
        framework: FrameworkTypes,
        summarize: Summarize,
        layers: FileLayers = FileLayers(),
    ) -> None:
        self.types = types
        self.bound = bound
        self.facts = facts
        self.framework = framework
        self.summarize = summarize
        self.layers = layers
        self.environment: Environment = {}
        self._sites: set[cst.CSTNode] = set()

    def type_of(self, node: cst.CSTNode) -> Type:
        return self.types.get(node, UNKNOWN)

    def of(self, node: cst.CSTNode) -> Storages:
        """The storages that the value of an expression, or what it contains, may live in."""
        match node:
            case cst.Call():
                found = self.call(node)
            case cst.Name():
                found = self.name(node)
            case cst.Attribute():
                found = self.attribute(node)
            case cst.Subscript():
                found = self.subscript(node)
            case cst.BinaryOperation() | cst.UnaryOperation() | cst.Comparison():
                found = self.operation(node)
            case cst.NamedExpr(target=cst.Name(value=name)):
                found = self.of(node.value)
                self.environment[name] = found
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp() | cst.DictComp():
                found = self.comprehension(node)
            case cst.Lambda() | cst.FunctionDef():
                return self.union(p.default for p in all_parameters(node.params) if p.default is not None)
            case cst.List() | cst.Tuple() | cst.Set() | cst.Dict():
                found = NOWHERE
                for child in children(node):
                    item = self.of(child)
                    self.hold_twice(found & item)
                    found |= item
            case cst.IfExp():
                self.of(node.test)
                found = self.of(node.body) | self.of(node.orelse)
            case _:
                found = self.union(children(node))
        is_bound = isinstance(self.type_of(node), Partial) and isinstance(node, cst.Call)  # `partial(f, x)` holds x
        return NOWHERE if isinstance(self.type_of(node), _PLAIN) and not is_bound else found

    def union(self, nodes: Iterable[cst.CSTNode]) -> Storages:
        found = NOWHERE
        for node in nodes:
            found |= self.of(node)
        return found

    def operation(self, node: cst.CSTNode) -> Storages:
        """Arithmetic makes a new array; joined or repeated containers hold the same ones."""
        parts = self.union(children(node))
        operator = node.operator if isinstance(node, cst.BinaryOperation) else None
        if isinstance(self.type_of(node), Array) or not isinstance(operator, _JOINING):
            return self.fresh(node)
        if isinstance(operator, cst.Multiply):
            self.hold_twice(parts)
        return parts

    def fresh(self, node: cst.CSTNode, part: int = 0) -> Storages:
        """New memory. What the same place made before is told apart, so that a loop's turns do not mix."""
        new = Storage("fresh", node, part=part)
        if node in self._sites:
            before = new, Storage("fresh", node, True, part)
            for name, held in self.environment.items():
                if before[0] in held:
                    self.environment[name] = (held - {before[0]}) | {before[1]}
        self._sites.add(node)
        return frozenset({new})

    def name(self, node: cst.Name) -> Storages:
        known = self.environment.get(node.value)
        if known is not None:
            return known
        return frozenset({Storage("outer", node.value)})

    def attribute(self, node: cst.Attribute) -> Storages:
        owner = self.type_of(node.value)
        held = self.of(node.value)
        if isinstance(owner, (Unknown, Method)) and node.attr.value in self.facts.plain:
            return NOWHERE
        if isinstance(owner, (Array, Tuple, Sequence, Mapping, Reference)):
            return held
        place = dotted(node)
        if place is None:
            return held | frozenset({Storage("attribute", f"(...).{node.attr.value}")})
        if place in self.environment:
            return self.environment[place]
        held = frozenset(storage for storage in held if storage.kind != "outer")
        return held if isinstance(owner, (Unknown, Method)) and held else held | {Storage("attribute", place)}

    def subscript(self, node: cst.Subscript) -> Storages:
        held = self.of(node.value)
        self.union(node.slice)
        if isinstance(self.type_of(node.value), Array) and (self.is_gather(node) or self._may_pick_number(node)):
            return self.fresh(node)
        return held

    def _may_pick_number(self, node: cst.Subscript) -> bool:
        """Whether indexing may give a single number, where that is a copy."""
        picks = all(
            isinstance(element.slice, cst.Index) and not isinstance(element.slice.value, cst.Ellipsis)
            for element in node.slice
        )
        return self.facts.numbers_are_copies and picks and not _has_axes(self.type_of(node), 1)

    def items(self, node: cst.BaseExpression) -> Storages:
        """The storages of what a loop over an expression runs through."""
        held, found = self.of(node), self.type_of(node)
        copied = self.facts.numbers_are_copies and isinstance(found, Array) and not _has_axes(found, 2)
        return self.fresh(node) if copied else held

    def is_gather(self, node: cst.Subscript) -> bool:
        """Whether indexing an array certainly copies: an index is an array or a list."""
        return any(
            self._is_advanced(element.slice.value) for element in node.slice if isinstance(element.slice, cst.Index)
        )

    def _is_advanced(self, index: cst.BaseExpression) -> bool:
        if isinstance(index, cst.Tuple):
            return any(self._is_advanced(element.value) for element in index.elements)
        found = self.type_of(index)
        if isinstance(found, Array):
            return found.dtype == "bool" or bool(found.rank)  # a single integer in an array still selects a view
        return isinstance(found, Sequence) and found.kind == "list"

    def comprehension(self, node: cst.BaseComp) -> Storages:
        outer = {name: self.environment[name] for name in _bound_by(node) if name in self.environment}
        clause: cst.CompFor | None = node.for_in
        while clause is not None:
            self.bind(clause.target, self.items(clause.iter))
            for condition in clause.ifs:
                self.of(condition.test)
            clause = clause.inner_for_in
        elements = [node.key, node.value] if isinstance(node, cst.DictComp) else [node.elt]  # type: ignore[attr-defined]
        found = self.union(elements)
        for name in _bound_by(node):
            self.environment[name] = NOWHERE
        self.hold_twice(
            frozenset(storage for storage in self.union(elements) if storage.site not in self._inside(node))
        )
        for name in _bound_by(node):
            self.environment.pop(name, None)
        self.environment.update(outer)
        return found

    @staticmethod
    def _inside(node: cst.CSTNode) -> set[cst.CSTNode]:
        return set(walk(node))

    def bind(self, target: cst.CSTNode, found: Storages) -> None:
        """Let the names of a target stand for these storages."""
        if isinstance(target, cst.Name):
            self.environment[target.value] = found
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self.bind(element.value, found)

    # Calls.

    def call(self, node: cst.Call) -> Storages:
        arguments = [self.of(argument.value) for argument in node.args]
        everything = NOWHERE.union(*arguments)
        receiver = self.of(node.func.value) if isinstance(node.func, cst.Attribute) else NOWHERE
        bound = self.bound.get(node)
        if isinstance(bound, BoundOp):
            return self._op(bound, node)
        if isinstance(bound, Refusal):
            return everything | receiver | self.fresh(node)
        if isinstance(node.func, cst.Attribute) and isinstance(self.type_of(node.func.value), Array):
            return receiver if isinstance(self.type_of(node), (Array, Unknown)) else receiver | everything
        callee = self.type_of(node.func)
        if isinstance(callee, Method) and callee.receiver == UNKNOWN and callee.name in self.facts.plain:
            return NOWHERE
        summary = self.summarize(node, callee)
        if summary is not None:
            return self._summarized(summary, node, arguments)
        if isinstance(callee, Instance) and self.framework.layer_result(callee.path) != UNKNOWN:
            name = dotted(node.func)
            if name in self.layers.in_place or (callee.path in self.facts.layers and name not in self.layers.new):
                return everything
            return self.fresh(node)
        if isinstance(callee, Reference) and callee.path in self.facts.copies:
            return self.fresh(node)
        if isinstance(node.func, cst.Name) and node.func.value == "setattr" and len(arguments) == 3:
            self.put_into(node.args[0].value, arguments[2])
        self._growth(node, everything)
        return everything | receiver | self.fresh(node)

    def _op(self, bound: BoundOp, node: cst.Call) -> Storages:
        if bound.op.is_layer:
            return NOWHERE
        names = {parameter.name for parameter in bound.op.parameters}
        if bound.op.name in self.facts.views_of_one and not takes_several(bound):
            return self.union(self._array_arguments(bound))
        if bound.op.name in self.facts.views or "training" in names or is_told_inplace(node, bound):
            return self.union(self._array_arguments(bound))
        return self.fresh(node)

    @staticmethod
    def _array_arguments(bound: BoundOp) -> Iterable[cst.CSTNode]:
        for argument in bound.arguments.values():
            if isinstance(argument, Given):
                yield argument.node
            elif isinstance(argument, Collected):
                yield from (one.value for one in argument.arguments)

    def _summarized(self, summary: Summary, node: cst.Call, arguments: list[Storages]) -> Storages:
        by_name: dict[str, Storages] = {}
        positional = 0
        for argument, held in zip(node.args, arguments, strict=True):
            if argument.keyword is not None:
                by_name[argument.keyword.value] = held
            elif argument.star or positional >= len(summary.names):
                return NOWHERE.union(*arguments) | summary.attributes
            else:
                by_name[summary.names[positional]] = held
                positional += 1
        kept = NOWHERE.union(*(by_name.get(name, NOWHERE) for name in summary.keeps))
        if kept:
            self.hold(f"what {dotted(node.func) or 'the call'} keeps", kept)
        found = NOWHERE.union(*(by_name.get(name, NOWHERE) for name in summary.returned)) | summary.attributes
        return found | self.fresh(node)

    def _growth(self, node: cst.Call, arguments: Storages) -> None:
        """`items.append(x)` lets the list hold x; a call for its effect alone may keep what it is given."""
        if not (arguments and isinstance(node.func, cst.Attribute)):
            return
        method = self.type_of(node.func)
        if isinstance(method, Reference):
            return
        if node.func.attr.value in _GROWING:
            self.put_into(node.func.value, arguments)
        elif isinstance(method, Method) and isinstance(method.receiver, (Unknown, Instance)) and node in self.effects:
            self.hold(f"what .{node.func.attr.value}() keeps", arguments)

    def put_into(self, container: cst.BaseExpression, found: Storages) -> None:
        """`container[k] = value`, `self.items.append(value)`: the container's name stands for its elements too."""
        place = dotted(container) or root_name(container)
        if place is not None and (place in self.environment or "." in place):
            held = self.environment.setdefault(place, unbound(place))
            self.hold_twice(held & found)
            self.environment[place] = held | found
        elif found:
            self.hold(f"the container {place or 'that holds it'}", found)

    effects: frozenset[cst.CSTNode] = frozenset()

    def hold_twice(self, found: Storages) -> None:
        """Several items of one container share these storages."""
        if found:
            self.hold("another item of its container", found)

    def hold(self, holder: str, found: Storages) -> None:
        """Something other than a local name holds these storages from now on."""
        key = f"@{holder}"
        self.environment[key] = self.environment.get(key, NOWHERE) | found


def unbound(name: str) -> Storages:
    """Where a name lives that nothing has bound here: an attribute has memory of its own."""
    return frozenset({Storage("attribute", name)}) if "." in name and not name.startswith("@") else NOWHERE


def _has_axes(value: Type, count: int) -> bool:
    """Whether a value is certainly an array with so many axes."""
    return isinstance(value, Array) and value.rank is not None and value.rank >= count


def _bound_by(node: cst.BaseComp) -> set[str]:
    names: set[str] = set()
    clause: cst.CompFor | None = node.for_in
    while clause is not None:
        names.update(target_names(clause.target))
        clause = clause.inner_for_in
    return names


def root_name(node: cst.CSTNode) -> str | None:
    """The name at the left end of attributes, subscripts and method calls."""
    while True:
        if isinstance(node, (cst.Attribute, cst.Subscript)):
            node = node.value
        elif isinstance(node, cst.Call):
            node = node.func
        else:
            return node.value if isinstance(node, cst.Name) else None


def is_told_inplace(call: cst.Call, bound: BoundOp) -> bool:
    """Whether a call passes `inplace`, by name or position, other than as False."""
    named = [a.value for a in call.args if a.keyword is not None and a.keyword.value == "inplace"]
    if named:
        return literal(named[0]) is not False
    names = [parameter.name for parameter in bound.spelling.parameters]
    offset = 1 if bound.spelling.form == "method" else 0
    plain = [argument.value for argument in call.args if argument.keyword is None]
    index = names.index("inplace") + offset if "inplace" in names else len(plain)
    return index < len(plain) and literal(plain[index]) is not False
