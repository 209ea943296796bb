"""What a difference looks like: hypotheses that are tried on the numbers themselves.

Each hypothesis predicts one side's numbers from the other's, or both from values that the two sides still agree on, and
counts only where it explains at least 99 % of the difference. Nothing is concluded from names or from source text.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .trap_functions import AXIS_FUNCTIONS, FUNCTIONS, NAMED_PAIRS, PAD_MODES, axes_of, resize_modes, resized
from .trap_relations import (
    Seen,
    axes_text,
    constant_factor,
    edges_only,
    narrower_type,
    not_a_number,
    off_by,
    one_function_more,
    other_order,
    other_shape,
)

LARGEST = 300_000
MOST_KNOWN = 24


def looks_like(seen: Seen) -> str:
    """The first hypothesis that fits, as a phrase behind "looks like"; empty where none does."""
    sizes = {seen.expected.size, seen.actual.size}
    if max(sizes) > LARGEST or 0 in sizes or seen.expected.dtype.kind not in "fciub":
        return ""
    small = tuple((name, value) for name, value in seen.known if 0 < value.size <= LARGEST)
    seen = Seen(seen.expected, seen.actual, small[:MOST_KNOWN])
    with np.errstate(all="ignore"):
        for hypothesis in HYPOTHESES:
            found = hypothesis(seen)
            if found:
                return found
    return ""


def _function(seen: Seen) -> str:
    """Both are plain functions of a known value, but different ones."""
    for name, value in seen.known:
        if value.shape != seen.expected.shape or value.dtype.kind != "f":
            continue
        theirs = [label for label, function in FUNCTIONS.items() if seen.near(function(value), seen.expected)]
        ours = [label for label, function in FUNCTIONS.items() if seen.explains_actual(function(value))]
        if theirs and ours and theirs[0] != ours[0]:
            return NAMED_PAIRS.get((theirs[0], ours[0]), f"{ours[0]} in place of {theirs[0]}") + f", of {name}"
    return ""


def _axis(seen: Seen) -> str:
    """Both are the same reduction or the like, over other axes or by another convention."""
    for name, value in seen.known:
        if value.dtype.kind not in "fiu" or not 1 <= value.ndim <= 4:
            continue
        theirs, ours = _reductions(seen, value, seen.expected), _reductions(seen, value, seen.actual)
        for label, axes in theirs:
            for other, others in ours:
                if label == other and axes != others:
                    return f"{label} over {axes_text(others)} in place of {axes_text(axes)}, of {name}"
        for (label, axes), (other, others) in itertools.product(theirs, ours):
            if axes == others and label != other:
                return (
                    NAMED_PAIRS.get((label, other), f"{other} in place of {label}")
                    + f", of {name} over {axes_text(axes)}"
                )
    return ""


def _reductions(seen: Seen, value: np.ndarray, result: np.ndarray) -> list[tuple[str, tuple[int, ...]]]:
    found = []
    for axes in axes_of(value.ndim):
        for label, (function, several) in AXIS_FUNCTIONS.items():
            if len(axes) > 1 and not several:
                continue
            given = function(value.astype(np.float64), axes if several else axes[0])
            if given.size == result.size and given.squeeze().shape == result.squeeze().shape:
                if seen.near(given.reshape(result.shape), result):
                    found.append((label, axes))
    return found


def _epsilon(seen: Seen) -> str:
    """Both normalise a known value, with another epsilon: fitted up to a scale and a shift for each channel."""
    if seen.expected.shape != seen.actual.shape or seen.expected.dtype.kind != "f":
        return ""
    for name, value in seen.known:
        if value.shape != seen.expected.shape or value.dtype.kind != "f":
            continue
        for axes in axes_of(value.ndim):
            found = [_fitted_epsilon(value, side, axes, seen.allowed) for side in (seen.expected, seen.actual)]
            if None not in found and found[0] != found[1]:
                return f"an epsilon of {found[1]:g} in place of {found[0]:g}, where {name} is normalised"
    return ""


EPSILONS = (0.0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def _fitted_epsilon(value: np.ndarray, result: np.ndarray, axes: tuple[int, ...], allowed: float) -> float | None:
    """The epsilon with which `(value - mean) / sqrt(var + epsilon)` gives the result, up to scales and shifts."""
    value, result = value.astype(np.float64), result.astype(np.float64)
    mean, var = value.mean(axes, keepdims=True), value.var(axes, keepdims=True)
    found: list[tuple[float, float]] = []
    for centred, spread in ((value - mean, var), (value, np.mean(np.square(value), axes, keepdims=True))):
        for kept in range(value.ndim):
            others = tuple(axis for axis in range(value.ndim) if axis != kept)
            if _linear_residual(centred / np.sqrt(spread + EPSILONS[0]), result, others) < 0.1 * np.abs(result).max():
                tried = [(_linear_residual(centred / np.sqrt(spread + e), result, others), e) for e in EPSILONS]
                # over all axes at once any epsilon gives the same numbers up to a scale
                found += tried if max(tried)[0] > allowed else []
    best, epsilon = min(found, default=(math.inf, 0.0))
    return epsilon if best <= allowed else None


def _linear_residual(x: np.ndarray, y: np.ndarray, axes: tuple[int, ...]) -> float:
    """The largest distance of y from the best `scale * x + shift` with one of each for every place outside `axes`."""
    if math.prod(x.shape[axis] for axis in axes) < 4:
        return math.inf
    dx, dy = x - x.mean(axes, keepdims=True), y - y.mean(axes, keepdims=True)
    scale = (dx * dy).sum(axes, keepdims=True) / (dx * dx).sum(axes, keepdims=True)
    gap = np.abs(dy - scale * dx)
    return float(gap.max()) if np.isfinite(gap).all() else math.inf


def _operand(seen: Seen) -> str:
    """A known value was left out, or taken twice."""
    if seen.expected.dtype.kind not in "fc" or seen.expected.shape != seen.actual.shape:
        return ""
    for name, value in seen.known:
        if value.dtype.kind not in "fiu" or value.ndim > seen.expected.ndim or not np.any(value):
            continue
        for shaped in _broadcast(value, seen.expected.shape):
            for sign, text in ((seen.actual + shaped, f"{name} is not added"), (seen.actual - shaped, f"{name} is added once more"),
                               (seen.actual * shaped, f"there is no product with {name}"),
                               (seen.actual / shaped, f"there is one more product with {name}")):  # fmt: skip
                if seen.near(sign, seen.expected) and not np.all(shaped == 1):
                    return text
    return ""


def _broadcast(value: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The value along the last axes, and a vector along the second (a channel of what keeps channels first)."""
    for candidate in (
        value,
        value.reshape(-1, *[1] * (len(shape) - 2)) if value.ndim == 1 and len(shape) > 2 else value,
    ):
        try:
            np.broadcast_shapes(candidate.shape, shape)
        except ValueError:
            continue
        if np.broadcast_shapes(candidate.shape, shape) == shape:
            yield candidate


