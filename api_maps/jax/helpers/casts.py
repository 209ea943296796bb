"""Element types that only the program knows."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np


def to(x: jax.Array, *targets: Any, **options: Any) -> jax.Array:
    """`x` in the element type that is among the arguments, or in that of an array among them.

    Devices and flags change nothing: JAX places arrays itself.
    """
    for target in (*targets, *options.values()):
        dtype = getattr(target, "dtype", target)
        if isinstance(dtype, (np.dtype, type)):
            return x.astype(dtype)
    return x
