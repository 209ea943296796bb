"""Comments of training statements that move or go away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import libcst as cst

_CLEARING = re.compile(r"(zero|clear|reset)\w*\b.*\bgrad", re.IGNORECASE)


def about_clearing(line: cst.EmptyLine) -> bool:
    """Whether a comment says that gradients are cleared, which no longer happens."""
    return line.comment is not None and _CLEARING.search(line.comment.value) is not None


def with_comments(statement: Any, held: Sequence[cst.EmptyLine], own: Sequence[cst.EmptyLine]) -> Any:
    """A statement with held comments above its own lines, behind the blank line that these begin with."""
    blank = [line for line in own[:1] if line.comment is None]
    rest = held[1:] if blank and held and held[0].comment is None else held
    return statement.with_changes(leading_lines=[*blank, *rest, *own[len(blank) :]])


def behind_definition(statement: Any, held: Sequence[cst.EmptyLine]) -> Any:
    """The last statement of a block with comments that nothing follows: they go above it."""
    if not hasattr(statement, "leading_lines"):
        return statement
    return statement.with_changes(leading_lines=[*statement.leading_lines, *held])
