"""Kullback-Leibler divergences between distributions of the same kind, as torch.distributions.kl_divergence."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln

from .discrete_distributions import Bernoulli, Categorical, Geometric, OneHotCategorical, Poisson
from .distributions import Distribution, Laplace, Normal, Uniform
from .joint_distributions import Dirichlet, Independent, MultivariateNormal
from .shaped_distributions import Beta, Exponential, Gamma, HalfNormal, LogNormal


def kl_normal(p: Normal | LogNormal, q: Normal | LogNormal) -> jax.Array:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - jnp.log(ratio))


def kl_half_normal(p: HalfNormal, q: HalfNormal) -> jax.Array:
    return kl_normal(p.base_dist, q.base_dist)


def kl_bernoulli(p: Bernoulli, q: Bernoulli) -> jax.Array:
    ones = p.probs * (jax.nn.softplus(-q.logits) - jax.nn.softplus(-p.logits))
    return ones + (1 - p.probs) * (jax.nn.softplus(q.logits) - jax.nn.softplus(p.logits))


def kl_categorical(p: Categorical | OneHotCategorical, q: Categorical | OneHotCategorical) -> jax.Array:
    terms = p.probs * (p.logits - q.logits)
    terms = jnp.where((q.probs == 0) & (p.probs != 0), jnp.inf, jnp.where(p.probs == 0, 0, terms))
    return terms.sum(-1)


def kl_uniform(p: Uniform, q: Uniform) -> jax.Array:
    result = jnp.log((q.high - q.low) / (p.high - p.low))
    return jnp.where((q.low > p.low) | (q.high < p.high), jnp.inf, result)


def kl_laplace(p: Laplace, q: Laplace) -> jax.Array:
    ratio = p.scale / q.scale
    distance = jnp.abs(p.loc - q.loc)
    return -jnp.log(ratio) + distance / q.scale + ratio * jnp.exp(-distance / p.scale) - 1


def kl_exponential(p: Exponential, q: Exponential) -> jax.Array:
    ratio = q.rate / p.rate
    return -jnp.log(ratio) + ratio - 1


def kl_poisson(p: Poisson, q: Poisson) -> jax.Array:
    return p.rate * (jnp.log(p.rate) - jnp.log(q.rate)) - (p.rate - q.rate)


def kl_geometric(p: Geometric, q: Geometric) -> jax.Array:
    return -p.entropy() - jnp.log1p(-q.probs) / p.probs - q.logits


def kl_gamma(p: Gamma, q: Gamma) -> jax.Array:
    rates = q.concentration * jnp.log(p.rate / q.rate) + gammaln(q.concentration) - gammaln(p.concentration)
    shapes = (p.concentration - q.concentration) * digamma(p.concentration)
    return rates + shapes + (q.rate - p.rate) * (p.concentration / p.rate)


def kl_beta(p: Beta, q: Beta) -> jax.Array:
    first, second = p.concentration1 - q.concentration1, p.concentration0 - q.concentration0
    terms = first * digamma(p.concentration1) + second * digamma(p.concentration0)
    return q.log_beta() - p.log_beta() + terms - (first + second) * digamma(p.concentration1 + p.concentration0)


def kl_dirichlet(p: Dirichlet, q: Dirichlet) -> jax.Array:
    total = p.concentration.sum(-1)
    gammas = gammaln(total) - gammaln(q.concentration.sum(-1))
    gammas = gammas - (gammaln(p.concentration) - gammaln(q.concentration)).sum(-1)
    moved = digamma(p.concentration) - digamma(total)[..., None]
    return gammas + ((p.concentration - q.concentration) * moved).sum(-1)


def kl_multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> jax.Array:
    white = jnp.linalg.solve(q.scale_tril, p.scale_tril)
    distance = jnp.linalg.solve(q.scale_tril, (p.loc - q.loc)[..., None])
    squares = (white**2).sum((-2, -1)) + (distance**2).sum((-2, -1))
    return q.log_determinant() - p.log_determinant() + 0.5 * (squares - p.event_shape[0])


DIVERGENCES = {
    Normal: kl_normal, LogNormal: kl_normal, HalfNormal: kl_half_normal, Bernoulli: kl_bernoulli,
    Categorical: kl_categorical, OneHotCategorical: kl_categorical, Uniform: kl_uniform, Laplace: kl_laplace,
    Exponential: kl_exponential, Poisson: kl_poisson, Geometric: kl_geometric, Gamma: kl_gamma, Beta: kl_beta,
    Dirichlet: kl_dirichlet, MultivariateNormal: kl_multivariate_normal,
}  # fmt: skip


def kl_divergence(p: Distribution, q: Distribution) -> jax.Array:
    """The divergence of `q` from `p`, `[*batch_shape]`; NotImplementedError for kinds without a closed form here."""
    if isinstance(p, Independent) and isinstance(q, Independent):
        if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
            raise NotImplementedError
        return p.summed(kl_divergence(p.base_dist, q.base_dist))
    for kind, divergence in DIVERGENCES.items():
        if isinstance(p, kind) and isinstance(q, kind):
            return divergence(p, q)
    raise NotImplementedError(f"KL(p || q) for {type(p).__name__} and {type(q).__name__}")
