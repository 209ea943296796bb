"""Numerical differentiation and integration, and histograms, with torch's arguments."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


def difference_quotients(x: jax.Array, spacing, axis: int, edge_order: int) -> jax.Array:
    """Estimates of the derivative along `axis`, of second order inside and of `edge_order` at both ends.

    `spacing` is the distance of samples, or their coordinates along the axis.
    """
    x = jnp.moveaxis(x, axis, -1)
    positions = jnp.asarray(spacing)
    steps = jnp.diff(positions) if positions.ndim else jnp.broadcast_to(positions, x.shape[-1] - 1)
    slopes = jnp.diff(x) / steps
    before, after = steps[:-1], steps[1:]
    inside = (slopes[..., :-1] * after + slopes[..., 1:] * before) / (before + after)
    first, last = slopes[..., :1], slopes[..., -1:]
    if edge_order == 2:
        first = first + (first - inside[..., :1])
        last = last + (last - inside[..., -1:])
    return jnp.moveaxis(jnp.concatenate([first, inside, last], -1), -1, axis)


def gradient(x, spacing=1, axis=None, edge_order: int = 1) -> tuple[jax.Array, ...]:
    """Estimates of the partial derivatives of samples along the axes (None: all), one array for each.

    `spacing` is one distance for all axes, or for each axis a distance or the coordinates of its samples.
    """
    x = jnp.asarray(x)
    x = x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    spacings = spacing if isinstance(spacing, (list, tuple)) else [spacing] * len(axes)
    return tuple(difference_quotients(x, one, place, edge_order) for one, place in zip(spacings, axes, strict=True))


def cumulative_trapezoid(y, x=None, dx=1, axis: int = -1) -> jax.Array:
    """The integral up to each sample but the first along `axis`, by the trapezoid rule.

    `x` holds the coordinates along the axis, or for every sample; else samples are `dx` apart.
    """
    y = jnp.moveaxis(jnp.asarray(y), axis, -1)
    if x is None:
        widths = dx
    else:
        x = jnp.asarray(x)
        widths = jnp.diff(x if x.ndim == 1 else jnp.moveaxis(x, axis, -1))
    return jnp.moveaxis(jnp.cumsum((y[..., 1:] + y[..., :-1]) / 2 * widths, -1), -1, axis)


class Histogram(NamedTuple):
    """Counts, or weights, or densities, and the edges of the bins."""

    hist: jax.Array
    bin_edges: jax.Array


def histogram(x, bins, range=None, weight=None, density: bool = False) -> Histogram:
    """How many entries of `x` lie in each of `bins` equal parts of `range` (None: from smallest to largest).

    `bins` may also be the edges themselves. The last bin includes its upper end. The counts have the dtype of `x`.
    """
    x = jnp.asarray(x)
    counts, edges = jnp.histogram(x, bins, range, weight, density)
    return Histogram(counts.astype(x.dtype), edges.astype(x.dtype))


class HistogramOfPoints(NamedTuple):
    """Counts, or weights, or densities, and the edges of the bins along each coordinate."""

    hist: jax.Array
    bin_edges: tuple[jax.Array, ...]


def histogramdd(x, bins, range=None, weight=None, density: bool = False) -> HistogramOfPoints:
    """How many of the points `[..., d]` lie in each cell of a grid.

    `bins` gives the number of bins along each coordinate, or one for all, or their edges; `range` lists lower and
    upper ends in turn.
    """
    x = jnp.asarray(x)
    points = x.reshape(-1, x.shape[-1])
    bins = list(bins) if isinstance(bins, tuple) else bins
    ends = None if range is None else list(zip(range[::2], range[1::2], strict=True))
    weights = None if weight is None else jnp.ravel(weight)
    counts, edges = jnp.histogramdd(points, bins, ends, weights, density)
    return HistogramOfPoints(counts.astype(x.dtype), tuple(edge.astype(x.dtype) for edge in edges))
