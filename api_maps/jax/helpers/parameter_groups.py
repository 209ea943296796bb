"""An optimizer with torch's parameter groups, and one view of hyperparameters for it and for `nnx.Optimizer`."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx


class HostValues:
    """Python values beside a graph of Variables. Equal only to itself, so changing them recompiles nothing."""

    def __init__(self, values: Mapping[str, Any]):
        self.values = dict(values)


def is_number(value: Any) -> bool:
    """Whether a hyperparameter is a number or a tuple of numbers (flags and None are not)."""
    if isinstance(value, (tuple, list)):
        return bool(value) and all(is_number(entry) for entry in value)
    return isinstance(value, (int, float, np.number, jax.Array)) and not isinstance(value, bool)


class ParameterGroup(nnx.Pytree):
    """Parameters with hyperparameters of their own: `group["lr"]` reads, `group["lr"] = x` takes effect.

    `group["params"]` is the list of Variables. Each parameter has its own optax state, as in torch.
    """

    def __init__(self, transformation: Callable[..., optax.GradientTransformation], options: Mapping[str, Any]):
        options = dict(options)
        self.params = nnx.List(options.pop("params"))
        self.transformation = transformation
        self.names = tuple(inspect.signature(transformation).parameters)
        self.host = HostValues(options)
        numbers = {name: options[name] for name in self.names if is_number(options[name])}
        self.numbers = nnx.Dict({name: nnx.OptState(jnp.asarray(value, float)) for name, value in numbers.items()})
        self.states = nnx.data([])
        self.reset()

    def current(self, on_device: bool) -> optax.GradientTransformation:
        """The transformation for the present hyperparameters: as arrays, or as Python numbers."""
        values = {name: self.host.values[name] for name in self.names}
        if on_device:
            values.update({name: number[...] for name, number in self.numbers.items()})
        return self.transformation(**values)

    def fresh_states(self) -> list[Any]:
        """The optax state of each parameter before the first step."""
        start = self.current(on_device=False).init
        return [start(param.get_value()) for param in self.params]

    def reset(self) -> None:
        """Forget all state."""
        self.states = nnx.data(jax.tree.map(nnx.OptState, self.fresh_states()))

    def __getitem__(self, name: str) -> Any:
        return list(self.params) if name == "params" else self.host.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "params":
            raise KeyError("params: use add_param_group to add parameters")
        self.host.values[name] = value
        if name in self.numbers:
            self.numbers[name][...] = jnp.asarray(value, float)
            # A momentum that becomes nonzero needs a buffer that was not there.
            before = jax.tree.structure(nnx.as_pure(self.states))
            if jax.tree.structure(jax.eval_shape(self.fresh_states)) != before:
                self.reset()

    def __contains__(self, name: str) -> bool:
        return name == "params" or name in self.host.values

    def keys(self) -> list[str]:
        """The names of all hyperparameters, and 'params'."""
        return ["params", *self.host.values]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def items(self) -> list[tuple[str, Any]]:
        """Names with their values."""
        return [(name, self[name]) for name in self.keys()]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a hyperparameter, or `default`."""
        return self[name] if name in self else default  # noqa: SIM401

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of a hyperparameter, set to `default` if there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, gradients: Mapping[int, Any]) -> None:
        """One step for every parameter that has a gradient in `gradients` (by the id of its Variable)."""
        transformation = self.current(on_device=True)
        for param, state in zip(self.params, self.states, strict=True):
            if id(param) not in gradients:
                continue
            value = param.get_value()
            updates, new_state = transformation.update(gradients[id(param)], nnx.as_pure(state), value)
            param[...] = optax.apply_updates(value, updates)
            is_variable = lambda leaf: isinstance(leaf, nnx.Variable)  # noqa: E731
            variables = jax.tree.leaves(state, is_leaf=is_variable)
            for variable, leaf in zip(variables, jax.tree.leaves(new_state), strict=True):
                variable[...] = leaf


