"""Embedding tables; an index outside the table gives NaN, because compiled code cannot raise as torch does."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx


def table_rows(indices: jax.Array, weight: jax.Array, padding_idx: int | None) -> jax.Array:
    """weight[indices], NaN outside the table, without a gradient into row `padding_idx`."""
    indices, weight = jnp.asarray(indices), jnp.asarray(weight)
    # A negative index would count from the end; sent past the end it is filled instead.
    rows = jnp.where(indices < 0, weight.shape[0], indices)
    values = weight.at[rows].get(mode="fill", fill_value=jnp.nan)
    if padding_idx is None:
        return values
    row = padding_idx % weight.shape[0]
    return jnp.where((indices == row)[..., None], jax.lax.stop_gradient(values), values)


def embedding(indices: jax.Array, weight: jax.Array, padding_idx: int | None = None) -> jax.Array:
    """Rows of weight [V, D] at integer indices [...]: [..., D]. `padding_idx` gets no gradient."""
    return table_rows(indices, weight, padding_idx)


def embedding_bag(
    indices: jax.Array,
    weight: jax.Array,
    offsets: jax.Array | None = None,
    mode: str = "mean",
    per_sample_weights: jax.Array | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> jax.Array:
    """Sum, mean or maximum of table rows per bag: [B, D].

    indices [B, N], or [N] with `offsets` [B], the start of each bag. Rows `padding_idx` do not count, and an
    empty bag is zero. As in torch, indices and weight may come in the order of old code.
    """
    indices, weight = jnp.asarray(indices), jnp.asarray(weight)
    if jnp.issubdtype(weight.dtype, jnp.integer):
        indices, weight = weight, indices
    if indices.ndim == 2:
        count, length = indices.shape
        bag = jnp.repeat(jnp.arange(count), length)
        indices = indices.reshape(-1)
    else:
        starts = jnp.asarray(offsets)
        count = starts.shape[0] - int(include_last_offset)
        bag = jnp.searchsorted(starts[:count], jnp.arange(indices.shape[0]), side="right") - 1
    values = table_rows(indices, weight, padding_idx)
    counted = jnp.ones(indices.shape, bool)
    if padding_idx is not None:
        counted = indices != padding_idx % jnp.shape(weight)[0]
    if per_sample_weights is not None:
        if mode != "sum":
            raise ValueError("per_sample_weights is only supported for mode='sum'")
        values = values * jnp.reshape(per_sample_weights, (-1, 1))
    if mode == "max":
        return bag_maximum(values, counted, bag, count)
    total = jax.ops.segment_sum(jnp.where(counted[:, None], values, 0), bag, count)
    if mode == "sum":
        return total
    sizes = jax.ops.segment_sum(counted.astype(total.dtype), bag, count)
    return total / jnp.maximum(sizes, 1)[:, None]


def bag_maximum(values: jax.Array, counted: jax.Array, bag: jax.Array, count: int) -> jax.Array:
    """The largest of values [N, D] in each bag, zero for an empty one; the first of equals gets the gradient."""
    length = values.shape[0]
    hidden = jnp.where(counted[:, None], jax.lax.stop_gradient(values), -jnp.inf)
    top = jax.ops.segment_max(hidden, bag, count)
    position = jnp.where((hidden == top[bag]) & counted[:, None], jnp.arange(length)[:, None], length)
    first = jax.ops.segment_min(position, bag, count)
    padded = jnp.concatenate([values, jnp.zeros((1, values.shape[1]), values.dtype)])
    return jnp.take_along_axis(padded, jnp.minimum(first, length), axis=0)


def initial_table(
    num_embeddings: int, embedding_dim: int, padding_idx: int | None, rngs: nnx.Rngs
) -> nnx.Param:
    """A table of standard normal values, zero at row `padding_idx`."""
    table = jax.random.normal(rngs.params(), (num_embeddings, embedding_dim), jnp.float32)
    return nnx.Param(table if padding_idx is None else table.at[padding_idx].set(0))


def checked_padding_index(padding_idx: int | None, num_embeddings: int) -> int | None:
    """`padding_idx` counted from the start of the table; ValueError outside it."""
    if padding_idx is None:
        return None
    if not -num_embeddings <= padding_idx < num_embeddings:
        raise ValueError(f"padding_idx {padding_idx} must be within num_embeddings {num_embeddings}")
    return padding_idx % num_embeddings


class Embedding(nnx.Module):
    """Integer indices [...] to rows [..., embedding_dim] of weight [num_embeddings, embedding_dim]."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, rngs: nnx.Rngs
    ):
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = checked_padding_index(padding_idx, num_embeddings)
        self.weight = initial_table(num_embeddings, embedding_dim, self.padding_idx, rngs)

    def __call__(self, indices: jax.Array) -> jax.Array:
        return embedding(indices, self.weight, self.padding_idx)


def embedding_from_pretrained(
    embeddings: jax.Array, freeze: bool = True, padding_idx: int | None = None
) -> Embedding:
    """A layer over the table `embeddings` [V, D]; frozen, its weight is a Variable and not a Param."""
    layer = Embedding(*jnp.shape(embeddings), padding_idx, rngs=nnx.Rngs(0))
    layer.weight = (nnx.Variable if freeze else nnx.Param)(jnp.asarray(embeddings))
    return layer


class EmbeddingBag(nnx.Module):
    """Bags of indices, [B, N] or [N] with offsets [B], to the sum, mean or maximum of their rows [B, D]."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        *,
        rngs: nnx.Rngs,
    ):
        if mode not in ("sum", "mean", "max"):
            raise ValueError(f"mode must be sum, mean or max, got {mode!r}")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.mode = mode
        self.include_last_offset = include_last_offset
        self.padding_idx = checked_padding_index(padding_idx, num_embeddings)
        self.weight = initial_table(num_embeddings, embedding_dim, self.padding_idx, rngs)

    def __call__(
        self,
        indices: jax.Array,
        offsets: Sequence[int] | jax.Array | None = None,
        per_sample_weights: jax.Array | None = None,
    ) -> jax.Array:
        return embedding_bag(
            indices,
            self.weight,
            offsets,
            self.mode,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
