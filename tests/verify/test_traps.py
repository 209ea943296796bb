"""Differences of known origin are called by their names, and others by none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ivy_convert.verify.trap_functions import AXIS_FUNCTIONS, FUNCTIONS, resized
from ivy_convert.verify.trap_relations import Seen
from ivy_convert.verify.trap_updates import gradient_looks_like, update_looks_like
from ivy_convert.verify.traps import looks_like

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 6, 5))
IMAGE = RNG.standard_normal((2, 3, 6, 5))
WEIGHT = RNG.standard_normal((5, 5))
BIAS = RNG.standard_normal(5)
TOP = np.array([-7, 7, -8, 5, 9])
BOTTOM = np.array([2, -2, 3, 3, -4])


def normal(x: np.ndarray, epsilon: float) -> np.ndarray:
    """Layer normalization with a scale and a shift that nobody else knows."""
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon) * np.exp(BIAS) + BIAS


def padded(mode: str) -> np.ndarray:
    return np.pad(IMAGE, ((0, 0), (0, 0), (1, 2), (2, 1)), mode=mode)  # type: ignore[call-overload]


def bfloat16(x: np.ndarray) -> np.ndarray:
    bits = x.astype(np.float32).view(np.uint32) + np.uint32(1 << 15)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


BIG = np.array([2**31 + 5, 3, -(2**33) + 7])
EDGED = IMAGE + np.pad(np.zeros((2, 3, 4, 3)), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.1)
LABELLED = [
    (FUNCTIONS["gelu"](X), FUNCTIONS["the tanh form of gelu"](X), X, "the tanh form of gelu in place of the exact one"),
    (np.where(X > 0, X, 0.01 * X), np.where(X > 0, X, 0.2 * X), X, "a leaky relu of slope 0.2 in place of a leaky relu"),
    (np.tanh(X), FUNCTIONS["sigmoid"](X), X, "sigmoid in place of tanh"),
    (normal(X, 1e-5), normal(X, 1e-3), X, "an epsilon of 0.001 in place of 1e-05"),
    (normal(X, 1e-5), normal(X, 1e-6), X, "an epsilon of 1e-06 in place of 1e-05"),
    (X.std(-1, ddof=1), X.std(-1), X, "a standard deviation with correction 0 in place of 1"),
    (X.var(1, ddof=1) * 3, X.var(1) * 3, X, "a variance with correction 0 instead of 1 (n = 6)"),
    (X.var((0, 1)), X.var((0, 1), ddof=1), X, "a variance with correction 1 in place of 0"),
    (AXIS_FUNCTIONS["softmax"][0](X, -1), AXIS_FUNCTIONS["softmax"][0](X, 1), X, "softmax over axis 1 in place of axis 2"),
    (X[:, :5].sum(1), X[:, :5].sum(2), X[:, :5], "sum over axis 2 in place of axis 1"),
    (np.sort(X, 1)[:, 2], np.median(X, 1), X, "the mean of the two middle values in place of the lower one"),
    (X.sum(), X.mean(), X, "mean in place of sum"),
    (np.array(X.sum() + 3), np.array((X.sum() + 3) / 24), X[..., 0], "a mean in place of a sum (over 24)"),
    (X @ WEIGHT, X @ WEIGHT.T, X, "a transposed matrix: weight"),
    (X @ WEIGHT + BIAS, X @ WEIGHT, X, "bias is not added"),
    (X * BIAS, X, X, "there is no product with bias"),
    (TOP // BOTTOM, np.trunc(TOP / BOTTOM).astype(int), TOP, "a division or rounding towards zero in place of down"),
    (np.fmod(TOP, BOTTOM), np.mod(TOP, BOTTOM), TOP, "a remainder with the divisor's sign"),
    (resized(IMAGE, (2, 3, 9, 11), "linear with align_corners=True"),
     resized(IMAGE, (2, 3, 9, 11), "linear with align_corners=False"), IMAGE, "align_corners=False in place of linear with"),
    (resized(IMAGE, (2, 3, 9, 11), "nearest, at floor(i * in / out)"),
     resized(IMAGE, (2, 3, 9, 11), "nearest, at pixel centres"), IMAGE, "nearest, at pixel centres in place of nearest, at fl"),
    (padded("reflect"), padded("constant"), IMAGE, "zero padding in place of reflect padding"),
    (padded("wrap"), padded("edge"), IMAGE, "replicate padding in place of circular padding"),
    (EDGED, IMAGE, None, "another padding: only numbers at the edges"),
    (X, X.swapaxes(1, 2), None, "transposed axes: axis order [0, 2, 1]"),
    (X[:, :5], X[:, :5].swapaxes(1, 2), None, "transposed axes: axis order [0, 2, 1]"),
    (IMAGE.reshape(2, -1), IMAGE.transpose(0, 2, 3, 1).reshape(2, -1), IMAGE,
     "x is reshaped in axis order [0, 2, 3, 1] in place of [0, 1, 2, 3]"),
    (X, X.transpose(2, 0, 1).reshape(X.shape), None, "reshaped after axis order [2, 0, 1]"),
    (X.sum(1, keepdims=True), X.sum(1), None, "axes of size 1"),
    (X, X[:, :-1], None, "a range that is 1 shorter or longer along axis 1"),
    (X, X[:, ::-1], None, "reversed along axis 1"),
    (X, np.roll(X, 2, 0), None, "shifted by 2 along axis 0"),
    (X, X.astype(np.float32).astype(np.float64), None, "numbers rounded to float32"),
    (X, bfloat16(X), None, "numbers rounded to bfloat16"),
    (X.astype(np.float32), X.astype(np.float16).astype(np.float32), None, "numbers rounded to float16"),
    (BIG, BIG.astype(np.int32), None, "do not fit into int32"),
    (np.array([1, 2, 3]), np.array([2, 3, 4]), None, "off by 1 everywhere"),
    (X > 0, X <= 0, None, "an inverted mask"),
    (np.abs(X), np.where(X > 0, X, np.nan), None, "NaN where the original has numbers"),
    (np.log(np.abs(X)), np.abs(X), None, "a missing log on the converted side"),
    (X, -X, None, "the opposite sign"),
    (X, X * 180 / math.pi, None, "degrees in place of radians"),
    (X, 1.7 * X, None, "a constant factor of 1.7"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("expected", "actual", "operand", "name"), LABELLED, ids=[one[3] for one in LABELLED])
def test_a_known_difference_is_named(expected: np.ndarray, actual: np.ndarray, operand: np.ndarray, name: str) -> None:
    known = [("x", operand)] if operand is not None else []
    known += [("weight", WEIGHT), ("bias", BIAS), ("bottom", BOTTOM)] if operand is not None else []
    assert name in looks_like(Seen(np.asarray(expected), np.asarray(actual), tuple(known)))


def test_what_no_hypothesis_explains_has_no_name() -> None:
    other = RNG.standard_normal(X.shape)
    assert looks_like(Seen(X, other, (("x", other + 1), ("weight", WEIGHT), ("bias", BIAS)))) == ""
    assert looks_like(Seen(np.array(3.0), np.array(3.3), (("x", X),))) == ""
    assert looks_like(Seen(X, X + 1e-3 * other, (("x", other),))) == ""


BEFORE, BATCH = RNG.random(7) + 1, RNG.random(7) + 2
UPDATES = [
    (0.9 * BEFORE + 0.1 * BATCH, 0.1 * BEFORE + 0.9 * BATCH, "a momentum of 0.9 in place of 0.1"),
    (0.9 * BEFORE + 0.1 * BATCH * 8 / 7, 0.9 * BEFORE + 0.1 * BATCH, "a running variance with correction 0 in place of 1 (n = 8)"),
    (0.9 * BEFORE + 0.1 * BATCH, BEFORE, "a value that is not updated"),
    (0.99 * BEFORE - 0.1, 0.9999 * BEFORE - 0.1, "less weight decay"),
    (BEFORE - 0.1 * BATCH, BEFORE - 0.2 * BATCH, "updates 2 times as large"),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "actual", "name"), UPDATES, ids=[one[2] for one in UPDATES])
def test_a_known_difference_of_updates_is_named(expected: np.ndarray, actual: np.ndarray, name: str) -> None:
    assert name in update_looks_like(BEFORE, expected, actual)


def test_known_differences_of_gradients_are_named() -> None:
    gradient = np.array([1.0, 1.0, 2.0, 0.0])
    assert "no gradient passes" in gradient_looks_like(gradient, np.zeros(4))
    assert gradient_looks_like(gradient, gradient * [0.5, 1, 1, 1]).startswith("half the gradient at 1 of 4 places")
    assert "where the original has none" in gradient_looks_like(gradient, np.add(gradient, [0, 0, 0, 0.5]))
    assert "NaN" in gradient_looks_like(gradient, np.add(gradient, [np.nan, 0, 0, 0]))
    assert gradient_looks_like(gradient, gradient[::-1].copy()) == ""
