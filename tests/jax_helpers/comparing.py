"""One torch call and one JAX call on the same inputs: same results, same gradients."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def integers(*shape: int, high: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, shape)


def results(value: Any) -> list:
    return list(value) if isinstance(value, (tuple, list)) else [value]


def same(
    torch_function: Callable,
    jax_function: Callable,
    *arrays: np.ndarray,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    gradients: bool = True,
    jit: bool = True,
) -> None:
    """Assert equal outputs, kinds of dtype, and gradients with respect to every float array."""
    is_float = [np.issubdtype(a.dtype, np.floating) for a in arrays]
    inputs = [torch.tensor(a, requires_grad=bool(f) and gradients) for a, f in zip(arrays, is_float, strict=True)]
    expected = results(torch_function(*inputs))
    for function in (jax_function, jax.jit(jax_function)) if jit else (jax_function,):
        actual = results(function(*map(jnp.asarray, arrays)))
        assert len(actual) == len(expected)
        for want, have in zip(expected, actual, strict=True):
            want = want.detach().numpy()
            assert want.dtype.kind == np.asarray(have).dtype.kind, (want.dtype, have.dtype)
            np.testing.assert_allclose(np.asarray(have), want, rtol=rtol, atol=atol)
    if not gradients or not any(is_float):
        return
    weights = [floats(*want.shape, seed=7) for want in expected]
    used = [i for i, want in enumerate(expected) if want.requires_grad]
    sum((expected[i] * torch.tensor(weights[i])).sum() for i in used).backward()

    def scalar(*values):
        outputs = results(jax_function(*values))
        return sum((outputs[i] * weights[i]).sum() for i in used)

    numbers = tuple(i for i, f in enumerate(is_float) if f)
    for number, have in zip(numbers, jax.grad(scalar, argnums=numbers)(*map(jnp.asarray, arrays)), strict=True):
        gradient = inputs[number].grad
        want = np.zeros_like(arrays[number]) if gradient is None else gradient.numpy()
        np.testing.assert_allclose(
            np.asarray(have), want, rtol=10 * rtol, atol=10 * atol, err_msg=f"gradient of argument {number}"
        )
