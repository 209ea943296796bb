"""Distributions of two sides are told apart where they differ, and not where they agree."""

from __future__ import annotations

import numpy as np
import pytest

from ivy_convert.verify.sampling import SIGNIFICANCE, distance_of, features, probability, result_of

X = np.linspace(0.5, 2, 400)


def dropped(rate: float, seed: int, draws: int = 64) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = [features(np.where(rng.random(X.shape) < rate, 0, X / (1 - rate))) for _ in range(draws)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def noisy(scale: float, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = [features(X + scale * rng.standard_normal(X.shape)) for _ in range(64)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def test_equal_distributions_pass_at_the_significance() -> None:
    failed = [
        seed for seed in range(100) if result_of("f", dropped(0.1, seed), dropped(0.1, 1000 + seed)).status != "passed"
    ]
    assert len(failed) <= 1  # of 100 right conversions a thousandth fails


@pytest.mark.parametrize("ours", [0.12, 0.15, 0.5])
def test_another_dropout_rate_fails(ours: float) -> None:
    assert result_of("f", dropped(0.1, 0), dropped(ours, 1)).status == "failed"


def test_another_scale_and_another_distribution_fail() -> None:
    assert result_of("f", noisy(1.0, 0), noisy(1.2, 1)).status == "failed"
    assert result_of("f", noisy(1.0, 0), noisy(1.0, 1)).status == "passed"


def test_one_noise_for_every_draw_fails() -> None:
    theirs = noisy(1.0, 0)
    assert result_of("f", theirs, {name: np.full(64, values[0]) for name, values in theirs.items()}).status == "failed"


def test_rounding_is_no_difference() -> None:
    theirs = dropped(0.1, 0)
    assert result_of("f", theirs, {name: values * (1 + 1e-6) for name, values in theirs.items()}).status == "passed"


def test_no_randomness_is_skipped() -> None:
    constant = {"mean": np.ones(8)}
    assert result_of("f", constant, constant).status == "skipped"


def test_probabilities_are_those_of_kolmogorov_and_smirnov() -> None:
    rng = np.random.default_rng(0)
    chances = [probability(distance_of(rng.random(64), rng.random(64)), 64, 64) for _ in range(400)]
    assert 0.5 * 400 * 0.05 <= sum(chance < 0.05 for chance in chances) <= 1.6 * 400 * 0.05
    assert probability(1.0, 64, 64) < SIGNIFICANCE / 1e6
