"""The backward pass of one part of a computation, for code that goes on with other things before it needs it."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx


def value_and_vjp(function: Callable[..., Any], model: nnx.Module, *others: Any) -> tuple[Any, Callable[[Any], nnx.State]]:
    """`function(model, *others)`, and what turns the gradient of this value into that of `model`'s parameters.

    Buffers and random streams of all arguments change as in a plain call. The gradient has the value's structure.
    """
    graph, parameters, rest = nnx.split((model, *others), nnx.Param, ...)

    def pure(parameters: nnx.State) -> tuple[Any, nnx.State]:
        arguments = nnx.merge(graph, parameters, rest, copy=True)
        value = function(*arguments)
        return value, nnx.state(arguments, nnx.Not(nnx.Param))

    value, pullback, state = jax.vjp(pure, parameters, has_aux=True)
    nnx.update((model, *others), state)
    return value, lambda gradient: pullback(gradient)[0][0]
