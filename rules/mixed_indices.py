"""Numbers and arrays in one index, with slices between them: `x[0, :, k]`.

torch applies the numbers first and puts the axes of the arrays where these stand. NumPy, and JAX with it, counts numbers
as arrays: it finds these apart and puts their axes first. Two steps, `x[0][:, k]`, say the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.lattice import Array, Scalar
from ..rewriter.lattice import Sequence as SequenceType
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .places import describe

_WHOLE = cst.Slice(None, None)


@dataclass(frozen=True)
class MixedIndex:
    """An index with the kind of each part: `number`, `array` or `slice`, which also stands for None and `...`."""

    parts: tuple[cst.BaseSlice, ...]
    kinds: tuple[str, ...]


def _parts(node: cst.Subscript) -> list[cst.BaseSlice]:
    parts = [element.slice for element in node.slice]
    only = parts[0]
    if len(parts) == 1 and isinstance(only, cst.Index) and isinstance(only.value, cst.Tuple):
        return [cst.Index(element.value) for element in only.value.elements]
    return parts


def _kind(part: cst.BaseSlice, context: FileContext) -> str:
    if not isinstance(part, cst.Index):
        return "slice"
    found = context.type_of(part.value)
    if isinstance(found, Scalar) and found.kind == "int":
        return "number"
    is_list = isinstance(found, SequenceType) and found.kind == "list"
    return "array" if is_list or (isinstance(found, Array) and found.rank != 0) else "slice"


def _together(kinds: Sequence[str]) -> bool:
    """Whether no slice stands between the other parts."""
    others = [place for place, kind in enumerate(kinds) if kind != "slice"]
    return others[-1] - others[0] == len(others) - 1


def read(node: cst.Subscript, context: FileContext) -> MixedIndex | None:
    """An index that the two frameworks order differently, in an expression."""
    if not isinstance(context.type_of(node.value), Array):
        return None
    parts = _parts(node)
    kinds = [_kind(part, context) for part in parts]
    arrays = [kind for kind in kinds if kind != "number"]
    if "number" not in kinds or "array" not in kinds or _together(kinds) or not _together(arrays):
        return None
    return MixedIndex(tuple(parts), tuple(kinds)) if arrays[0] != "array" else None


def write(construct: MixedIndex, node: cst.Subscript, context: FileContext) -> Any:
    """`x[0][:, k]`."""
    parts = [context.rewrite(part) for part in construct.parts]
    pairs = list(zip(parts, construct.kinds, strict=True))
    numbers = [_WHOLE if kind == "array" else part for part, kind in pairs if not _is_none(part)]
    while isinstance(numbers[-1], cst.Slice) or isinstance(numbers[-1].value, cst.Ellipsis):
        numbers.pop()
    rest = [part for part, kind in pairs if kind != "number"]
    context.converted(node, op="mixed_index", rule="mixed_indices")
    first = cst.Subscript(parenthesized(context.rewrite(node.value)), [cst.SubscriptElement(part) for part in numbers])
    return node.with_changes(value=first, slice=[cst.SubscriptElement(part) for part in rest])


def _is_none(part: cst.BaseSlice) -> bool:
    return isinstance(part, cst.Index) and isinstance(part.value, cst.Name) and part.value.value == "None"


def read_store(node: cst.Assign | cst.AugAssign, context: FileContext) -> Refusal | None:
    """A store through such an index, which has no two steps where arrays do not change."""
    targets = [target.target for target in node.targets] if isinstance(node, cst.Assign) else [node.target]
    for target in targets:
        if isinstance(target, cst.Subscript) and read(target, context) is not None:
            return Refusal(
                f"{context.source.name} and {context.target.name} order the axes of {describe(target)} differently; "
                "store into a part that has a name of its own", node)  # fmt: skip
    return None


RULES = (
    Rule("mixed_indices", (cst.Subscript,), {"torch": read}, {"jax": write, "numpy": write}, order=50),
    Rule("mixed_stores", (cst.Assign, cst.AugAssign), {"torch": read_store}, {"jax": lambda *_: None}, order=19),
)
