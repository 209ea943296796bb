"""Joins two helper modules, so that converting one more file into a folder keeps the helpers of the others."""

from __future__ import annotations

import ast
from pathlib import Path

from .problems import InputError


def join_helpers(place: Path, existing: bytes | None, new: bytes, force: bool) -> bytes:
    """The helper module to write at `place`, where `existing` may stand already.

    Raises InputError if that is a module of the user's, or holds another framework's helpers, unless forced.
    """
    if existing is None or existing == new:
        return new
    if docstring(existing) == docstring(new) is not None:
        return merge_helpers(existing, new)
    if not force:
        what = "is in the way of the helper module that the result needs"
        raise InputError(place, what, "rename it, write to another folder with -o, or pass --force")
    return new


def docstring(module: bytes) -> str | None:
    """The header, which says whose helpers a module holds."""
    try:
        return ast.get_docstring(ast.parse(module))
    except (SyntaxError, ValueError):
        return None


def merge_helpers(existing: bytes, new: bytes) -> bytes:
    """`new`, followed by what only `existing` defines; its missing imports come after those of `new`."""
    old_text, new_text = existing.decode(), new.decode()
    try:
        old, fresh = ast.parse(old_text), ast.parse(new_text)
    except SyntaxError:
        return new
    known = {name for statement in fresh.body for name in names_of(statement)}
    imports: list[str] = []
    definitions: list[str] = []
    for statement in old.body:
        if names_of(statement) and not set(names_of(statement)) <= known:
            place = imports if isinstance(statement, (ast.Import, ast.ImportFrom)) else definitions
            place.append(source_of(statement, old_text))
    if not imports and not definitions:
        return new
    lines = new_text.splitlines(keepends=True)
    at = max((each.end_lineno or 0 for each in fresh.body if isinstance(each, (ast.Import, ast.ImportFrom))), default=0)
    lines[at:at] = [text + "\n" for text in imports]
    body = "".join(lines).rstrip("\n") + "\n"
    return (body + "".join(f"\n\n{text}\n" for text in definitions)).encode()


def names_of(statement: ast.stmt) -> list[str]:
    """The names that a top-level statement binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name for alias in statement.names]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def source_of(statement: ast.stmt, text: str) -> str:
    """The statement's own lines, with its decorators and the comment lines right above it."""
    lines = text.splitlines()
    decorators = getattr(statement, "decorator_list", [])
    start = min([statement.lineno, *(decorator.lineno for decorator in decorators)]) - 1
    while start > 0 and lines[start - 1].startswith("#"):
        start -= 1
    return "\n".join(lines[start : statement.end_lineno])
