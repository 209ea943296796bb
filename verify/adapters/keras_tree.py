"""Keras modules as trees of named variables: converted modules, and Keras' own layers as people use them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

HELPERS = "ivy_convert.api_maps.tensorflow.helpers"


def helpers() -> Any:
    """The functions over module trees that converted code carries too."""
    return importlib.import_module(f"{HELPERS}.modules")


def is_converted(module: Any) -> bool:
    """Whether a module's class is built on the helpers: it has a mode of its own and all its weights at once."""
    return hasattr(type(module), "training")


def members(module: Any) -> Iterator[tuple[str, Any]]:
    """Variables and layers among the attributes with their names; what a Sequential holds by number, as in torch."""
    if isinstance(module, keras.Sequential):
        yield from ((str(index), layer) for index, layer in enumerate(module.layers))
        return
    own = helpers().keras_attributes()
    native = type(module).__module__.startswith("keras.")
    for name, value in vars(module).items():
        if name not in own:
            # Keras keeps some weights under a private name, behind a property.
            yield from _named_parts(name.lstrip("_") if native else name, value)


def _named_parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (keras.Variable, tf.Variable, keras.layers.Layer)):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from _named_parts(f"{name}.{index}", part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _named_parts(f"{name}.{key}", part)


def all_variables(module: Any, prefix: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Every variable under every name, and whether it is a buffer; own parameters and buffers before children."""
    found = list(members(module))
    own = [(name, value) for name, value in found if not isinstance(value, keras.layers.Layer)]
    for wanted in (False, True):
        for name, value in own:
            if _is_buffer(module, name, value) == wanted:
                yield f"{prefix}{name}", value, wanted
    for name, value in found:
        if isinstance(value, keras.layers.Layer):
            yield from all_variables(value, f"{prefix}{name}.")


def _is_buffer(module: Any, name: str, variable: Any) -> bool:
    """Converted modules list their buffers; elsewhere a buffer is what is not trained."""
    return helpers().is_buffer(module, name) if is_converted(module) else not variable.trainable


def named_parameters(module: Any) -> Iterator[tuple[str, Any]]:
    """Every parameter with its dotted name, a shared one under its first."""
    seen: set[int] = set()
    for name, variable, buffer in all_variables(module):
        if not buffer and id(variable) not in seen:
            seen.add(id(variable))
            yield name, variable


def named_modules(module: Any) -> Iterator[tuple[str, Any]]:
    """The module (named '') and every layer inside it with its dotted name, parents first, each once."""
    seen: set[int] = set()

    def walk(inner: Any, path: str) -> Iterator[tuple[str, Any]]:
        if id(inner) not in seen:
            seen.add(id(inner))
            yield path, inner
            for name, value in members(inner):
                if isinstance(value, keras.layers.Layer):
                    yield from walk(value, f"{path}.{name}" if path else name)

    yield from walk(module, "")
