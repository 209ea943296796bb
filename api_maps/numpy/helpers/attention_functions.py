"""Torch's multi-head attention as a function of its weights."""

import math

import numpy as np
import scipy.special

from .dropout import dropout


def split_heads(x: np.ndarray, num_heads: int) -> np.ndarray:
    """[L, N, E] to [N, num_heads, L, E / num_heads]."""
    return np.transpose(x.reshape(*x.shape[:2], num_heads, -1), (1, 2, 0, 3))


def additive_mask(mask, dtype) -> np.ndarray | None:
    """A boolean mask, True where blocked, as what is added to the scores; masks of numbers are that already."""
    if mask is None:
        return None
    mask = np.asarray(mask)
    return np.where(mask, -np.inf, 0.0).astype(dtype) if mask.dtype == np.bool_ else mask.astype(dtype)


def attention_mask(attn_mask, key_padding_mask, batch: int, added: int, dtype) -> np.ndarray | None:
    """Both masks as one float array that broadcasts to [N, heads, L, S + added]; added keys are never blocked."""
    mask, padding = additive_mask(attn_mask, dtype), additive_mask(key_padding_mask, dtype)
    if mask is not None:
        mask = np.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, added)])
        mask = mask.reshape(batch, -1, *mask.shape[1:]) if mask.ndim == 3 else mask
    if padding is None:
        return mask
    padding = np.pad(padding.reshape(batch, -1), [(0, 0), (0, added)])[:, None, None]
    return padding if mask is None else mask + padding


def multi_head_attention_forward(
    query,
    key,
    value,
    num_heads: int,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight,
    out_proj_bias,
    training: bool = True,
    key_padding_mask=None,
    need_weights: bool = True,
    attn_mask=None,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    average_attn_weights: bool = True,
) -> tuple[np.ndarray, np.ndarray | None]:
    """query [L, N, E], key and value [S, N, ...] (N may be absent) to [L, N, E] and weights [N, L, S] or None.

    in_proj_weight [3 * E, E], or None and the three others apart; bias_k and bias_v [1, 1, E] are one more key and
    value. Masks block where True, or are added: attn_mask [L, S] or [N * heads, L, S], key_padding_mask [N, S].
    """
    unbatched = query.ndim == 2
    if unbatched:
        query, key, value = query[:, None], key[:, None], value[:, None]
    batch, width = query.shape[1:]
    parts = (q_proj_weight, k_proj_weight, v_proj_weight)
    weights = parts if in_proj_weight is None else tuple(np.split(in_proj_weight, 3))
    q, k, v = (x @ weight.T for x, weight in zip((query, key, value), weights, strict=True))
    if in_proj_bias is not None:
        q, k, v = (x + part for x, part in zip((q, k, v), np.split(in_proj_bias, 3), strict=True))
    if bias_k is not None:
        k, v = (np.concatenate([x, np.tile(more, (1, batch, 1))]) for x, more in ((k, bias_k), (v, bias_v)))
    if add_zero_attn:
        k, v = (np.pad(x, [(0, 1), (0, 0), (0, 0)]) for x in (k, v))
    added = (bias_k is not None) + bool(add_zero_attn)
    q, k, v = (split_heads(x, num_heads) for x in (q, k, v))
    scores = q / math.sqrt(width // num_heads) @ np.swapaxes(k, -2, -1)
    mask = attention_mask(attn_mask, key_padding_mask, batch, added, scores.dtype)
    scores = scores if mask is None else scores + mask
    # Torch's path without weights gives zeros for a row that is masked altogether, the other one NaN.
    blocked = np.all(scores == -np.inf, axis=-1, keepdims=True) & (not need_weights)
    probabilities = np.where(blocked, 0, scipy.special.softmax(np.where(blocked, 0, scores), axis=-1))
    probabilities = dropout(probabilities.astype(scores.dtype), dropout_p, training)
    y = np.transpose(probabilities @ v, (2, 0, 1, 3)).reshape(-1, batch, width) @ out_proj_weight.T
    y = y if out_proj_bias is None else y + out_proj_bias
    y = y[:, 0] if unbatched else y
    if not need_weights:
        return y, None
    probabilities = np.mean(probabilities, axis=1) if average_attn_weights else probabilities
    return y, probabilities[0] if unbatched else probabilities
