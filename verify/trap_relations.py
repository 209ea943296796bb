"""Relations between two values that should be equal: a factor, an order, a rounding that explains the difference."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .trap_functions import FUNCTIONS

# The part of a difference that a hypothesis may leave unexplained.
UNEXPLAINED = 0.01


@dataclass(frozen=True)
class Seen:
    """A value on which two runs differ, and what they agreed on before.

    expected, actual: the original's and the converted's value. known: name and value, the nearest first.
    """

    expected: np.ndarray
    actual: np.ndarray
    known: tuple[tuple[str, np.ndarray], ...] = ()

    def explains(self, expected: Any, actual: Any) -> bool:
        """Whether predictions of both values leave hardly anything of the difference."""
        return self.near(expected, self.expected) and self.near(actual, self.actual)

    def explains_actual(self, actual: Any) -> bool:
        """Whether a prediction of the converted's value does."""
        return self.near(actual, self.actual)

    def near(self, predicted: Any, value: np.ndarray) -> bool:
        """Whether a prediction of one value leaves hardly anything of the difference."""
        predicted = np.asarray(predicted)
        if predicted.shape != value.shape or not value.size:
            return False
        one, other = predicted.astype(_wide(value)), value.astype(_wide(value))
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        gap = np.abs(np.where(same, 0, one - other))
        return bool(np.all(gap <= self.allowed))

    @property
    def allowed(self) -> float:
        """How far a prediction may be off."""
        if self.expected.shape != self.actual.shape:
            return 1e-6 * float(np.max(np.abs(self.expected), initial=0.0))
        with np.errstate(invalid="ignore"):
            gap = np.abs(self.expected.astype(_wide(self.expected)) - self.actual)
        finite = gap[np.isfinite(gap)]
        return UNEXPLAINED * float(finite.max(initial=0.0))


def _wide(value: np.ndarray) -> Any:
    return np.complex128 if value.dtype.kind == "c" else np.float64


def narrower_type(seen: Seen) -> str:
    """The converted's numbers are the original's, rounded to a narrower type, or wrapped around in it."""
    expected, actual = seen.expected, seen.actual
    if expected.shape != actual.shape:
        return ""
    if expected.dtype.kind in "iu" and actual.dtype.kind in "iu":
        for narrow in (np.int32, np.int16, np.int8, np.uint8):
            if np.array_equal(expected.astype(narrow), actual):
                return f"numbers that do not fit into {np.dtype(narrow).name} and wrapped around"
    if expected.dtype.kind != "f" or actual.dtype.kind != "f":
        return ""
    for name, bits in (("bfloat16", 16), ("float16", 13), ("float32", None)):
        wide = _rounded(actual, bits)
        rounded = np.array_equal(wide, actual, equal_nan=True) and not np.array_equal(
            _rounded(expected, bits), expected
        )
        step = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24}[name]
        finite = np.isfinite(expected) & np.isfinite(actual) & (expected != 0)
        relative = np.abs(expected - actual)[finite] / np.abs(expected[finite])
        if rounded and relative.size and np.median(relative) <= 4 * step and expected.dtype.itemsize > 2 * (bits != 16):
            return f"numbers rounded to {name}"
    return ""


def _rounded(value: np.ndarray, dropped_bits: int | None) -> np.ndarray:
    """Single precision, without its last bits."""
    single = value.astype(np.float32)
    if dropped_bits is None:
        return single.astype(np.float64)
    half = np.uint32(1 << (dropped_bits - 1))
    bits = (single.view(np.uint32) + half) & np.uint32(0xFFFFFFFF << dropped_bits & 0xFFFFFFFF)
    return bits.view(np.float32).astype(np.float64)


