"""Values as JSON and arrays: how arguments, results and weights travel between the two processes.

Numbers, strings, booleans and None stand for themselves, lists too. Everything else is a JSON object whose key
`$` says what it is: `tuple`, `dict`, `set`, `slice`, `float` (infinities and NaN), `array`, `dtype`, `device`,
`name` (a class or function by import path), `object` (a dataclass, namedtuple, enum or namespace by its fields),
`construct` (an object by the arguments it was made with), `partial`, `batches` (a data loader, as the list of
its batches), `opaque` (a result that is not compared; only in results).
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import functools
import inspect
import math
import os
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .problems import CannotEncode

Json = Any
LARGEST_ARRAY = 4_000_000


class FrameworkValues(Protocol):
    """What the encoder must know of a framework."""

    def to_numpy(self, value: Any) -> np.ndarray | None:
        """The value as a NumPy array, or None when it is no array of this framework."""

    def dtype_name(self, value: Any) -> str | None:
        """The name of a dtype (`float32`), or None when the value is none."""

    def device_name(self, value: Any) -> str | None:
        """`cpu`, or None when the value is no device."""

    def batches(self, value: Any) -> list[Any] | None:
        """The first batches of a data loader, or None when the value is none."""

    def is_module(self, value: Any) -> bool:
        """Whether the value is a module of this framework."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The framework's own packages."""


class ArrayStore:
    """Arrays of one message, by key; written as one .npz file."""

    def __init__(self, arrays: Mapping[str, np.ndarray] | None = None):
        self.arrays: dict[str, np.ndarray] = dict(arrays or {})

    def add(self, array: np.ndarray) -> Json:
        """Keep a copy of the array and return its reference."""
        if array.size > LARGEST_ARRAY:
            raise CannotEncode(f"an array of {array.size:,} elements is too large to be carried over")
        key = f"a{len(self.arrays)}"
        self.arrays[key] = np.array(array)
        return {"$": "array", "key": key}

    def save(self, path: Path) -> None:
        """Write all arrays."""
        np.savez(path, **self.arrays)  # type: ignore[arg-type]

    @staticmethod
    def load(path: Path) -> ArrayStore:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return ArrayStore({key: stored[key] for key in stored.files})


