"""Whether two results are the same: number of parts, shapes, kinds of dtype, values, gradients, distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .bridges import flatten, to_numpy

#: Relative to each value and to the largest one of the array.
TOLERANCES = {torch.float16: 2e-3, torch.bfloat16: 2e-2}
TOLERANCE = 5e-5
LEAST_ERROR = 1e-6
#: Errors up to this many times those of torch itself, against its own run in double precision, are rounding.
ROUNDING_FACTOR = 8.0
#: How many draws two distributions are compared by at least, and how far their moments may be apart.
LEAST_DRAWS, STANDARD_ERRORS = 200, 6.0


def kind(value: Any) -> str:
    """The kind of a leaf: its dtype's, or its type."""
    if isinstance(value, torch.Tensor):
        dtype = value.dtype
        if dtype == torch.bool:
            return "bool"
        return "complex" if dtype.is_complex else "float" if dtype.is_floating_point else "int"
    if isinstance(value, (bool, int, float, complex)):
        return type(value).__name__
    return "other"


def _array(value: Any) -> np.ndarray:
    return to_numpy(value) if isinstance(value, torch.Tensor) else np.asarray(value)


def structure_difference(expected: list[Any], actual: list[Any]) -> str:
    """What differs in number of leaves, shapes and kinds, or ''."""
    if len(expected) != len(actual):
        return f"{len(expected)} results became {len(actual)}"
    for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
        if kind(one) == "other":
            continue
        if kind(other) == "other":
            return f"result {index}: {type(one).__name__} became {type(other).__name__}"
        if np.shape(one) != np.shape(other):
            return f"result {index}: shape {tuple(np.shape(one))} became {tuple(np.shape(other))}"
        if kind(one) != kind(other):
            return f"result {index}: {kind(one)} became {kind(other)}"
    return ""


def difference(expected: Any, actual: Any, reference: Any = None) -> str:
    """What differs in values, or ''. `reference` is torch's own result in double precision, if known."""
    ones, others = flatten(expected), flatten(actual)
    references = flatten(reference) if reference is not None else [None] * len(ones)
    if len(ones) != len(others):
        return f"{len(ones)} results became {len(others)}"
    if len(references) != len(ones):
        references = [None] * len(ones)
    for index, (one, other, exact) in enumerate(zip(ones, others, references, strict=True)):
        if kind(one) == "other":
            if not _same_plain(one, other):
                return f"result {index}: {one!r} became {other!r}"
        elif np.shape(one) != np.shape(other):
            return f"result {index}: shape {tuple(np.shape(one))} became {tuple(np.shape(other))}"
        elif not _close(one, other, exact):
            return f"result {index}: {_short(one)} became {_short(other)}"
    return ""


def _same_plain(one: Any, other: Any) -> bool:
    if isinstance(one, torch.dtype):
        return str(one).removeprefix("torch.") == str(getattr(other, "__name__", other))
    return bool(one == other) or not isinstance(one, (str, type(None)))


def _close(one: Any, other: Any, exact: Any) -> bool:
    first, second = _array(one), _array(other)
    if first.dtype.kind not in "fc":
        return bool((first == second).all())
    # NumPy makes half-precision floats of booleans where torch makes single-precision ones.
    tolerance = max(TOLERANCES.get(getattr(value, "dtype", None), TOLERANCE) for value in (one, other))
    finite = np.isfinite(first)
    scale = np.abs(first[finite]).max(initial=0.0)
    with np.errstate(all="ignore"):
        if np.allclose(second, first, tolerance, tolerance * min(scale, 1.0) + 1e-7 * scale + LEAST_ERROR, equal_nan=True):
            return True
    if exact is None or np.shape(exact) != first.shape:
        return False
    truth = _array(exact)
    if not (np.isfinite(truth) == np.isfinite(second)).all():
        return False
    finite = np.isfinite(truth) & np.isfinite(first)
    own = np.abs(first - truth)[finite].max(initial=0.0)
    return bool(np.abs(second - truth)[finite].max(initial=0.0) <= ROUNDING_FACTOR * own)


def _short(value: Any) -> str:
    text = np.array2string(_array(value), threshold=12, precision=5, separator=", ").replace("\n", "")
    return text if len(text) < 200 else f"{text[:200]}…"


def selecting_alike(given: Any, expected: Any, actual: Any) -> Any:
    """`actual` with those of its index arrays replaced that select the same values as the expected ones.

    Which of several equal elements a sort or a median points to is not determined.
    given: the array that is indexed, `[d0, ..., dn]`; indices may lack the axis that was reduced.
    """
    ones, others = flatten(expected), flatten(actual)
    if not isinstance(given, torch.Tensor) or len(ones) != len(others):
        return None
    found = []
    for one, other in zip(ones, others, strict=True):
        alike = kind(one) == kind(other) == "int" and isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)
        found.append(one if alike and _select_alike(given.detach(), one, other) else other)
    return found


def _select_alike(given: torch.Tensor, one: torch.Tensor, other: torch.Tensor) -> bool:
    for axis in range(given.ndim):
        first, second = (
            index.long().unsqueeze(axis) if index.ndim < given.ndim else index.long() for index in (one, other)
        )
        sizes = [size for position, size in enumerate(first.shape) if position != axis]
        if first.ndim != given.ndim or sizes != [size for position, size in enumerate(given.shape) if position != axis]:
            continue
        if any(each.numel() and (each.min() < 0 or each.max() >= given.shape[axis]) for each in (first, second)):
            continue
        if torch.equal(given.gather(axis, first), given.gather(axis, second)):
            return True
    return False


def gradient_difference(
    expected: dict[str, torch.Tensor], actual: dict[str, torch.Tensor], exact: dict[str, torch.Tensor] | None
) -> str:
    """What differs, or ''; where torch's gradient is not finite, none is asked for."""
    for name, gradient in expected.items():
        finite = torch.isfinite(gradient)
        reference = exact[name] if exact is not None else None
        if reference is not None:
            finite &= torch.isfinite(reference)
            reference = reference[finite]
        if not _close(gradient[finite], actual[name][finite], reference):
            return f"gradient of {name}: {_short(gradient)} became {_short(actual[name])}"
    return ""


def distribution_difference(expected: list[list[Any]], actual: list[list[Any]]) -> str:
    """What differs in mean or spread between two lists of draws (each a list of leaves), or ''."""
    for index in range(len(expected[0])):
        if kind(expected[0][index]) == "other":
            continue
        one, other = (np.concatenate([_array(draw[index]).ravel() for draw in draws]) for draws in (expected, actual))
        parts = ("real", "imag") if one.dtype.kind == "c" else ("real",)
        for part in parts:
            found = _moment_difference(getattr(one, part), getattr(other, part))
            if found:
                return f"result {index}: the draws' {found}"
    return ""


def _moment_difference(one: np.ndarray, other: np.ndarray) -> str:
    """What differs in mean or spread between the draws `one` and `other`, both `[n]`, or ''."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    one, other = one[np.isfinite(one)], other[np.isfinite(other)]
    if min(one.size, other.size) < LEAST_DRAWS:
        return ""
    low, high = np.quantile(one, [0.02, 0.98])
    # Moments of heavy tails do not settle: both sides are cut at the same values.
    one, other = np.clip(one, low, high), np.clip(other, low, high)
    error = STANDARD_ERRORS * (one.std() + 1e-6) * np.sqrt(1 / one.size + 1 / other.size)
    for moment in ("mean", "std"):
        first, second = getattr(one, moment)(), getattr(other, moment)()
        if abs(first - second) > error:
            return f"{moment} {first:.4f} became {second:.4f}"
    return ""
