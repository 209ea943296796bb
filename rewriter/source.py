"""Bytes to a LibCST module and back, keeping encoding, newlines and byte-order mark."""

from __future__ import annotations

import ast
import codecs
import functools
from dataclasses import dataclass

import libcst as cst

from .generate import code_of

SKIP_FILE = "# ivy-convert: skip-file"
SKIP = "# ivy-convert: skip"
MARK = "# ivy-convert: "


class SourceError(ValueError):
    """A file that cannot be read as Python 3; the text names the line where known."""


@dataclass(frozen=True)
class Source:
    """A parsed file. `bom` is the byte-order mark it began with, or b''; `text` is what follows it."""

    path: str
    module: cst.Module
    bom: bytes
    lines: int
    text: str


def parse_source(path: str, data: bytes) -> Source:
    """Parse one file.

    Raises SourceError with the line and a remedy for text that is not Python 3 or not decodable.
    """
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        module = cst.parse_module(data[len(bom) :])
    except cst.ParserSyntaxError as error:
        raise SourceError(_syntax_message(data, error)) from None
    except (UnicodeDecodeError, LookupError, SyntaxError) as error:
        raise SourceError(
            f"cannot be decoded: {error}; save it as UTF-8 or add a coding line such as # -*- coding: latin-1 -*-"
        ) from None
    except RecursionError:
        raise SourceError("is nested too deeply to be parsed; split its longest expression") from None
    return Source(path, module, bom, data.count(b"\n") + 1, data[len(bom) :].decode(module.encoding))


def _syntax_message(data: bytes, error: cst.ParserSyntaxError) -> str:
    """The standard parser's message is the one users know; it also recognises Python 2."""
    try:
        ast.parse(data)
    except SyntaxError as plain:
        what = plain.msg or "invalid syntax"
        if "Missing parentheses in call to" in what or "exec" in what:
            return f"line {plain.lineno}: Python 2 code ({what}); convert it to Python 3 first, for instance with 2to3"
        return f"line {plain.lineno}: {what}; correct the file or exclude it"
    except ValueError as plain:
        return f"is not Python source: {plain}; exclude it"
    return f"line {error.raw_line}: {error.message}"


def render(source: Source, module: cst.Module) -> bytes:
    """The file's bytes for a rewritten module."""
    return source.bom + code_of(module, module).encode(module.encoding)


@functools.lru_cache(maxsize=2048)
def imported_modules(data: bytes) -> frozenset[str] | None:
    """The dotted modules that a file imports, by a quick look with the standard parser.

    Relative imports come as `.name`, `..name`. None when the file does not parse.
    """
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    modules: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            modules.add(base)
            separator = "" if base.endswith(".") else "."
            modules.update(f"{base}{separator}{alias.name}" for alias in node.names)
        for name in _BLOCKS:  # imports are statements: expressions need no look
            pending.extend(getattr(node, name, ()))
    return frozenset(modules)


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
