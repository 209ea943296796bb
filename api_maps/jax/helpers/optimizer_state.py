"""The state of an optimizer as a dictionary of numpy arrays, and back: also from torch's `state_dict`."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .modules import parameters
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


def optimizer_load_state_dict(optimizer: Any, state: Mapping[str, Any], model: Any = None) -> None:
    """Write what `optimizer_state_dict` gave into an optimizer built in the same way.

    `state` may also be what torch's method of this name gave; an `nnx.Optimizer` then needs its `model`, or the
    tuple of its models. Raises ValueError if groups, parameters or shapes are not the same.
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
    if is_from_torch(state):
        load_from_torch(optimizer, state, model)
        return
    for number, leaves in state_by_parameter(optimizer).items():
        given = state["state"][number]
        if {name: np.shape(value) for name, value in given.items()} != {n: v.shape for n, v in leaves.items()}:
            raise ValueError(f"loaded state dict does not match the state of parameter {number}")
        for name, variable in leaves.items():
            variable[...] = jnp.asarray(given[name], variable.dtype)


#: What torch calls a field of an Optax state, where it is not the field's own name.
TORCH_NAMES = {
    "mu": ("exp_avg", "grad_avg"),
    "nu": ("exp_avg_sq", "square_avg", "exp_inf"),
    "trace": ("momentum_buffer",),
    "e_g": ("square_avg",),
    "e_x": ("acc_delta",),
    "previous": ("prev",),
    "row_var": ("variance",),
    "count": ("step",),
}
#: What torch makes at the first step that needs it, and what a parameter without rows and columns does not have.
MAY_BE_ABSENT = frozenset({"trace", "momentum_buffer", "col_var"})


def is_from_torch(state: Mapping[str, Any]) -> bool:
    """Whether an optimizer's state is one of torch: its entries have plain names, ours are paths."""
    return all(str(name).isidentifier() for entry in state["state"].values() for name in entry) and all(
        "params" in group for group in state["param_groups"]
    )


def load_from_torch(optimizer: Any, state: Mapping[str, Any], model: Any) -> None:
    """Write torch's state of an optimizer with the same parameters: moments and steps, number by number."""
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    if isinstance(optimizer, ParameterGroups):
        count = sum(len(group["params"]) for group in optimizer.param_groups)
        places: list[Any] = list(range(count))
        tree: Any = [state for group in optimizer.param_groups for state in group.states]
    elif model is None:
        raise ValueError("a state of torch goes by the order of the model's parameters: pass the model as well")
    else:
        places, tree = parameter_paths(model), (optimizer.step, optimizer.opt_state)
        if len(places) != len(numbers):
            places = [place for place in places if place is not None]
    if len(places) != len(numbers):
        raise ValueError(f"loaded state is of {len(numbers)} parameters, the optimizer has {len(places)}")
    entries = {place: entry_of(state["state"].get(number, {})) for place, number in zip(places, numbers, strict=True)}
    used: set[tuple[Any, str]] = set()
    for path, variable in flat_leaves(tree):
        place, field = place_and_field(path, entries, isinstance(optimizer, ParameterGroups))
        if field == "hyperparams":
            continue
        name, value = torch_value(entries, place, field)
        used.add((place, name))
        if value is None:
            continue
        if np.shape(value) != variable.shape:
            raise ValueError(f"loaded {name} has shape {np.shape(value)}, that of the parameter is {variable.shape}")
        variable[...] = jnp.asarray(value, variable.dtype)
    left = {name for place, entry in entries.items() for name in entry if not {(place, name), (None, name)} & used}
    left.discard("step")
    if left:
        raise ValueError(f"loaded state has {', '.join(sorted(left))}, which this optimizer does not keep")


def entry_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What torch keeps of one parameter, with a number of steps where there has been one."""
    kept = {name: value for name, value in entry.items() if value is not None}
    return {"step": 1, **kept} if kept else {}


def flat_leaves(tree: Any) -> list[tuple[tuple[Any, ...], nnx.Variable]]:
    """The Variables of a pytree with the keys to each: numbers and names; attributes as `('.', name)`."""

    def plain(key: Any) -> Any:
        if isinstance(key, jax.tree_util.GetAttrKey):
            return ".", key.name
        return key.idx if isinstance(key, jax.tree_util.SequenceKey) else key.key

    flat, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))
    return [(tuple(plain(key) for key in path), leaf) for path, leaf in flat]


def parameter_paths(model: Any) -> list[tuple[Any, ...] | None]:
    """For each parameter of a model, or of a tuple of models, in torch's order: its path; None if it is frozen."""
    paths = {}
    for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param)):
        node = model
        for key in path:
            node = node[key] if isinstance(node, (list, tuple, dict)) else vars(node)[str(key)]
        paths[id(node)] = tuple(path)
    models = model if isinstance(model, (list, tuple)) else [model]
    order = {id(variable): None for part in models for variable in parameters(part)}
    return [paths.get(variable) for variable in order]


def place_and_field(path: tuple[Any, ...], places: Mapping[Any, Any], is_numbered: bool) -> tuple[Any, str]:
    """Which parameter a leaf of an optimizer's state belongs to (None: to all of them), and its name there."""
    attributes = [index for index, key in enumerate(path) if isinstance(key, tuple)]
    if not attributes:
        return None, "step"
    if any(path[index][1] == "hyperparams" for index in attributes):
        return None, "hyperparams"
    last = attributes[-1]
    field = path[last][1]
    if is_numbered:
        return path[0], field
    behind = path[last + 1 :]
    if behind and behind not in places:
        raise ValueError(f"the optimizer keeps {field} of {behind}, which is no parameter of the model")
    return behind or None, field


def torch_value(entries: Mapping[Any, Mapping[str, Any]], place: Any, field: str) -> tuple[str, Any]:
    """torch's name of a field and its value; None leaves the field as it is."""
    names = (field, *TORCH_NAMES.get(field, ()))
    if place is None:  # Optax counts once for all parameters.
        found = {np.asarray(e[name]).item() for e in entries.values() for name in names if name in e}
        if len(found) > 1:
            raise ValueError(f"the parameters have taken different numbers of steps: {sorted(found)}")
        return names[-1], found.pop() if found else None
    entry = entries[place]
    for name in names:
        if name in entry:
            return name, entry[name]
    if entry and field not in MAY_BE_ABSENT:
        raise ValueError(f"loaded state has no {' or '.join(names[1:] or names)}")
    return field, None
