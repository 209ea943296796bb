"""Torch's multi-head attention as a function of its weights."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from .attention import additive_mask, safe_softmax
from .dropout import dropout


def split_heads(x: jax.Array, num_heads: int) -> jax.Array:
    """[L, N, E] to [N, num_heads, L, E / num_heads]."""
    return jnp.transpose(x.reshape(*x.shape[:2], num_heads, -1), (1, 2, 0, 3))


def project_in(
    inputs: tuple[jax.Array, jax.Array, jax.Array], weights: tuple[jax.Array, ...], bias: jax.Array | None
) -> list[jax.Array]:
    """Query, key and value [L, N, ...] times their weights [E, ...], plus their parts of bias [3 * E]."""
    projected = [jnp.matmul(x, weight.T) for x, weight in zip(inputs, weights, strict=True)]
    if bias is None:
        return projected
    return [x + part for x, part in zip(projected, jnp.split(bias, 3), strict=True)]


def attention_mask(
    attn_mask: jax.Array | None, key_padding_mask: jax.Array | None, batch: int, added: int, dtype: jnp.dtype
) -> jax.Array | None:
    """Both masks as one float array that broadcasts to [N, heads, L, S + added]; added keys are never blocked."""
    mask, padding = additive_mask(attn_mask, dtype), additive_mask(key_padding_mask, dtype)
    if mask is not None:
        mask = jnp.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, added)])
        mask = mask.reshape(batch, -1, *mask.shape[1:]) if mask.ndim == 3 else mask
    if padding is None:
        return mask
    padding = jnp.pad(padding.reshape(batch, -1), [(0, 0), (0, added)])[:, None, None]
    return padding if mask is None else mask + padding


def multi_head_attention_forward(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    num_heads: int,
    in_proj_weight: jax.Array | None,
    in_proj_bias: jax.Array | None,
    bias_k: jax.Array | None,
    bias_v: jax.Array | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: jax.Array,
    out_proj_bias: jax.Array | None,
    training: bool = True,
    key_padding_mask: jax.Array | None = None,
    need_weights: bool = True,
    attn_mask: jax.Array | None = None,
    q_proj_weight: jax.Array | None = None,
    k_proj_weight: jax.Array | None = None,
    v_proj_weight: jax.Array | None = None,
    average_attn_weights: bool = True,
    *,
    dropout_key: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array | None]:
    """query [L, N, E], key and value [S, N, ...] (N may be absent) to [L, N, E] and weights [N, L, S] or None.

    in_proj_weight [3 * E, E], or None and the three others apart; bias_k and bias_v [1, 1, E] are one more key and
    value. Masks block where True, or are added: attn_mask [L, S] or [N * heads, L, S], key_padding_mask [N, S].
    """
    unbatched = query.ndim == 2
    if unbatched:
        query, key, value = query[:, None], key[:, None], value[:, None]
    batch, width = query.shape[1:]
    parts = (q_proj_weight, k_proj_weight, v_proj_weight)
    weights = parts if in_proj_weight is None else tuple(jnp.split(in_proj_weight, 3))
    q, k, v = project_in((query, key, value), weights, in_proj_bias)
    if bias_k is not None:
        k, v = (jnp.concatenate([x, jnp.tile(more, (1, batch, 1))]) for x, more in ((k, bias_k), (v, bias_v)))
    if add_zero_attn:
        k, v = (jnp.pad(x, [(0, 1), (0, 0), (0, 0)]) for x in (k, v))
    added = (bias_k is not None) + bool(add_zero_attn)
    q, k, v = (split_heads(x, num_heads) for x in (q, k, v))
    scores = jnp.matmul(q / math.sqrt(width // num_heads), jnp.swapaxes(k, -2, -1))
    mask = attention_mask(attn_mask, key_padding_mask, batch, added, scores.dtype)
    scores = scores if mask is None else scores + mask
    # Torch's path without weights gives zeros for a row that is masked altogether, the other one NaN.
    probabilities = jax.nn.softmax(scores, axis=-1) if need_weights else safe_softmax(scores)
    if dropout_p and training:
        probabilities = dropout(probabilities, dropout_p, key=dropout_key)
    y = jnp.transpose(jnp.matmul(probabilities, v), (2, 0, 1, 3)).reshape(-1, batch, width)
    y = jnp.matmul(y, out_proj_weight.T)
    y = y if out_proj_bias is None else y + out_proj_bias
    y = y[:, 0] if unbatched else y
    if not need_weights:
        return y, None
    probabilities = jnp.mean(probabilities, axis=1) if average_attn_weights else probabilities
    return y, probabilities[0] if unbatched else probabilities
