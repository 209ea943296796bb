"""Derivatives of functions at a point, as torch.autograd.functional gives them: of one array, or of a tuple of them.

What these return is constant for a derivative taken around them, unless `create_graph`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def gradient_and_value(function: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """`jax.value_and_grad` with the gradient in front: `(grads, value)`, or `(grads, (value, aux))`."""
    value_and_gradient = jax.value_and_grad(function, argnums, has_aux)

    def gradient_first(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, grads = value_and_gradient(*args, **kwargs)
        return grads, value

    return gradient_first


def followed(results: Any, create_graph: bool) -> Any:
    """Results that a gradient passes through only where a graph is created."""
    return results if create_graph else jax.lax.stop_gradient(results)


def like_inputs(parts: tuple[Any, ...], inputs: Any) -> Any:
    """One part for one array of inputs, a tuple of them for a tuple."""
    return parts if isinstance(inputs, tuple) else parts[0]


def as_tuple(values: Any) -> tuple[Any, ...]:
    """Values given as one array or as a tuple."""
    return values if isinstance(values, tuple) else (values,)


def jacobians(function: Callable[..., Any], inputs: Any, create_graph: bool = False) -> Any:
    """`d output / d input`, of shape `[*output.shape, *input.shape]`: a tuple over outputs, then over inputs."""
    points = as_tuple(inputs)
    argnums = tuple(range(len(points))) if isinstance(inputs, tuple) else 0
    return followed(jax.jacrev(function, argnums)(*points), create_graph)


def scalar_function(function: Callable[..., Any]) -> Callable[..., jax.Array]:
    """A function whose only number is returned without axes."""
    return lambda *args: function(*args).reshape(())


def hessian(function: Callable[..., Any], inputs: Any, create_graph: bool = False) -> Any:
    """Second derivatives `[*first.shape, *second.shape]` of a function with one number as output."""
    points = as_tuple(inputs)
    argnums = tuple(range(len(points))) if isinstance(inputs, tuple) else 0
    return followed(jax.hessian(scalar_function(function), argnums)(*points), create_graph)


def vjp(function: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, Any]:
    """The outputs, and `v` (like the outputs; default 1) times their Jacobian."""
    outputs, pullback = jax.vjp(function, *as_tuple(inputs))
    cotangent = jax.tree.map(jnp.ones_like, outputs) if v is None else v
    return followed((outputs, like_inputs(pullback(cotangent), inputs)), create_graph)


def jvp(function: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, Any]:
    """The outputs, and their Jacobian times `v` (like the inputs; default 1)."""
    points = as_tuple(inputs)
    tangents = tuple(jnp.ones_like(point) for point in points) if v is None else as_tuple(v)
    return followed(jax.jvp(function, points, tangents), create_graph)


def hvp(function: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, Any]:
    """The output, one number, and the matrix of second derivatives times `v` (like the inputs; default 1)."""
    points = as_tuple(inputs)
    tangents = tuple(jnp.ones_like(point) for point in points) if v is None else as_tuple(v)
    gradient = jax.grad(scalar_function(function), tuple(range(len(points))))
    _, product = jax.jvp(gradient, points, tangents)
    return followed((function(*points), like_inputs(product, inputs)), create_graph)


def vmap(fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """`jax.vmap` over positional arguments only; keyword arguments are the same for all examples."""

    def mapped(*args: Any, **kwargs: Any) -> Any:
        return jax.vmap(lambda *each: fun(*each, **kwargs), in_axes, out_axes)(*args)

    return mapped
