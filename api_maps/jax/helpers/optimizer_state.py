"""The state of an optimizer as a dictionary of numpy arrays, and back."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .parameter_groups import ParameterGroups, param_groups


def named_leaves(tree: Any) -> dict[str, nnx.Variable]:
    """The Variables of a pytree by the path to each."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
    return {jax.tree_util.keystr(path): leaf for path, leaf in flat}


def state_by_parameter(optimizer: Any) -> dict[int, dict[str, nnx.Variable]]:
    """The state Variables of each parameter in order; all of an `nnx.Optimizer`'s stand under 0."""
    if isinstance(optimizer, ParameterGroups):
        states = [state for group in optimizer.param_groups for state in group.states]
        return {number: named_leaves(state) for number, state in enumerate(states)}
    return {0: named_leaves((optimizer.step, optimizer.opt_state))}


def optimizer_state_dict(optimizer: Any) -> dict[str, Any]:
    """The state of a `ParameterGroups` or `nnx.Optimizer`: 'state' (arrays) and 'param_groups' (hyperparameters)."""
    state = {
        number: {name: np.asarray(variable.get_value()) for name, variable in leaves.items()}
        for number, leaves in state_by_parameter(optimizer).items()
    }
    groups, first = [], 0
    if isinstance(optimizer, ParameterGroups):
        for group in optimizer.param_groups:
            count = len(group["params"])
            groups.append({**group.host.values, "params": list(range(first, first + count))})
            first += count
    elif hasattr(optimizer, "torch_hyperparameters"):
        groups.append(dict(optimizer.torch_hyperparameters.values))
    return {"state": state, "param_groups": groups}


def optimizer_load_state_dict(optimizer: Any, state: Mapping[str, Any]) -> None:
    """Write what `optimizer_state_dict` gave into an optimizer built in the same way.

    Raises ValueError if groups, parameters or shapes are not the same.
    """
    groups = state["param_groups"]
    own_groups = param_groups(optimizer) if groups else []
    sizes = [len(group["params"]) for group in groups if "params" in group]
    if len(own_groups) != len(groups):
        raise ValueError("loaded state dict has a different number of parameter groups")
    if isinstance(optimizer, ParameterGroups) and sizes != [len(group["params"]) for group in own_groups]:
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
        )
    for own, group in zip(own_groups, groups, strict=True):
        for name, value in group.items():
            if name != "params":
                own[name] = value
    for number, leaves in state_by_parameter(optimizer).items():
        given = state["state"][number]
        if {name: np.shape(value) for name, value in given.items()} != {n: v.shape for n, v in leaves.items()}:
            raise ValueError(f"loaded state dict does not match the state of parameter {number}")
        for name, variable in leaves.items():
            variable[...] = jnp.asarray(given[name], variable.dtype)
