"""Padding with torch's list of amounts: the last axis first, a pair (before, after) for each."""

import numpy as np


def pad(x, pad, mode: str = "constant", value=None) -> np.ndarray:
    """`x` padded by `pad = (last_before, last_after, second_last_before, ...)`; negative amounts crop.

    `mode` is 'constant' (with `value`, default 0), 'reflect', 'replicate' or 'circular'.
    """
    x = np.asarray(x)
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    if mode == "constant":
        return padded(cropped(x, widths), widths, 0 if value is None else value)
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in names:
        raise ValueError(f"pad: unknown mode {mode!r}")
    if mode == "circular":
        x = cropped(x, widths)
    for size, (before, after) in zip(x.shape, widths, strict=True):
        limit = size - 1 if mode == "reflect" else size
        if mode != "replicate" and max(before, after) > max(limit, 0):
            raise ValueError(f"pad: {mode} padding ({before}, {after}) is too large for an axis of size {size}")
    grown = np.pad(x, [(max(before, 0), max(after, 0)) for before, after in widths], mode=names[mode])
    return grown if mode == "circular" else cropped(grown, widths)


def cropped(x: np.ndarray, widths: list[tuple[int, int]]) -> np.ndarray:
    """`x` without what negative padding amounts take away."""
    return x[tuple(slice(max(-low, 0), n - max(-high, 0)) for (low, high), n in zip(widths, x.shape, strict=True))]


def padded(x: np.ndarray, widths: list[tuple[int, int]], value=0) -> np.ndarray:
    """`x` with `value` around it, (before, after) entries for each axis; negative amounts add nothing."""
    return np.pad(x, [(max(low, 0), max(high, 0)) for low, high in widths], constant_values=value)
