"""Values on their way to Python and to files."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import tensorflow as tf


def item(x: Any) -> Any:
    """The one number in a tensor or NumPy array, as Python's."""
    return np.asarray(x).item()


def tolist(x: Any) -> Any:
    """The numbers in a tensor or NumPy array as nested lists; a number for one without axes."""
    return np.asarray(x).tolist()


def store(x: tf.Tensor, index: Any, value: Any) -> tf.Tensor:
    """x with `value`, which broadcasts, at x[index]: the value that x has after `x[index] = value`."""
    index = index if isinstance(index, tuple) else (index,)
    plain = tuple(part.numpy() if tf.is_tensor(part) else part for part in index)
    places = np.arange(int(tf.size(x))).reshape(x.shape)[plain]
    values = tf.broadcast_to(tf.cast(value, x.dtype), places.shape)
    flat = tf.tensor_scatter_nd_update(tf.reshape(x, [-1]), places.reshape(-1, 1), tf.reshape(values, [-1]))
    return tf.reshape(flat, x.shape)


def as_plain(value: Any) -> Any:
    """Tensors and variables inside lists, tuples and dicts as NumPy arrays."""
    if isinstance(value, dict):
        return {key: as_plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([as_plain(part) for part in value])
    return value.numpy() if tf.is_tensor(value) else value


def save(obj: Any, path: Any) -> None:
    """Write numbers, strings, arrays and containers of them to a file."""
    with open(path, "wb") as file:
        pickle.dump(as_plain(obj), file)


class PlainUnpickler(pickle.Unpickler):
    """Reads containers, numbers and NumPy arrays; never a class or function of anybody else's."""

    def find_class(self, module: str, name: str) -> Any:
        """NumPy's array constructors only."""
        if module.partition(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"a checkpoint may not hold {module}.{name}")


def load(path: Any) -> Any:
    """What `save` wrote."""
    with open(path, "rb") as file:
        return PlainUnpickler(file).load()
