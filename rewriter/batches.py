"""What a data set's items and a loader's batches are, as far as types tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from .lattice import (
    ARRAY,
    NONE,
    UNKNOWN,
    Array,
    Callback,
    Foreign,
    Instance,
    Mapping,
    Reference,
    Scalar,
    Sequence,
    Tuple,
    Type,
    Unknown,
    item_type,
    join_all,
)

if TYPE_CHECKING:
    from .infer_definitions import DefinitionTypes
    from .infer_expressions import ExpressionEvaluator

#: The names and places of a loader's arguments that decide what its batches are.
_PLACES = {"dataset": 0, "batch_size": 1, "collate_fn": 6}


def data_set_type(inference: DefinitionTypes, kind: str, arguments: list[Type]) -> Type:
    """The type of a data set made of others, as a sequence of its items.

    kind: `arrays` (one item for each row of the arrays), `same` (some items of another set), `joined` (the items of
    several), `parts` (several sets with the items of one).
    """
    if kind == "arrays":
        items = tuple(Array(a.dtype) if isinstance(a, Array) else ARRAY for a in arguments)
        return Sequence(Tuple(items), "dataset")
    first = arguments[0] if arguments else UNKNOWN
    if kind == "joined":
        parts = first.items if isinstance(first, Tuple) else (item_type(first),)
        return Sequence(join_all(item_of(inference, part) for part in parts), "dataset")
    found = Sequence(item_of(inference, first), "dataset")
    return Sequence(found) if kind == "parts" else found


def item_of(inference: DefinitionTypes, data_set: Type) -> Type:
    """What indexing or iterating over a data set gives."""
    if isinstance(data_set, Sequence):
        return data_set.item
    if isinstance(data_set, Instance):
        found = inference.method(data_set.path, "__getitem__")
        if found is not None:
            return inference.function_result(found[1])
        found = inference.method(data_set.path, "__iter__")
        return item_type(inference.function_result(found[1])) if found is not None else UNKNOWN
    return UNKNOWN


def batch_type(inference: DefinitionTypes, call: cst.Call, evaluator: ExpressionEvaluator) -> Type:
    """What iterating over a loader gives: the collated form of the data set's items."""
    given: dict[str, Type] = {}
    for index, argument in enumerate(call.args):
        if not argument.star:
            by_place = next((name for name, at in _PLACES.items() if at == index), "")
            name = argument.keyword.value if argument.keyword is not None else by_place
            given[name] = evaluator.types.get(argument.value, UNKNOWN)
    collate = given.get("collate_fn", NONE)
    if isinstance(collate, Callback):
        return collate.result
    if isinstance(collate, Reference):
        definition = inference.repository.resolve(collate.path)
        if definition is not None and isinstance(definition.node, cst.FunctionDef):
            return inference.function_result(definition)
    if collate != NONE:
        return UNKNOWN
    item = item_of(inference, given.get("dataset", UNKNOWN))
    return item if given.get("batch_size") == NONE else collated(item)


def collated(item: Type) -> Type:
    """The batch that items of a type are stacked into: numbers and arrays become arrays, tuples stay tuples."""
    match item:
        case Scalar(kind="str") | Unknown():
            return UNKNOWN
        case Scalar(kind=kind):
            return Array(kind if kind in ("int", "float", "bool") else None)
        case Array(dtype=dtype):
            return Array(dtype)
        case Foreign():
            return ARRAY
        case Tuple(items=items):
            return Tuple(tuple(collated(part) for part in items))
        case Mapping(value=value):
            return Mapping(collated(value))
    return UNKNOWN
