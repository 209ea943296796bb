"""Weights from one live module to another, whatever their frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np

from .adapters import adapter_of
from .transfer import route


def transfer_weights(source_module: Any, target_module: Any) -> None:
    """Copy all parameters and buffers of a live module into its converted counterpart, in place.

    source_module, target_module: modules of any two frameworks (a torch `nn.Module` and a Flax `nnx.Module`, in
        either order), with the same attribute names. Arrays are matched by dotted name; where both layers are
        known to the tables and keep their weights in different layouts, they are transposed by axis names.

    Raises:
        WeightMismatch: names every array that is missing on one side or has another shape; nothing is copied.
    """
    source_adapter, target_adapter = adapter_of(source_module), adapter_of(target_module)
    source = source_adapter.export_state(source_module)
    routes = route(source, target_adapter.export_state(target_module))
    arrays = {item.target: item.forward(np.asarray(source.arrays[item.source])) for item in routes}
    target_adapter.assign(target_module, arrays)
