"""Attention as a function."""

import numpy as np
import scipy.special

from .dropout import dropout


def scaled_dot_product_attention(
    query,
    key,
    value,
    attn_mask=None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> np.ndarray:
    """`softmax(query @ key.T * scale + mask) @ value`, shapes `[..., heads, length, features]`.

    `attn_mask` is added to the scores, or, if boolean, is True where attention is allowed. `is_causal` allows
    position i to see 0..i, counted from the first of both sequences. A row in which nothing is allowed gives 0, not
    NaN. `enable_gqa` repeats key and value heads to match the query's.
    """
    query, key, value = np.asarray(query), np.asarray(key), np.asarray(value)
    if enable_gqa:
        key = np.repeat(key, query.shape[-3] // key.shape[-3], -3)
        value = np.repeat(value, query.shape[-3] // value.shape[-3], -3)
    if scale is None:
        scale = query.shape[-1] ** -0.5
    scores = query @ np.swapaxes(key, -2, -1) * float(scale)
    if is_causal:
        if attn_mask is not None:
            raise ValueError("scaled_dot_product_attention: give attn_mask or is_causal, not both")
        attn_mask = np.tri(scores.shape[-2], scores.shape[-1], dtype=bool)
    if attn_mask is not None:
        attn_mask = np.asarray(attn_mask)
        scores = np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == np.bool_ else scores + attn_mask
    blocked = np.all(scores == -np.inf, axis=-1, keepdims=True)
    weights = np.where(blocked, 0, scipy.special.softmax(np.where(blocked, 0, scores), axis=-1))
    return dropout(weights, dropout_p).astype(value.dtype) @ value
