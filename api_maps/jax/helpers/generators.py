"""Random generators as objects: `nnx.Rngs` where torch has `torch.Generator`, None for the process's stream.

All of them give a fresh key when called.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .process_stream import ProcessStream, next_key, process_stream


def key_from(generator: Any = None) -> jax.Array:
    """A fresh key from `generator`; from the process's stream where it is None."""
    return next_key() if generator is None else generator()


def numpy_random(generator: Any = None) -> np.random.Generator:
    """Numpy's generator seeded with a fresh key, for draws on the host that are never traced."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key_from(generator))))


def reseed(generator: Any, seed: int) -> Any:
    """Start `generator` again from a seed, for everyone who holds it; returns it."""
    go_on_from(generator, jax.random.key(int(seed)), 0)
    return generator


def seeded_stream(seed: int) -> ProcessStream:
    """The process's stream, started again from a seed."""
    return reseed(process_stream, seed)


def go_on_from(generator: Any, key: jax.Array, count: int) -> None:
    """Let a generator go on behind the `count`-th key drawn from `key`."""
    if isinstance(generator, ProcessStream):
        generator.key, generator.count = key, count
    else:
        generator.default.key.set_value(key)
        generator.default.count.set_value(jnp.asarray(count, jnp.uint32))


def generator_state(generator: Any = None) -> np.ndarray:
    """Where a generator (default: the process's stream) stands: its key and the number of keys drawn, as uint32."""
    stream = process_stream if generator is None else generator
    if isinstance(stream, ProcessStream):
        key, count = stream.key, stream.count
    else:
        key, count = stream.default.key.get_value(), int(stream.default.count.get_value())
    return np.append(np.asarray(jax.random.key_data(key)), np.uint32(count))


def set_generator_state(state: Any, generator: Any = None) -> None:
    """Go back to where `generator_state` was asked."""
    numbers = np.asarray(state, np.uint32)
    key = jax.random.wrap_key_data(jnp.asarray(numbers[:-1]))
    go_on_from(process_stream if generator is None else generator, key, int(numbers[-1]))


def initial_seed(generator: Any = None) -> int:
    """The seed that a generator was last started from."""
    high, low = generator_state(generator)[:2].tolist()
    return high << 32 | low
