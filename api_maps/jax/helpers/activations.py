"""Activation functions that `jax.nn` does not have, or has with another gradient at a kink."""

import jax
import jax.numpy as jnp

from .dropout import dropout


def leaky_relu(x, negative_slope: float = 0.01) -> jax.Array:
    """`x` above 0, else `negative_slope * x`; the gradient at 0 is the slope (that of `jax.nn.leaky_relu` is 1)."""
    return jnp.where(jnp.greater(x, 0), x, negative_slope * jnp.asarray(x))


def prelu(x, weight) -> jax.Array:
    """Leaky relu with a learned slope: one for all, or one per channel (axis 1 of `x`)."""
    x, weight = jnp.asarray(x), jnp.asarray(weight)
    if weight.size > 1:
        weight = weight.reshape([-1 if axis == 1 else 1 for axis in range(x.ndim)])
    else:
        weight = weight.reshape(())
    return jnp.where(x > 0, x, weight * x)


def rrelu(x, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *, key=None) -> jax.Array:
    """Leaky relu with a slope drawn from `[lower, upper]` for each entry; their mean where not training."""
    x = jnp.asarray(x)
    if not training:
        return leaky_relu(x, (lower + upper) / 2)
    slope = jax.random.uniform(key, x.shape, x.dtype, lower, upper)
    return jnp.where(x <= 0, slope * x, x)


def hardtanh(x, min_val: float = -1.0, max_val: float = 1.0) -> jax.Array:
    """`x` limited to `[min_val, max_val]`; the gradient at the bounds is 0."""
    x = jnp.asarray(x)
    return jnp.where(x <= min_val, min_val, jnp.where(x >= max_val, max_val, x)).astype(x.dtype)


def hardshrink(x, lambd: float = 0.5) -> jax.Array:
    """`x` where `|x| > lambd`, else 0; NaN stays."""
    x = jnp.asarray(x)
    return jnp.where((x >= -lambd) & (x <= lambd), 0, x)


def softshrink(x, lambd: float = 0.5) -> jax.Array:
    """`x` moved towards 0 by `lambd`, 0 where `|x| <= lambd`; NaN stays."""
    x = jnp.asarray(x)
    return jnp.where(x > lambd, x - lambd, jnp.where(x < -lambd, x + lambd, x * 0))


def tanhshrink(x) -> jax.Array:
    """`x - tanh(x)`."""
    return x - jnp.tanh(x)


def threshold(x, threshold: float, value: float) -> jax.Array:
    """`x` where it is above `threshold`, else `value`; NaN stays."""
    x = jnp.asarray(x)
    return jnp.where(x <= threshold, value, x).astype(x.dtype)


def softplus(x, beta: float = 1.0, threshold: float = 20.0) -> jax.Array:
    """`log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x > threshold`."""
    x = jnp.asarray(x)
    linear = x * beta > threshold
    return jnp.where(linear, x, jax.nn.softplus(jnp.where(linear, 0, x) * beta) / beta)


def glu(x, axis: int = -1) -> jax.Array:
    """The first half of `x` along `axis` times the sigmoid of the second half."""
    first, second = jnp.split(jnp.asarray(x), 2, axis)
    return first * jax.nn.sigmoid(second)


def softmin(x, axis: int | None = None) -> jax.Array:
    """`softmax(-x)` along `axis`; None is torch's old choice of axis 0 (0, 1 or 3 axes) or 1."""
    x = jnp.asarray(x)
    if axis is None:
        axis = 0 if x.ndim in (0, 1, 3) else 1
    return jax.nn.softmax(-x, axis)


def gumbel_softmax(x, tau: float = 1.0, hard: bool = False, axis: int = -1, *, key) -> jax.Array:
    """A relaxed one-hot sample of the categories with logits `x` along `axis`.

    `hard=True` gives exact one-hot vectors whose gradient is that of the soft sample.
    """
    x = jnp.asarray(x)
    soft = jax.nn.softmax((x + jax.random.gumbel(key, x.shape, x.dtype)) / tau, axis)
    if not hard:
        return soft
    one_hot = jax.nn.one_hot(jnp.argmax(soft, axis), x.shape[axis], axis=axis, dtype=x.dtype)
    return one_hot + soft - jax.lax.stop_gradient(soft)


def scaled_dot_product_attention(
    query,
    key,
    value,
    attn_mask=None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    dropout_key=None,
) -> jax.Array:
    """`softmax(query @ key.T * scale + mask) @ value`, shapes `[..., heads, length, features]`.

    `attn_mask` is added to the scores, or, if boolean, is True where attention is allowed. `is_causal` allows
    position i to see 0..i, counted from the first of both sequences. A row in which nothing is allowed gives 0, not
    NaN. `enable_gqa` repeats key and value heads to match the query's. Dropout needs `dropout_key`.
    """
    query, key, value = jnp.asarray(query), jnp.asarray(key), jnp.asarray(value)
    if enable_gqa:
        key = jnp.repeat(key, query.shape[-3] // key.shape[-3], -3)
        value = jnp.repeat(value, query.shape[-3] // value.shape[-3], -3)
    if scale is None:
        scale = query.shape[-1] ** -0.5
    scores = query @ jnp.swapaxes(key, -2, -1) * scale
    if is_causal:
        if attn_mask is not None:
            raise ValueError("scaled_dot_product_attention: give attn_mask or is_causal, not both")
        attn_mask = jnp.tri(scores.shape[-2], scores.shape[-1], dtype=bool)
    if attn_mask is not None:
        attn_mask = jnp.asarray(attn_mask)
        if attn_mask.dtype == jnp.bool_:
            scores = jnp.where(attn_mask, scores, -jnp.inf)
        else:
            scores = scores + attn_mask
    blocked = jnp.all(scores == -jnp.inf, axis=-1, keepdims=True)
    weights = jnp.where(blocked, 0, jax.nn.softmax(jnp.where(blocked, 0, scores), axis=-1))
    if dropout_p > 0:
        if dropout_key is None:
            raise ValueError("scaled_dot_product_attention: dropout_p needs a dropout_key")
        weights = dropout(weights, dropout_p, key=dropout_key)
    return weights.astype(value.dtype) @ value


def softmax(x, axis: int, *, dtype=None) -> jax.Array:
    """Softmax along `axis`, computed in `dtype` if given; for code that hands the function on."""
    return jax.nn.softmax(jnp.asarray(x, dtype), axis=axis)


def log_softmax(x, axis: int, *, dtype=None) -> jax.Array:
    """The logarithm of the softmax along `axis`, computed in `dtype` if given."""
    return jax.nn.log_softmax(jnp.asarray(x, dtype), axis=axis)
