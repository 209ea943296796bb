"""Random keys of the process, for code that draws numbers without being given a key, as torch's generator does."""

from __future__ import annotations

import jax
from flax import nnx


class ProcessStream:
    """A seed and a count of the keys drawn since. It lives outside JAX: a jitted function would draw only once.

    Its keys differ from those of an `nnx.Rngs` with the same seed, which counts from 0.
    """

    def __init__(self, seed: int = 0):
        self.restart(seed)

    def restart(self, seed: int) -> None:
        with jax.ensure_compile_time_eval():  # inside a trace too the key is a number that outlives it
            self.key = jax.random.key(int(seed))
        self.count = 0

    def __call__(self) -> jax.Array:
        self.count += 1
        return jax.random.fold_in(self.key, 2**31 + self.count)


process_stream = ProcessStream()


def next_key() -> jax.Array:
    """A key that no earlier call returned."""
    return process_stream()


def manual_seed(seed: int) -> None:
    """Start the process's keys again from a seed."""
    process_stream.restart(seed)


def set_training(module: nnx.Module, mode: bool = True) -> nnx.Module:
    """Switch a module to training or evaluation mode and return it."""
    if mode:
        module.train()
    else:
        module.eval()
    return module
