"""Containers of modules with torch's names for their children, and layers that only reshape."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

from .modules import Module


class ModuleList(Module):
    """A list of modules; they are attributes "0", "1", ..."""

    def __init__(self, modules: Iterable[Any] | None = None):
        super().__init__()
        self.child_names: list[str] = []
        self.extend(modules or ())

    def append(self, module: Any) -> ModuleList:
        """Add a module at the end; returns the list."""
        name = str(len(self.child_names))
        self.child_names.append(name)
        setattr(self, name, module)
        return self

    def extend(self, modules: Iterable[Any]) -> ModuleList:
        """Add modules at the end; returns the list."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(self.child_names)

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, name) for name in self.child_names])

    def __getitem__(self, index: int | slice) -> Any:
        names = self.child_names[index]
        return getattr(self, names) if isinstance(names, str) else type(self)([getattr(self, name) for name in names])

    def __setitem__(self, index: int, module: Any) -> None:
        setattr(self, self.child_names[index], module)


class ModuleDict(Module):
    """Modules by key; the keys are attributes."""

    def __init__(self, modules: dict[str, Any] | None = None):
        super().__init__()
        self.child_names: list[str] = []
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Any) -> None:
        if name not in self.child_names:
            self.child_names.append(name)
        setattr(self, name, module)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __contains__(self, name: str) -> bool:
        return name in self.child_names

    def __len__(self) -> int:
        return len(self.child_names)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.child_names))

    def keys(self) -> list[str]:
        """The keys in order."""
        return list(self.child_names)

    def values(self) -> list[Any]:
        """The modules in order."""
        return [getattr(self, name) for name in self.child_names]

    def items(self) -> list[tuple[str, Any]]:
        """Keys and modules in order."""
        return [(name, getattr(self, name)) for name in self.child_names]


class Sequential(ModuleList):
    """Calls its children in order; they are named "0", "1", ... or by the keys of an OrderedDict."""

    def __init__(self, *layers: Any):
        named = len(layers) == 1 and isinstance(layers[0], OrderedDict)
        super().__init__(() if named else layers)
        if named:
            for name, layer in layers[0].items():
                self.child_names.append(name)
                setattr(self, name, layer)

    def __getitem__(self, index: int | slice) -> Any:
        names = self.child_names[index]
        if isinstance(names, str):
            return getattr(self, names)
        return type(self)(OrderedDict((name, getattr(self, name)) for name in names))

    def call(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x


class Flatten(Module):
    """Joins the axes from start_dim to end_dim into one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def call(self, x: tf.Tensor) -> tf.Tensor:
        if x.shape.rank == 0:
            return tf.reshape(x, [1])
        start, end = self.start_dim % x.shape.rank, self.end_dim % x.shape.rank
        return tf.reshape(x, [*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]])
