"""What differences of gradients, of buffers and of trained weights look like."""

from __future__ import annotations

import numpy as np

from .trap_relations import UNEXPLAINED

# Momenta that normalization layers are given.
MOMENTA = (0.1, 0.01, 0.001, 0.003, 0.03, 0.05, 0.2, 0.3, 0.5, 0.9, 0.95, 0.99, 0.997, 0.999)


def update_looks_like(before: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> str:
    """Of a buffer or weight that a call or training changed; empty where no hypothesis fits.

    before, expected, actual: arrays of one shape, at the start, and afterwards on the original's and converted's side.
    """
    if before.shape != expected.shape or expected.shape != actual.shape or expected.size < 2:
        return ""
    theirs, ours, gap = expected - before, actual - before, np.abs(actual - expected)
    allowed = UNEXPLAINED * float(gap.max(initial=0.0))
    if not np.any(ours):
        return "a value that is not updated"
    if not np.any(theirs):
        return "a value that should stay as it was"
    factor = float((theirs * ours).sum() / (theirs * theirs).sum())
    if np.all(np.abs(ours - factor * theirs) <= allowed):
        for momentum in MOMENTA:
            if np.isclose(factor, (1 - momentum) / momentum, rtol=1e-3):
                return f"a momentum of {1 - momentum:g} in place of {momentum:g} (one is 1 minus the other)"
        return f"updates {factor:.4g} times as large (a momentum or rate)"
    return _corrected_variance(before, expected, actual, allowed) or _decay(before, expected, actual)


def _corrected_variance(before: np.ndarray, expected: np.ndarray, actual: np.ndarray, allowed: float) -> str:
    """Running variances: what is mixed in is n / (n - 1) times as large on one side."""
    for momentum in MOMENTA:
        theirs, ours = expected - (1 - momentum) * before, actual - (1 - momentum) * before
        ratio = float((theirs * ours).sum() / (theirs * theirs).sum())
        if ratio <= 0 or np.any(np.abs(ours - ratio * theirs) > allowed) or np.isclose(ratio, 1):
            continue
        count = 1 / (1 - min(ratio, 1 / ratio))
        if count > 1.5 and abs(count - round(count)) < 0.01 * count:
            now, was = (0, 1) if ratio < 1 else (1, 0)
            return f"a running variance with correction {now} in place of {was} (n = {round(count)})"
    return ""


def _decay(before: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> str:
    """Trained weights that differ in proportion to what they were."""
    gap = actual - expected
    cosine = float((gap * before).sum() / (np.linalg.norm(gap) * np.linalg.norm(before) or 1.0))
    if abs(cosine) < 0.99 or expected.size < 4:
        return ""
    return f"{'less' if cosine > 0 else 'more'} weight decay (the difference is proportional to the weights)"


def gradient_looks_like(expected: np.ndarray, actual: np.ndarray) -> str:
    """Of a gradient; empty where no hypothesis fits."""
    if expected.shape != actual.shape:
        return ""
    scale = float(np.abs(expected).max(initial=0.0))
    if not np.any(np.abs(actual) > 1e-6 * scale):
        return "a value that no gradient passes through (detached, stopped, or rounded)"
    if not np.any(expected):
        return "a gradient where the original has none (it detaches or stops it)"
    if np.isnan(actual).any() and not np.isnan(expected).any():
        return "a gradient of NaN where the original has numbers (a norm or root at zero, or a masked branch)"
    wrong = np.abs(actual - expected) > 1e-6 * scale
    if wrong.all():
        return ""
    here, there = actual[wrong], expected[wrong]
    for factor, text in ((0.5, "half"), (2.0, "twice"), (0.0, "none of")):
        if np.allclose(here, factor * there, rtol=1e-4, atol=1e-9 * scale):
            return f"{text} the gradient at {wrong.sum()} of {wrong.size} places: a tie or a bound (clamp, max, abs at zero)"
    if not np.any(there):
        return f"a gradient at {wrong.sum()} of {wrong.size} places where the original has none: a tie or a bound"
    return ""
