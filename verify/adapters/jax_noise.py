"""jax.random's functions, drawing from the shared noise stream; keys are taken and not looked at."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..noise import NoiseStream


def _shape(shape: Any) -> tuple[int, ...]:
    return () if shape is None else tuple(int(size) for size in np.atleast_1d(shape)) if shape != () else ()


def noise_replacements(stream: NoiseStream) -> list[tuple[Any, str, Any]]:
    """`(jax.random, name, function)` for every function with a counterpart in the stream."""
    return [(jax.random, function.__name__, function) for function in (*_floats(stream), *_choices(stream))]


def _floats(stream: NoiseStream) -> list[Any]:
    def uniform(key: Any, shape: Any = (), dtype: Any = float, minval: Any = 0.0, maxval: Any = 1.0, **_: Any) -> Any:
        return jnp.asarray(stream.uniform(_shape(shape)), dtype) * (maxval - minval) + minval

    def normal(key: Any, shape: Any = (), dtype: Any = float, **_: Any) -> Any:
        return jnp.asarray(stream.normal(_shape(shape)), dtype)

    def exponential(key: Any, shape: Any = (), dtype: Any = float, **_: Any) -> Any:
        return jnp.asarray(stream.exponential(_shape(shape)), dtype)

    def gumbel(key: Any, shape: Any = (), dtype: Any = float, **_: Any) -> Any:
        return jnp.asarray(-np.log(stream.exponential(_shape(shape))), dtype)

    def truncated_normal(key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = float, **_: Any) -> Any:
        low, high = math.erf(float(lower) / math.sqrt(2)), math.erf(float(upper) / math.sqrt(2))
        drawn = jnp.asarray(stream.uniform(_shape(shape)) * (high - low) + low, dtype)
        return jnp.clip(math.sqrt(2) * jax.lax.erf_inv(drawn), lower, upper)

    return [uniform, normal, exponential, gumbel, truncated_normal]


def _choices(stream: NoiseStream) -> list[Any]:
    def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, **_: Any) -> Any:
        return jnp.asarray(stream.uniform(jnp.shape(p) if shape is None else _shape(shape))) < p

    def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = int, **_: Any) -> Any:
        return jnp.asarray(stream.integers(int(minval), int(maxval), _shape(shape)), dtype)

    def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False, **_: Any) -> Any:
        if jnp.ndim(x) == 0:
            return jnp.asarray(stream.permutation(int(x)))
        return jnp.take(jnp.asarray(x), stream.permutation(x.shape[axis]), axis=axis)

    def categorical(key: Any, logits: Any, axis: int = -1, shape: Any = None, replace: bool = True, **_: Any) -> Any:
        # the categories last, one row of draws for each leading index, as torch.multinomial has them
        table = jnp.moveaxis(jnp.asarray(logits), axis, -1)
        batch = table.shape[:-1]
        wanted = batch if shape is None else _shape(shape)
        extra = wanted[: len(wanted) - len(batch)]
        samples = math.prod(extra)
        draws = [-np.log(stream.exponential(table.shape)) for _ in range(samples if replace else 1)]
        if not replace:
            order = jnp.argsort(-(table + draws[0]), axis=-1)[..., :samples]
            return jnp.moveaxis(order, -1, 0).reshape(wanted)
        return jnp.stack([jnp.argmax(table + noise, axis=-1) for noise in draws]).reshape(wanted)

    return [bernoulli, randint, permutation, categorical]
