"""What is wrong with the user's input, in one line: where, what, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that kept one file from being read or converted; the work goes on without it.

    unreadable: the input could not be read (the run ends with exit code 2); otherwise a notice.
    """

    path: str
    what: str
    remedy: str
    unreadable: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.what}: {self.remedy}"


class InputError(Exception):
    """Something that stops the whole run before anything is written."""

    def __init__(self, path: object, what: str, remedy: str) -> None:
        self.problem = Problem(str(path), what, remedy)
        super().__init__(str(self.problem))
