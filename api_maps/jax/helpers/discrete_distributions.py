"""Distributions over categories and counts, as in torch.distributions. Draws take a key."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln, logsumexp, xlogy

from .distributions import Distribution, broadcast_parameters


def inside_unit(probs: jax.Array) -> jax.Array:
    """Probabilities away from 0 and 1 by the precision of their element type."""
    epsilon = jnp.finfo(probs.dtype).eps
    return jnp.clip(probs, epsilon, 1 - epsilon)


def logits_of(probs: jax.Array) -> jax.Array:
    """The log-odds of probabilities."""
    probs = inside_unit(probs)
    return jnp.log(probs) - jnp.log1p(-probs)


def binary_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Cross entropy of `target` in 0..1 with the probabilities of `logits`."""
    return jnp.maximum(logits, 0) - logits * target + jnp.log1p(jnp.exp(-jnp.abs(logits)))


def probability_and_logit(probs: Any, logits: Any) -> tuple[jax.Array, jax.Array]:
    """Both forms of a probability of which one is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    if logits is None:
        (probs,) = broadcast_parameters(probs)
        return probs, logits_of(probs)
    (logits,) = broadcast_parameters(logits)
    return jax.nn.sigmoid(logits), logits


class Bernoulli(Distribution):
    """1 with probability `probs`, or with log-odds `logits`; else 0."""

    def __init__(self, probs: Any = None, logits: Any = None):
        self.probs, self.logits = probability_and_logit(probs, logits)
        super().__init__(self.probs.shape)

    @property
    def mean(self) -> jax.Array:
        return self.probs

    @property
    def mode(self) -> jax.Array:
        return jnp.where(self.probs == 0.5, jnp.nan, (self.probs >= 0.5).astype(self.probs.dtype))

    @property
    def variance(self) -> jax.Array:
        return self.probs * (1 - self.probs)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.bernoulli(key, self.probs, shape).astype(self.probs.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        return -binary_entropy(self.logits, value)

    def entropy(self) -> jax.Array:
        return binary_entropy(self.logits, self.probs)


class Geometric(Distribution):
    """The number of failures before the first success, which has probability `probs`."""

    def __init__(self, probs: Any = None, logits: Any = None):
        self.probs, self.logits = probability_and_logit(probs, logits)
        super().__init__(self.probs.shape)

    @property
    def mean(self) -> jax.Array:
        return 1 / self.probs - 1

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros_like(self.probs)

    @property
    def variance(self) -> jax.Array:
        return (1 / self.probs - 1) / self.probs

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        tiny = jnp.finfo(self.probs.dtype).tiny
        uniform = jax.random.uniform(key, shape, self.probs.dtype, minval=tiny)
        return jnp.floor(jnp.log(uniform) / jnp.log1p(-self.probs))

    def log_prob(self, value: jax.Array) -> jax.Array:
        failures = jnp.where((self.probs == 1) & (value == 0), 0, self.probs)
        return value * jnp.log1p(-failures) + jnp.log(self.probs)

    def entropy(self) -> jax.Array:
        return binary_entropy(self.logits, self.probs) / self.probs


class Poisson(Distribution):
    """The number of events where `rate` are expected."""

    def __init__(self, rate: Any):
        (self.rate,) = broadcast_parameters(rate)
        super().__init__(self.rate.shape)

    @property
    def mean(self) -> jax.Array:
        return self.rate

    @property
    def mode(self) -> jax.Array:
        return jnp.floor(self.rate)

    @property
    def variance(self) -> jax.Array:
        return self.rate

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.poisson(key, self.rate, shape).astype(self.rate.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        return xlogy(value, self.rate) - self.rate - gammaln(value + 1)


class Binomial(Distribution):
    """The number of successes among `total_count` trials."""

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None):
        self.probs, self.logits = probability_and_logit(probs, logits)
        self.total_count, self.probs, self.logits = broadcast_parameters(total_count, self.probs, self.logits)
        super().__init__(self.probs.shape)

    @property
    def mean(self) -> jax.Array:
        return self.total_count * self.probs

    @property
    def variance(self) -> jax.Array:
        return self.total_count * self.probs * (1 - self.probs)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.binomial(key, self.total_count, self.probs, shape, self.probs.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        count = self.total_count
        factorials = gammaln(count + 1) - gammaln(value + 1) - gammaln(count - value + 1)
        odds = count * jnp.maximum(self.logits, 0) + count * jnp.log1p(jnp.exp(-jnp.abs(self.logits)))
        return value * self.logits + factorials - odds


class Categorical(Distribution):
    """An index `0..n - 1`, by `probs [..., n]` that need not sum to 1, or by `logits [..., n]`."""

    def __init__(self, probs: Any = None, logits: Any = None):
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        if logits is None:
            probs = jnp.asarray(probs)
            self.probs = probs / probs.sum(-1, keepdims=True)
            self.logits = jnp.log(inside_unit(self.probs))
        else:
            logits = jnp.asarray(logits)
            self.logits = logits - logsumexp(logits, axis=-1, keepdims=True)
            self.probs = jax.nn.softmax(self.logits, axis=-1)
        super().__init__(self.probs.shape[:-1])

    @property
    def param_shape(self) -> tuple[int, ...]:
        return self.logits.shape

    @property
    def mean(self) -> jax.Array:
        return jnp.full(self.batch_shape, jnp.nan, self.probs.dtype)

    @property
    def mode(self) -> jax.Array:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> jax.Array:
        return jnp.full(self.batch_shape, jnp.nan, self.probs.dtype)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.categorical(key, self.logits, shape=shape)

    def log_prob(self, value: jax.Array) -> jax.Array:
        index = jnp.asarray(value).astype(jnp.int32)[..., None]
        shape = jnp.broadcast_shapes(index.shape[:-1], self.batch_shape)
        logits = jnp.broadcast_to(self.logits, (*shape, self.logits.shape[-1]))
        return jnp.take_along_axis(logits, jnp.broadcast_to(index, (*shape, 1)), axis=-1)[..., 0]

    def entropy(self) -> jax.Array:
        return -(jnp.maximum(self.logits, jnp.finfo(self.logits.dtype).min) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> jax.Array:
        """All indices, `[n, *batch_shape]`, or `[n, 1, ...]` where not expanded."""
        count = self.logits.shape[-1]
        values = jnp.arange(count).reshape(count, *(1 for _ in self.batch_shape))
        return jnp.broadcast_to(values, (count, *self.batch_shape)) if expand else values


class OneHotCategorical(Distribution):
    """A `Categorical` index as a vector `[..., n]` of one 1 and zeros."""

    def __init__(self, probs: Any = None, logits: Any = None):
        self.categorical = Categorical(probs, logits)
        self.probs, self.logits = self.categorical.probs, self.categorical.logits
        super().__init__(self.probs.shape[:-1], self.probs.shape[-1:])

    @property
    def mean(self) -> jax.Array:
        return self.probs

    @property
    def mode(self) -> jax.Array:
        return jax.nn.one_hot(self.probs.argmax(-1), self.probs.shape[-1], dtype=self.probs.dtype)

    @property
    def variance(self) -> jax.Array:
        return self.probs * (1 - self.probs)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        index = self.categorical.draw(key, shape)
        return jax.nn.one_hot(index, self.probs.shape[-1], dtype=self.probs.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        return self.categorical.log_prob(value.argmax(-1))

    def entropy(self) -> jax.Array:
        return self.categorical.entropy()


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """One-hot draws whose gradient is that of the probabilities."""

    has_rsample = True

    def rsample(self, sample_shape: Any = (), *, key: jax.Array) -> jax.Array:
        return self.sample(sample_shape, key=key) + (self.probs - jax.lax.stop_gradient(self.probs))


class Multinomial(Distribution):
    """How often each of n categories came up in `total_count` draws, `[..., n]`."""

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None):
        self.total_count = total_count
        self.categorical = Categorical(probs, logits)
        self.probs, self.logits = self.categorical.probs, self.categorical.logits
        super().__init__(self.probs.shape[:-1], self.probs.shape[-1:])

    @property
    def mean(self) -> jax.Array:
        return self.total_count * self.probs

    @property
    def variance(self) -> jax.Array:
        return self.total_count * self.probs * (1 - self.probs)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        index = self.categorical.draw(key, (self.total_count, *shape))
        return jax.nn.one_hot(index, self.probs.shape[-1], dtype=self.probs.dtype).sum(0)

    def log_prob(self, value: jax.Array) -> jax.Array:
        logits = jnp.where((value == 0) & (self.logits == -jnp.inf), 0, self.logits)
        factorials = gammaln(value.sum(-1) + 1) - gammaln(value + 1).sum(-1)
        return factorials + (logits * value).sum(-1)
