"""Modules called with other parameters and buffers than their own, and the parameters of several modules as one."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from .modules import named_variables


def variables_by_name(module: nnx.Module) -> dict[str, nnx.Variable]:
    """All parameters and buffers by their dotted names."""
    return {
        name: variable for is_buffer in (False, True) for name, variable in named_variables(module, is_buffer, "", True, True)
    }


def raw_value(value: Any) -> Any:
    """The array of a Variable, or the value itself."""
    return value.get_value() if isinstance(value, nnx.Variable) else value


def functional_call(module: nnx.Module, states: Any, args: Any = None, kwargs: dict[str, Any] | None = None) -> Any:
    """`module(*args, **kwargs)` with the parameters and buffers that `states` holds by dotted name.

    states: a dict, or several; entries that the call changes, such as running statistics, get their new values.
    """
    dicts = [states] if isinstance(states, Mapping) else list(states)
    positional = args if isinstance(args, tuple) else () if args is None else (args,)
    twin = nnx.clone(module)
    variables = variables_by_name(twin)
    for name, value in ((name, value) for one in dicts for name, value in one.items()):
        variables[name].set_value(raw_value(value))
    before = {path: raw_value(variable) for path, variable in nnx.to_flat_state(nnx.state(twin))}
    result = twin(*positional, **(kwargs or {}))
    changed = {path for path, variable in nnx.to_flat_state(nnx.state(twin)) if variable.get_value() is not before[path]}
    own = dict(nnx.to_flat_state(nnx.state(module)))
    for path, variable in nnx.to_flat_state(nnx.state(twin)):
        if path in changed:
            name = ".".join(map(str, path))
            holder = next((one for one in dicts if name in one), None)
            if holder is None:
                own[path].set_value(variable.get_value())
            elif isinstance(holder[name], nnx.Variable):
                holder[name].set_value(variable.get_value())
            else:
                holder[name] = variable.get_value()
    return result


def stack_module_state(modules: Sequence[nnx.Module]) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Parameters and buffers of modules of the same kind by dotted name, each `[len(modules), *shape]`."""

    def stacked(is_buffer: bool) -> dict[str, jax.Array]:
        named = [dict(named_variables(module, is_buffer, "", True, True)) for module in modules]
        return {name: jnp.stack([raw_value(one[name]) for one in named]) for name in named[0]}

    return stacked(False), stacked(True)
