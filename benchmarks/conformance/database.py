"""torch's database of operations: which entries are in scope, what area they belong to, and their sample inputs."""

from __future__ import annotations

import random
import unittest
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

#: Element types that samples are taken in; the first that an entry supports gets all the samples asked for.
DTYPES = (torch.float32, torch.int64, torch.bool, torch.complex64)
#: How many samples the element types after the first get.
FURTHER_SAMPLES = 2

_NAMED_AREAS = ("linalg", "fft", "special", "nn.functional", "signal.windows", "masked")
_AREAS_BY_CLASS = {
    "UnaryUfuncInfo": "elementwise, one argument",
    "BinaryUfuncInfo": "elementwise, two arguments",
    "ReductionOpInfo": "reductions",
    "SpectralFuncInfo": "fft",
}


@dataclass(frozen=True)
class Entry:
    """One entry of the database under the name of its function and of its variant, such as `linalg.pinv.singular`."""

    name: str
    info: Any

    @property
    def area(self) -> str:
        """Where the coverage table counts it."""
        for area in _NAMED_AREAS:
            if self.info.name.startswith(f"{area}."):
                return area
        return _AREAS_BY_CLASS.get(type(self.info).__name__, "other functions of arrays")

    @property
    def dtypes(self) -> tuple[torch.dtype, ...]:
        """The element types of `DTYPES` that the entry supports, or one that it does support."""
        supported = self.info.supported_dtypes("cpu")
        found = tuple(dtype for dtype in DTYPES if dtype in supported)
        return found or tuple(sorted(supported, key=str))[:1]

    @property
    def has_doubtful_gradient(self) -> bool:
        """Whether the database expects torch's own test of the gradient to fail."""
        return any(
            decorator is unittest.expectedFailure
            for one in self.info.decorators
            if getattr(one, "test_name", "") == "test_fn_grad" and one.device_type in (None, "cpu")
            for decorator in one.decorators
        )

    def out_of_scope(self) -> str:
        """Why the entry is not measured, or ''. A rule on names and devices; results play no part."""
        parts = self.info.name.split(".")
        if any(part.startswith("_") and not part.endswith("__") for part in parts) or parts[0] in ("torch", "ops"):
            return "internal to torch"
        if any(part.startswith("jiterator") for part in parts):
            return "compiles CUDA source"
        if any("sparse" in part for part in parts):
            return "sparse"
        if any("quantize" in part or "quantized" in part for part in parts):
            return "quantised"
        if any("nested" in part or "jagged" in part for part in (*parts, self.info.variant_test_name)):
            return "nested or jagged"
        if not self.dtypes:
            return "runs on CUDA only"
        return ""


def entries() -> tuple[Entry, ...]:
    """All entries, by name."""
    found = {}
    for info in op_db:
        name = ".".join(filter(None, (info.name, info.variant_test_name)))
        found.setdefault(name, Entry(name, info))
    return tuple(found[name] for name in sorted(found))


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """All tensors within a value, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_of(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_of(part)


def with_tensors(value: Any, tensors: Iterator[torch.Tensor]) -> Any:
    """`value` with its tensors replaced, in the order in which `tensors_of` gives them."""
    if isinstance(value, torch.Tensor):
        return next(tensors)
    if type(value) in (list, tuple):
        return type(value)(with_tensors(part, tensors) for part in value)
    if isinstance(value, dict):
        return {key: with_tensors(part, tensors) for key, part in value.items()}
    return value


def samples(entry: Entry, dtype: torch.dtype, count: int) -> list[Any]:
    """`count` samples of an entry, spread over its list with the first and the last among them; 0 means all.

    Those with tensors that are sparse, quantised or nested are left out, and those that break torch's own rules.
    """
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    gradients = entry.info.supports_autograd and dtype in entry.info.supported_backward_dtypes("cpu")
    found = [
        sample
        for sample in entry.info.sample_inputs("cpu", dtype, requires_grad=gradients)
        if all(_is_plain(tensor) for tensor in tensors_of((sample.input, sample.args, sample.kwargs)))
        and not _breaks_rules(entry, sample)
    ]
    if not count or len(found) <= count:
        return found
    chosen = np.linspace(0, len(found) - 1, count).round().astype(int)
    return [found[index] for index in chosen]


def _breaks_rules(entry: Entry, sample: Any) -> bool:
    """Whether edges of bins are out of order, or integers scaled by a fraction, against torch's documentation."""
    text = " ".join((getattr(entry.info.op, "__doc__", None) or "").split())
    if "strictly increasing sequence of bin edges" in text:
        return any(bool((edges.diff() <= 0).any()) for edges in tensors_of(sample.args))
    if "otherwise they should be integers" not in text and "otherwise an integer" not in text:
        return False
    exact = isinstance(sample.input, torch.Tensor) and not (
        sample.input.is_floating_point() or sample.input.is_complex()
    )
    return exact and any(isinstance(value, float) for value in sample.kwargs.values())


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_quantized and not tensor.is_nested
