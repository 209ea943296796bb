"""Fast walking over LibCST nodes: `CSTNode.children` rebuilds every node that it lists, this does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import libcst as cst

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
            if field.name not in _LAYOUT_FIELDS and not field.name.startswith("whitespace")
        )
        if kind in (cst.ListComp, cst.SetComp, cst.GeneratorExp):
            known = ("for_in", "elt")
        elif kind is cst.DictComp:
            known = ("for_in", "key", "value")
        _fields[kind] = known
    return known


_is_node: dict[type, bool] = {}


def is_node(value: object) -> bool:
    """`isinstance(value, CSTNode)`, which is an abstract class and slow to ask."""
    kind = type(value)
    known = _is_node.get(kind)
    if known is None:
        known = _is_node[kind] = issubclass(kind, cst.CSTNode)
    return known


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The child nodes that hold code, in source order."""
    kind = type(node)
    result: list[cst.CSTNode] = []
    for name in _fields.get(kind) or child_fields(kind):
        value = getattr(node, name)
        if is_node(value):
            result.append(value)
        elif value.__class__ is list or value.__class__ is tuple:
            result.extend([item for item in value if is_node(item)])
    return result


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """`node` and all nodes below it, in source order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        found = children(current)
        found.reverse()
        stack.extend(found)
