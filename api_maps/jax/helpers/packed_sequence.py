"""Sequences of different lengths: kept padded, with their lengths, where torch packs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp


class PackedSequence(NamedTuple):
    """data [T, N, ...] with zeros behind the end of each sequence, lengths [N]."""

    data: jax.Array
    lengths: jax.Array


def pack_padded_sequence(
    x: jax.Array,
    lengths: jax.Array | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Padded sequences [T, N, ...] or [N, T, ...] with their lengths; the order of the batch never changes."""
    data, sizes = jnp.asarray(x), jnp.asarray(lengths)
    data = jnp.swapaxes(data, 0, 1) if batch_first else data
    inside = jnp.arange(data.shape[0])[:, None] < sizes
    return PackedSequence(jnp.where(inside.reshape(inside.shape + (1,) * (data.ndim - 2)), data, 0), sizes)


def pack_sequence(sequences: Sequence[jax.Array], enforce_sorted: bool = True) -> PackedSequence:
    """Arrays [T_i, ...] as one; the order of the batch never changes."""
    lengths = jnp.asarray([jnp.shape(sequence)[0] for sequence in sequences])
    return PackedSequence(pad_sequence(sequences), lengths)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """The padded array and the lengths [N].

    The time axis ends with the longest sequence, or has `total_length`. Under `jax.jit`, where lengths are not
    known, it keeps the length it was packed with.
    """
    data, lengths = sequence
    if total_length is not None:
        widths = [(0, max(total_length - data.shape[0], 0))] + [(0, 0)] * (data.ndim - 1)
        data = jnp.pad(data, widths)[:total_length]
    elif not isinstance(lengths, jax.core.Tracer):
        data = data[: int(lengths.max())]
    inside = jnp.arange(data.shape[0])[:, None] < lengths
    data = jnp.where(inside.reshape(inside.shape + (1,) * (data.ndim - 2)), data, padding_value)
    return (jnp.swapaxes(data, 0, 1) if batch_first else data), lengths


def pad_sequence(
    sequences: Sequence[jax.Array],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> jax.Array:
    """Arrays [T_i, ...] padded to the longest and stacked: [T, N, ...], or [N, T, ...] with batch_first."""
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side must be left or right, got {padding_side!r}")
    arrays = [jnp.asarray(array) for array in sequences]
    longest = max(array.shape[0] for array in arrays)
    padded = []
    for array in arrays:
        missing = longest - array.shape[0]
        widths = [(missing, 0) if padding_side == "left" else (0, missing)] + [(0, 0)] * (array.ndim - 1)
        padded.append(jnp.pad(array, widths, constant_values=padding_value))
    return jnp.stack(padded, axis=0 if batch_first else 1)