class ParameterGroups(nnx.Pytree):
    """torch's optimizer interface over Variables: `ParameterGroups(adamw, groups, lr=3e-4)`.

    `params` holds Variables, or dicts with 'params' and hyperparameters that differ from `defaults`, which in turn
    go before those of `transformation`, a function of hyperparameters that returns an optax transformation. Works
    inside `nnx.jit` where model and optimizer are both arguments. Parameters without a gradient are left alone.
    """

    def __init__(self, transformation: Callable[..., optax.GradientTransformation], params: Iterable, **defaults: Any):
        self.transformation = transformation
        signature = inspect.signature(transformation).parameters
        self.defaults = HostValues({name: parameter.default for name, parameter in signature.items()} | defaults)
        groups = [params] if isinstance(params, Mapping) else list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        self.groups = nnx.List([])
        for group in groups:
            self.add_param_group(group)

    @property
    def param_groups(self) -> list[ParameterGroup]:
        """The groups in order."""
        return list(self.groups)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add Variables with hyperparameters of their own."""
        params = group["params"]
        params = [params] if isinstance(params, nnx.Variable) else list(params)
        params = [param[1] if isinstance(param, tuple) else param for param in params]
        known = {id(param) for other in self.groups for param in other.params}
        if any(id(param) in known for param in params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.groups.append(ParameterGroup(self.transformation, {**self.defaults.values, **group, "params": params}))

    def update(self, model: Any, grads: Any) -> None:
        """One step: `grads` as `nnx.grad` returns them for `model`, a module or a tuple of modules."""
        gradients = gradients_by_variable(model, grads)
        for group in self.groups:
            group.update(gradients)


def gradients_by_variable(model: Any, grads: Any) -> dict[int, Any]:
    """The gradient arrays by the id of the Variable in `model` that each belongs to."""
    if isinstance(model, (tuple, list)):
        found: dict[int, Any] = {}
        for part, part_grads in zip(model, grads, strict=True):
            found.update(gradients_by_variable(part, part_grads))
        return found
    if isinstance(model, nnx.Variable):
        return {id(model): nnx.as_pure(grads)}
    found = {}
    for path, gradient in nnx.to_flat_state(grads):
        node = model
        for key in path:
            node = node[key] if isinstance(node, (list, tuple, dict)) else vars(node)[str(key)]
        found[id(node)] = gradient.get_value() if isinstance(gradient, nnx.Variable) else gradient
    return found


class InjectedHyperparameters:
    """The one parameter group of an `nnx.Optimizer` over `optax.inject_hyperparams`, with torch's names."""

    def __init__(self, hyperparameters: Any, host: HostValues):
        self.hyperparameters, self.host = hyperparameters, host

    def native_names(self, name: str) -> list[str]:
        """What optax calls torch's `name`, if it is injected: betas are two."""
        choices = {"lr": ["lr", "learning_rate"], "momentum": ["momentum"], "alpha": ["alpha", "decay"]}
        if name == "betas" and "b1" in self.hyperparameters:
            return ["b1", "b2"]
        return [native for native in choices.get(name, [name]) if native in self.hyperparameters][:1]

    def __getitem__(self, name: str) -> Any:
        natives = self.native_names(name)
        if not natives:
            return self.host.values[name]
        values = [np.asarray(self.hyperparameters[native][...]) for native in natives]
        # The Python value that was set is exact; the array holds it rounded, unless someone else wrote it.
        kept = self.host.values.get(name)
        kept_list = [kept] if len(natives) == 1 else kept
        if kept is not None and all(np.asarray(k, v.dtype) == v for k, v in zip(kept_list, values, strict=True)):
            return kept
        numbers = [float(str(value)) if value.dtype == np.float32 else float(value) for value in values]
        return numbers[0] if len(natives) == 1 else tuple(numbers)

    def __setitem__(self, name: str, value: Any) -> None:
        self.host.values[name] = value
        natives = self.native_names(name)
        for native, number in zip(natives, value if len(natives) > 1 else [value][: len(natives)], strict=True):
            variable = self.hyperparameters[native]
            variable[...] = jnp.asarray(number, variable.dtype)

    def __contains__(self, name: str) -> bool:
        return bool(self.native_names(name)) or name in self.host.values

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a hyperparameter, or `default`."""
        return self[name] if name in self else default  # noqa: SIM401

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of a hyperparameter, set to `default` if there is none."""
        if name not in self:
            self[name] = default
        return self[name]


def injected(state: Any) -> Any:
    """The dictionary of injected hyperparameters inside an optax state, or None."""
    if hasattr(state, "hyperparams"):
        return state.hyperparams
    if isinstance(state, (tuple, list)):
        return next((found for part in state if (found := injected(part)) is not None), None)
    return None


def param_groups(optimizer: Any) -> list:
    """The parameter groups of an optimizer that has such, or the one of an `nnx.Optimizer`, readable and writable.

    An `nnx.Optimizer` needs `optax.inject_hyperparams(optax.adamw)(learning_rate=...)` for this.
    """
    if hasattr(optimizer, "param_groups"):
        return optimizer.param_groups
    hyperparameters = injected(optimizer.opt_state)
    if hyperparameters is None:
        raise ValueError("hyperparameters are fixed: build the optimizer with optax.inject_hyperparams(...)")
    if not hasattr(optimizer, "torch_hyperparameters"):
        optimizer.torch_hyperparameters = HostValues({})
    return [InjectedHyperparameters(hyperparameters, optimizer.torch_hyperparameters)]