def _matrix(seen: Seen) -> str:
    """A product with a matrix the wrong way round."""
    if seen.expected.ndim < 1 or seen.expected.dtype.kind != "f":
        return ""
    square = [(n, v) for n, v in seen.known if v.ndim >= 2 and v.shape[-1] == v.shape[-2] and v.dtype.kind == "f"]
    for (name, weight), (other, value) in itertools.product(square[:8], seen.known[:8]):
        if value.ndim < 1 or value.shape[-1] != weight.shape[-2] or value.dtype.kind != "f":
            continue
        try:
            one, two = value @ weight, value @ np.swapaxes(weight, -1, -2)
        except ValueError:
            continue
        for theirs, ours in ((one, two), (two, one)):
            shift = _shift_of(theirs, seen.expected)
            if shift is not None and seen.explains(theirs + shift, ours + shift):
                return f"a transposed matrix: {name}, multiplied with {other}"
    return ""


def _shift_of(product: np.ndarray, result: np.ndarray) -> Any:
    """A bias along the last axis, None where that is not all that lies between the two."""
    if product.shape != result.shape:
        return None
    gap = result - product
    shift = gap.reshape(-1, gap.shape[-1]).mean(axis=0)
    return shift if np.allclose(gap, shift, atol=1e-6 * np.abs(result).max()) else None


