"""NumPy functions convert to torch, JAX and TensorFlow and back, with equal numbers at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from .running import tf
from .trees import converted, load, write

FUNCTIONS = '''
import numpy as np


def standardise(x: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """Rows [n, d] with mean 0 and deviation 1."""
    mean = np.mean(x, axis=-1, keepdims=True)
    deviation = np.std(x, axis=-1, keepdims=True)
    return (x - mean) / (deviation + eps)


def softmax(x: np.ndarray) -> np.ndarray:
    shifted = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return shifted / np.sum(shifted, axis=-1, keepdims=True)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    scores = np.matmul(q, np.swapaxes(k, -1, -2)) / np.sqrt(np.array(4.0))
    return np.matmul(softmax(scores), v)


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean distances [n, m] between rows."""
    difference = np.expand_dims(x, 1) - np.expand_dims(y, 0)
    return np.sqrt(np.sum(np.square(difference), axis=-1))


def positions(length: int, dim: int) -> np.ndarray:
    """Sine and cosine position codes [length, dim]."""
    place = np.reshape(np.arange(length), (length, 1))
    rate = np.exp(np.arange(0, dim, 2) * (-np.log(np.array(10000.0)) / dim))
    return np.concatenate([np.sin(place * rate), np.cos(place * rate)], axis=1)


def clipped(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, np.clip(x, 0.0, 0.5), np.zeros_like(x))
'''
MAKE = {"numpy": np.asarray, "torch": torch.from_numpy, "jax": jnp.asarray, "tensorflow": tf.convert_to_tensor}


def cases() -> dict[str, tuple[Any, ...]]:
    """Arguments of each function."""
    draw = np.random.default_rng(0).standard_normal
    return {
        "standardise": (draw((5, 4)).astype(np.float32),),
        "softmax": (draw((3, 7)).astype(np.float32),),
        "attention": tuple(draw((2, 5, 4)).astype(np.float32) for _ in range(3)),
        "distances": (draw((4, 3)).astype(np.float32), draw((6, 3)).astype(np.float32)),
        "positions": (6, 8),
        "clipped": (draw((4, 5)).astype(np.float32),),
    }


def run(folder: Path, framework: str, name: str, arguments: tuple[Any, ...]) -> np.ndarray:
    """The function's result as a NumPy array."""
    (functions,) = load(folder, "functions")
    make = MAKE[framework]
    given = [make(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments]
    return np.asarray(getattr(functions, name)(*given))


@pytest.mark.parametrize("target", ["torch", "jax", "tensorflow"])
def test_there_and_back(target: str, tmp_path: Path) -> None:
    files = {"functions.py": FUNCTIONS.encode()}
    there = converted(files, "numpy", target)
    assert b"import numpy" not in there["functions.py"]
    back = converted(there, target, "numpy")
    for name, content in (("before", files), ("there", there), ("back", back)):
        write(content, tmp_path / name)
    for name, arguments in cases().items():
        expected = run(tmp_path / "before", "numpy", name, arguments)
        np.testing.assert_allclose(run(tmp_path / "there", target, name, arguments), expected, 1e-4, 1e-5, err_msg=name)
        np.testing.assert_allclose(run(tmp_path / "back", "numpy", name, arguments), expected, 1e-4, 1e-5, err_msg=name)
