"""Runs one call in torch and its converted form, and compares values, shapes, dtype kinds and gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

RELATIVE, ABSOLUTE = 1e-4, 2e-5


class InvalidCall(Exception):
    """torch itself refuses the call."""


def leaves(value: Any) -> list[Any]:
    """Arrays and plain values of a result, in order."""
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def plain(leaf: Any) -> Any:
    """A leaf as a NumPy array, Python value, or the name of an element type."""
    if isinstance(leaf, torch.Tensor):
        leaf = leaf.detach().resolve_conj()
        return leaf.float().numpy() if leaf.dtype == torch.bfloat16 else leaf.numpy()
    if isinstance(leaf, (jax.Array, np.ndarray, np.generic)):
        array = np.asarray(leaf)
        return array.astype(np.float32) if array.dtype == jnp.bfloat16 else array
    if isinstance(leaf, torch.dtype):
        return str(leaf).removeprefix("torch.")
    if isinstance(leaf, (np.dtype, type)):
        return np.dtype(leaf).name
    return leaf


def weights(value: np.ndarray, index: int) -> np.ndarray:
    """What an output is multiplied with before the gradient is taken: no symmetry may hide an error."""
    return np.random.default_rng(index).uniform(0.5, 1.5, np.shape(value)).astype(np.float32)


def run_torch(function: Callable[..., Any], arrays: Mapping[str, np.ndarray]) -> tuple[list[Any], list[int], Any]:
    """Results, the positions of those with a gradient, and the gradients by argument (None if there are none).

    Raises InvalidCall when torch refuses.
    """
    inputs = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    for tensor in inputs.values():
        tensor.requires_grad_(tensor.dtype == torch.float32)
    try:
        results = leaves(function(**inputs))
    except (RuntimeError, TypeError, IndexError, ValueError, NotImplementedError, AssertionError) as error:
        raise InvalidCall(str(error)) from None
    followed = [i for i, leaf in enumerate(results) if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
    gradients = None
    if followed:
        try:
            total = sum((_real(results[i]) * torch.from_numpy(weights(plain(results[i]), i))).sum() for i in followed)
            total.backward()  # type: ignore[union-attr]
            gradients = {
                name: np.zeros(tensor.shape, np.float32) if tensor.grad is None else tensor.grad.numpy()
                for name, tensor in inputs.items() if tensor.requires_grad
            }  # fmt: skip
        except (RuntimeError, NotImplementedError):
            followed = []
    return [plain(leaf) for leaf in results], followed, gradients


def _real(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.real + 0.5 * value.imag if value.is_complex() else value
    return jnp.real(value) + 0.5 * jnp.imag(value) if jnp.iscomplexobj(value) else value


def run_jax(
    function: Callable[..., Any], arrays: Mapping[str, np.ndarray], followed: list[int]
) -> tuple[list[Any], Any]:
    """Results, and the gradients with respect to float arguments of the results at `followed`."""
    inputs = {name: jnp.asarray(array) for name, array in arrays.items()}
    if not followed:
        return [plain(leaf) for leaf in leaves(function(**inputs))], None
    floating = {name: array for name, array in inputs.items() if array.dtype == jnp.float32}
    others = {name: array for name, array in inputs.items() if name not in floating}

    def total(floating: dict[str, jax.Array]) -> Any:
        out = leaves(function(**floating, **others))
        return sum((_real(out[i]) * weights(out[i], i)).sum() for i in followed), out

    gradients, results = jax.grad(total, has_aux=True)(floating)
    return [plain(leaf) for leaf in results], gradients


def run_numpy(function: Callable[..., Any], arrays: Mapping[str, np.ndarray]) -> list[Any]:
    """Results."""
    with np.errstate(all="ignore"):
        return [plain(leaf) for leaf in leaves(function(**{name: np.array(array) for name, array in arrays.items()}))]


def _kind(value: Any) -> str:
    kind = np.asarray(value).dtype.kind
    return "i" if kind == "u" else kind


def compare(expected: list[Any], actual: list[Any]) -> str:
    """What differs, or ''."""
    if len(expected) != len(actual):
        return f"{len(expected)} results, but {len(actual)} after conversion"
    for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
        if isinstance(one, str):
            if str(other) not in (one, {"int64": "int32"}.get(one)):
                return f"result {index}: {one} became {other}"
            continue
        if np.shape(one) != np.shape(other):
            return f"result {index}: shape {np.shape(one)} became {np.shape(other)}"
        if _kind(one) != _kind(other):
            return f"result {index}: dtype {np.asarray(one).dtype} became {np.asarray(other).dtype}"
        if not np.allclose(one, other, RELATIVE, ABSOLUTE, equal_nan=True):
            return f"result {index}: {one!r} became {other!r}"
    return ""


def compare_gradients(expected: Mapping[str, np.ndarray], actual: Mapping[str, Any]) -> str:
    """What differs, or ''; where torch has no finite gradient none is asked for."""
    for name, gradient in expected.items():
        other = np.asarray(actual[name])
        finite = np.isfinite(gradient)
        if not np.allclose(gradient[finite], other[finite], RELATIVE, ABSOLUTE):
            return f"gradient of {name}: {gradient!r} became {other!r}"
    return ""