def _division(seen: Seen) -> str:
    """Quotients and remainders of negative numbers."""
    if seen.expected.shape != seen.actual.shape:
        return ""
    for one, other, text in ((seen.expected, seen.actual, "down in place of towards zero"),
                             (seen.actual, seen.expected, "towards zero in place of down")):  # fmt: skip
        if np.array_equal(one, np.trunc(one)) and np.array_equal(other, np.where(other < one, one - 1, one)):
            if not np.any((other < one) & (one > 0)):
                return f"a division or rounding {text}"
    pairs = itertools.product(seen.known[:8], seen.known[:8])
    for (_, top), (_, bottom) in pairs:
        if top.shape != seen.expected.shape or bottom.size > top.size or not bottom.all():
            continue
        try:
            remainders = (np.mod(top, bottom), np.fmod(top, bottom))
        except (ValueError, TypeError):
            continue
        if seen.explains(*remainders) or seen.explains(*remainders[::-1]):
            return "a remainder with the divisor's sign on one side and the dividend's on the other"
    return ""


def _resize(seen: Seen) -> str:
    """Both resize a known image, by other conventions."""
    if seen.expected.shape != seen.actual.shape or seen.expected.ndim < 3 or seen.expected.dtype.kind != "f":
        return ""
    for name, value in seen.known:
        if value.ndim != seen.expected.ndim or value.dtype.kind != "f":
            continue
        axes = [axis for axis in range(value.ndim) if value.shape[axis] != seen.expected.shape[axis]]
        if not axes or axes[0] == 0:
            continue
        sides = [
            next((mode for mode in resize_modes() if seen.near(resized(value, side.shape, mode), side)), None)
            for side in (seen.expected, seen.actual)
        ]
        if None not in sides and sides[0] != sides[1]:
            return f"{sides[1]} in place of {sides[0]}, where {name} is resized"
    return ""


def _layout(seen: Seen) -> str:
    """Both are a known value under another shape, read in different orders."""
    for name, value in seen.known:
        if value.size != seen.expected.size or seen.expected.size != seen.actual.size or not 2 <= value.ndim <= 5:
            continue
        theirs, ours = _axis_order(seen, value, seen.expected), _axis_order(seen, value, seen.actual)
        if theirs is not None and ours is not None and theirs != ours:
            return f"another layout: {name} is reshaped in axis order {ours} in place of {theirs}"
    return ""


def _axis_order(seen: Seen, value: np.ndarray, side: np.ndarray) -> list[int] | None:
    orders = itertools.permutations(range(value.ndim))
    return next((list(axes) for axes in orders if seen.near(value.transpose(axes).reshape(side.shape), side)), None)


def _padding(seen: Seen) -> str:
    """Both pad a known value, with other numbers."""
    if seen.expected.shape != seen.actual.shape:
        return ""
    for name, value in seen.known:
        if value.ndim != seen.expected.ndim or not _fits(value.shape, seen.expected.shape):
            continue
        more = [now - before for before, now in zip(value.shape, seen.expected.shape)]
        for widths in itertools.islice(itertools.product(*(_splits(count) for count in more)), 400):
            inside = tuple(slice(left, left + size) for (left, _), size in zip(widths, value.shape))
            if not np.allclose(seen.expected[inside], value):
                continue
            sides = [_pad_mode(seen, value, widths, side) for side in (seen.expected, seen.actual)]
            if None not in sides and sides[0] != sides[1]:
                return f"{sides[1]} padding in place of {sides[0]} padding, of {name}"
    return ""


def _splits(count: int) -> list[tuple[int, int]]:
    """How much of a padding comes in front: half of it first."""
    return sorted(((left, count - left) for left in range(count + 1)), key=lambda pair: abs(pair[0] - pair[1]))


def _fits(inner: tuple[int, ...], outer: tuple[int, ...]) -> bool:
    return inner != outer and all(one <= two for one, two in zip(inner, outer))


def _pad_mode(seen: Seen, value: np.ndarray, widths: Any, side: np.ndarray) -> str | None:
    for label, mode in PAD_MODES.items():
        try:
            if seen.near(np.pad(value, widths, mode=mode), side):  # type: ignore[call-overload]
                return label
        except ValueError:
            continue
    return None


HYPOTHESES: tuple[Callable[[Seen], str], ...] = (
    not_a_number, narrower_type, _function, _axis, _epsilon, _resize, _layout, _padding, _operand, _matrix, _division,
    other_shape, other_order, constant_factor, one_function_more, off_by, edges_only,
)  # fmt: skip
