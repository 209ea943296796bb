"""Runs a repository's own tests with pytest and writes down the outcome of each as soon as it is known.

Runs in a process of its own, on one side. Outcomes go into a file line by line, so that a test that takes the whole
process with it costs only itself: what ran before it is known, and so is that it was running.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from .timing import time_limit

FILE = "outcomes.jsonl"
REMARK_FILE = "remark.txt"
LONGEST_MESSAGE = 300


class Outcomes:
    """A pytest plugin that writes one JSON object a line: `{"root"}`, `{"test", "outcome", "message", "path"}`.

    outcome: `collected`, `running`, `passed`, `failed`, `skipped`, or `error` for a test whose setup, teardown or file
    failed; the last line of a test counts.
    """

    def __init__(self, file: Path):
        self.file = file

    def _write(self, test: str, outcome: str, message: str = "") -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"test": test, "outcome": outcome, "message": message[:LONGEST_MESSAGE]}) + "\n")

    def pytest_collection_finish(self, session: Any) -> None:
        """All tests in order, and the folder that their ids are relative to."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"root": str(session.config.rootpath)}) + "\n")
        for item in session.items:
            self._write(item.nodeid, "collected")

    def pytest_collectreport(self, report: Any) -> None:
        """A file that cannot be imported has one outcome for all its tests."""
        if report.outcome == "failed":
            self._write(report.nodeid, "error", _message(report))

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        """The test that runs when the process ends is the one that ended it."""
        self._write(nodeid, "running")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Setup, call and teardown: a setup or teardown that fails is an error whatever the call gave."""
        if report.when == "call":
            self._write(report.nodeid, report.outcome, "" if report.outcome == "passed" else _message(report))
        elif report.outcome != "passed":
            self._write(report.nodeid, "error" if report.outcome == "failed" else report.outcome, _message(report))


def _message(report: Any) -> str:
    """Why a test did not pass, in one line with its place."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail}".rstrip(": ")
    found = report.longrepr
    if isinstance(found, tuple):  # a skip: file, line, reason
        return str(found[2]).removeprefix("Skipped: ")
    crash = getattr(found, "reprcrash", None)
    if crash is None:
        lines = [line for line in str(found).strip().splitlines() if line.strip()]
        return lines[-1].removeprefix("E").strip() if lines else ""
    lines = [line.strip() for line in crash.message.splitlines() if line.strip()]
    return f"{lines[0] if lines else ''} ({Path(crash.path).name}:{crash.lineno})"


def run_tests(tests: list[str], seconds: float, out: Path) -> str:
    """Run test files or single tests; a remark when something stood in the way.

    addopts of the repository's settings are dropped: they may ask for plugins, coverage or other processes.
    """
    try:
        import pytest
    except ImportError:
        return "pytest is not installed: the repository's own tests were not run"
    arguments = ["-q", "-p", "no:cacheprovider", "--no-header", "-o", "addopts=", *tests]
    try:
        with time_limit(seconds), contextlib.redirect_stdout(io.StringIO()):
            pytest.main(arguments, plugins=[Outcomes(out / FILE)])
    except TimeoutError as problem:
        return f"the repository's own tests: {problem}"
    return ""
