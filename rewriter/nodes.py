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


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The child nodes that hold code."""
    for name in child_fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif type(value) in (list, tuple):
            for item in value:
                if isinstance(item, cst.CSTNode):
                    yield item


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """`node` and all nodes below it, in source order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(list(children(current))))
