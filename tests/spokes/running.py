"""Runs one call in TensorFlow, as row_running does for the other frameworks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf

from ..row_running import InvalidCall, leaves, plain, weights


def plain_tensorflow(leaf: Any) -> Any:
    """A leaf as a NumPy array, Python value, or the name of an element type."""
    if isinstance(leaf, tf.TensorShape):
        return list(leaf)
    if tf.is_tensor(leaf):
        array = leaf.numpy()
        return array.astype(np.float32) if leaf.dtype == tf.bfloat16 else array
    if isinstance(leaf, tf.DType):
        return leaf.name
    return plain(leaf)


def flat(value: Any) -> list[Any]:
    """Arrays and plain values; a shape counts as its numbers."""
    found = []
    for leaf in leaves(value):
        found += list(leaf) if isinstance(leaf, tf.TensorShape) else [leaf]
    return found


def real(value: tf.Tensor) -> tf.Tensor:
    """Single precision; real and imaginary parts with different weights."""
    value = tf.math.real(value) + 0.5 * tf.math.imag(value) if value.dtype.is_complex else value
    return tf.cast(value, tf.float32)


def run_tensorflow(
    function: Callable[..., Any], arrays: Mapping[str, np.ndarray], followed: list[int] | None
) -> tuple[list[Any], list[int], Any]:
    """Results, positions followed, and gradients of those with respect to float arguments.

    followed: None means all float results that depend on a float argument. Raises InvalidCall where TensorFlow
    refuses the arguments or cannot differentiate.
    """
    inputs = {name: tf.convert_to_tensor(np.array(array)) for name, array in arrays.items()}
    floating = {name: value for name, value in inputs.items() if value.dtype == tf.float32}
    with tf.GradientTape(persistent=True) as tape:
        for value in floating.values():
            tape.watch(value)
        try:
            results = flat(function(**inputs))
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, TypeError, ValueError) as error:
            raise InvalidCall(str(error)) from error
        kept = followed if followed is not None else [
            index for index, leaf in enumerate(results) if tf.is_tensor(leaf) and leaf.dtype.is_floating
        ]  # fmt: skip
        total = sum(
            (tf.reduce_sum(real(results[i]) * weights(results[i].numpy(), i)) for i in kept), tf.constant(0.0)
        )
    try:
        found = tape.gradient(total, floating)
    except (tf.errors.InvalidArgumentError, LookupError) as error:
        raise InvalidCall(str(error)) from error
    gradients = {
        name: np.zeros(floating[name].shape, np.float32) if value is None else tf.convert_to_tensor(value).numpy()
        for name, value in found.items()
    }
    followed_here = kept if any(value is not None for value in found.values()) else []
    return [plain_tensorflow(leaf) for leaf in results], followed_here, gradients
