"""Finite differences, running integrals and combinations, as torch defines them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np


def gradient(x, *, spacing=1, axis=None, edge_order: int = 1) -> tuple[jax.Array, ...]:
    """The derivative of the samples `x` along each axis in `axis` (int or sequence; None: all).

    `spacing` is the distance between samples, or one for each axis: a number, or the 1-D coordinates of the samples.
    Differences are central inside and of order `edge_order` (1 or 2) at both ends.
    """
    x = jnp.asarray(x)
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    spacing = 1 if spacing is None else spacing
    spacings = spacing if isinstance(spacing, (list, tuple)) else [spacing] * len(axes)
    return tuple(derivative(x, step, a, edge_order) for a, step in zip(axes, spacings, strict=True))


def derivative(x: jax.Array, spacing, axis: int, edge_order: int) -> jax.Array:
    """The derivative of `x` along `axis`, by the three points around each."""
    x = jnp.moveaxis(x, axis, -1)
    if jnp.ndim(spacing) == 0:
        spacing = jnp.full(x.shape[-1] - 1, spacing)
        before, behind = spacing[:-1], spacing[1:]
    else:
        spacing = jnp.diff(spacing)
        before, behind = spacing[:-1], spacing[1:]
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(float)
    slopes = jnp.diff(x) / spacing
    inside = (slopes[..., :-1] * behind + slopes[..., 1:] * before) / (before + behind)
    first, last = slopes[..., :1], slopes[..., -1:]
    if edge_order == 2:
        # The slope of the parabola through three points, at its end.
        first = first + (first - slopes[..., 1:2]) * (before / (before + behind))[:1]
        last = last + (last - slopes[..., -2:-1]) * (behind / (before + behind))[-1:]
    return jnp.moveaxis(jnp.concatenate([first, inside, last], axis=-1), -1, axis)


def cumulative_trapezoid(y, x=None, *, dx=1, axis: int = -1) -> jax.Array:
    """The running integral of `y` along `axis` by the trapezoid rule, one entry shorter than `y`.

    The samples lie at `x`, 1-D or broadcastable to `y`, or at a distance of `dx`.
    """
    y = jnp.asarray(y)
    if x is not None:
        x = jnp.asarray(x)
        if x.ndim == 1:
            x = x.reshape([-1 if a == axis % y.ndim else 1 for a in range(y.ndim)])
        dx = jnp.diff(x, axis=axis)
    size = y.shape[axis]
    heights = jax.lax.slice_in_dim(y, 1, size, axis=axis) + jax.lax.slice_in_dim(y, 0, max(size - 1, 0), axis=axis)
    return jnp.cumsum(heights * dx / 2, axis)


def combinations(x, r: int = 2, with_replacement: bool = False) -> jax.Array:
    """Every choice of `r` entries of the 1-D `x` in order, `[choices, r]`."""
    x = jnp.asarray(x)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    if r == 0:
        return jnp.zeros(0, x.dtype)
    return x[np.array(list(choose(range(x.size), r)), int).reshape(-1, r)]
