"""Code over torch.distributions: values agree, draws get fresh keys, what has no counterpart is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import converted, original, transfer

import ivy_convert

TEXT = (Path(__file__).resolve().parents[2] / "fixtures" / "rules" / "distributions" / "in.py").read_text()
CODE = TEXT[: TEXT.index("def unsupported")]


@pytest.fixture(scope="module")
def sides() -> tuple[dict[str, Any], dict[str, Any]]:
    return original(CODE), converted(CODE, allow_review=True)[0]


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_divergences_and_their_gradients(sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    mu, logvar = draw(5, 3), draw(5, 3, seed=1)
    given = [torch.from_numpy(x).requires_grad_() for x in (mu, logvar)]
    expected = sides[0]["elbo"](*given)
    expected.backward()
    value, grads = jax.value_and_grad(sides[1]["elbo"], argnums=(0, 1))(jnp.asarray(mu), jnp.asarray(logvar))
    np.testing.assert_allclose(value, expected.item(), rtol=1e-5)
    for ours, theirs in zip(grads, given, strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_seeded_draws(sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, log_prob, mean = sides[1]["prior"](3, 2000)
    again, _, _ = sides[1]["prior"](3, 2000)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(np.cov(np.asarray(first).T), np.eye(3), atol=0.15)
    base = torch.distributions.MultivariateNormal(torch.zeros(3), torch.eye(3))
    np.testing.assert_allclose(log_prob, base.log_prob(torch.from_numpy(np.array(first))).numpy(), rtol=1e-4)
    assert mean.shape == (3,)


def test_policy(sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = sides[0]["Policy"](4, 2), sides[1]["Policy"](4, 2, rngs=nnx.Rngs(0))
    transfer(theirs, ours)
    x = draw(6, 4)
    (score, entropy), (again, _) = ours(jnp.asarray(x)), ours(jnp.asarray(x))
    expected, expected_entropy = theirs(torch.from_numpy(x))
    assert score.shape == tuple(expected.shape) and not np.allclose(score, again)
    np.testing.assert_allclose(entropy, expected_entropy.detach().numpy(), rtol=1e-5)
    dist, torch_dist = ours.distribution(jnp.asarray(x)), theirs.distribution(torch.from_numpy(x))
    points = draw(6, 2, seed=3)
    expected = torch_dist.log_prob(torch.from_numpy(points)).detach().numpy()
    np.testing.assert_allclose(dist.log_prob(jnp.asarray(points)), expected, rtol=1e-4, atol=1e-5)
    grads = nnx.grad(lambda policy: policy(jnp.asarray(x))[0].sum())(ours)
    assert float(jnp.abs(grads.log_std.get_value()).sum()) > 0


def test_squashed_draws(sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    mean, std = jnp.asarray(draw(400, 3)), jnp.asarray(np.abs(draw(400, 3)) + 0.1)
    action, log_prob = sides[1]["squashed"](mean, std)
    assert jnp.isfinite(log_prob).all() and (jnp.abs(action) <= 1).all()
    inner = jnp.abs(action).max(-1) < 0.999
    transforms = [torch.distributions.AffineTransform(0.0, 3.0), torch.distributions.TanhTransform()]
    normal = torch.distributions.Normal(torch.from_numpy(np.array(mean)), torch.from_numpy(np.array(std)))
    dist = torch.distributions.TransformedDistribution(normal, transforms)
    expected = dist.log_prob(torch.from_numpy(np.array(action))).sum(-1).numpy()
    np.testing.assert_allclose(log_prob[inner], expected[np.array(inner)], rtol=1e-2, atol=1e-2)


def test_kinds_are_told_apart(sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    probs = np.array([0.2, 0.7], np.float32)
    expected = sides[0]["likelihood"](torch.distributions.Bernoulli(torch.from_numpy(probs)), torch.ones(2))
    import_name = sides[1]["Bernoulli"]
    np.testing.assert_allclose(sides[1]["likelihood"](import_name(jnp.asarray(probs)), jnp.ones(2)), expected, rtol=1e-5)


def test_values_of_unknown_type() -> None:
    """Only what is asked for a density is a distribution; environments of gym have a sample() too."""
    code = """
import torch
from torch.distributions import Normal


def act(make, env, x: torch.Tensor):
    dist = make(x)
    action = dist.sample()
    return dist.log_prob(action), env.action_space.sample()


def normal(x: torch.Tensor):
    return Normal(x, 1.0)
"""
    text = ivy_convert.convert_source(code, source="torch", target="jax").code
    assert "dist.sample(key=next_key())" in text and "env.action_space.sample()" in text


REFUSED = {
    "return D.VonMises(x, 1.0)": "log_prob and draws",
    "return D.Normal(x, 1.0).expand((3,))": "expand",
    "return D.Normal(x, 1.0).sample_n(3)": "sample((n,))",
    "class Own(D.Normal):\n        pass\n    return Own(x, 1.0)": "derive from the helper class",
}


@pytest.mark.parametrize("body", REFUSED)
def test_refused(body: str) -> None:
    code = f"import torch\nimport torch.distributions as D\n\n\ndef f(x: torch.Tensor):\n    {body}\n"
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    assert any(REFUSED[body] in site.reason for site in result.report.unsupported), result.report.unsupported
