"""Distributions of positive numbers, of shares between 0 and 1, and with heavy tails, as in torch.distributions."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammainc, gammaln, xlogy

from .distributions import Distribution, Normal, broadcast_parameters


class LogNormal(Distribution):
    """The exponential of a normal variable."""

    has_rsample = True

    def __init__(self, loc: Any, scale: Any):
        self.base_dist = Normal(loc, scale)
        self.loc, self.scale = self.base_dist.loc, self.base_dist.scale
        super().__init__(self.loc.shape)

    @property
    def mean(self) -> jax.Array:
        return jnp.exp(self.loc + self.scale**2 / 2)

    @property
    def mode(self) -> jax.Array:
        return jnp.exp(self.loc - self.scale**2)

    @property
    def variance(self) -> jax.Array:
        return jnp.expm1(self.scale**2) * jnp.exp(2 * self.loc + self.scale**2)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jnp.exp(self.base_dist.draw(key, shape))

    def log_prob(self, value: jax.Array) -> jax.Array:
        return self.base_dist.log_prob(jnp.log(value)) - jnp.log(value)

    def cdf(self, value: jax.Array) -> jax.Array:
        return self.base_dist.cdf(jnp.log(value))

    def icdf(self, value: jax.Array) -> jax.Array:
        return jnp.exp(self.base_dist.icdf(value))

    def entropy(self) -> jax.Array:
        return self.base_dist.entropy() + self.loc


class HalfNormal(Distribution):
    """The absolute value of a normal variable with mean 0."""

    has_rsample = True

    def __init__(self, scale: Any):
        self.base_dist = Normal(0, scale)
        self.scale = self.base_dist.scale
        super().__init__(self.scale.shape)

    @property
    def mean(self) -> jax.Array:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros_like(self.scale)

    @property
    def variance(self) -> jax.Array:
        return self.scale**2 * (1 - 2 / math.pi)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jnp.abs(self.base_dist.draw(key, shape))

    def log_prob(self, value: jax.Array) -> jax.Array:
        return jnp.where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -jnp.inf)

    def cdf(self, value: jax.Array) -> jax.Array:
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: jax.Array) -> jax.Array:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> jax.Array:
        return self.base_dist.entropy() - math.log(2)


class Exponential(Distribution):
    """Waiting times of events with `rate`."""

    has_rsample = True

    def __init__(self, rate: Any):
        (self.rate,) = broadcast_parameters(rate)
        super().__init__(self.rate.shape)

    @property
    def mean(self) -> jax.Array:
        return 1 / self.rate

    @property
    def mode(self) -> jax.Array:
        return jnp.zeros_like(self.rate)

    @property
    def variance(self) -> jax.Array:
        return self.rate**-2

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.exponential(key, shape, self.rate.dtype) / self.rate

    def log_prob(self, value: jax.Array) -> jax.Array:
        return jnp.log(self.rate) - self.rate * value

    def cdf(self, value: jax.Array) -> jax.Array:
        return 1 - jnp.exp(-self.rate * value)

    def icdf(self, value: jax.Array) -> jax.Array:
        return -jnp.log1p(-value) / self.rate

    def entropy(self) -> jax.Array:
        return 1 - jnp.log(self.rate)


class Gamma(Distribution):
    """Shape `concentration` and `rate`."""

    has_rsample = True

    def __init__(self, concentration: Any, rate: Any):
        self.concentration, self.rate = broadcast_parameters(concentration, rate)
        super().__init__(self.rate.shape)

    @property
    def mean(self) -> jax.Array:
        return self.concentration / self.rate

    @property
    def mode(self) -> jax.Array:
        return jnp.maximum((self.concentration - 1) / self.rate, 0)

    @property
    def variance(self) -> jax.Array:
        return self.concentration / self.rate**2

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        value = jax.random.gamma(key, self.concentration, shape, self.rate.dtype) / self.rate
        return jnp.maximum(value, jnp.finfo(value.dtype).tiny)

    def log_prob(self, value: jax.Array) -> jax.Array:
        powers = xlogy(self.concentration, self.rate) + xlogy(self.concentration - 1, value)
        return powers - self.rate * value - gammaln(self.concentration)

    def cdf(self, value: jax.Array) -> jax.Array:
        return gammainc(self.concentration, self.rate * value)

    def entropy(self) -> jax.Array:
        shape = self.concentration
        return shape - jnp.log(self.rate) + gammaln(shape) + (1 - shape) * digamma(shape)


class Chi2(Gamma):
    """The sum of `df` squared standard normal variables."""

    def __init__(self, df: Any):
        (self.df,) = broadcast_parameters(df)
        super().__init__(0.5 * self.df, 0.5)


class Beta(Distribution):
    """Between 0 and 1, with density `x^(concentration1 - 1) (1 - x)^(concentration0 - 1)` up to a factor."""

    has_rsample = True

    def __init__(self, concentration1: Any, concentration0: Any):
        self.concentration1, self.concentration0 = broadcast_parameters(concentration1, concentration0)
        super().__init__(self.concentration1.shape)

    @property
    def mean(self) -> jax.Array:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> jax.Array:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.beta(key, self.concentration1, self.concentration0, shape, self.concentration1.dtype)

    def log_beta(self) -> jax.Array:
        """The logarithm of the factor that normalises the density."""
        total = self.concentration1 + self.concentration0
        return gammaln(self.concentration1) + gammaln(self.concentration0) - gammaln(total)

    def log_prob(self, value: jax.Array) -> jax.Array:
        powers = xlogy(self.concentration1 - 1, value) + xlogy(self.concentration0 - 1, 1 - value)
        return powers - self.log_beta()

    def entropy(self) -> jax.Array:
        first, second = self.concentration1, self.concentration0
        total = first + second
        terms = (first - 1) * digamma(first) + (second - 1) * digamma(second)
        return self.log_beta() - terms + (total - 2) * digamma(total)


class StudentT(Distribution):
    """`df` degrees of freedom, moved by `loc` and stretched by `scale`."""

    has_rsample = True

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0):
        self.df, self.loc, self.scale = broadcast_parameters(df, loc, scale)
        super().__init__(self.df.shape)

    @property
    def mean(self) -> jax.Array:
        return jnp.where(self.df <= 1, jnp.nan, self.loc)

    @property
    def mode(self) -> jax.Array:
        return self.loc

    @property
    def variance(self) -> jax.Array:
        finite = self.scale**2 * self.df / jnp.where(self.df > 2, self.df - 2, 1)
        return jnp.where(self.df > 2, finite, jnp.where(self.df > 1, jnp.inf, jnp.nan))

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return self.loc + self.scale * jax.random.t(key, self.df, shape, self.df.dtype)

    def log_factor(self) -> jax.Array:
        """The logarithm of the factor that normalises the density."""
        gammas = gammaln(0.5 * self.df) - gammaln(0.5 * (self.df + 1))
        return jnp.log(self.scale) + 0.5 * jnp.log(self.df) + 0.5 * math.log(math.pi) + gammas

    def log_prob(self, value: jax.Array) -> jax.Array:
        y = (value - self.loc) / self.scale
        return -0.5 * (self.df + 1) * jnp.log1p(y**2 / self.df) - self.log_factor()

    def entropy(self) -> jax.Array:
        return self.log_factor() + 0.5 * (self.df + 1) * (digamma(0.5 * (self.df + 1)) - digamma(0.5 * self.df))
