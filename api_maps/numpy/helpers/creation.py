"""Grids that NumPy has in another form than torch."""

import numpy as np


def cartesian_prod(*arrays) -> np.ndarray:
    """Every combination of the entries of 1-D arrays, the last varying fastest; `[product of sizes, arrays]`."""
    if len(arrays) == 1:
        return np.asarray(arrays[0])
    return np.stack([grid.ravel() for grid in np.meshgrid(*arrays, indexing="ij")], axis=-1)


def linspace(start, stop, num: int, dtype=np.float32) -> np.ndarray:
    """`num` numbers from `start` to `stop`; for an integer `dtype` between whole bounds, rounded towards zero."""
    if np.issubdtype(dtype, np.integer):
        start, stop = int(start), int(stop)
    return np.linspace(start, stop, num).astype(dtype)


def vander(x, N: int | None = None, increasing: bool = False) -> np.ndarray:
    """Powers of `x` `[...]` along a new last axis of length `N` (its own last length by default), falling by default."""
    x = np.atleast_1d(x)
    powers = np.arange(x.shape[-1] if N is None else N)
    return x[..., None] ** (powers if increasing else powers[::-1]).astype(x.dtype)
