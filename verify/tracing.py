"""Runs a program of the user's as they would, and brings home which types reached its functions."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .problems import TraceError

RECORDER = Path(__file__).resolve().parent / "type_recorder.py"
LINES_SHOWN = 8
SECONDS_TO_END = 3.0

#: What the program's interpreter runs as it starts: its own startup file, found first on the path.
STARTUP = """\
import importlib.util
spec = importlib.util.spec_from_file_location("_ivy_convert_type_recorder", {recorder!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.start({job!r}, {folder!r})
"""


def trace(
    command: str,
    files: Sequence[Path],
    classes: Mapping[str, Sequence[str]],
    stores: Mapping[str, str],
    folder: Path | None = None,
) -> list[Any]:
    """Run `command` in `folder` (default: here) and return what `type_recorder.py` wrote, in an order of its own.

    files: the source's. Raises TraceError where the command cannot be run, fails, or runs nothing
    of the source.
    """
    with tempfile.TemporaryDirectory(prefix="ivy-convert-trace-") as scratch:
        here = Path(scratch)
        out = here / "found.jsonl"
        job = {"out": str(out), "files": [os.path.realpath(file) for file in files],
               "classes": {kind: list(paths) for kind, paths in classes.items()}, "stores": dict(stores)}  # fmt: skip
        (here / "job.json").write_text(json.dumps(job), "utf-8")
        startup = here / "startup"
        startup.mkdir()
        text = STARTUP.format(recorder=str(RECORDER), job=str(here / "job.json"), folder=str(startup))
        (startup / "sitecustomize.py").write_text(text, "utf-8")
        _run(command, folder, _environment(startup, here), here)
        lines = sorted(set(out.read_text("utf-8").splitlines())) if out.exists() else []
    found = [json.loads(line) for line in lines]
    if not any(record[0] in ("call", "local") for record in found):
        remedy = "it must import these files, not a copy installed elsewhere, and not start Python with -I, -E or -S"
        raise TraceError("ran nothing of the source", remedy)
    return found


def _environment(startup: Path, scratch: Path) -> dict[str, str]:
    """The user's environment, with the recorder in front and nothing written into their folders on our account."""
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(startup), os.environ.get("PYTHONPATH", "")]))
    options = [os.environ.get("PYTEST_ADDOPTS", ""), "-o", f"cache_dir={shlex.quote(str(scratch / 'pytest'))}"]
    environment["PYTEST_ADDOPTS"] = " ".join(filter(None, options))
    return environment


def _run(command: str, folder: Path | None, environment: dict[str, str], scratch: Path) -> None:
    """Run the command to its end, in a process group of its own, so that nothing of it outlives an interruption."""
    try:
        arguments = shlex.split(command, posix=os.name == "posix")
    except ValueError as error:
        raise TraceError(f"is no command line ({error})", "quote it as a shell would") from None
    if not arguments:
        raise TraceError("is empty", "give the command that runs the program")
    with (scratch / "stdout").open("wb") as stdout, (scratch / "stderr").open("wb") as stderr:
        try:
            process = subprocess.Popen(
                arguments, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise TraceError(f"{arguments[0]} cannot be run ({error.strerror})", "give it as you start it here") from None
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    if code:
        remedy = "give a command that runs to its end here; the last that it wrote:"
        raise TraceError(f"ended with code {code}", remedy + _last_words(scratch))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started: politely first."""
    for kind in ("SIGTERM", "SIGKILL"):
        if os.name == "posix":
            try:
                os.killpg(process.pid, getattr(signal, kind))
            except ProcessLookupError:
                return
        else:
            process.kill()
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            continue


def _last_words(scratch: Path) -> str:
    """The last lines that the program wrote, of its errors if it wrote any."""
    for name in ("stderr", "stdout"):
        text = (scratch / name).read_text("utf-8", "replace")
        lines = [line for line in text.splitlines() if line.strip()][-LINES_SHOWN:]
        if lines:
            return "\n" + "\n".join(f"  {line}" for line in lines)
    return " nothing"
