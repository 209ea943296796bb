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
    ("noisy", "random", "64 draws on each side"),
    ("counts", "forward", "shape [4] has become [3]"),
    ("train_with_weight_decay", "training", "second."),
    ("train_with_clipping", "training", "second."),
]


# subject, stage, the line's text on both sides, what the difference looks like
LINES = [
    ("Epsilon", "forward", "return self.norm(self.fc(x))", "an epsilon of 1e-06 in place of 1e-05"),
    ("TanhGelu", "forward", "return jax.nn.gelu(self.fc(x))", "the tanh form of gelu in place of the exact one"),
    ("TransposedWeight", "forward", "return x @ self.weight.T", "a transposed matrix: weight"),
    ("Axis", "forward", "return self.fc(jax.nn.softmax(x, axis=-2))", "softmax over axis 1 in place of axis 2, of x"),
    ("ForgottenScale", "forward", "return x", "there is no product with scale"),
    ("Momentum", "forward", "", "a momentum of 0.9 in place of 0.1"),
    ("Detached", "gradients", "", "a value that no gradient passes through"),
    ("clamp_gradient", "gradients", "", "half the gradient at 1 of 3 places: a tie or a bound"),
    ("train_with_weight_decay", "training", "loss, grads = nnx.value_and_grad(loss_fn)(model)", "less weight decay"),
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


@pytest.mark.parametrize(("subject", "stage", "line", "trap"), LINES, ids=[one[0] for one in LINES])
def test_line_and_trap(comparison: Comparison, subject: str, stage: str, line: str, trap: str) -> None:
    result = comparison.stage(stage, f"mistakes:{subject}")  # type: ignore[arg-type]
    assert f"`{line}`" in result.line.partition(" → ")[2] if line else True, result
    assert trap in result.trap, result
