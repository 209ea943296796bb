"""Whether rewriting in place could lose work that git does not hold yet."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path


def uncommitted(paths: Iterable[Path]) -> list[str]:
    """Changed and untracked files at or below `paths`; empty outside of a git work tree or without git."""
    found: list[str] = []
    for path in paths:
        folder = path if path.is_dir() else path.parent
        command = ["git", "-C", str(folder), "status", "--porcelain", "-z", "--", str(path.resolve())]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if answer.returncode == 0:
            found += [entry[3:] for entry in answer.stdout.split("\0") if entry[2:3] == " "]
    return found
