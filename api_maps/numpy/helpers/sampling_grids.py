"""Sampling images and volumes at the points of a grid, as torch's grid_sample and affine_grid define it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

GRID_MODES = ("bilinear", "nearest", "bicubic")
GRID_PADDINGS = ("zeros", "border", "reflection")


def affine_grid(theta: np.ndarray, size: Sequence[int], align_corners: bool | None = None) -> np.ndarray:
    """The points [N, *spatial, d] at which theta [N, d, d + 1] samples an image or volume of shape `size`.

    `size` is (N, C, *spatial). Points are (x, y[, z]) within -1..1: the centres of the outermost elements with
    `align_corners`, the outer edges without.
    """
    theta = np.asarray(theta)
    axes = []
    for n in size[2:]:
        steps = np.linspace(-1, 1, n, dtype=theta.dtype) if n > 1 else np.zeros(n, theta.dtype)
        axes.append(steps if align_corners else steps * ((n - 1) / n))
    coordinates = np.meshgrid(*axes, indexing="ij")[::-1]
    points = np.stack([*coordinates, np.ones(size[2:], theta.dtype)], axis=-1)
    return np.einsum("...k,ndk->n...d", points, theta)


def element_positions(grid: np.ndarray, size: int, align_corners: bool) -> np.ndarray:
    """Coordinates within -1..1 as positions along an axis of `size` elements."""
    return (grid + 1) / 2 * (size - 1) if align_corners else ((grid + 1) * size - 1) / 2


def reflect_positions(position: np.ndarray, size: int, align_corners: bool) -> np.ndarray:
    """Positions outside reflected at the outermost centres (`align_corners`) or edges."""
    low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
    if span == 0:
        return np.zeros_like(position)
    distance = np.abs(position - low)
    flips = np.floor(distance / span)
    rest = distance - flips * span
    return np.where(flips % 2 == 0, rest, span - rest) + low


def padded_positions(position: np.ndarray, size: int, padding_mode: str, align_corners: bool) -> np.ndarray:
    """Positions outside brought inside, where the padding mode does that. At the border the gradient is 0."""
    if padding_mode == "reflection":
        position = reflect_positions(position, size, align_corners)
    if padding_mode == "zeros":
        return position
    inside = (position > 0) & (position < size - 1)
    return np.where(inside, position, np.clip(position, 0, size - 1))


def elements_at(x: np.ndarray, indices: Sequence[np.ndarray]) -> np.ndarray:
    """Elements [N, *points, C] of x [N, *spatial, C] at whole positions [N, *points] per axis; 0 outside."""
    batch = np.arange(x.shape[0]).reshape(-1, *(1,) * (indices[0].ndim - 1))
    inside = np.array(True)
    safe = []
    for index, n in zip(indices, x.shape[1:-1], strict=True):
        inside = inside & (index >= 0) & (index < n)
        safe.append(np.clip(index, 0, n - 1))
    return np.where(inside[..., None], x[(batch, *safe)], 0)


def sample_linear(x: np.ndarray, positions: Sequence[np.ndarray]) -> np.ndarray:
    """Linear interpolation of x [N, *spatial, C] between the nearest elements along every axis."""
    floors = [np.floor(position) for position in positions]
    total = np.zeros((), x.dtype)
    for corner in itertools.product((0, 1), repeat=len(positions)):
        weight = np.ones((), x.dtype)
        for position, floor, step in zip(positions, floors, corner, strict=True):
            weight = weight * (position - floor if step else 1 - (position - floor))
        indices = [(floor + step).astype(int) for floor, step in zip(floors, corner, strict=True)]
        total = total + elements_at(x, indices) * weight[..., None]
    return total


def cubic_weights(fraction: np.ndarray) -> list[np.ndarray]:
    """Weights of the four elements around a point by cubic convolution with A = -0.75."""
    a = -0.75

    def near(t: np.ndarray) -> np.ndarray:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: np.ndarray) -> np.ndarray:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(fraction + 1), near(fraction), near(1 - fraction), far(2 - fraction)]


def sample_cubic(x: np.ndarray, positions: Sequence[np.ndarray], padding_mode: str, align_corners: bool) -> np.ndarray:
    """Cubic interpolation of x [N, height, width, C] over 4 x 4 elements, each padded on its own."""
    floors = [np.floor(position) for position in positions]
    weights = [cubic_weights(position - floor) for position, floor in zip(positions, floors, strict=True)]
    total = np.zeros((), x.dtype)
    for steps in itertools.product(range(4), repeat=2):
        taps = [floor + step - 1 for floor, step in zip(floors, steps, strict=True)]
        padded = [
            padded_positions(tap, n, padding_mode, align_corners) for tap, n in zip(taps, x.shape[1:-1], strict=True)
        ]
        weight = weights[0][steps[0]] * weights[1][steps[1]]
        total = total + elements_at(x, [p.astype(int) for p in padded]) * weight[..., None]
    return total


def grid_sample(
    x: np.ndarray,
    grid: np.ndarray,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> np.ndarray:
    """x [N, C, *spatial] at the points of grid [N, *points, d], as [N, C, *points].

    Points are (x, y[, z]) within -1..1, so that the last coordinate belongs to the first spatial axis. mode:
    bilinear (also for volumes), nearest or bicubic (images only); padding_mode: zeros, border or reflection.
    """
    x, grid = np.asarray(x), np.asarray(grid)
    if mode not in GRID_MODES or padding_mode not in GRID_PADDINGS or (mode == "bicubic" and x.ndim != 4):
        raise ValueError(f"grid_sample: mode {mode!r} with padding {padding_mode!r} is not known for {x.ndim} axes")
    if grid.shape[-1] != x.ndim - 2 or x.shape[0] != grid.shape[0]:
        raise ValueError(f"grid_sample: a grid of shape {grid.shape} does not fit an input of shape {x.shape}")
    align = bool(align_corners)
    channels_last = np.moveaxis(x, 1, -1)
    sizes = x.shape[2:]
    positions = [element_positions(grid[..., -1 - axis], n, align) for axis, n in enumerate(sizes)]
    if mode == "bicubic":
        sampled = sample_cubic(channels_last, positions, padding_mode, align)
    else:
        positions = [padded_positions(p, n, padding_mode, align) for p, n in zip(positions, sizes, strict=True)]
        if mode == "nearest":
            sampled = elements_at(channels_last, [np.round(p).astype(int) for p in positions])
        else:
            sampled = sample_linear(channels_last, positions)
    return np.moveaxis(sampled, -1, 1)
