"""Embedding tables as functions."""

import numpy as np


def table_rows(indices, weight) -> np.ndarray:
    """weight [V, D] at integer indices [...]; IndexError outside the table, also for negative indices."""
    indices = np.asarray(indices)
    if indices.size and indices.min() < 0:
        raise IndexError(f"index {indices.min()} is out of range of the embedding table")
    return np.asarray(weight)[indices]


def embedding(indices, weight, padding_idx: int | None = None) -> np.ndarray:
    """Rows of weight [V, D] at integer indices [...]: [..., D]. `padding_idx` matters for gradients only."""
    return table_rows(indices, weight)


def embedding_bag(
    indices,
    weight,
    offsets=None,
    mode: str = "mean",
    per_sample_weights=None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> np.ndarray:
    """Sum, mean or maximum of table rows per bag: [B, D].

    indices [B, N], or [N] with `offsets` [B], the start of each bag. Rows `padding_idx` do not count, and an
    empty bag is zero. As in torch, indices and weight may come in the order of old code.
    """
    indices, weight = np.asarray(indices), np.asarray(weight)
    if np.issubdtype(weight.dtype, np.integer):
        indices, weight = weight, indices
    if indices.ndim == 2:
        count, length = indices.shape
        bag = np.repeat(np.arange(count), length)
        indices = indices.reshape(-1)
    else:
        starts = np.asarray(offsets)
        count = starts.shape[0] - int(include_last_offset)
        bag = np.searchsorted(starts[:count], np.arange(indices.shape[0]), side="right") - 1
    values = table_rows(indices, weight)
    if per_sample_weights is not None:
        if mode != "sum":
            raise ValueError("per_sample_weights is only supported for mode='sum'")
        values = values * np.reshape(per_sample_weights, (-1, 1))
    if padding_idx is not None:
        counted = indices != padding_idx % weight.shape[0]
        bag, values = bag[counted], values[counted]
    sizes = np.bincount(bag, minlength=count)[:, None]
    if mode == "max":
        result = np.full((count, weight.shape[1]), -np.inf, values.dtype)
        np.maximum.at(result, bag, values)
        return np.where(sizes > 0, result, 0)
    total = np.zeros((count, weight.shape[1]), values.dtype)
    np.add.at(total, bag, values)
    return total if mode == "sum" else total / np.maximum(sizes, 1).astype(values.dtype)
