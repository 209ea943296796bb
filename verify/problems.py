"""The errors a verification can end with."""

from __future__ import annotations


class VerifyError(Exception):
    """A verification that cannot be started: a missing path, framework or device. The message says what to do."""


class TraceError(Exception):
    """A program that was to be watched and did not run: what happened, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what, self.remedy = what, remedy


class CannotEncode(Exception):
    """A value that cannot be carried to the other side; the message is the reason."""


class WeightMismatch(Exception):
    """Weights that do not fit: names missing on one side, or shapes that differ."""
