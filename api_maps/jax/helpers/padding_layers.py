"""Padding layers over the last one, two or three axes; widths list the last axis first, as in torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from .padding import pad


class PaddingLayer(nnx.Module):
    """Pads `dimensions` last axes; `padding` is one int or (low, high) per axis, the last axis first."""

    dimensions = 0
    mode = "constant"

    def __init__(self, padding: int | Sequence[int]):
        widths = (padding,) * (2 * self.dimensions) if isinstance(padding, int) else tuple(padding)
        if len(widths) != 2 * self.dimensions:
            raise ValueError(f"expected an int or {2 * self.dimensions} ints, got {padding}")
        self.padding = widths
        self.value: Any = 0.0

    def __call__(self, x: jax.Array) -> jax.Array:
        return pad(x, self.padding, self.mode, self.value)


class ConstantPad1d(PaddingLayer):
    """Pads the last axis with `value`."""

    dimensions = 1

    def __init__(self, padding: int | Sequence[int], value: float):
        super().__init__(padding)
        self.value = value


class ConstantPad2d(PaddingLayer):
    """Pads the last two axes with `value`."""

    dimensions = 2

    def __init__(self, padding: int | Sequence[int], value: float):
        super().__init__(padding)
        self.value = value


class ConstantPad3d(PaddingLayer):
    """Pads the last three axes with `value`."""

    dimensions = 3

    def __init__(self, padding: int | Sequence[int], value: float):
        super().__init__(padding)
        self.value = value


class ZeroPad1d(PaddingLayer):
    """Pads the last axis with zeros."""

    dimensions = 1


class ZeroPad2d(PaddingLayer):
    """Pads the last two axes with zeros."""

    dimensions = 2


class ZeroPad3d(PaddingLayer):
    """Pads the last three axes with zeros."""

    dimensions = 3


class ReflectionPad1d(PaddingLayer):
    """Pads the last axis by reflection about the edge elements."""

    dimensions = 1
    mode = "reflect"


class ReflectionPad2d(PaddingLayer):
    """Pads the last two axes by reflection about the edge elements."""

    dimensions = 2
    mode = "reflect"


class ReflectionPad3d(PaddingLayer):
    """Pads the last three axes by reflection about the edge elements."""

    dimensions = 3
    mode = "reflect"


class ReplicationPad1d(PaddingLayer):
    """Pads the last axis with the edge element."""

    dimensions = 1
    mode = "replicate"


class ReplicationPad2d(PaddingLayer):
    """Pads the last two axes with the edge element."""

    dimensions = 2
    mode = "replicate"


class ReplicationPad3d(PaddingLayer):
    """Pads the last three axes with the edge element."""

    dimensions = 3
    mode = "replicate"


class CircularPad1d(PaddingLayer):
    """Pads the last axis with the other end."""

    dimensions = 1
    mode = "circular"


class CircularPad2d(PaddingLayer):
    """Pads the last two axes with the other end."""

    dimensions = 2
    mode = "circular"


class CircularPad3d(PaddingLayer):
    """Pads the last three axes with the other end."""

    dimensions = 3
    mode = "circular"
