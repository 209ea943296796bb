"""Questions about devices that plain and traced arrays answer alike."""

from typing import Any

import jax
from flax import nnx


def device_of(value: Any) -> Any:
    """The device of an array or variable, which a traced one does not know; of anything else what it says itself."""
    return jax.devices()[0] if isinstance(value, (jax.Array, nnx.Variable)) else value.device