def other_shape(seen: Seen) -> str:
    """Other axes: dropped or added ones, a slice, another order."""
    expected, actual = seen.expected, seen.actual
    if expected.shape == actual.shape:
        return ""
    if expected.squeeze().shape == actual.squeeze().shape and seen.explains_actual(expected.reshape(actual.shape)):
        return "axes of size 1 that are kept on one side only (keepdim, squeeze)"
    order = other_order(seen)
    if order:
        return order
    if expected.ndim == actual.ndim:
        axes = [axis for axis in range(expected.ndim) if expected.shape[axis] != actual.shape[axis]]
        if len(axes) == 1:
            axis, size = axes[0], min(expected.shape[axes[0]], actual.shape[axes[0]])
            longer, shorter = (expected, actual) if expected.shape[axis] > size else (actual, expected)
            for start in range(longer.shape[axis] - size + 1):
                part = np.take(longer, range(start, start + size), axis)
                if np.allclose(part, shorter, rtol=1e-6, atol=0, equal_nan=True):
                    return f"a range that is {longer.shape[axis] - size} shorter or longer along axis {axis}"
    return ""


def other_order(seen: Seen) -> str:
    """The same numbers at other places."""
    expected, actual = seen.expected, seen.actual
    if expected.size != actual.size or expected.size < 2:
        return ""
    for axes in itertools.permutations(range(expected.ndim)) if expected.ndim <= 5 else ():
        moved = expected.transpose(axes)
        if list(axes) != sorted(axes) and moved.shape == actual.shape and seen.explains_actual(moved):
            return f"transposed axes: axis order {list(axes)}"
    if seen.explains_actual(expected.reshape(actual.shape)):
        return "the same numbers under another shape"
    for axes in itertools.permutations(range(expected.ndim)) if expected.ndim <= 5 else ():
        if list(axes) != sorted(axes) and seen.explains_actual(expected.transpose(axes).reshape(actual.shape)):
            return f"numbers laid out in another order: reshaped after axis order {list(axes)} (a layout difference)"
    if expected.shape == actual.shape:
        for axis in range(expected.ndim):
            if seen.explains_actual(np.flip(expected, axis)):
                return f"reversed along axis {axis}"
            for shift in range(1, min(expected.shape[axis], 64)):
                if seen.explains_actual(np.roll(expected, shift, axis)):
                    return f"shifted by {shift} along axis {axis}"
    if expected.dtype.kind == "f" and np.isfinite(expected).all() and len(np.unique(expected)) > 0.9 * expected.size:
        one, other = np.sort(expected, axis=None), np.sort(actual, axis=None)
        if np.allclose(one, other, rtol=1e-6, atol=0):
            return "the same numbers at other places (a layout or axis order difference)"
    return ""


def not_a_number(seen: Seen) -> str:
    """NaN on one side only."""
    if seen.expected.shape != seen.actual.shape or seen.expected.dtype.kind not in "fc":
        return ""
    new, lost = np.isnan(seen.actual) & ~np.isnan(seen.expected), np.isnan(seen.expected) & ~np.isnan(seen.actual)
    if new.any():
        return (
            f"{int(new.sum())} NaN where the original has numbers (0/0, a norm or logarithm of zero, an all-masked row)"
        )
    return f"{int(lost.sum())} numbers where the original has NaN" if lost.any() else ""


def constant_factor(seen: Seen) -> str:
    """The converted's numbers are the original's times a constant that has a meaning."""
    if seen.expected.shape != seen.actual.shape or seen.expected.dtype.kind not in "fc":
        return ""
    large = np.abs(seen.expected) > 1e-3 * np.max(np.abs(seen.expected))
    factor = np.median((seen.actual[large] / seen.expected[large]).real)
    if not 1e-4 < abs(factor) < 1e4 or not seen.explains_actual(seen.expected * factor):
        return ""
    for value, meaning in _factors(seen):
        slack = 0.0 if seen.expected.size == 1 else UNEXPLAINED * abs(1 - value) / 4
        if math.isclose(factor, value, rel_tol=max(1e-6, slack)):
            return meaning
    return f"a constant factor of {factor:.6g}" if seen.expected.size > 1 else ""


