"""Random keys of the process, for code that draws numbers without being given a key, as torch's generator does."""

from __future__ import annotations

import threading

import jax
from flax import nnx


class ProcessStream:
    """A seed and a count of the keys drawn since. It lives outside JAX: a jitted function would draw only once.

    Its keys differ from those of an `nnx.Rngs` with the same seed, which counts from 0.
    """

    def __init__(self, seed: int = 0):
        self.lock = threading.Lock()  # Threads that read a dataset draw from it too.
        self.restart(seed)

    def restart(self, seed: int) -> None:
        with jax.ensure_compile_time_eval():  # inside a trace too the key is a number that outlives it
            self.key = jax.random.key(int(seed))
        self.count = 0

    def __call__(self) -> jax.Array:
        with self.lock:
            self.count += 1
            number = self.count
        return jax.random.fold_in(self.key, 2**31 + number)


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


def is_training(module: nnx.Module) -> bool:
    """Whether a module is in training mode: it keeps the mode itself, or one of its parts does; yes where none does."""
    modes = [
        not vars(part)[flag]
        for _, part in nnx.iter_graph(module)
        if isinstance(part, nnx.Module)
        for flag in ("deterministic", "use_running_average")
        if flag in vars(part)
    ]
    own = [not vars(module)[flag] for flag in ("deterministic", "use_running_average") if flag in vars(module)]
    return own[0] if own else not modes or any(modes)
