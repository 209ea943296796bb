"""Sequential, and the layers that only reshape."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Self

import jax
import jax.numpy as jnp
from flax import nnx


class Sequential(nnx.Module):
    """Calls its children in order; they are attributes "0", "1", ... or the keys of an OrderedDict.

    As in torch, a module assigned as an attribute of an instance (`self.head = ...` in a subclass) is a
    child, called in the order of first assignment.
    """

    def __init__(self, *layers: Any):
        if len(layers) == 1 and isinstance(layers[0], OrderedDict):
            named = list(layers[0].items())
        else:
            named = [(str(index), layer) for index, layer in enumerate(layers)]
        for name, layer in named:
            self._add(name, layer)

    def _add(self, name: str, layer: Any) -> None:
        if not isinstance(layer, nnx.Module):
            raise TypeError(f"{type(layer).__name__} is not an nnx.Module")
        setattr(self, name, layer)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        names = self.child_names()
        if isinstance(value, nnx.Module) and name not in names:
            super().__setattr__("sequence", (*names, name))

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        super().__setattr__("sequence", tuple(n for n in self.child_names() if n != name))

    def child_names(self) -> tuple[str, ...]:
        """The names of the children in the order of the calls."""
        return vars(self).get("sequence", ())

    def children_in_order(self) -> list[nnx.Module]:
        """The children in the order of the calls."""
        return [getattr(self, name) for name in self.child_names()]

    def append(self, layer: nnx.Module) -> Self:
        """Add a layer at the end; returns the container."""
        self._add(str(len(self)), layer)
        return self

    def extend(self, layers: Any) -> Self:
        """Add layers at the end; returns the container."""
        for layer in layers:
            self.append(layer)
        return self

    def __len__(self) -> int:
        return len(self.child_names())

    def __iter__(self) -> Iterator[nnx.Module]:
        return iter(self.children_in_order())

    def __getitem__(self, index: int | slice) -> Any:
        names = self.child_names()[index]
        if isinstance(names, str):
            return getattr(self, names)
        return type(self)(OrderedDict((name, getattr(self, name)) for name in names))

    def __setitem__(self, index: int, layer: nnx.Module) -> None:
        setattr(self, self.child_names()[index], layer)

    def __call__(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x


class Flatten(nnx.Module):
    """Joins the axes from start_dim to end_dim into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim = start_dim
        self.end_dim = end_dim

    def __call__(self, x: jax.Array) -> jax.Array:
        if jnp.ndim(x) == 0:
            return jnp.reshape(x, (1,))
        start, end = self.start_dim % x.ndim, self.end_dim % x.ndim
        return jnp.reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


class Unflatten(nnx.Module):
    """Splits axis `dim` into `unflattened_size`; one entry may be -1."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]):
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def __call__(self, x: jax.Array) -> jax.Array:
        axis = self.dim % x.ndim
        return jnp.reshape(x, (*x.shape[:axis], *self.unflattened_size, *x.shape[axis + 1 :]))
