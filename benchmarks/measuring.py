"""Repeated measurements: median and spread, always against a baseline of the same run."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Repeated measurements of one quantity."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self, unit: str = "", digits: int = 2) -> str:
        """The median with the smallest and the largest value."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f}{unit} ({low:,.{digits}f} to {high:,.{digits}f})"


@dataclass(frozen=True)
class Cost:
    """Measurements of something and, each taken just before and after it, of its baseline; in seconds."""

    measured: Sample
    baseline: Sample

    @property
    def ratio(self) -> Sample:
        """Each measurement over the mean of the two baselines around it."""
        before, after = self.baseline.values[:-1], self.baseline.values[1:]
        around = [(a + b) / 2 for a, b in zip(before, after, strict=True)]
        return Sample(tuple(value / base for value, base in zip(self.measured.values, around, strict=True)))


def compare(run: Callable[[], float], baseline: Callable[[], float], repeats: int) -> Cost:
    """Measure `run` and its baseline in turn, so that a change of the machine's speed meets both.

    Both give seconds.
    """
    measured, bases = [], [baseline()]
    for _ in range(repeats):
        measured.append(run())
        bases.append(baseline())
    return Cost(Sample(tuple(measured)), Sample(tuple(bases)))


def wall_seconds(action: Callable[[], object]) -> float:
    """How long `action` takes by the clock on the wall."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


@dataclass(frozen=True)
class ProcessCost:
    """A finished process: seconds by the clock, and the most memory it held, in MB (10**6 bytes)."""

    seconds: float
    peak_memory: float


def run_process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> ProcessCost:
    """Run a command, its output thrown away; raises RuntimeError with its errors if it fails.

    The system counts this process's own memory as part of a child's peak: measure memory before growing.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{errors[-2000:]}")
    return ProcessCost(seconds, usage.ru_maxrss * 1024 / 1e6)


def machine() -> str:
    """One line on what the figures were measured with."""
    import platform

    return f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
