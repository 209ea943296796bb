"""Normalisation that also gives the moments it used."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .normalization import accumulation_type, group_norm, layer_norm, trailing_axes


def native_layer_norm(
    x: np.ndarray,
    normalized_shape: Sequence[int],
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`layer_norm` with the mean and the reciprocal of the deviation, [..., 1] for each normalised axis."""
    x = np.asarray(x)
    values, axes = accumulation_type(x), trailing_axes(x, normalized_shape)
    mean, variance = np.mean(values, axes, keepdims=True), np.var(values, axes, keepdims=True)
    return layer_norm(x, normalized_shape, weight, bias, eps), mean, 1 / np.sqrt(variance + eps)


def native_group_norm(
    x: np.ndarray, num_groups: int, weight: np.ndarray | None, bias: np.ndarray | None, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`group_norm` with the mean and the reciprocal of the deviation, [N, num_groups]."""
    x = np.asarray(x)
    values = accumulation_type(x).reshape(x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups)
    mean, variance = np.mean(values, 2), np.var(values, 2)
    return group_norm(x, num_groups, weight, bias, eps), mean, 1 / np.sqrt(variance + eps)
