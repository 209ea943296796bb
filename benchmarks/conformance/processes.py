"""Measures in processes of their own, one at a time: what kills or hangs one costs one operation, not the run."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from .database import entries
from .results import Problem, Result

#: Operations for one process, so that compiled programs do not fill the memory.
CHUNK = 25
#: Seconds that one operation may take.
TIME_LIMIT = 900


def measure_all(names: list[str], target: str, count: int) -> Iterator[dict[str, Any]]:
    """The JSON form of each operation's result, as it is known, in the order of `names`."""
    areas = {entry.name: entry.area for entry in entries()}
    left = list(names)
    while left:
        done = 0
        for result in _chunk(left[:CHUNK], target, count):
            if result["status"] == "died":
                failed = Result(result["name"], areas[result["name"]])
                failed.add(Problem("crashed", "", "", "", "", result["reason"]))
                result = failed.to_dict()
            done += 1
            yield result
        left = left[done:]


def _chunk(names: list[str], target: str, count: int) -> Iterator[dict[str, Any]]:
    """Results of one process; the last one is `died` if it did."""
    command = [sys.executable, "-m", "benchmarks.conformance.worker", target, str(count), *names]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    current = names[0]
    reason = "the process died"
    while True:
        try:
            line = lines.get(timeout=TIME_LIMIT)
        except queue.Empty:
            reason = f"not done within {TIME_LIMIT} s"
            break
        if line is None:
            break
        message = json.loads(line)
        if "begin" in message:
            current = message["begin"]
            continue
        yield message
        if message["name"] == names[-1]:
            process.wait()
            return
    process.kill()
    process.wait()
    yield {"name": current, "status": "died", "reason": reason}


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)
