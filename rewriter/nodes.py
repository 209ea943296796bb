"""Fast walking over LibCST nodes: `CSTNode.children` rebuilds every node that it lists, this does not."""

from __future__ import annotations

import dataclasses
import functools
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import libcst as cst

Kind = TypeVar("Kind", bound=cst.CSTNode)

_LAYOUT_FIELDS = frozenset(
    "lpar rpar comma semicolon equal dot leading_lines header footer trailing_whitespace lbracket rbracket lbrace "
    "rbrace first_line lines_after_decorators lines_after_module_docstring indent colon whitespace".split()
)
_fields: dict[type[cst.CSTNode], tuple[str, ...]] = {}


def child_fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The fields of a node class that can hold code, in source order; whitespace and punctuation are left out."""
    known = _fields.get(kind)
    if known is None:
        known = tuple(
            field.name
            for field in dataclasses.fields(kind)
            if field.name not in _LAYOUT_FIELDS
            and not field.name.startswith("whitespace")
            and field.type not in (str, bool)
        )
        if kind in (cst.ListComp, cst.SetComp, cst.GeneratorExp):
            known = ("for_in", "elt")
        elif kind is cst.DictComp:
            known = ("for_in", "key", "value")
        _fields[kind] = known
    return known


class _NodeKinds(dict[type, bool]):
    """Whether a class is a node class, asked once for each class."""

    def __missing__(self, kind: type) -> bool:
        known = self[kind] = issubclass(kind, cst.CSTNode)
        return known


_node_kinds = _NodeKinds()


def is_node(value: object) -> bool:
    """`isinstance(value, CSTNode)`, which is an abstract class and slow to ask."""
    return _node_kinds[value.__class__]


@functools.cache
def is_of(kind: type, wanted: type | tuple[type, ...]) -> bool:
    """`issubclass(kind, wanted)`, asked once for each pair: LibCST's classes are abstract and slow to ask."""
    return issubclass(kind, wanted)


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The child nodes that hold code, in source order."""
    kind = node.__class__
    result: list[cst.CSTNode] = []
    fields = _fields.get(kind)
    for name in child_fields(kind) if fields is None else fields:
        value = getattr(node, name)
        held = value.__class__
        if _node_kinds[held]:
            result.append(value)
        elif held is list or held is tuple:
            for item in value:
                if _node_kinds[item.__class__]:
                    result.append(item)
    return result


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """`node` and all nodes below it, in source order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        found = children(current)
        if found:
            found.reverse()
            stack.extend(found)


class NodesByKind:
    """All nodes of a tree by their class, each list in source order: for questions that are asked of a file many times.

    Every node has a place in that order, and the nodes below it have the places that follow.
    """

    def __init__(self, root: cst.CSTNode) -> None:
        self._found: dict[type[cst.CSTNode], list[Any]] = {}
        self._places: dict[type[cst.CSTNode], list[int]] = {}
        self._spans: dict[int, tuple[int, int]] = {}
        above: list[int] = []
        nodes: list[cst.CSTNode] = []
        stack = [(root, -1)]
        while stack:
            node, parent = stack.pop()
            place = len(nodes)
            nodes.append(node)
            above.append(parent)
            self._found.setdefault(node.__class__, []).append(node)
            self._places.setdefault(node.__class__, []).append(place)
            stack.extend([(child, place) for child in reversed(children(node))])
        sizes = [1] * len(nodes)
        for place in range(len(nodes) - 1, 0, -1):
            sizes[above[place]] += sizes[place]
        for place, node in enumerate(nodes):
            self._spans[id(node)] = (place, place + sizes[place])

    def of(self, kind: type[Kind]) -> Sequence[Kind]:
        """The nodes of exactly this class."""
        return self._found.get(kind, ())

    def within(self, node: cst.CSTNode, *kinds: type[Kind]) -> Sequence[Kind]:
        """`node` and the nodes below it of exactly these classes, in source order."""
        span = self._spans.get(id(node))
        if span is None:  # a node of another tree, put together on the way
            return [each for each in walk(node) if each.__class__ in kinds]  # type: ignore[misc]
        first, end = span
        found: list[tuple[int, Kind]] = []
        for kind in kinds:
            places = self._places.get(kind, ())
            start, stop = bisect_left(places, first), bisect_left(places, end)
            if len(kinds) == 1:
                return self._found[kind][start:stop] if start < stop else ()
            found += zip(places[start:stop], self._found.get(kind, ())[start:stop], strict=True)
        return [each for _, each in sorted(found, key=lambda placed: placed[0])]
