"""What one run of the original showed of types: evidence for what inference does not know, never against what it does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import libcst as cst

from .evidence import all_parameters
from .framework_types import dtype_kind
from .lattice import (
    MOST_ENTRIES,
    NONE,
    NOTHING,
    UNKNOWN,
    Array,
    DType,
    Foreign,
    Instance,
    Scalar,
    Sequence,
    Shape,
    Tuple,
    Type,
    join_all,
)
from .lattice import Mapping as MappingType
from .liveness import target_names
from .nodes import NodesByKind, children, walk
from .positions import find_spans

Function = cst.FunctionDef | cst.Lambda
#: The type of an object from the dotted path of its class and, for a class of the source, the file that defines it.
ClassType = Callable[[str, str], Type]

_MODULE = "<module>"
#: What is either an array or certainly none.
_VALUES = (Array, Scalar, Sequence, Tuple, Shape, MappingType, Instance, Foreign)


class Observations:
    """Findings by place, as `verify/type_recorder.py` writes them down; files are named as in the conversion.

    text: all that was found, for a cache of results to go by.
    """

    def __init__(self, records: Iterable[Any], files: Mapping[str, str]) -> None:
        """files: name of each file in the conversion by its real path; what was seen elsewhere is left out."""
        self.files = files
        self.at: dict[tuple[str, int, str], dict[str, list[Any]]] = {}
        self.attributes: dict[tuple[str, str], dict[str, list[Any]]] = {}
        kept = [[kind, files[file], *rest] for kind, file, *rest in records if file in files]
        self.text = json.dumps([kept, sorted(files.items())])
        for kind, file, *rest in kept:
            if kind == "attribute":
                owner, name, found = rest
                self.attributes.setdefault((file, owner), {}).setdefault(name, []).append(found)
                continue
            line, function, *slot, found = rest
            place = (file, 0 if function == _MODULE else line, function)
            self.at.setdefault(place, {}).setdefault(".".join([kind, *slot]), []).append(found)


class ObservedTypes:
    """Observations as types, for the nodes of one conversion. Without observations everything is UNKNOWN."""

    def __init__(
        self,
        observations: Observations | None,
        modules: Mapping[str, cst.Module],
        nodes: Callable[[str], NodesByKind],
        class_type: ClassType,
    ) -> None:
        self.observations = observations
        self.modules = modules
        self.nodes = nodes
        self.class_type = class_type
        #: Parameters of which something else is known than was seen: with their function, and both types.
        self.contradictions: dict[cst.Param, tuple[cst.FunctionDef, Type, Type]] = {}
        self._lines: dict[str, dict[cst.CSTNode, int]] = {}
        self._bound_once: dict[cst.CSTNode, frozenset[str]] = {}

    def parameter(self, file: str, function: Function, name: str) -> Type:
        """What was passed for a parameter, a starred one included."""
        return self._seen(file, function, f"call.{name}")

    def compare(self, file: str, function: cst.FunctionDef, parameter: cst.Param, known: Type) -> None:
        """Note a parameter that is known to be an array and was seen to be something else, or the other way round."""
        self.contradictions.pop(parameter, None)  # of an earlier pass
        if self.observations is None or not isinstance(known, _VALUES):
            return
        found = self.observations.at.get(self._place(file, function), {}).get(f"call.{parameter.name.value}", ())
        for seen in (settled(self._read(each)) for each in found):
            if isinstance(seen, _VALUES) and isinstance(known, Array) != isinstance(seen, Array):
                self.contradictions[parameter] = (function, known, seen)

    def result(self, file: str, function: Function) -> Type:
        """What a function returned."""
        return self._seen(file, function, "return")

    def local(self, file: str, function: Function | cst.ClassDef | cst.Module, name: str) -> Type:
        """What a function, or the file itself, holds under a name that it binds once; classes were not looked at."""
        if self.observations is None or isinstance(function, cst.ClassDef):
            return UNKNOWN
        if function not in self._bound_once:
            self._bound_once[function] = bound_once(function)
        return self._seen(file, function, f"local.{name}") if name in self._bound_once[function] else UNKNOWN

    def attribute(self, file: str, owner: str, name: str) -> Type:
        """What objects of a class of the source, or of one derived from it, held under a name."""
        if self.observations is None:
            return UNKNOWN
        return self._type(self.observations.attributes.get((file, owner), {}).get(name, ()))

    def _seen(self, file: str, function: Function | cst.Module, slot: str) -> Type:
        if self.observations is None:
            return UNKNOWN
        place = (file, 0, _MODULE) if isinstance(function, cst.Module) else self._place(file, function)
        return self._type(self.observations.at.get(place, {}).get(slot, ()))

    def _type(self, found: Iterable[Any]) -> Type:
        return settled(join_all(self._read(each) for each in found))

    def _place(self, file: str, function: Function) -> tuple[str, int, str]:
        name = function.name.value if isinstance(function, cst.FunctionDef) else "<lambda>"
        return file, self.line(file, function), name

    def line(self, file: str, function: Function) -> int:
        """The line that a function's code begins at, that of its first decorator."""
        if file not in self._lines:
            functions: list[Function] = [*self.nodes(file).of(cst.FunctionDef), *self.nodes(file).of(cst.Lambda)]
            first = {each: _first_node(each) for each in functions}
            spans = find_spans(self.modules[file], first.values())
            self._lines[file] = {each: spans[node].line for each, node in first.items() if node in spans}
        return self._lines[file].get(function, -1)

    def _read(self, found: Any) -> Type:
        """A type as it was written down."""
        match found:
            case "none":
                return NONE
            case "int" | "float" | "bool" | "str" | "bytes" | "complex":
                return Scalar(found)
            case ["array", dtype, rank, storage]:
                return Array(_kind(dtype), rank, storage)
            case ["shape", rank]:
                return Shape(rank)
            case ["dtype", dtype]:
                return DType(_kind(dtype))
            case ["tuple", names, items]:
                return Tuple(tuple(self._read(item) for item in items), tuple(names))
            case ["list" | "set" as kind, items]:
                return Sequence(join_all(self._read(item) for item in items) if items else NOTHING, kind)
            case ["dict", entries, others]:
                known = {key: self._read(value) for key, value in entries}
                values = [*known.values(), *(self._read(value) for value in others)]
                kept = tuple(known.items()) if len(known) <= MOST_ENTRIES else ()
                return MappingType(join_all(values) if values else NOTHING, "dict", kept)
            case ["object", path, file]:
                assert self.observations is not None
                return self.class_type(path, self.observations.files.get(file, ""))
        return UNKNOWN


