"""NumPy for the verifier: functions only, no modules and no gradients."""

from __future__ import annotations

from .base import Adapter


class NumpyAdapter(Adapter):
    """All defaults of `Adapter` are NumPy's."""
