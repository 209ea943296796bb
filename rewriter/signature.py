"""Signatures written as strings, the atoms of the tables: `framework.var(input: x, dim: axis = None, *, correction=1)`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Missing(Enum):
    """The value of a parameter that has no default."""

    MISSING = "missing"


MISSING = Missing.MISSING


class Passing(Enum):
    """How an argument reaches a parameter."""

    POSITIONAL_ONLY = "positional only"
    POSITIONAL_OR_KEYWORD = "positional or keyword"
    KEYWORD_ONLY = "keyword only"
    VARIADIC = "variadic"


@dataclass(frozen=True)
class Opaque:
    """A default that is not a literal, such as `framework.float32`; equal only to the same text."""

    text: str


@dataclass(frozen=True)
class Parameter:
    """One parameter of a signature; `annotation` is the source text behind the colon, or ''."""

    name: str
    annotation: str
    default: Any
    passing: Passing


@dataclass(frozen=True)
class Signature:
    """A parsed signature: `path` is empty for hub rows, `results` is the text behind `->`."""

    path: str
    parameters: tuple[Parameter, ...]
    results: str = ""
    is_property: bool = False


class SignatureError(ValueError):
    """A row's text is not a signature of the row language."""


_PATH = re.compile(r"[A-Za-z_][\w.]*")


def parse_default(node: ast.expr | None) -> Any:
    """The value of a default: a literal, or `Opaque` for any other expression."""
    if node is None:
        return MISSING
    try:
        return ast.literal_eval(node)
    except ValueError:
        return Opaque(ast.unparse(node))


def _parameters(arguments: ast.arguments) -> tuple[Parameter, ...]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    result: list[Parameter] = []

    def add(argument: ast.arg, default: Any, passing: Passing) -> None:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        result.append(Parameter(argument.arg, annotation, default, passing))

    for index, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        only = index < len(arguments.posonlyargs)
        add(
            argument,
            parse_default(default),
            Passing.POSITIONAL_ONLY if only else Passing.POSITIONAL_OR_KEYWORD,
        )
    if arguments.vararg:
        add(arguments.vararg, MISSING, Passing.VARIADIC)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        add(argument, parse_default(default), Passing.KEYWORD_ONLY)
    if arguments.kwarg:
        raise SignatureError("a row may not take **keywords")
    return tuple(result)


def parse_signature(text: str) -> Signature:
    """Parse `path(parameters) -> results`, `path` (a property) or `(parameters) -> results`.

    Raises SignatureError when the text is none of these.
    """
    text = text.strip()
    match = _PATH.match(text)
    path = match.group() if match else ""
    rest = text[len(path) :].strip()
    if path and not rest:
        return Signature(path, (), is_property=True)
    if not rest.startswith("("):
        raise SignatureError(f"not a signature: {text!r}")
    close = _closing_parenthesis(rest)
    inside, tail = rest[1:close], rest[close + 1 :].strip()
    if tail and not tail.startswith("->"):
        raise SignatureError(f"unexpected {tail!r} after the parameters in {text!r}")
    try:
        function = ast.parse(f"def signature({inside}): pass").body[0]
    except SyntaxError as error:
        raise SignatureError(f"{error.msg} in {text!r}") from None
    assert isinstance(function, ast.FunctionDef)
    return Signature(path, _parameters(function.args), tail[2:].strip())


def _closing_parenthesis(text: str) -> int:
    depth = 0
    quote = ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return index
    raise SignatureError(f"unbalanced parentheses in {text!r}")
