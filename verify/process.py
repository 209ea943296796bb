"""Starts workers, one process each, and reports how they ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .problems import VerifyError
from .sources import CodeBase

BOOTSTRAP = Path(__file__).resolve().parent / "bootstrap.py"
LINES_OF_STDERR = 6


@dataclass(frozen=True)
class Side:
    """One of the two sides: its code, framework and interpreter, and the packages it must do without."""

    code: CodeBase
    framework: str
    python: str = sys.executable
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a worker ended. problem: empty when it ended well, else one line and the last of its stderr."""

    out: Path
    problem: str = ""
    crashed: bool = field(default=False)


def run_worker(side: Side, out: Path, device: str, timeout: float, optimized: bool = False, **job: Any) -> Ended:
    """Run one job to its end or its timeout, in the root of the side's code.

    optimized: whether compilers take their time, as where speed is measured.

    Raises VerifyError with the worker's message where the job cannot be done at all (no such device).
    """
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "framework": side.framework,
        "device": device,
        "double": False,
        "search": [str(path) for path in side.code.search],
        "absent": list(side.absent),
        "out": str(out),
        **job,
    }
    (out / "job.json").write_text(json.dumps(content), "utf-8")
    folder = side.code.path if side.code.path.is_dir() else side.code.search[0]
    command = [side.python, str(BOOTSTRAP), str(out / "job.json")]
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=_environment(device, out.parent / "compiled", optimized),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return Ended(out, f"stopped after {timeout:g} s", crashed=True)
    if (out / "problem.txt").exists():
        raise VerifyError((out / "problem.txt").read_text("utf-8"))
    if ended.returncode:
        lines = [line for line in ended.stderr.strip().splitlines() if line.strip()][-LINES_OF_STDERR:]
        return Ended(out, f"ended with code {ended.returncode}: " + " | ".join(lines), crashed=True)
    return Ended(out)


def _environment(device: str, compiled: Path, optimized: bool) -> dict[str, str]:
    """The environment of a worker. compiled: where the workers of one verification share XLA's compiled programs."""
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0", MPLBACKEND="Agg")
    environment.pop("PYTHONPATH", None)
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    environment["JAX_PLATFORMS"] = {"cuda": "cuda,cpu", "tpu": "tpu,cpu"}.get(device, "cpu")
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if device != "cuda":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    if device == "cpu":
        # Most of a worker's time goes into compiling hundreds of small programs that run for microseconds.
        flags = "" if optimized else "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
        environment["XLA_FLAGS"] = f"{flags} {environment.get('XLA_FLAGS', '')}".strip()
        environment.setdefault("JAX_COMPILATION_CACHE_DIR", str(compiled))
        environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        environment.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    return environment
