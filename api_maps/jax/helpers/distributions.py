"""Probability distributions with the names, parameters and shapes of torch.distributions. Draws take a key.

Shapes: a draw is `[*sample_shape, *batch_shape, *event_shape]`, a log-probability `[*sample_shape, *batch_shape]`.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import erf, erfinv

LOG_TWO_PI = math.log(2 * math.pi)


def broadcast_parameters(*values: Any) -> list[jax.Array]:
    """Parameters in a common shape; numbers get the element type of the arrays beside them."""
    arrays = [jnp.asarray(value) for value in values if not isinstance(value, (int, float))]
    dtype = jnp.result_type(*arrays) if arrays else jnp.float32
    return jnp.broadcast_arrays(*(jnp.asarray(v, dtype) if isinstance(v, (int, float)) else jnp.asarray(v) for v in values))


class Distribution:
    """Base class. Subclasses say how a draw is made in `draw`, and whether gradients flow through it."""

    has_rsample = False

    def __init__(self, batch_shape: tuple[int, ...] = (), event_shape: tuple[int, ...] = ()):
        self.batch_shape = tuple(batch_shape)
        self.event_shape = tuple(event_shape)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Draws of shape `[*shape, *event_shape]`; `shape` ends with the batch shape."""
        raise NotImplementedError

    def sample(self, sample_shape: Any = (), *, key: jax.Array) -> jax.Array:
        """Draws through which no gradient flows."""
        return jax.lax.stop_gradient(self.draw(key, (*sample_shape, *self.batch_shape)))

    def rsample(self, sample_shape: Any = (), *, key: jax.Array) -> jax.Array:
        """Draws that are differentiable in the parameters."""
        if not self.has_rsample:
            raise NotImplementedError(f"{type(self).__name__} has no draws with gradients")
        return self.draw(key, (*sample_shape, *self.batch_shape))

    @property
    def stddev(self) -> jax.Array:
        return jnp.sqrt(self.variance)

    def perplexity(self) -> jax.Array:
        """The exponential of the entropy."""
        return jnp.exp(self.entropy())


class Normal(Distribution):
    """Mean `loc` and standard deviation `scale`, `[...]`."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any):
        self.loc, self.scale = broadcast_parameters(loc, scale)
        super().__init__(self.loc.shape)

    @property
    def mean(self) -> jax.Array:
        return self.loc

    @property
    def mode(self) -> jax.Array:
        return self.loc

    @property
    def stddev(self) -> jax.Array:
        return self.scale

    @property
    def variance(self) -> jax.Array:
        return self.scale**2

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return self.loc + self.scale * jax.random.normal(key, shape, self.loc.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        return -((value - self.loc) ** 2) / (2 * self.variance) - jnp.log(self.scale) - LOG_TWO_PI / 2

    def cdf(self, value: jax.Array) -> jax.Array:
        return 0.5 * (1 + erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: jax.Array) -> jax.Array:
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> jax.Array:
        return 0.5 + 0.5 * LOG_TWO_PI + jnp.log(self.scale)


class Uniform(Distribution):
    """Between `low` and `high`."""

    has_rsample = True

    def __init__(self, low: Any, high: Any):
        self.low, self.high = broadcast_parameters(low, high)
        super().__init__(self.low.shape)

    @property
    def mean(self) -> jax.Array:
        return (self.high + self.low) / 2

    @property
    def stddev(self) -> jax.Array:
        return (self.high - self.low) / math.sqrt(12)

    @property
    def variance(self) -> jax.Array:
        return (self.high - self.low) ** 2 / 12

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return self.low + jax.random.uniform(key, shape, self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: jax.Array) -> jax.Array:
        inside = (self.low <= value) & (value < self.high)
        return jnp.where(inside, 0.0, -jnp.inf) - jnp.log(self.high - self.low)

    def cdf(self, value: jax.Array) -> jax.Array:
        return jnp.clip((value - self.low) / (self.high - self.low), 0, 1)

    def icdf(self, value: jax.Array) -> jax.Array:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> jax.Array:
        return jnp.log(self.high - self.low)


class Laplace(Distribution):
    """Mean `loc`, density falling as `exp(-|x - loc| / scale)`."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any):
        self.loc, self.scale = broadcast_parameters(loc, scale)
        super().__init__(self.loc.shape)

    @property
    def mean(self) -> jax.Array:
        return self.loc

    @property
    def mode(self) -> jax.Array:
        return self.loc

    @property
    def variance(self) -> jax.Array:
        return 2 * self.scale**2

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return self.loc + self.scale * jax.random.laplace(key, shape, self.loc.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        return -jnp.log(2 * self.scale) - jnp.abs(value - self.loc) / self.scale

    def cdf(self, value: jax.Array) -> jax.Array:
        distance = value - self.loc
        return 0.5 - 0.5 * jnp.sign(distance) * jnp.expm1(-jnp.abs(distance) / self.scale)

    def icdf(self, value: jax.Array) -> jax.Array:
        term = value - 0.5
        return self.loc - self.scale * jnp.sign(term) * jnp.log1p(-2 * jnp.abs(term))

    def entropy(self) -> jax.Array:
        return 1 + jnp.log(2 * self.scale)


class Cauchy(Distribution):
    """Median `loc` and half width `scale`; there is no mean."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any):
        self.loc, self.scale = broadcast_parameters(loc, scale)
        super().__init__(self.loc.shape)

    @property
    def mean(self) -> jax.Array:
        return jnp.full_like(self.loc, jnp.nan)

    @property
    def mode(self) -> jax.Array:
        return self.loc

    @property
    def variance(self) -> jax.Array:
        return jnp.full_like(self.loc, jnp.inf)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return self.loc + self.scale * jax.random.cauchy(key, shape, self.loc.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        return -math.log(math.pi) - jnp.log(self.scale) - jnp.log1p(((value - self.loc) / self.scale) ** 2)

    def cdf(self, value: jax.Array) -> jax.Array:
        return jnp.arctan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value: jax.Array) -> jax.Array:
        return jnp.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> jax.Array:
        return math.log(4 * math.pi) + jnp.log(self.scale)
