"""Functions on values that torch has only as methods or statements."""

from __future__ import annotations

from typing import Any

import torch


def detached(value: Any) -> Any:
    """A tensor, or all tensors in lists, tuples and dicts, without their history."""
    if isinstance(value, dict):
        return {key: detached(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [detached(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value.detach() if isinstance(value, torch.Tensor) else value


def store(x: torch.Tensor, index: Any, value: Any) -> torch.Tensor:
    """A copy of x with `value`, which broadcasts, at x[index]."""
    x = x.clone()
    x[index] = value
    return x
