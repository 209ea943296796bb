"""What the repository knows of a class or function statement of the file at hand."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.names import Definition


def is_module_class_node(context: FileContext, node: cst.ClassDef) -> bool:
    """Whether a class statement of this file defines a module of the source framework; also local classes."""
    known = context.scope.definitions.get(node.name.value)
    if known is not None and known.node is node:
        return context.inference.is_module_class(known.path)
    paths = [context.path(base.value) for base in node.bases]
    return any(path is not None and context.inference.is_module_class(path) for path in paths)


def function_definition(context: FileContext, function: cst.FunctionDef) -> Definition | None:
    """The repository's definition for a function node of this file: top level, or static in a class."""
    name = function.name.value
    known = context.scope.definitions.get(name)
    if known is not None and known.node is function:
        return known
    for definition in context.scope.definitions.values():
        if isinstance(definition.node, cst.ClassDef) and function in definition.node.body.body:
            return Definition(f"{definition.path}.{name}", context.scope.file, function, definition.path)
    return None
