"""Clipping and accumulating gradients as torch does, on any pytree of gradients."""

from typing import Any

import jax
import jax.numpy as jnp


def gradient_norm(grads: Any, norm_type: float = 2.0) -> jax.Array:
    """The `norm_type`-norm (`inf` allowed) of all gradients as one vector; 0 if there are none."""
    sizes = [jnp.abs(leaf).astype(jnp.promote_types(leaf.dtype, jnp.float32)) for leaf in jax.tree.leaves(grads)]
    if not sizes:
        return jnp.zeros(())
    if norm_type == float("inf"):
        return jnp.stack([jnp.max(size, initial=0) for size in sizes]).max()
    if norm_type == 2:
        return jnp.sqrt(jnp.stack([(size * size).sum() for size in sizes]).sum())
    return jnp.stack([(size**norm_type).sum() for size in sizes]).sum() ** (1 / norm_type)


def clip_grad_norm(
    grads: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> tuple[Any, jax.Array]:
    """Gradients scaled so that their norm is at most `max_norm`, and the norm they had.

    `error_if_nonfinite` only works outside jit. A non-finite norm otherwise spreads into the gradients.
    """
    total_norm = gradient_norm(grads, norm_type)
    if error_if_nonfinite and not bool(jnp.isfinite(total_norm)):
        raise RuntimeError(f"The total norm of order {norm_type} for gradients is non-finite, so it cannot be clipped.")
    scale = jnp.minimum(max_norm / (total_norm + 1e-6), 1.0)
    return jax.tree.map(lambda gradient: (gradient * scale).astype(gradient.dtype), grads), total_norm


def clip_grad_value(grads: Any, clip_value: float) -> Any:
    """Gradients with every entry limited to `[-clip_value, clip_value]`."""
    return jax.tree.map(lambda gradient: jnp.clip(gradient, -clip_value, clip_value), grads)


def add_gradients(first: Any, second: Any) -> Any:
    """The sum of two sets of gradients, as repeated `backward()` calls leave it; either may be None."""
    if first is None or second is None:
        return second if first is None else first
    return jax.tree.map(jnp.add, first, second)


def zero_gradients(grads: Any) -> Any:
    """Zeros shaped like `grads`."""
    return jax.tree.map(jnp.zeros_like, grads)
