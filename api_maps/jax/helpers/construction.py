"""Building layers of a class that the caller chose."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx


def build(make: Callable[..., Any], *args: Any, rngs: nnx.Rngs, **kwargs: Any) -> Any:
    """`make(*args, **kwargs)`, with `rngs=rngs` if the class or function has such a parameter.

    Layers without random initial values have none. A `device` that it does not take is dropped, and an element type
    that it does not take is given to the finished layer.
    """
    function = make
    while isinstance(function, partial):
        function = function.func
    try:
        parameters = inspect.signature(function.__init__ if inspect.isclass(function) else function).parameters
    except ValueError:  # Some functions written in C tell no signature.
        return make(*args, **kwargs)
    if "rngs" in parameters:
        kwargs["rngs"] = rngs
    dtype = None
    if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        if "device" not in parameters:
            kwargs.pop("device", None)
        if "dtype" not in parameters:
            dtype = kwargs.pop("dtype", None)
    return in_dtype(make(*args, **kwargs), dtype)


def in_dtype(module: Any, dtype: Any) -> Any:
    """The module with its floating-point parameters and buffers in `dtype`; as it is for None."""
    if dtype is not None:
        for _, variable in nnx.iter_graph(module):
            if isinstance(variable, nnx.Variable) and jnp.issubdtype(variable.dtype, jnp.inexact):
                variable.set_value(variable[...].astype(dtype))
    return module


def reset_parameters(layer: nnx.Module, *, rngs: nnx.Rngs) -> None:
    """Draw the layer's weights anew, as for a new layer of the same settings, and clear its running statistics."""
    settings = {}
    for name in inspect.signature(type(layer).__init__).parameters:
        if name not in ("self", "rngs"):
            value = getattr(layer, name)
            # The bias is kept in the place of the flag that asked for it.
            settings[name] = value is not None if name == "bias" and not isinstance(value, bool) else value
    for name, variable in vars(type(layer)(**settings, rngs=rngs)).items():
        if isinstance(variable, nnx.Variable) and not isinstance(variable, nnx.RngState):
            kept = getattr(layer, name)
            kept.set_value(variable[...].astype(kept.dtype))


def layer_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments for a layer: without `device`, which layers do not choose, and without a `dtype` of None.

    Raises ValueError for another dtype: the finished layer takes it, by `in_dtype`.
    """
    if options.get("dtype") is not None:
        raise ValueError(f"a layer is made in float32; use in_dtype(layer, {options['dtype']}) on the finished one")
    return {name: value for name, value in options.items() if name not in ("device", "dtype")}


def buffer(value: Any, **metadata: Any) -> Any:
    """A variable that no optimizer sees, as an attribute of a module; None stays None."""
    return nnx.data(None) if value is None else nnx.Variable(value, **metadata)
