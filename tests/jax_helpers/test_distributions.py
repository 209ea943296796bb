"""Distributions against torch's: densities and moments by value, draws by their moments."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.distributions as D

from ivy_convert.api_maps.jax.helpers import (
    discrete_distributions,
    distribution_divergences,
    distributions,
    joint_distributions,
    shaped_distributions,
    transformed_distributions,
)

MODULES = (distributions, shaped_distributions, discrete_distributions, joint_distributions)
RANDOM = np.random.default_rng(0)
MATRIX = (lambda half: (half @ half.T + 2 * np.eye(3)).astype(np.float32))(RANDOM.standard_normal((3, 3)))


def a(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


LOC, SCALE, UNIT = a(-0.5, 0.3, 1.2), a(0.4, 1.5, 2.0), a(0.1, 0.45, 0.9)
#: Name, arguments, values of the support.
CASES: dict[str, tuple[str, dict[str, Any], np.ndarray]] = {
    "normal": ("Normal", {"loc": LOC, "scale": SCALE}, LOC[::-1].copy()),
    "normal of numbers": ("Normal", {"loc": 0, "scale": 2}, LOC),
    "log-normal": ("LogNormal", {"loc": LOC, "scale": SCALE}, SCALE),
    "half-normal": ("HalfNormal", {"scale": SCALE}, SCALE[::-1].copy()),
    "uniform": ("Uniform", {"low": LOC, "high": LOC + SCALE}, LOC + 0.5 * SCALE),
    "laplace": ("Laplace", {"loc": LOC, "scale": SCALE}, SCALE),
    "cauchy": ("Cauchy", {"loc": LOC, "scale": SCALE}, SCALE),
    "exponential": ("Exponential", {"rate": SCALE}, SCALE[::-1].copy()),
    "gamma": ("Gamma", {"concentration": SCALE, "rate": SCALE[::-1].copy()}, SCALE),
    "chi2": ("Chi2", {"df": SCALE + 1}, SCALE),
    "beta": ("Beta", {"concentration1": SCALE, "concentration0": SCALE[::-1].copy()}, UNIT),
    "student": ("StudentT", {"df": SCALE + 2, "loc": LOC, "scale": SCALE}, SCALE),
    "bernoulli": ("Bernoulli", {"probs": UNIT}, a(0, 1, 1)),
    "bernoulli of logits": ("Bernoulli", {"logits": LOC}, a(0, 1, 1)),
    "geometric": ("Geometric", {"probs": UNIT}, a(0, 2, 1)),
    "poisson": ("Poisson", {"rate": SCALE}, a(0, 2, 5)),
    "binomial": ("Binomial", {"total_count": 5, "probs": UNIT}, a(0, 2, 5)),
    "categorical": ("Categorical", {"probs": np.stack([SCALE, SCALE[::-1]])}, np.array([2, 0])),
    "categorical of logits": ("Categorical", {"logits": LOC}, np.array([[2], [0]])),
    "one-hot": ("OneHotCategorical", {"logits": LOC}, np.eye(3, dtype=np.float32)),
    "multinomial": ("Multinomial", {"total_count": 4, "probs": SCALE}, a([1, 2, 1], [4, 0, 0])),
    "vectors": ("MultivariateNormal", {"loc": LOC, "covariance_matrix": MATRIX}, np.stack([LOC, SCALE])),
    "vectors by precision": ("MultivariateNormal", {"loc": LOC, "precision_matrix": MATRIX}, SCALE),
    "vectors by factor": ("MultivariateNormal", {"loc": np.stack([LOC, SCALE]), "scale_tril": np.linalg.cholesky(MATRIX)}, SCALE),
    "dirichlet": ("Dirichlet", {"concentration": SCALE}, a(0.2, 0.5, 0.3)),
    "relaxed bernoulli": ("RelaxedBernoulli", {"temperature": a(0.7)[0], "probs": UNIT}, UNIT[::-1].copy()),
    "relaxed one-hot": ("RelaxedOneHotCategorical", {"temperature": a(0.7)[0], "logits": LOC}, a(0.2, 0.5, 0.3)),
}  # fmt: skip
WITHOUT = {  # What torch does not implement or leaves undefined there.
    "Poisson": {"entropy"}, "Multinomial": {"entropy"}, "Binomial": {"entropy"}, "Cauchy": {"mean", "variance", "stddev"},
    "RelaxedBernoulli": {"entropy", "mean", "variance", "stddev"}, "RelaxedOneHotCategorical": {"entropy", "mean", "variance", "stddev"},
    "Categorical": {"mean", "variance", "stddev"},
}  # fmt: skip


def ours_named(name: str) -> Any:
    return next(getattr(module, name) for module in MODULES if hasattr(module, name))


def both(name: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
    def given(make: Any) -> dict[str, Any]:
        return {key: make(value) if isinstance(value, (np.ndarray, np.float32)) else value for key, value in arguments.items()}

    return getattr(D, name)(**given(torch.as_tensor)), ours_named(name)(**given(jnp.asarray))


def assert_close(ours: Any, theirs: torch.Tensor) -> None:
    assert np.shape(ours) == tuple(theirs.shape)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_values(case: str) -> None:
    name, arguments, value = CASES[case]
    theirs, ours = both(name, arguments)
    assert ours.batch_shape == tuple(theirs.batch_shape) and ours.event_shape == tuple(theirs.event_shape)
    assert_close(ours.log_prob(jnp.asarray(value)), theirs.log_prob(torch.as_tensor(value)))
    for attribute in {"mean", "variance", "stddev"} - WITHOUT.get(name, set()):
        assert_close(getattr(ours, attribute), getattr(theirs, attribute))
    if "entropy" not in WITHOUT.get(name, ()):
        assert_close(ours.entropy(), theirs.entropy())
    if hasattr(ours, "cdf"):
        assert_close(ours.cdf(jnp.asarray(value)), theirs.cdf(torch.as_tensor(value)))
    if hasattr(ours, "icdf"):
        assert_close(ours.icdf(jnp.asarray(UNIT)), theirs.icdf(torch.as_tensor(UNIT)))


@pytest.mark.parametrize("case", CASES)
def test_draws(case: str) -> None:
    name, arguments, _ = CASES[case]
    theirs, ours = both(name, arguments)
    torch.manual_seed(0)
    expected = theirs.sample((4000,)).double()
    drawn = np.asarray(ours.sample((4000,), key=jax.random.key(1)), np.float64)
    assert drawn.shape == tuple(expected.shape) and ours.has_rsample == theirs.has_rsample
    levels = [0.1, 0.5, 0.9]
    spread = np.quantile(expected, 0.9, axis=0) - np.quantile(expected, 0.1, axis=0) + 1
    gap = np.abs(np.quantile(drawn, levels, axis=0) - np.quantile(expected, levels, axis=0)) / spread
    assert (gap < (1.01 if name in DISCRETE else 0.1)).all()
    if name != "Cauchy":
        assert (np.abs(drawn.mean(0) - expected.mean(0).numpy()) < 0.12 * spread).all()


DISCRETE = {"Bernoulli", "Geometric", "Poisson", "Binomial", "Categorical", "OneHotCategorical", "Multinomial"}


def test_gradients_of_draws() -> None:
    def moved(loc: jax.Array, scale: jax.Array) -> jax.Array:
        return distributions.Normal(loc, scale).rsample((2000,), key=jax.random.key(0)).mean(0).sum()

    loc, scale = jax.grad(moved, argnums=(0, 1))(jnp.asarray(LOC), jnp.asarray(SCALE))
    np.testing.assert_allclose(loc, 1, rtol=1e-5)
    np.testing.assert_allclose(scale, 0, atol=0.1)
    still = jax.grad(lambda loc: distributions.Normal(loc, 1.0).sample(key=jax.random.key(0)).sum())(jnp.asarray(LOC))
    np.testing.assert_array_equal(still, 0)
    with pytest.raises(NotImplementedError):
        discrete_distributions.Bernoulli(jnp.asarray(UNIT)).rsample(key=jax.random.key(0))


@pytest.mark.parametrize("case", ["normal", "gamma", "beta", "bernoulli of logits", "categorical", "vectors", "student"])
def test_gradients_of_densities(case: str) -> None:
    name, arguments, value = CASES[case]
    names = [key for key, given in arguments.items() if isinstance(given, np.ndarray)]
    given = {key: torch.as_tensor(arguments[key]).clone().requires_grad_() for key in names}
    (getattr(D, name)(**given).log_prob(torch.as_tensor(value)).sum()).backward()
    grads = jax.grad(lambda given: ours_named(name)(**given).log_prob(jnp.asarray(value)).sum())(
        {key: jnp.asarray(arguments[key]) for key in names}
    )
    for key in names:
        expected = given[key].grad
        if "matrix" in key:  # Only the symmetric part of a gradient with respect to a symmetric matrix means anything.
            grads[key], expected = grads[key] + grads[key].T, expected + expected.T
        np.testing.assert_allclose(grads[key], expected.numpy(), rtol=1e-3, atol=1e-4)


def test_independent_and_mixture() -> None:
    theirs, ours = both("Normal", {"loc": np.stack([LOC, SCALE]), "scale": np.stack([SCALE, SCALE])})
    grouped, our_grouped = D.Independent(theirs, 1), joint_distributions.Independent(ours, 1)
    value = np.stack([SCALE, LOC])
    assert_close(our_grouped.log_prob(jnp.asarray(value)), grouped.log_prob(torch.as_tensor(value)))
    assert_close(our_grouped.entropy(), grouped.entropy())
    assert our_grouped.sample((4,), key=jax.random.key(0)).shape == (4, 2, 3)
    weights = a(0.2, 0.8)
    mixture = D.MixtureSameFamily(D.Categorical(torch.as_tensor(weights)), grouped)
    our_mixture = joint_distributions.MixtureSameFamily(discrete_distributions.Categorical(jnp.asarray(weights)), our_grouped)
    for ours_one, theirs_one in ((our_mixture.mean, mixture.mean), (our_mixture.variance, mixture.variance)):
        assert_close(ours_one, theirs_one)
    points = np.stack([LOC, SCALE, UNIT])
    assert_close(our_mixture.log_prob(jnp.asarray(points)), mixture.log_prob(torch.as_tensor(points)))
    drawn = our_mixture.sample((4000,), key=jax.random.key(0))
    np.testing.assert_allclose(drawn.mean(0), mixture.mean.numpy(), atol=0.15)


def test_transformed() -> None:
    base, our_base = both("Normal", {"loc": np.stack([LOC, SCALE]), "scale": np.stack([SCALE, SCALE])})
    theirs, ours = D.transforms, transformed_distributions
    chains = {
        "exp": ([theirs.AffineTransform(1.0, -2.0), theirs.ExpTransform()], [ours.AffineTransform(1.0, -2.0), ours.ExpTransform()]),
        "sigmoid": (theirs.SigmoidTransform(), ours.SigmoidTransform()),
        "event": (
            [theirs.AffineTransform(torch.as_tensor(LOC), torch.as_tensor(SCALE), event_dim=1), theirs.TanhTransform()],
            [ours.AffineTransform(jnp.asarray(LOC), jnp.asarray(SCALE), event_dim=1), ours.TanhTransform()],
        ),
    }  # fmt: skip
    for transforms, our_transforms in chains.values():
        dist, our_dist = D.TransformedDistribution(base, transforms), ours.TransformedDistribution(our_base, our_transforms)
        assert our_dist.batch_shape == tuple(dist.batch_shape) and our_dist.event_shape == tuple(dist.event_shape)
        value = torch.as_tensor(np.stack([UNIT * 0.9, UNIT]))
        assert_close(our_dist.log_prob(jnp.asarray(value.numpy())), dist.log_prob(value))
    # Saturated draws are inverted exactly, as with torch's cache.
    wide = ours.TransformedDistribution(distributions.Normal(jnp.asarray([20.0, 0.1]), 1.0), ours.TanhTransform())
    for draw in (wide.rsample, wide.sample):
        assert jnp.isfinite(wide.log_prob(draw(key=jax.random.key(0)))).all()


KINDS = {
    "Normal": ({"loc": LOC, "scale": SCALE}, {"loc": SCALE, "scale": UNIT}),
    "LogNormal": ({"loc": LOC, "scale": SCALE}, {"loc": SCALE, "scale": UNIT}),
    "HalfNormal": ({"scale": SCALE}, {"scale": UNIT}),
    "Bernoulli": ({"probs": UNIT}, {"logits": LOC}),
    "Categorical": ({"probs": SCALE}, {"logits": LOC}),
    "OneHotCategorical": ({"probs": SCALE}, {"logits": LOC}),
    "Uniform": ({"low": LOC, "high": LOC + UNIT}, {"low": LOC - UNIT, "high": LOC + SCALE}),
    "Laplace": ({"loc": LOC, "scale": SCALE}, {"loc": SCALE, "scale": UNIT}),
    "Exponential": ({"rate": SCALE}, {"rate": UNIT}),
    "Poisson": ({"rate": SCALE}, {"rate": UNIT}),
    "Geometric": ({"probs": UNIT}, {"probs": UNIT[::-1].copy()}),
    "Gamma": ({"concentration": SCALE, "rate": UNIT}, {"concentration": UNIT, "rate": SCALE}),
    "Beta": ({"concentration1": SCALE, "concentration0": UNIT}, {"concentration1": UNIT, "concentration0": SCALE}),
    "Dirichlet": ({"concentration": SCALE}, {"concentration": UNIT}),
    "MultivariateNormal": ({"loc": LOC, "covariance_matrix": MATRIX}, {"loc": SCALE, "scale_tril": np.diag(SCALE)}),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_divergences(name: str) -> None:
    first, second = (both(name, arguments) for arguments in KINDS[name])
    expected = D.kl_divergence(first[0], second[0])
    assert_close(distribution_divergences.kl_divergence(first[1], second[1]), expected)


def test_divergence_of_other_kinds() -> None:
    with pytest.raises(NotImplementedError):
        distribution_divergences.kl_divergence(distributions.Normal(0, 1), distributions.Laplace(0, 1))
