"""The errors a verification can end with."""

from __future__ import annotations


class VerifyError(Exception):
    """A verification that cannot be started: a missing path, framework or device. The message says what to do."""


class CannotEncode(Exception):
    """A value that cannot be carried to the other side; the message is the reason."""


class WeightMismatch(Exception):
    """Weights that do not fit: names missing on one side, or shapes that differ."""