def _factors(seen: Seen) -> Iterator[tuple[float, str]]:
    """Factors with a meaning; those made of sizes come from the shapes of the values known before."""
    yield -1.0, "the opposite sign"
    sizes = sorted(_sizes(seen))
    for n in sizes:
        yield 1 / n, f"a mean in place of a sum (over {n})"
        yield float(n), f"a sum in place of a mean (over {n})"
        yield math.sqrt(n), f"a missing division by the square root of {n}"
        yield 1 / math.sqrt(n), f"a further division by the square root of {n}"
    for n in sizes[sizes[:1] == [2] :]:  # a half is rather a mean over two
        for value, was, now in ((n / (n - 1), 1, 0), ((n - 1) / n, 0, 1)):
            # the converted is smaller where it divides by n: a variance with correction 0 instead of 1
            yield 1 / value, f"a variance with correction {now} instead of {was} (n = {n})"
            yield math.sqrt(1 / value), f"a standard deviation with correction {now} instead of {was} (n = {n})"
    yield math.log(2), "a natural logarithm in place of base 2"
    yield 1 / math.log(2), "a logarithm of base 2 in place of the natural one"
    yield math.pi / 180, "radians in place of degrees"
    yield 180 / math.pi, "degrees in place of radians"


def _sizes(seen: Seen) -> set[int]:
    """Numbers of elements that a reduction may have run over: products of axes of what is known."""
    found: set[int] = set()
    for _, value in seen.known[:8]:
        for count in range(1, min(value.ndim, 4) + 1):
            found |= {math.prod(sizes) for sizes in itertools.combinations(value.shape, count)}
    return {size for size in found if 2 <= size <= 10**7}


def one_function_more(seen: Seen) -> str:
    """One value is a plain function of the other."""
    expected, actual = seen.expected, seen.actual
    if expected.shape != actual.shape:
        return ""
    if expected.dtype == bool and actual.dtype == bool:
        return "an inverted mask" if np.array_equal(expected, ~actual) else ""
    for name in ("log", "exp", "sigmoid", "tanh", "square", "sqrt", "reciprocal", "absolute value", "relu"):
        if seen.explains_actual(FUNCTIONS[name](expected)):
            return f"a further {name} on the converted side"
        one = Seen(actual, expected)
        if one.explains_actual(FUNCTIONS[name](actual)):
            return f"a missing {name} on the converted side"
    return "1 - x in place of x" if seen.explains_actual(1 - expected) else ""


def off_by(seen: Seen) -> str:
    """Integers that differ by the same number everywhere."""
    if seen.expected.shape != seen.actual.shape or seen.expected.dtype.kind not in "iu":
        return ""
    gap = seen.actual.astype(np.int64) - seen.expected.astype(np.int64)
    return f"off by {gap.flat[0]} everywhere" if gap.size and (gap == gap.flat[0]).all() and gap.flat[0] else ""


def edges_only(seen: Seen) -> str:
    """Equal inside, different along an edge."""
    if seen.expected.shape != seen.actual.shape or seen.expected.ndim < 2 or seen.expected.dtype.kind != "f":
        return ""
    wrong = np.abs(seen.expected - seen.actual) > seen.allowed
    edges = []
    for axis in range(1, wrong.ndim):
        along = wrong.any(axis=tuple(other for other in range(wrong.ndim) if other != axis))
        size = len(along)
        if size >= 4 and not along.all() and not along[size // 3 : size - size // 3].any():
            edges.append(axis)
    inside = tuple(
        slice(size // 3, size - size // 3) if axis in edges else slice(None) for axis, size in enumerate(wrong.shape)
    )
    if edges and not wrong[inside].any():
        return f"another padding: only numbers at the edges of {axes_text(edges)} differ"
    # with more than one padded axis the edges of one reach along the whole other
    spatial = range(max(1, wrong.ndim - 2), wrong.ndim)
    inside = tuple(slice(s // 3, s - s // 3) if axis in spatial else slice(None) for axis, s in enumerate(wrong.shape))
    if min(wrong.shape[axis] for axis in spatial) >= 4 and wrong.any() and not wrong[inside].any():
        return f"another padding: only numbers at the edges of {axes_text(list(spatial))} differ"
    return ""


def axes_text(axes: Sequence[int]) -> str:
    """`axis 1` or `axes 1 and 2`."""
    return f"axis {axes[0]}" if len(axes) == 1 else "axes " + " and ".join(map(str, axes))
