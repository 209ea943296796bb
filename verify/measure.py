"""How far two results are apart, and whether that is more than rounding.

Every program is run four times: original and converted, each in single and in double precision. Single precision
has to agree within the stage's tolerance. Double precision has to agree within a far smaller one, which shows
differences of meaning that single precision hides (an epsilon of 1e-6 for 1e-5). In both, the distance between the
original's own two runs says how much of the difference is rounding that no implementation can avoid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .values import ArrayStore, Json

# Stage -> largest error relative to the numbers' magnitude, by precision.
TOLERANCES = {
    "single": {"forward": 1e-5, "gradients": 1e-4, "training": 1e-4},
    "double": {"forward": 1e-9, "gradients": 1e-8, "training": 1e-7},
    "half": {"forward": 2e-2, "gradients": 5e-2, "training": 5e-2},
}
# An error up to this many times the original's own rounding error is rounding.
ROUNDING_FACTOR = 4.0
# What rounding to single precision changes at most, relative to the number.
SINGLE_ROUNDING = 2.0**-23
# The relative disturbance of drawn numbers that stands for the rounding of sums in another order.
JITTER = 1e-6
# An array much smaller than the others of its result is compared on this fraction of their scale.
SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class Leaf:
    """One array or plain value of a result."""

    value: Any
    half: bool = False

    @property
    def is_float(self) -> bool:
        """Whether the numbers are compared by distance, not for equality."""
        return isinstance(self.value, np.ndarray) and np.issubdtype(self.value.dtype, np.inexact)

    @property
    def is_single(self) -> bool:
        """Whether the numbers were rounded to single precision."""
        return isinstance(self.value, np.ndarray) and self.value.dtype in (np.float32, np.complex64)


@dataclass(frozen=True)
class Verdict:
    """What comparing one result gave: the worst leaf."""

    passed: bool
    error: float
    tolerance: float
    path: str = ""
    reason: str = ""


def leaves(encoded: Json, store: ArrayStore, path: str = "") -> dict[str, Leaf]:
    """All arrays and plain values of an encoded result, by path; numbers as 0-d arrays."""
    if isinstance(encoded, list):
        return _merged((f"{path}[{index}]", item) for index, item in enumerate(encoded))(store)
    if isinstance(encoded, dict):
        kind = encoded.get("$")
        if kind in ("tuple", "set", "slice"):
            return leaves(encoded["items"], store, path)
        if kind == "dict":
            return _merged((f"{path}.{key}" if path else str(key), item) for key, item in encoded["items"])(store)
        if kind == "array":
            array = store.arrays[encoded["key"]]
            half = array.dtype == np.float16 or "dtype" in encoded
            return {path: Leaf(array, half)}
        if kind == "float":
            return {path: Leaf(np.array(float(encoded["value"])))}
        return {path: Leaf(dict(encoded))}
    if isinstance(encoded, (bool, int, float)):
        return {path: Leaf(np.array(encoded))}
    return {path: Leaf(encoded)}


def _merged(items: Any) -> Any:
    def gather(store: ArrayStore) -> dict[str, Leaf]:
        return {name: leaf for path, item in items for name, leaf in leaves(item, store, path).items()}

    return gather


def _scale(found: Mapping[str, Leaf]) -> float:
    sizes = [_magnitude(leaf.value) for leaf in found.values() if leaf.is_float]
    return max(sizes, default=0.0)


def _magnitude(array: np.ndarray) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def distance(expected: Leaf, actual: Leaf, common_scale: float) -> tuple[float, str]:
    """The error of one leaf relative to its magnitude, and why it is infinite where it is."""
    one, other = expected.value, actual.value
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray):
        return _plain_distance(one, other)
    if one.shape != other.shape:
        return math.inf, f"shape {list(one.shape)} has become {list(other.shape)}"
    if _kind(one) != _kind(other):
        return math.inf, f"dtype {one.dtype} has become {other.dtype}"
    if not expected.is_float:
        wrong = int(np.count_nonzero(one != other))
        return (0.0, "") if wrong == 0 else (math.inf, f"{wrong} of {one.size} values differ")
    if not np.array_equal(np.isnan(one), np.isnan(other)) or not np.array_equal(one[_inf(one)], other[_inf(one)]):
        return math.inf, "not the same numbers are NaN or infinite"
    finite = np.isfinite(one)
    gap = np.abs(one[finite].astype(np.float64) - other[finite]).max() if finite.any() else 0.0
    scale = max(_magnitude(one), SMALLEST_SCALE * common_scale)
    return (float(gap) / scale if scale else float(gap)), ""


def _inf(array: np.ndarray) -> np.ndarray:
    return np.isinf(array)


def _kind(array: np.ndarray) -> str:
    return {"u": "i"}.get(array.dtype.kind, array.dtype.kind)


def _plain_distance(one: Any, other: Any) -> tuple[float, str]:
    if _not_compared(one) or _not_compared(other) or one == other:
        return 0.0, ""
    return math.inf, f"{_short(one)} has become {_short(other)}"


def _not_compared(value: Any) -> bool:
    return isinstance(value, dict) and value.get("$") in ("opaque", "name", "device", "dtype")


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {list(value.shape)}" if value.ndim else str(value)
    return repr(value)[:60]


def judge(
    stage: str,
    original: Mapping[str, Leaf],
    converted: Mapping[str, Leaf],
    original_double: Mapping[str, Leaf] | None,
    converted_double: Mapping[str, Leaf] | None,
    disturbed: Mapping[str, Leaf] | None = None,
) -> Verdict:
    """Compare one result, leaf by leaf; the verdict is that of the worst leaf.

    disturbed: the original with numbers some roundings away, where there is no run in double precision.
    """
    if set(original) != set(converted):
        missing, more = sorted(set(original) - set(converted)), sorted(set(converted) - set(original))
        parts = [f"missing: {', '.join(missing[:5])}"] * bool(missing) + [f"new: {', '.join(more[:5])}"] * bool(more)
        return Verdict(False, math.inf, TOLERANCES["single"][stage], reason="other results; " + "; ".join(parts))
    noise = _noise(original, original_double if original_double is not None else disturbed)
    if stage == "training" and converted_double is not None:
        noise = _amplified(noise, _noise(converted, converted_double))
    single = _worst(stage, original, converted, noise, "single")
    if not single.passed or original_double is None or converted_double is None:
        return single
    if set(original_double) != set(converted_double):
        return single
    double = _worst(stage, original_double, converted_double, _noise(original, original_double), "double")
    return single if double.passed else double


def _noise(single: Mapping[str, Leaf], double: Mapping[str, Leaf] | None) -> dict[str, float]:
    if double is None or set(single) != set(double):
        return {}
    scale = _scale(double)
    found = {}
    for path, leaf in single.items():
        error, _ = distance(double[path], leaf, scale)
        found[path] = error
    return found


def _amplified(original: Mapping[str, float], converted: Mapping[str, float]) -> dict[str, float]:
    """The rounding of either side: optimizers that divide by a gradient's size turn its last bits into whole steps.

    A bias in front of a batch normalization has no other gradient. Whether both sides mean the same is seen in double
    precision, where the tolerance is not widened by the conversion's own rounding in single precision.
    """
    return {path: max(error, converted.get(path, 0.0)) for path, error in original.items()}


def _worst(
    stage: str, expected: Mapping[str, Leaf], actual: Mapping[str, Leaf], noise: Mapping[str, float], precision: str
) -> Verdict:
    scale = _scale(expected)
    worst = Verdict(True, 0.0, TOLERANCES[precision][stage])
    for path, leaf in expected.items():
        error, reason = distance(leaf, actual[path], scale)
        kind = "half" if leaf.half else precision
        tolerance = max(TOLERANCES[kind][stage], ROUNDING_FACTOR * noise.get(path, 0.0))
        if leaf.is_single or actual[path].is_single:  # the code itself asks for that, also in a run in double
            tolerance = max(tolerance, ROUNDING_FACTOR * SINGLE_ROUNDING)
        passed = error <= tolerance
        if precision == "double" and not passed and not reason:
            reason = "in double precision, so this is no rounding"
        if (not passed, error) > (not worst.passed, worst.error):
            worst = Verdict(passed, error, tolerance, path, reason)
    return worst
