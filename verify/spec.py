"""The first stage: both sides have the same public names with the same signatures. Nothing is imported for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .comparison import StageResult

# How frameworks call the method that runs a module, and the parameters that a target adds.
FORWARD_NAMES = ("forward", "__call__", "call")
ADDED_PARAMETERS = ("rngs",)


@dataclass(frozen=True)
class Signature:
    """The parameters of a function, each as `kind name default`; a default that is no literal counts as given."""

    parameters: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        return "(" + ", ".join(f"{name}={default}" if default else name for _, name, default in self.parameters) + ")"


def public_names(file: Path) -> dict[str, Signature | None]:
    """The public functions and classes of a file and the classes' public methods, with their signatures.

    Constants stand with None. Raises SyntaxError where the file does not parse.
    """
    return dict(_names(ast.parse(file.read_bytes())))


def public_functions(file: Path) -> list[str]:
    """The public functions and classes of a file."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return []
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in _statements(tree.body) if isinstance(node, kinds) and not node.name.startswith("_")]


def _names(tree: ast.Module) -> Iterator[tuple[str, Signature | None]]:
    for node in _statements(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            yield node.name, _signature(node, 0)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, None
            yield from ((f"{node.name}.{name}", signature) for name, signature in _methods(node))
        elif isinstance(node, ast.Assign):
            yield from ((t.id, None) for t in node.targets if isinstance(t, ast.Name) and not t.id.startswith("_"))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under `if` and `try` too."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try)) and not _is_main_guard(node):
            yield from _statements(node.body)
            yield from _statements(node.orelse)


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def _methods(node: ast.ClassDef) -> Iterator[tuple[str, Signature]]:
    for item in node.body:
        if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if item.name in FORWARD_NAMES:
            yield "__call__", _signature(item, 1)
        elif item.name == "__init__" or not item.name.startswith("_"):
            static = any(isinstance(entry, ast.Name) and entry.id == "staticmethod" for entry in item.decorator_list)
            yield item.name, _signature(item, 0 if static else 1)


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, skip: int) -> Signature:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    found = [("positional", arg.arg, _default(value)) for arg, value in zip(positional, defaults)][skip:]
    if arguments.vararg:
        found.append(("star", arguments.vararg.arg, ""))
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults)
    found += [("keyword", arg.arg, _default(value)) for arg, value in keyword_only if arg.arg not in ADDED_PARAMETERS]
    if arguments.kwarg:
        found.append(("double star", arguments.kwarg.arg, ""))
    return Signature(tuple(found))


def _default(value: ast.expr | None) -> str:
    if value is None:
        return ""
    try:
        return repr(ast.literal_eval(value))
    except ValueError:
        return "..."


def compare_spec(subject: str, original: Path, converted: Path | None, only: Mapping[str, str]) -> StageResult:
    """Compare one file of both sides.

    only: names to compare, original -> converted; empty for all.
    """
    if converted is None:
        return StageResult("spec", subject, "failed", reason="the converted code has no such file")
    try:
        expected, found = public_names(original), public_names(converted)
    except (SyntaxError, ValueError) as problem:
        return StageResult("spec", subject, "failed", reason=f"does not parse: {problem}")
    problems = []
    for name, signature in expected.items():
        head, dot, method = name.partition(".")
        if only and head not in only:
            continue
        name_there = only.get(head, head) + dot + method
        if name_there not in found:
            problems.append(f"{name} is missing")
        elif found[name_there] != signature and signature is not None:
            problems.append(f"{name}{signature} has become {name}{found[name_there]}")
    status = "failed" if problems else "passed"
    return StageResult("spec", subject, status, reason="; ".join(problems))  # type: ignore[arg-type]
