"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


def parameters_to_vector(parameters: Iterable) -> jax.Array:
    """The entries of all arrays, one array after the other: [n]."""
    return jnp.concatenate([jnp.ravel(jnp.asarray(parameter)) for parameter in parameters])


def vector_to_parameters(vec: jax.Array, parameters: Iterable[nnx.Variable]) -> None:
    """Write consecutive entries of `vec` [n] into the Variables; what is left over is not used."""
    start = 0
    for parameter in parameters:
        size = int(np.prod(parameter.shape))
        parameter[...] = vec[start : start + size].reshape(parameter.shape).astype(parameter.dtype)
        start += size
