"""Runs original and converted code side by side and says where, and by how much, they differ."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import Comparison, StageResult
    from .harness import verify
    from .live_transfer import transfer_weights
    from .problems import VerifyError, WeightMismatch
    from .rendering import render
    from .transfer import axis_permutation
    from .weights import convert_checkpoint

_HOMES = {
    "Comparison": "comparison",
    "StageResult": "comparison",
    "render": "rendering",
    "verify": "harness",
    "VerifyError": "problems",
    "WeightMismatch": "problems",
    "axis_permutation": "transfer",
    "transfer_weights": "live_transfer",
    "convert_checkpoint": "weights",
}
__all__ = [
    "Comparison",
    "StageResult",
    "VerifyError",
    "WeightMismatch",
    "axis_permutation",
    "convert_checkpoint",
    "render",
    "transfer_weights",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import on first use: a conversion without verification must not pay for this package."""
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


class _CallablePackage(ModuleType):
    """Importing this package rebinds `ivy_convert.verify`, a function of the public API, to it: it is callable too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Comparison:
        from .harness import verify

        return verify(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
