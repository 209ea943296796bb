"""`jax.vjp` of functions that use modules with running statistics or random streams of the code around them."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from .rematerialization import captured_modules, with_modules


def vjp_with_state(function: Callable[..., Any], *inputs: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """`jax.vjp(function, *inputs)`; statistics and streams of the modules that the function uses change once."""
    modules = captured_modules(function)
    graph, state = nnx.split(modules)

    def pure(*inputs_inside: Any) -> tuple[Any, Any]:
        twins = nnx.merge(graph, state, copy=True)
        result = with_modules(function, {id(one): twin for one, twin in zip(modules, twins, strict=True)})(*inputs_inside)
        value, aux = result if has_aux else (result, None)
        return value, (aux, nnx.state(twins, nnx.Not(nnx.Param)))

    value, pullback, (aux, changed) = jax.vjp(pure, *inputs, has_aux=True)
    nnx.update(modules, changed)
    return (value, pullback, aux) if has_aux else (value, pullback)
