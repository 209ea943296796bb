"""Functions with gradients of their own, written as a class with `forward`, `backward` and a context between them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


def can_be_followed(value: Any) -> bool:
    """Whether JAX can follow a value; anything else is handed on as it is."""
    return isinstance(value, (jax.Array, np.ndarray, nnx.Variable))


@jax.tree_util.register_pytree_node_class
class FunctionContext:
    """What `forward` leaves for `backward`: saved arrays, and attributes of any kind."""

    saved_tensors: tuple[Any, ...] = ()

    def __init__(self, needs_input_grad: tuple[bool, ...] = ()):
        self.needs_input_grad = needs_input_grad

    def save_for_backward(self, *arrays: Any) -> None:
        """Keep arrays, or None, for `saved_tensors`."""
        self.saved_tensors = arrays

    def mark_non_differentiable(self, *arrays: Any) -> None:
        """Name results through which no gradient flows."""
        self.constants = arrays

    def set_materialize_grads(self, value: bool) -> None:
        """Nothing: the gradient of a result that is not used is always zeros."""

    def tree_flatten(self) -> tuple[list[Any], Any]:
        leaves, structure = jax.tree.flatten(vars(self))
        arrays = [leaf for leaf in leaves if can_be_followed(leaf)]
        return arrays, (structure, tuple(None if can_be_followed(leaf) else (leaf,) for leaf in leaves))

    @classmethod
    def tree_unflatten(cls, auxiliary: Any, arrays: Any) -> "FunctionContext":
        structure, others = auxiliary
        remaining = iter(arrays)
        leaves = [next(remaining) if other is None else other[0] for other in others]
        context = cls()
        vars(context).update(jax.tree.unflatten(structure, leaves))
        return context


def gradient_like(gradient: Any, x: jax.Array) -> Any:
    """A gradient summed over the axes along which `x` was broadcast, in the element type of `x`; None stays."""
    if gradient is None:
        return None
    extra = gradient.ndim - x.ndim
    axes = [*range(extra), *(extra + i for i, size in enumerate(x.shape) if size == 1 != gradient.shape[extra + i])]
    return gradient.sum(axes, keepdims=True).reshape(x.shape).astype(x.dtype)


class Function:
    """Base class: `apply(*args)` computes `forward(context, *args)`; gradients are those of `backward(context, *grads)`.

    `backward` gives one gradient, or None, for each argument. With a method `setup_context(context, inputs, output)`
    `forward` takes no context.
    """

    @classmethod
    def run(cls, context: FunctionContext, args: tuple[Any, ...]) -> Any:
        """The results of `forward`, whichever way the class fills the context."""
        if not hasattr(cls, "setup_context"):
            return cls.forward(context, *args)  # type: ignore[attr-defined]
        output = cls.forward(*args)  # type: ignore[attr-defined]
        cls.setup_context(context, args, output)
        return output

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """The function of `args`: arrays are followed by JAX, all others are constants."""
        given = tuple(value.get_value() if isinstance(value, nnx.Variable) else value for value in args)
        places = [index for index, value in enumerate(given) if can_be_followed(value)]
        needs = tuple(can_be_followed(value) and bool(jnp.issubdtype(value.dtype, jnp.inexact)) for value in given)
        constant: list[bool] = []

        def forward(*arrays: jax.Array) -> tuple[Any, tuple[FunctionContext, tuple[jax.Array, ...]]]:
            values = list(given)
            for index, array in zip(places, arrays, strict=True):
                values[index] = array
            context = FunctionContext(needs)
            output = cls.run(context, tuple(values))
            marked = vars(context).pop("constants", ())
            outputs = output if isinstance(output, tuple) else (output,)
            constant[:] = [any(value is other for other in marked) for value in outputs]
            return output, (context, arrays)

        def backward(residuals: tuple[FunctionContext, tuple[jax.Array, ...]], grads: Any) -> tuple[Any, ...]:
            context, arrays = residuals
            followed = tuple(
                jnp.zeros_like(grad) if is_constant else grad
                for grad, is_constant in zip(grads if isinstance(grads, tuple) else (grads,), constant, strict=True)
            )
            results = cls.backward(context, *followed)  # type: ignore[attr-defined]
            results = results if isinstance(results, tuple) else (results,)
            return tuple(
                gradient_like(results[index], array) if needs[index] else None
                for index, array in zip(places, arrays, strict=True)
            )

        function = jax.custom_vjp(lambda *arrays: forward(*arrays)[0])
        function.defvjp(forward, backward)
        return function(*(given[index] for index in places))
