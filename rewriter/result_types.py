"""Types written as text in the tables: results of hub ops and the facts about framework objects."""

from __future__ import annotations

import functools
import re

from .lattice import (
    ARRAY,
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    UNKNOWN,
    Array,
    Callback,
    Device,
    DType,
    Foreign,
    Instance,
    LikeArgument,
    LikeResult,
    Mapping,
    RandomKey,
    Scalar,
    Sequence,
    Shape,
    Tuple,
    Type,
)

_PLAIN: dict[str, Type] = {
    "array": ARRAY,
    "arrays": Sequence(ARRAY, "tuple"),
    "scalar": Scalar("float"),
    "int": INT,
    "float": FLOAT,
    "bool": BOOL,
    "str": STR,
    "none": NONE,
    "shape": Shape(),
    "dtype": DType(),
    "device": Device(),
    "key": RandomKey(),
    "any": UNKNOWN,
    "unknown": UNKNOWN,
    "parameter": Array("float", None, "parameter"),
    "buffer": Array(None, None, "buffer"),
    "foreign": Foreign(""),
    "argument": LikeArgument(),
    "result": LikeResult(),
}


class TypeTextError(ValueError):
    """A result text that is none of docs/tables.md's."""


@functools.cache
def parse_type(text: str) -> Type:
    """`array[int]`, `(array, array[int])`, `sequence[parameter]`, `mapping[array]`, `instance[pkg.Class]`, ...

    Raises TypeTextError for anything else.
    """
    text = text.strip()
    if text in _PLAIN:
        return _PLAIN[text]
    if text.startswith("(") and text.endswith(")"):
        return Tuple(tuple(parse_type(part) for part in _split(text[1:-1])))
    match = re.fullmatch(r"(\w+)\[(.*)\]", text)
    if not match:
        raise TypeTextError(text)
    outer, inner = match.groups()
    match outer:
        case "array":
            return Array(inner if inner in ("float", "int", "bool", "complex") else None)
        case "dtype":
            return DType(inner)
        case "sequence" | "iterator" | "tuple" | "list":
            return Sequence(parse_type(inner), "list" if outer == "sequence" else outer)
        case "modules":
            return Sequence(parse_type(inner), "modules")
        case "mapping":
            return Mapping(parse_type(inner))
        case "instance":
            return Instance(inner)
        case "callback":
            return Callback(parse_type(inner))
        case "asked":
            return UNKNOWN  # only a call says
        case "foreign":
            return Foreign(inner)
    raise TypeTextError(text)


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [part for part in [*parts, text[start:]] if part.strip()]


def name_results(result: Type, names: tuple[str, ...]) -> Type:
    """A tuple result whose parts also have names, such as `.values`."""
    return Tuple(result.items, names) if isinstance(result, Tuple) and names else result
