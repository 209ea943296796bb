"""Random draws in torch's forms. Every function takes the key first, as `jax.random` does."""

import jax
import jax.numpy as jnp


def uniform_like(key: jax.Array, x, dtype=None, *, low=0, high=1) -> jax.Array:
    """Uniform draws from [low, high) of the shape, and unless given or one of integers, the dtype of `x`.

    Both parts of complex numbers are drawn.
    """
    dtype = dtype or jnp.result_type(x)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return jax.lax.complex(*jax.random.uniform(key, (2, *jnp.shape(x)), jnp.finfo(dtype).dtype, low, high))
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.float32
    return jax.random.uniform(key, jnp.shape(x), dtype, low, high)


def normal_like(key: jax.Array, x, dtype=None) -> jax.Array:
    """Standard normal draws of the shape, and unless given the dtype, of `x`."""
    return jax.random.normal(key, jnp.shape(x), dtype or jnp.result_type(x))


def integers_like(key: jax.Array, x, low: int, high: int, dtype=None) -> jax.Array:
    """Integers from `low` to `high - 1` of the shape, and unless given the dtype, of `x`."""
    dtype = dtype or jnp.result_type(x)
    return jax.random.randint(key, jnp.shape(x), low, high).astype(dtype)


def integers(key: jax.Array, shape, low: int, high: int, dtype) -> jax.Array:
    """Integers from `low` to `high - 1`, held in any element type."""
    return jax.random.randint(key, shape, low, high).astype(dtype)


def normal(key: jax.Array, mean, deviation, shape=None, dtype=None) -> jax.Array:
    """Normal draws with a mean and a standard deviation for each entry, or of `shape`; float32 unless `dtype` is given.

    As in torch no gradient flows to the mean and the deviation.
    """
    if shape is None:
        shape = jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(deviation))
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return jax.lax.stop_gradient(mean + deviation * jax.random.normal(key, shape, dtype))


def bernoulli(key: jax.Array, probabilities) -> jax.Array:
    """1 with the probability that each entry gives, else 0, in the dtype of `probabilities`."""
    probabilities = jnp.asarray(probabilities)
    return jax.random.bernoulli(key, probabilities).astype(probabilities.dtype)


def multinomial(key: jax.Array, probabilities, count: int, replacement: bool = False) -> jax.Array:
    """`count` indices drawn by the weights in each row of `probabilities`: `[..., categories]` → `[..., count]`.

    Without replacement the draws of a row differ (Gumbel top-k).
    """
    logits = jnp.log(jnp.asarray(probabilities))
    if replacement:
        draws = jax.random.categorical(key, logits, shape=(count, *logits.shape[:-1]))
        return jnp.moveaxis(draws, 0, -1)
    return jax.lax.top_k(logits + jax.random.gumbel(key, logits.shape, logits.dtype), count)[1]


def poisson(key: jax.Array, rate) -> jax.Array:
    """Poisson draws for each rate, in the dtype of `rate`."""
    rate = jnp.asarray(rate)
    return jax.random.poisson(key, rate).astype(rate.dtype)