def _first_node(function: Function) -> cst.CSTNode:
    return function.decorators[0] if isinstance(function, cst.FunctionDef) and function.decorators else function


def _kind(dtype: str) -> str | None:
    """`package.float32` → `float`; quantised numbers are of no kind."""
    name = dtype.rpartition(".")[2]
    return None if name.startswith("q") else dtype_kind(name)


def settled(value: Type) -> Type:
    """A type without what one run cannot tell: that something is always None, or always empty."""
    match value:
        case Sequence(item=item, kind=kind):
            return Sequence(settled(item), kind)
        case Tuple(items=items, names=names):
            return Tuple(tuple(settled(item) for item in items), names)
        case MappingType(value=item, kind=kind, entries=entries):
            return MappingType(settled(item), kind, tuple((key, settled(held)) for key, held in entries))
    return UNKNOWN if value in (NONE, NOTHING) else value


def filled(known: Type, seen: Type) -> Type:
    """A type with what was seen in the places where it says nothing."""
    match known, seen:
        case (Sequence(), Sequence()):
            return Sequence(filled(known.item, seen.item), known.kind)
        case (Sequence(), Tuple(items=items)) if items:
            return Sequence(filled(known.item, join_all(items)), known.kind)
        case (Tuple(), Tuple()) if len(known.items) == len(seen.items):
            return Tuple(tuple(map(filled, known.items, seen.items)), known.names)
        case (MappingType(kind="dict"), MappingType(kind="dict")):
            keys = dict.fromkeys(key for mapping in (known, seen) for key, _ in mapping.entries)
            entries = tuple((key, filled(known.entry(key), seen.entry(key))) for key in keys)
            return MappingType(filled(known.value, seen.value), "dict", entries)
    return seen if known in (UNKNOWN, NOTHING) else known


def bound_once(function: Function | cst.Module) -> frozenset[str]:
    """The names that exactly one statement of a function binds: what they hold at its end, they held all the time."""
    counts: Counter[str] = Counter()
    if isinstance(function, cst.Module):
        parameters = []
    else:
        starred = [one for one in (function.params.star_arg, function.params.star_kwarg) if isinstance(one, cst.Param)]
        parameters = [*all_parameters(function.params), *starred]
    counts.update(parameter.name.value for parameter in parameters)
    for node in _own_nodes(function if isinstance(function, cst.Module) else function.body):
        match node:
            case cst.Assign(targets=targets):
                for target in targets:
                    counts.update(target_names(target.target))
            case cst.AnnAssign(target=target) | cst.For(target=target) | cst.NamedExpr(target=target):
                counts.update(target_names(target))
            case cst.CompFor(target=target):  # names of their own, though spelled alike
                counts.update([*target_names(target)] * 2)
            case cst.AsName(name=name) | cst.MatchAs(name=cst.Name() as name) | cst.MatchStar(name=cst.Name() as name):
                counts.update(target_names(name))
            case cst.AugAssign(target=target) | cst.Del(target=target):
                counts.update([*target_names(target)] * 2)
            case cst.Global(names=names) | cst.Nonlocal(names=names):
                counts.update([name.name.value for name in names] * 2)
            case cst.FunctionDef(name=name) | cst.ClassDef(name=name):
                counts[name.value] += 1
            case _:
                pass
    return frozenset(name for name, count in counts.items() if count == 1)


def _own_nodes(body: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes of a function's body, the functions inside it among them but not their content.

    What those say of names of others counts: `nonlocal`, `global`.
    """
    for child in children(body):
        yield child
        if isinstance(child, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
            yield from (node for node in walk(child) if isinstance(node, (cst.Global, cst.Nonlocal)))
        else:
            yield from _own_nodes(child)
