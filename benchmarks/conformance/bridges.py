"""Converted functions as torch functions, so that one piece of torch code can run and compare both sides.

The database's own wrappers (only the lower triangle counts, singular vectors are unique up to a sign) and the
gradients then apply to both sides alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's values."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _from_array(value: Any) -> torch.Tensor:
    array = np.asarray(value)
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(np.array(array, np.float32)).bfloat16()
    return torch.from_numpy(np.array(array))


def flatten(value: Any) -> list[Any]:
    """The leaves of a result, in order."""
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in flatten(part)]
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in flatten(part)]
    return [value]


def rebuild(like: Any, leaves: list[Any]) -> Any:
    """`leaves` in the structure of `like`."""
    rest = iter(leaves)

    def build(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: build(inner) for key, inner in part.items()}
        if not isinstance(part, (list, tuple)):
            return next(rest)
        parts = [build(inner) for inner in part]
        if hasattr(part, "_fields"):
            return type(part)(*parts)
        return type(part)(parts)

    return build(like)


class NumpyBridge:
    """Runs a converted NumPy function on tensors; gradients do not pass."""

    differentiable = False

    def __init__(self) -> None:
        self.gradient_problem = ""

    def __call__(self, function: Callable[..., Any], tensors: dict[str, torch.Tensor]) -> list[Any]:
        """The leaves of the result, arrays as tensors."""
        arrays = {name: np.array(to_numpy(tensor)) for name, tensor in tensors.items()}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaves = flatten(function(**arrays))
        return [_from_array(leaf) if isinstance(leaf, (np.ndarray, np.generic)) else leaf for leaf in leaves]


class JaxBridge:
    """Runs a converted JAX function on tensors; `gradient_problem` says why JAX had no gradient in the last run."""

    differentiable = True

    def __init__(self) -> None:
        self.gradient_problem = ""

    def __call__(self, function: Callable[..., Any], tensors: dict[str, torch.Tensor]) -> list[Any]:
        """The leaves of the result, arrays as tensors."""
        import jax.numpy as jnp

        self.gradient_problem = ""
        arrays = {name: jnp.asarray(to_numpy(tensor)) for name, tensor in tensors.items()}
        followed = [name for name, tensor in tensors.items() if tensor.requires_grad]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if followed:
                try:
                    return self._with_gradients(function, arrays, followed, tensors)
                except Exception as error:
                    self.gradient_problem = f"{type(error).__name__}: {error}"
            return [_from_jax(leaf) for leaf in flatten(function(**arrays))]

    def _with_gradients(
        self,
        function: Callable[..., Any],
        arrays: dict[str, Any],
        followed: list[str],
        tensors: dict[str, torch.Tensor],
    ) -> list[Any]:
        import jax
        import jax.numpy as jnp

        others = {name: array for name, array in arrays.items() if name not in followed}
        leaves: list[Any] = []

        def of_followed(*values: Any) -> tuple[list[Any], list[Any]]:
            leaves[:] = flatten(function(**dict(zip(followed, values, strict=True)), **others))
            inexact = [leaf for leaf in leaves if _is_inexact(leaf)]
            return inexact, [leaf for leaf in leaves if isinstance(leaf, jax.Array) and not _is_inexact(leaf)]

        inexact, pull, exact = jax.vjp(of_followed, *(arrays[name] for name in followed), has_aux=True)
        if not inexact:
            return [_from_jax(leaf) for leaf in _in_places(leaves, [], exact)]

        def pull_back(*cotangents: torch.Tensor | None) -> list[torch.Tensor]:
            # JAX's gradient of a real number by a complex one is the conjugate of torch's.
            given = [
                jnp.zeros_like(out) if ct is None else jnp.asarray(to_numpy(ct.conj()), out.dtype)
                for ct, out in zip(cotangents, inexact, strict=True)
            ]
            return [_from_jax(jnp.conj(gradient)) for gradient in pull(given)]

        values = [_from_jax(value) for value in inexact]
        results = _Pullback.apply(values, pull_back, *(tensors[name] for name in followed))
        return [_from_jax(leaf) for leaf in _in_places(leaves, list(results), exact)]


def _is_inexact(leaf: Any) -> bool:
    import jax
    import jax.numpy as jnp

    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _in_places(leaves: list[Any], inexact: list[Any], exact: list[Any]) -> list[Any]:
    """The leaves of a traced result with its values in place of the tracers."""
    import jax

    first, second = iter(inexact), iter(exact)
    return [
        next(first) if _is_inexact(leaf) else next(second) if isinstance(leaf, jax.Array) else leaf for leaf in leaves
    ]


def _from_jax(leaf: Any) -> Any:
    import jax

    if not isinstance(leaf, (jax.Array, np.ndarray, np.generic)):
        return leaf
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.float0):
        return torch.zeros(leaf.shape)
    return _from_array(leaf)


class _Pullback(torch.autograd.Function):
    """Values of another framework's function, with its pullback as their gradient."""

    @staticmethod
    def forward(ctx: Any, values: list[torch.Tensor], pull_back: Callable[..., Any], *inputs: torch.Tensor) -> Any:
        ctx.pull_back, ctx.dtypes = pull_back, [tensor.dtype for tensor in inputs]
        ctx.set_materialize_grads(False)
        return tuple(values)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> Any:
        gradients = ctx.pull_back(*cotangents)
        return (None, None, *(gradient.to(dtype) for gradient, dtype in zip(gradients, ctx.dtypes, strict=True)))