@dataclasses.dataclass
class Encoder:
    """Turns values into JSON.

    construction: gives (arguments, keyword arguments) an object was made with, or None when not known.
    results: encode for comparison: what cannot be carried becomes `opaque` instead of an error.
    keeps_numpy: NumPy's arrays stay so on both sides, and can be written to; else they are the frameworks' arrays.
    weights: for results, the weights of a module that stands in one, or None when they are not known.
    """

    framework: FrameworkValues
    store: ArrayStore
    construction: Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]] | None] = lambda value: None
    results: bool = False
    keeps_numpy: bool = False
    weights: Callable[[Any], dict[str, np.ndarray] | None] = lambda value: None

    def __call__(self, value: Any) -> Json:
        """Encode one value; CannotEncode says why it cannot be done."""
        if isinstance(value, (str, Path)) and not self.results and os.path.isabs(value) and Path(value).parent.exists():
            raise CannotEncode(f"the file {Path(value).name} belongs to the run that was recorded")
        if value is None or isinstance(value, (bool, str)):
            return value
        for kind in (self._number, self._container, self._framework_value, self._named, self._object):
            encoded = kind(value)
            if encoded is not None:
                return encoded
        name = f"{type(value).__module__}.{type(value).__qualname__}"
        if self.results:
            return {"$": "opaque", "type": type(value).__qualname__}
        raise CannotEncode(f"a value of type {name} cannot be carried over")

    def _number(self, value: Any) -> Json:
        if isinstance(value, enum.Enum) and self.results:
            return value.name
        if isinstance(value, enum.Enum):
            return {"$": "object", "type": type_name(type(value)), "enum": value.name}
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$": "float", "value": repr(float(value))}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(np.asarray(value)) | ({"numpy": True} if self.keeps_numpy else {})
        return None

    def _array(self, array: np.ndarray) -> Json:
        if array.dtype == object:
            raise CannotEncode("an array of Python objects cannot be carried over")
        if array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
            return self.store.add(array.astype(np.float32)) | {"dtype": array.dtype.name}
        return self.store.add(array)

    def _container(self, value: Any) -> Json:
        if isinstance(value, tuple) and hasattr(value, "_fields") and not self.results:
            return None
        if type(value) is list:
            return [self(item) for item in value]
        if isinstance(value, tuple):
            return self._sequence("tuple", value)
        if isinstance(value, (set, frozenset)):
            return self._sequence("set", sorted(value, key=repr))
        if isinstance(value, slice):
            return self._sequence("slice", (value.start, value.stop, value.step))
        if isinstance(value, dict):
            return {"$": "dict", "items": [[self(key), self(item)] for key, item in value.items()]}
        if isinstance(value, range):
            return [self(item) for item in value]
        return None

    def _sequence(self, kind: str, values: Any) -> Json:
        return {"$": kind, "items": [self(item) for item in values]}

    def _framework_value(self, value: Any) -> Json:
        array = self.framework.to_numpy(value)
        if array is not None:
            return self._array(array)
        dtype, device = self.framework.dtype_name(value), self.framework.device_name(value)
        if dtype is not None or device is not None:
            return {"$": "dtype", "name": dtype} if dtype is not None else {"$": "device", "name": device}
        batches = None if self.results else self.framework.batches(value)
        return None if batches is None else {"$": "batches", "items": [self(batch) for batch in batches]}

    def _named(self, value: Any) -> Json:
        if isinstance(value, functools.partial):
            call = {"function": self(value.func), "args": [self(item) for item in value.args]}
            return {"$": "partial", **call, "kwargs": {k: self(v) for k, v in value.keywords.items()}}
        if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
            if "<" in value.__qualname__ or not value.__module__:
                return None
            return {"$": "name", "name": type_name(value)}
        return None

    def _importable(self, value: Any) -> bool:
        return "<" not in type(value).__qualname__

    def _object(self, value: Any) -> Json:
        if isinstance(value, Path):
            return str(value)
        if self.results:
            return self._result_object(value)
        if not self._importable(value) or isinstance(value, types.ModuleType):
            return None
        if isinstance(value, tuple):
            return {"$": "object", "type": type_name(type(value)), "args": [self(item) for item in value]}
        if dataclasses.is_dataclass(value) or isinstance(value, (argparse.Namespace, types.SimpleNamespace)):
            fields = {name: self(item) for name, item in vars(value).items()}
            return {"$": "object", "type": type_name(type(value)), "state": fields}
        if type(value).__module__.partition(".")[0] in self.framework.packages and not self.framework.is_module(value):
            return None
        made = self.construction(value)
        if made is None:
            return None
        return {
            "$": "construct",
            "type": type_name(type(value)),
            "args": [self(item) for item in made[0]],
            "kwargs": {key: self(item) for key, item in made[1].items()},
            "training": getattr(value, "training", True),
        }

    def _result_object(self, value: Any) -> Json:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self({**vars(value)})
        weights = self.weights(value) if self.framework.is_module(value) else None
        return None if weights is None else self(weights)


def type_name(value: Any) -> str:
    """`package.module:Class.Inner`, the import path of a class or function."""
    return f"{value.__module__}:{value.__qualname__}"


