"""The names that a definition takes from its module, scope by scope; renaming them, and quoting those not there yet."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def free_names(node: ast.AST, bound: frozenset[str] = frozenset()) -> Iterator[ast.Name]:
    """Every read of a name that `node` does not bind in the scope of the read or in a function around it."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in bound:
            yield node
    elif isinstance(node, FUNCTIONS):
        yield from _free_in_function(node, bound)
    elif isinstance(node, ast.ClassDef):
        outside = [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
        for part in outside:
            yield from free_names(part, bound)
        # Functions in the body do not see the names of the class; statements of the body do.
        own = frozenset(_bound_by(node.body))
        for statement in node.body:
            is_scope = isinstance(statement, (*FUNCTIONS, ast.ClassDef))
            yield from free_names(statement, bound if is_scope else bound | own)
    elif isinstance(node, COMPREHENSIONS):
        inside = bound | {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
        for child in ast.iter_child_nodes(node):
            yield from free_names(child, inside)
    else:
        for child in ast.iter_child_nodes(node):
            yield from free_names(child, bound)


def _free_in_function(node: Function, bound: frozenset[str]) -> Iterator[ast.Name]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    outside: list[ast.AST | None] = [*arguments.defaults, *arguments.kw_defaults, *(each.annotation for each in every)]
    body: list[ast.stmt] = []
    inside: list[ast.AST] = []
    if isinstance(node, ast.Lambda):
        inside = [node.body]
    else:
        outside += [*node.decorator_list, node.returns]
        body = node.body
        inside = [*body]
    for part in outside:
        if part is not None:
            yield from free_names(part, bound)
    own = bound | {each.arg for each in every} | set(_bound_by(body))
    for part in inside:
        yield from free_names(part, frozenset(own))


def _bound_by(body: list[ast.stmt]) -> Iterator[str]:
    """Names that statements bind in their own scope, not in functions and classes inside them."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, (ast.Lambda, *COMPREHENSIONS)):
            waiting.extend(ast.iter_child_nodes(node))


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Top-level definitions `text` with their own names and the module's names that they read replaced.

    Parameters, attributes, keywords and strings that are spelled alike stay.
    """
    tree = ast.parse(text)
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    places = {(name.lineno, name.col_offset, name.id) for statement in tree.body for name in free_names(statement)}
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            stored = [part for part in ast.walk(statement) if isinstance(part, ast.Name)]
            places.update((name.lineno, name.col_offset, name.id) for name in stored)
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            column = lines[statement.lineno - 1].index(statement.name.encode(), len("def"))
            places.add((statement.lineno, column, statement.name))
    for line, column, name in sorted(places, reverse=True):
        if name in names:
            old = lines[line - 1]
            lines[line - 1] = old[:column] + names[name].encode() + old[column + len(name.encode()) :]
    return b"".join(lines).decode()


def with_forward_annotations(text: str) -> str:
    """Definitions `text` with those annotations quoted that name what is only defined further on.

    Python evaluates annotations with the definition, unless the file postpones them.
    """
    tree = ast.parse(text)
    places = {getattr(statement, "name", ""): index for index, statement in enumerate(tree.body)}
    found: list[ast.expr] = []
    for index, statement in enumerate(tree.body):
        for part in ast.walk(statement):
            for annotation in _annotations(part):
                names = {name.id for name in ast.walk(annotation) if isinstance(name, ast.Name)}
                if any(places.get(name, -1) >= index for name in names):
                    found.append(annotation)
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    for node in sorted(found, key=lambda each: (each.lineno, each.col_offset), reverse=True):
        if node.lineno == node.end_lineno and not isinstance(node, ast.Constant):
            line = lines[node.lineno - 1]
            quoted = b'"' + line[node.col_offset : node.end_col_offset].replace(b'"', b"'") + b'"'
            lines[node.lineno - 1] = line[: node.col_offset] + quoted + line[node.end_col_offset :]
    return b"".join(lines).decode()


def _annotations(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.returns] if node.returns is not None else []
    annotation = getattr(node, "annotation", None) if isinstance(node, (ast.arg, ast.AnnAssign)) else None
    return [] if annotation is None else [annotation]
