"""A Keras model used as torch uses modules: made whole by its constructor, called with any arguments, trees by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class Module(keras.Model):
    """A keras.Model whose weights are all made in the constructor; calling it runs `call` and nothing else.

    Arguments are neither cast nor restricted to tensors, and `call` is not traced beforehand. `training` is the mode:
    modules start in training mode, `set_training` switches a module and all below it.
    """

    training = True
    layers = ()  # The user's own attribute may have this name, which keras.Model otherwise keeps for itself.

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Without Keras' record of the constructor's arguments, which only `get_config` would use."""
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(autocast=False)
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments are not recorded: save weights, not the model."""
        raise NotImplementedError(f"{type(self).__name__}: save its weights (state_dict or save_weights)")


def set_training(module: Any, training: bool = True) -> Any:
    """Switch a module and all modules inside it to training (or evaluation) mode; returns the module."""
    for inner in modules(module):
        inner.training = training
    return module


@functools.cache
def keras_attributes() -> frozenset[str]:
    """Names of the attributes that Keras itself gives every module."""
    probe = Module()
    probe.child = Module()  # Some appear with the first child.
    return frozenset(vars(probe)) - {"child"}


def members(module: Any) -> Iterator[tuple[str, Any]]:
    """Variables and modules among the attributes, in the order in which they were set; lists and dicts by item."""
    own = keras_attributes()
    for name, value in vars(module).items():
        if name not in own:
            yield from named_parts(name, value)


def named_parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A variable or module, or those of a list, tuple or dict as `name.0`, `name.key`."""
    if isinstance(value, (keras.Variable, keras.layers.Layer)):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from named_parts(f"{name}.{index}", part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from named_parts(f"{name}.{key}", part)


def named_modules(module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The module (named `prefix`) and every module inside it with its dotted name, parents first, each once."""
    seen: set[int] = set()

    def walk(inner: Any, path: str) -> Iterator[tuple[str, Any]]:
        if id(inner) in seen:
            return
        seen.add(id(inner))
        yield path, inner
        for name, value in members(inner):
            if isinstance(value, keras.layers.Layer):
                yield from walk(value, f"{path}.{name}" if path else name)

    yield from walk(module, prefix)


def modules(module: Any) -> Iterator[Any]:
    """The module and every module inside it, parents first, each once."""
    return (inner for _, inner in named_modules(module))


def named_children(module: Any) -> Iterator[tuple[str, Any]]:
    """The modules directly inside with their names, each once."""
    seen: set[int] = set()
    for name, value in members(module):
        if isinstance(value, keras.layers.Layer) and id(value) not in seen:
            seen.add(id(value))
            yield name, value


def children(module: Any) -> Iterator[Any]:
    """The modules directly inside, each once."""
    return (child for _, child in named_children(module))


def all_variables(module: Any, prefix: str = "") -> Iterator[tuple[str, Any, bool]]:
    """Every variable under every name, and whether it is a buffer; own parameters and buffers before children."""
    found = list(members(module))
    own = [(name, value) for name, value in found if isinstance(value, keras.Variable)]
    for wanted in (False, True):
        for name, value in own:
            if is_buffer(module, name) == wanted:
                yield f"{prefix}{name}", value, wanted
    for name, value in found:
        if isinstance(value, keras.layers.Layer):
            yield from all_variables(value, f"{prefix}{name}.")


def is_buffer(module: Any, name: str) -> bool:
    """Whether a variable of a module was made as a buffer and not as a parameter."""
    return name in getattr(module, "buffer_names", ())


def register_buffer(module: Any, name: str, value: Any) -> None:
    """Keep an array as a variable that is saved but not trained."""
    if value is not None:
        value = keras.Variable(value, trainable=False, dtype=value.dtype)
        module.buffer_names = (*getattr(module, "buffer_names", ()), name)
    setattr(module, name, value)


def named_parameters(module: Any) -> Iterator[tuple[str, Any]]:
    """Every parameter with its dotted name, a shared one under its first."""
    seen: set[int] = set()
    for name, variable, buffer in all_variables(module):
        if not buffer and id(variable) not in seen:
            seen.add(id(variable))
            yield name, variable


def parameters(module: Any) -> Iterator[Any]:
    """Every parameter, a shared one once."""
    return (variable for _, variable in named_parameters(module))


def named_buffers(module: Any) -> Iterator[tuple[str, Any]]:
    """Every buffer with its dotted name."""
    return ((name, variable) for name, variable, buffer in all_variables(module) if buffer)


def buffers(module: Any) -> Iterator[Any]:
    """Every buffer."""
    return (variable for _, variable in named_buffers(module))


def requires_grad(variable: Any) -> bool:
    """Whether a parameter is trained."""
    return bool(variable.trainable)


def requires_grad_(target: Any, flag: bool = True) -> Any:
    """Freeze or thaw a parameter, or all parameters of a module; returns it."""
    for variable in [target] if isinstance(target, keras.Variable) else parameters(target):
        variable.trainable = flag
    return target


def apply(module: Any, function: Callable[[Any], Any]) -> Any:
    """Call a function on every module inside, children first, then on the module, which is returned."""
    for child in children(module):
        apply(child, function)
    function(module)
    return module


def state_dict(module: Any) -> dict[str, np.ndarray]:
    """All parameters and buffers as NumPy arrays by dotted name."""
    return {name: variable.numpy() for name, variable, _ in all_variables(module)}


def load_state_dict(module: Any, state: Mapping[str, Any], strict: bool = True) -> None:
    """Write arrays into the parameters and buffers; RuntimeError for names (if strict) or shapes that differ."""
    own = {name: variable for name, variable, _ in all_variables(module)}
    wrong = sorted(set(own) ^ set(state)) if strict else []
    wrong += [name for name in own if name in state and tuple(np.shape(state[name])) != tuple(own[name].shape)]
    if wrong:
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}: {', '.join(wrong)}")
    for name, variable in own.items():
        if name in state:
            variable.assign(tf.cast(np.asarray(state[name]), variable.dtype))
