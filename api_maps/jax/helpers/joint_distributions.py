"""Distributions of vectors, and distributions made of others, as in torch.distributions. Draws take a key."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln, logsumexp, xlogy

from .discrete_distributions import Categorical, inside_unit, logits_of, probability_and_logit
from .distributions import LOG_TWO_PI, Distribution


class MultivariateNormal(Distribution):
    """Mean `loc [..., n]` and one of covariance, precision (its inverse) and `scale_tril` (its factor), `[..., n, n]`."""

    has_rsample = True

    def __init__(self, loc: Any, covariance_matrix: Any = None, precision_matrix: Any = None, scale_tril: Any = None):
        given = [matrix for matrix in (covariance_matrix, precision_matrix, scale_tril) if matrix is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        factor = jnp.asarray(given[0])
        if covariance_matrix is not None:
            factor = jnp.linalg.cholesky(factor)
        elif precision_matrix is not None:
            upper = jnp.swapaxes(jnp.linalg.cholesky(factor[..., ::-1, ::-1])[..., ::-1, ::-1], -1, -2)
            identity = jnp.broadcast_to(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
            factor = jax.scipy.linalg.solve_triangular(upper, identity, lower=True)
        loc = jnp.asarray(loc)
        batch_shape = jnp.broadcast_shapes(loc.shape[:-1], factor.shape[:-2])
        self.loc = jnp.broadcast_to(loc, (*batch_shape, loc.shape[-1]))
        self.scale_tril = jnp.broadcast_to(factor, (*batch_shape, *factor.shape[-2:]))
        super().__init__(batch_shape, loc.shape[-1:])

    @property
    def covariance_matrix(self) -> jax.Array:
        return self.scale_tril @ jnp.swapaxes(self.scale_tril, -1, -2)

    @property
    def precision_matrix(self) -> jax.Array:
        return jnp.linalg.inv(self.covariance_matrix)

    @property
    def mean(self) -> jax.Array:
        return self.loc

    @property
    def mode(self) -> jax.Array:
        return self.loc

    @property
    def variance(self) -> jax.Array:
        return (self.scale_tril**2).sum(-1)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        noise = jax.random.normal(key, (*shape, *self.event_shape), self.loc.dtype)
        return self.loc + (self.scale_tril @ noise[..., None])[..., 0]

    def log_determinant(self) -> jax.Array:
        """Half the log-determinant of the covariance."""
        return jnp.log(jnp.diagonal(self.scale_tril, axis1=-2, axis2=-1)).sum(-1)

    def log_prob(self, value: jax.Array) -> jax.Array:
        difference = value - self.loc
        factor = jnp.broadcast_to(self.scale_tril, (*difference.shape, difference.shape[-1]))
        white = jax.scipy.linalg.solve_triangular(factor, difference[..., None], lower=True)[..., 0]
        return -0.5 * (self.event_shape[0] * LOG_TWO_PI + (white**2).sum(-1)) - self.log_determinant()

    def entropy(self) -> jax.Array:
        return 0.5 * self.event_shape[0] * (1 + LOG_TWO_PI) + self.log_determinant()


class Dirichlet(Distribution):
    """Shares that sum to 1, `[..., n]`, by `concentration [..., n]`."""

    has_rsample = True

    def __init__(self, concentration: Any):
        self.concentration = jnp.asarray(concentration)
        super().__init__(self.concentration.shape[:-1], self.concentration.shape[-1:])

    @property
    def mean(self) -> jax.Array:
        return self.concentration / self.concentration.sum(-1, keepdims=True)

    @property
    def variance(self) -> jax.Array:
        total = self.concentration.sum(-1, keepdims=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.dirichlet(key, self.concentration, shape, self.concentration.dtype)

    def log_prob(self, value: jax.Array) -> jax.Array:
        concentration = self.concentration
        powers = xlogy(concentration - 1, value).sum(-1)
        return powers + gammaln(concentration.sum(-1)) - gammaln(concentration).sum(-1)

    def entropy(self) -> jax.Array:
        concentration, count = self.concentration, self.concentration.shape[-1]
        total = concentration.sum(-1)
        terms = ((concentration - 1) * digamma(concentration)).sum(-1)
        return gammaln(concentration).sum(-1) - gammaln(total) - (count - total) * digamma(total) - terms


class RelaxedBernoulli(Distribution):
    """Numbers between 0 and 1 that become `Bernoulli` draws as `temperature` goes to 0."""

    has_rsample = True

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None):
        self.temperature = temperature
        self.probs, self.logits = probability_and_logit(probs, logits)
        super().__init__(self.probs.shape)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        uniform = inside_unit(jax.random.uniform(key, shape, self.logits.dtype))
        return jax.nn.sigmoid((logits_of(uniform) + logits_of(self.probs)) / self.temperature)

    def log_prob(self, value: jax.Array) -> jax.Array:
        odds = logits_of(value)
        difference = self.logits - odds * self.temperature
        density = jnp.log(self.temperature) + difference - 2 * jax.nn.softplus(difference)
        return density + jax.nn.softplus(-odds) + jax.nn.softplus(odds)


class RelaxedOneHotCategorical(Distribution):
    """Shares `[..., n]` that become one-hot draws as `temperature` goes to 0."""

    has_rsample = True

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None):
        self.temperature = temperature
        self.categorical = Categorical(probs, logits)
        self.probs, self.logits = self.categorical.probs, self.categorical.logits
        super().__init__(self.probs.shape[:-1], self.probs.shape[-1:])

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        noise = jax.random.gumbel(key, (*shape, *self.event_shape), self.logits.dtype)
        return jax.nn.softmax((self.logits + noise) / self.temperature, axis=-1)

    def log_prob(self, value: jax.Array) -> jax.Array:
        count = self.event_shape[0]
        factor = gammaln(jnp.asarray(count, value.dtype)) + (count - 1) * jnp.log(self.temperature)
        score = self.logits - jnp.log(value) * self.temperature
        return (score - logsumexp(score, axis=-1, keepdims=True)).sum(-1) + factor - jnp.log(value).sum(-1)


class Independent(Distribution):
    """A distribution whose last batch axes are one event."""

    def __init__(self, base_distribution: Distribution, reinterpreted_batch_ndims: int):
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        kept = len(base_distribution.batch_shape) - reinterpreted_batch_ndims
        super().__init__(shape[:kept], shape[kept:])

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @property
    def mean(self) -> jax.Array:
        return self.base_dist.mean

    @property
    def mode(self) -> jax.Array:
        return self.base_dist.mode

    @property
    def variance(self) -> jax.Array:
        return self.base_dist.variance

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        count = self.reinterpreted_batch_ndims
        return self.base_dist.draw(key, (*shape, *self.event_shape[:count]))

    def summed(self, values: jax.Array) -> jax.Array:
        """The sum over the axes that belong to the event."""
        return values.sum(range(values.ndim - self.reinterpreted_batch_ndims, values.ndim))

    def log_prob(self, value: jax.Array) -> jax.Array:
        return self.summed(self.base_dist.log_prob(value))

    def entropy(self) -> jax.Array:
        return self.summed(self.base_dist.entropy())


class MixtureSameFamily(Distribution):
    """One of the components along the last batch axis of `component_distribution`, drawn by a `Categorical`."""

    def __init__(self, mixture_distribution: Categorical, component_distribution: Distribution):
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        super().__init__(component_distribution.batch_shape[:-1], component_distribution.event_shape)

    def weights(self) -> jax.Array:
        """`[..., components, 1, ...]`, with an axis for each one of an event."""
        probs = self.mixture_distribution.probs
        return probs.reshape(*probs.shape, *(1 for _ in self.event_shape))

    @property
    def mean(self) -> jax.Array:
        return (self.weights() * self.component_distribution.mean).sum(-1 - len(self.event_shape))

    @property
    def variance(self) -> jax.Array:
        axis = -1 - len(self.event_shape)
        spread = self.component_distribution.mean - jnp.expand_dims(self.mean, axis)
        return (self.weights() * (self.component_distribution.variance + spread**2)).sum(axis)

    def draw(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        which, values = jax.random.split(key)
        index = self.mixture_distribution.draw(which, shape)
        count = self.component_distribution.batch_shape[-1]
        drawn = self.component_distribution.draw(values, (*shape, count))
        index = index.reshape(*index.shape, 1, *(1 for _ in self.event_shape))
        return jnp.take_along_axis(drawn, index, axis=len(shape)).squeeze(len(shape))

    def log_prob(self, value: jax.Array) -> jax.Array:
        each = self.component_distribution.log_prob(jnp.expand_dims(value, value.ndim - len(self.event_shape)))
        return logsumexp(each + jax.nn.log_softmax(self.mixture_distribution.logits, axis=-1), axis=-1)
