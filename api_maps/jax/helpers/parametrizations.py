"""Weight and spectral normalisation of a layer's weight.

The layer keeps its class (as a subclass) and its attribute `weight`, which is now computed; the parameters are
flat attributes, weight_g and weight_v or weight_orig, weight_u and weight_v, as in torch.nn.utils.weight_norm
and spectral_norm (torch.nn.utils.parametrizations names them parametrizations.weight.original0, original1 and
parametrizations.weight.original, parametrizations.weight.0._u, _v).
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def norm_except(v: jax.Array, dim: int | None) -> jax.Array:
    """The norm of v over all axes but `dim`, kept; over all axes, [], for None or -1."""
    if dim is None or dim == -1:
        return jnp.sqrt(jnp.sum(v * v))
    axes = tuple(axis for axis in range(v.ndim) if axis != dim % v.ndim)
    return jnp.sqrt(jnp.sum(v * v, axis=axes, keepdims=True))


@functools.cache
def weight_normed_class(base: type, name: str, dim: int | None) -> type:
    """A subclass of `base` whose attribute `name` is g * v / |v|."""

    def weight(self: Any) -> jax.Array:
        v = getattr(self, f"{name}_v")[...]
        return v * (getattr(self, f"{name}_g")[...] / norm_except(v, dim))

    return type(base.__name__, (base,), {"__module__": base.__module__, name: property(weight)})


def weight_norm(module: nnx.Module, name: str = "weight", dim: int | None = 0) -> nnx.Module:
    """Split the parameter `name` of a layer into a length <name>_g along `dim` and a direction <name>_v.

    Changes and returns the layer.
    """
    value = getattr(module, name)[...]
    delattr(module, name)
    setattr(module, f"{name}_g", nnx.Param(norm_except(value, dim)))
    setattr(module, f"{name}_v", nnx.Param(value))
    object.__setattr__(module, "__class__", weight_normed_class(type(module), name, dim))
    return module


def remove_weight_norm(module: nnx.Module, name: str = "weight") -> nnx.Module:
    """Put the current weight back as one parameter; changes and returns the layer."""
    if not isinstance(getattr(type(module), name, None), property):
        raise ValueError(f"weight_norm of {name!r} not found in {type(module).__name__}")
    value = getattr(module, name)
    object.__setattr__(module, "__class__", type(module).__bases__[0])
    for part in (f"{name}_g", f"{name}_v"):
        delattr(module, part)
    setattr(module, name, nnx.Param(value))
    return module


def weight_matrix(weight: jax.Array, dim: int) -> jax.Array:
    """The weight with axis `dim` first and all other axes flattened."""
    return jnp.moveaxis(weight, dim, 0).reshape(weight.shape[dim], -1)


def unit(x: jax.Array, eps: float) -> jax.Array:
    """x / max(|x|, eps)."""
    return x / jnp.maximum(jnp.sqrt(jnp.sum(x * x)), eps)


@functools.cache
def spectral_normed_class(base: type, name: str, dim: int, steps: int, eps: float) -> type:
    """A subclass of `base` whose attribute `name` is divided by its largest singular value."""

    def weight(self: Any) -> jax.Array:
        value = getattr(self, f"{name}_orig")[...]
        u, v = getattr(self, f"{name}_u")[...], getattr(self, f"{name}_v")[...]
        return value / jnp.dot(u, weight_matrix(value, dim) @ v)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.deterministic:
            power_iterations(self, name, dim, steps, eps)
        return base.__call__(self, *args, **kwargs)

    members = {"__module__": base.__module__, name: property(weight), "__call__": call}
    return type(base.__name__, (base,), members)


def power_iterations(module: nnx.Module, name: str, dim: int, steps: int, eps: float) -> None:
    """Move the estimates of the first singular vectors of the weight by some steps, without gradient."""
    matrix = jax.lax.stop_gradient(weight_matrix(getattr(module, f"{name}_orig")[...], dim))
    left, right = getattr(module, f"{name}_u"), getattr(module, f"{name}_v")
    u, v = left[...], right[...]
    for _ in range(steps):
        v = unit(matrix.T @ u, eps)
        u = unit(matrix @ v, eps)
    left[...], right[...] = u, v


def spectral_norm(
    module: nnx.Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
    *,
    rngs: nnx.Rngs,
) -> nnx.Module:
    """Divide the parameter `name` of a layer by its largest singular value, estimated by power iteration.

    Each call in training makes `n_power_iterations` more; `dim` defaults to the axis of the outputs, which is
    1 in transposed convolutions. Changes and returns the layer.
    """
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    parameter = getattr(module, name)
    matrix = weight_matrix(parameter[...], dim)
    delattr(module, name)
    setattr(module, f"{name}_orig", parameter)
    for part, size in zip("uv", matrix.shape, strict=True):
        start = unit(jax.random.normal(rngs.params(), (size,), matrix.dtype), eps)
        setattr(module, f"{name}_{part}", nnx.BatchStat(start))
    module.deterministic = False
    power_iterations(module, name, dim, 15, eps)
    object.__setattr__(
        module, "__class__", spectral_normed_class(type(module), name, dim, n_power_iterations, eps)
    )
    return module
