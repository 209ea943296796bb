"""Padding with torch's list of amounts: the last axis first, a pair (before, after) for each."""

import jax
import jax.numpy as jnp


def pad(x, pad, mode: str = "constant", value=None) -> jax.Array:
    """`x` padded by `pad = (last_before, last_after, second_last_before, ...)`; negative amounts crop.

    `mode` is 'constant' (with `value`, default 0), 'reflect', 'replicate' or 'circular'.
    """
    x = jnp.asarray(x)
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    if mode == "constant":
        fill = jnp.asarray(0 if value is None else value).astype(x.dtype)
        return jax.lax.pad(x, fill, [(before, after, 0) for before, after in widths])
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in names:
        raise ValueError(f"pad: unknown mode {mode!r}")
    if mode == "circular":
        x = cropped(x, widths)
    for size, (before, after) in zip(x.shape, widths, strict=True):
        limit = size - 1 if mode == "reflect" else size
        if mode != "replicate" and max(before, after) > limit:
            raise ValueError(f"pad: {mode} padding ({before}, {after}) is too large for an axis of size {size}")
    padded = jnp.pad(x, [(max(before, 0), max(after, 0)) for before, after in widths], mode=names[mode])
    return padded if mode == "circular" else cropped(padded, widths)


def cropped(x: jax.Array, widths: list[tuple[int, int]]) -> jax.Array:
    """`x` without what negative padding amounts take away."""
    return x[tuple(slice(max(-low, 0), n - max(-high, 0)) for (low, high), n in zip(widths, x.shape, strict=True))]
