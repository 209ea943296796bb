"""One adapter per framework: what the verifier must do with a framework's modules and arrays."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from ..problems import VerifyError
from .base import Adapter

# Framework -> (the module that must be importable, the adapter's class).
ADAPTERS = {
    "torch": ("torch", "torch_adapter", "TorchAdapter"),
    "jax": ("jax", "jax_adapter", "JaxAdapter"),
    "tensorflow": ("tensorflow", "tensorflow_adapter", "TensorflowAdapter"),
    "numpy": ("numpy", "numpy_adapter", "NumpyAdapter"),
}


def load_adapter(framework: str) -> Adapter:
    """The adapter of a framework; VerifyError where the framework is not installed or not known."""
    if framework not in ADAPTERS:
        raise VerifyError(f"no framework {framework!r}; known: {', '.join(sorted(ADAPTERS))}")
    _, file, name = ADAPTERS[framework]
    try:
        return getattr(importlib.import_module(f".{file}", __name__), name)()
    except ModuleNotFoundError as error:
        raise VerifyError(f"verifying {framework} code needs {error.name!r}, which is not installed") from error


def adapter_of(module: Any) -> Adapter:
    """The adapter of a live module's framework."""
    for framework, (package, _, _) in ADAPTERS.items():
        if package in sys.modules and framework != "numpy":
            adapter = load_adapter(framework)
            if adapter.is_module(module):
                return adapter
    raise VerifyError(f"{type(module).__qualname__} is a module of none of: torch, jax, tensorflow")
