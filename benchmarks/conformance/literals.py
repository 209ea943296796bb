"""Arguments as source text: tensors by the names of parameters, everything else as a person would write it."""

from __future__ import annotations

import math
from typing import Any

import torch

_NAMES = "x y z w a b c d e g h k m n p q r s t u v".split()


class Unwritable(Exception):
    """No source text says this argument."""


class Names:
    """Names for the tensors of one sample, in the order of its arguments."""

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        extra = [f"x{index}" for index in range(len(tensors) - len(_NAMES))]
        self.parameters = tuple((_NAMES + extra)[: len(tensors)])
        self._by_identity = {id(tensor): name for name, tensor in zip(self.parameters, tensors, strict=True)}

    def text(self, value: Any) -> str:
        """`value` as an expression; raises Unwritable."""
        if isinstance(value, torch.Tensor):
            if id(value) not in self._by_identity:
                raise Unwritable("a tensor that is no argument")
            return self._by_identity[id(value)]
        if isinstance(value, (tuple, torch.Size)):
            parts = [self.text(part) for part in value]
            return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
        if isinstance(value, list):
            return f"[{', '.join(self.text(part) for part in value)}]"
        return literal(value)

    def index(self, value: Any) -> str:
        """`value` as it stands between square brackets."""
        if isinstance(value, slice):
            bounds = ["" if bound is None else self.text(bound) for bound in (value.start, value.stop)]
            return ":".join(bounds) + (f":{self.text(value.step)}" if value.step is not None else "")
        if isinstance(value, tuple) and value:
            return ", ".join(self.index(part) for part in value) + ("," if len(value) == 1 else "")
        return self.text(value)


def literal(value: Any) -> str:
    """A value without tensors as an expression; raises Unwritable."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is Ellipsis:
        return "..."
    if isinstance(value, torch.device):
        return repr(str(value))
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return repr(value)
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return str(value)
    if isinstance(value, torch.nn.Module) and not list(value.parameters()) and not list(value.children()):
        return f"torch.nn.{value!r}"
    raise Unwritable(f"an argument of type {type(value).__name__}")
