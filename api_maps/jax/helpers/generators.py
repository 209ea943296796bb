"""Random generators as objects: `nnx.Rngs` where torch has `torch.Generator`, None for the process's stream."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .process_stream import next_key, process_stream


def key_from(generator: Any = None) -> jax.Array:
    """A fresh key from `generator`; from the process's stream where it is None."""
    return next_key() if generator is None else generator()


def numpy_random(generator: Any = None) -> np.random.Generator:
    """Numpy's generator seeded with a fresh key, for draws on the host that are never traced."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key_from(generator))))


def reseed(generator: nnx.Rngs, seed: int) -> nnx.Rngs:
    """Start `generator` again from a seed, for everyone who holds it; returns it."""
    nnx.reseed(generator, default=int(seed))
    return generator


def generator_state(generator: nnx.Rngs | None = None) -> np.ndarray:
    """Where a generator stands, as a vector of uint32: its key and the number of keys drawn since."""
    if generator is None:
        key, count = process_stream.key, process_stream.count
    else:
        key, count = generator.default.key.get_value(), int(generator.default.count.get_value())
    return np.append(np.asarray(jax.random.key_data(key)), np.uint32(count))


def set_generator_state(state: Any, generator: nnx.Rngs | None = None) -> None:
    """Go back to where `generator_state` was asked."""
    numbers = np.asarray(state, np.uint32)
    key, count = jax.random.wrap_key_data(jnp.asarray(numbers[:-1])), int(numbers[-1])
    if generator is None:
        process_stream.key, process_stream.count = key, count
    else:
        generator.default.key.set_value(key)
        generator.default.count.set_value(jnp.asarray(count, jnp.uint32))
