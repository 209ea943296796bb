"""Gradients beside the parameters that they belong to."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx

from .modules import parameters
from .parameter_groups import gradients_by_variable


def parameter_gradients(module: nnx.Module, grads: Any) -> list[jax.Array | None]:
    """The gradient of each of `parameters(module)` in their order; `grads` as `nnx.grad` returns them."""
    found = gradients_by_variable(module, grads)
    return [found.get(id(parameter)) for parameter in parameters(module)]
