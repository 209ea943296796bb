"""A module whose inputs are laid out over all devices."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def device_mesh() -> Mesh:
    """All devices in one row, the axis `batch`."""
    return Mesh(np.array(jax.devices()), ("batch",))


class DataParallel(nnx.Module):
    """`module` on all devices: its weights whole on each, its inputs cut along their first axis.

    Batches that do not divide by the number of devices stay whole. The numbers are those of one device: statistics of a
    batch norm are of the whole batch, where torch's replicas take those of their parts.
    """

    def __init__(self, module: nnx.Module):
        self.module = module
        nnx.update(module, jax.device_put(nnx.state(module), NamedSharding(device_mesh(), PartitionSpec())))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = jax.tree.map(spread, (args, kwargs))
        return self.module(*args, **kwargs)  # type: ignore[operator]


def spread(value: Any) -> Any:
    """An array cut along its first axis over the devices; anything else as it is."""
    mesh = device_mesh()
    if not isinstance(value, jax.Array) or value.ndim == 0 or value.shape[0] % mesh.size:
        return value
    return jax.lax.with_sharding_constraint(value, NamedSharding(mesh, PartitionSpec("batch")))