@dataclasses.dataclass
class Decoder:
    """Turns JSON back into values of one side.

    find: gives the class or function of an import path as this side has it.
    array, dtype, device: make a value of this side's framework.
    construct: makes an object from its class and arguments (a framework may add some, such as `rngs`).
    """

    store: ArrayStore
    find: Callable[[str], Any]
    array: Callable[[np.ndarray, str | None], Any]
    dtype: Callable[[str], Any]
    device: Callable[[str], Any]
    construct: Callable[[Any, list[Any], dict[str, Any]], Any]

    def __call__(self, encoded: Json) -> Any:
        """Decode one value."""
        if isinstance(encoded, list):
            return [self(item) for item in encoded]
        if not isinstance(encoded, dict):
            return encoded
        return getattr(self, "_" + encoded["$"])(encoded)

    def keywords(self, encoded: Mapping[str, Json]) -> dict[str, Any]:
        """Decode keyword arguments."""
        return {key: self(item) for key, item in encoded.items()}

    def _tuple(self, encoded: Json) -> Any:
        return tuple(self(item) for item in encoded["items"])

    def _set(self, encoded: Json) -> Any:
        return {self(item) for item in encoded["items"]}

    def _slice(self, encoded: Json) -> Any:
        return slice(*(self(item) for item in encoded["items"]))

    def _dict(self, encoded: Json) -> Any:
        return {self(key): self(item) for key, item in encoded["items"]}

    def _batches(self, encoded: Json) -> Any:
        return [self(item) for item in encoded["items"]]

    def _float(self, encoded: Json) -> Any:
        return float(encoded["value"])

    def _array(self, encoded: Json) -> Any:
        array = self.store.arrays[encoded["key"]]
        return np.array(array)[()] if encoded.get("numpy") else self.array(array, encoded.get("dtype"))

    def _dtype(self, encoded: Json) -> Any:
        return self.dtype(encoded["name"])

    def _device(self, encoded: Json) -> Any:
        return self.device(encoded["name"])

    def _name(self, encoded: Json) -> Any:
        return self.find(encoded["name"])

    def _opaque(self, encoded: Json) -> Any:
        return Opaque(encoded["type"])

    def _partial(self, encoded: Json) -> Any:
        arguments = [self(item) for item in encoded["args"]]
        return functools.partial(self(encoded["function"]), *arguments, **self.keywords(encoded["kwargs"]))

    def _object(self, encoded: Json) -> Any:
        cls = self.find(encoded["type"])
        if "enum" in encoded:
            return cls[encoded["enum"]]
        if "args" in encoded:
            return cls(*(self(item) for item in encoded["args"]))
        value = cls.__new__(cls)
        value.__dict__.update(self.keywords(encoded["state"]))
        return value

    def _construct(self, encoded: Json) -> Any:
        arguments = [self(item) for item in encoded["args"]]
        return self.construct(self.find(encoded["type"]), arguments, self.keywords(encoded["kwargs"]))


@dataclasses.dataclass(frozen=True)
class Opaque:
    """A result that is neither a number nor made of numbers; only its type is compared."""

    type: str


def map_arrays(value: Any, is_array: Callable[[Any], bool], change: Callable[[Any], Any]) -> Any:
    """`value` with `change` applied to every array in its lists, tuples and dicts."""
    if is_array(value):
        return change(value)
    if isinstance(value, tuple):
        items = [map_arrays(item, is_array, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if type(value) is list:
        return [map_arrays(item, is_array, change) for item in value]
    if type(value) is dict:
        return {key: map_arrays(item, is_array, change) for key, item in value.items()}
    return value


def array_leaves(value: Any, is_array: Callable[[Any], bool]) -> list[Any]:
    """All arrays in a result, in order; fields of dataclasses and namespaces too."""
    if is_array(value):
        return [value]
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in array_leaves(item, is_array)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in array_leaves(item, is_array)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [leaf for item in vars(value).values() for leaf in array_leaves(item, is_array)]
    return []


def accepts_keyword(function: Any, name: str) -> bool:
    """Whether a function or class takes the keyword argument `name`."""
    # a metaclass may hide the constructor's signature
    called = getattr(function, "__init__", function) if isinstance(function, type) else function
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(parameter.name == name and parameter.kind != parameter.VAR_POSITIONAL for parameter in parameters)
