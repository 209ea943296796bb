"""A conversion with one mistake in every class and function: each is caught, and its place named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivy_convert.verify import Comparison, verify

PAIR = Path(__file__).parent / "pairs" / "mistakes"

# subject, stage that must fail, what the result must say (first diverging place or reason)
MISTAKES = [
    ("Epsilon", "forward", "norm (error"),
    ("TanhGelu", "forward", "the model itself (error"),
    ("TransposedWeight", "forward", "the model itself (error"),
    ("Axis", "forward", "layers.0 (before it calls layers.0.fc"),
    ("ForgottenScale", "forward", "the model itself (error"),
    ("Momentum", "forward", "weights and buffers afterwards [0].norm.running_mean"),
    ("Detached", "gradients", "first.weight"),
    ("MissingBias", "forward", "fc.bias"),
    ("clamp_gradient", "gradients", "gradient of input [0]"),
    ("normalise_", "forward", "changes array argument 0 in place"),
    ("noisy", "forward", "random draws differ"),
    ("counts", "forward", "shape [4] has become [3]"),
    ("train_with_weight_decay", "training", "second."),
    ("train_with_clipping", "training", "second."),
]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return verify(PAIR / "mistakes.py", PAIR / "mistakes_jax.py", inputs=PAIR / "inputs.py")


@pytest.mark.parametrize(("subject", "stage", "place"), MISTAKES)
def test_mistake_is_caught(comparison: Comparison, subject: str, stage: str, place: str) -> None:
    result = comparison.stage(stage, f"mistakes:{subject}")  # type: ignore[arg-type]
    assert result.status == "failed"
    assert place in f"{result.first_diverging} {result.reason}", result
    assert not comparison.ok


def test_what_is_right_in_a_wrong_class_passes(comparison: Comparison) -> None:
    assert comparison.stage("forward", "mistakes:Detached").status == "passed"
    assert comparison.stage("forward", "mistakes:clamp_gradient").status == "passed"
