"""Where inputs come from: a file of inputs, the repository's own tests, its entry point, annotations.

Runs in the original's process. The file of inputs is Python and defines a function `inputs()` (or a dict `inputs`)
that gives, for a name, one case or a list of cases:

    def inputs():
        rng = np.random.default_rng(0)
        return {
            "model:Block": ({"dim": 8}, (rng.normal(size=(2, 3, 8)).astype("float32"),)),
            "accuracy": (logits, target),
        }

A class has the keyword arguments of its constructor and the arguments of its call, a function just the arguments
of its call. Names are `module:name`, or the bare name where only one module has it. Arrays are NumPy arrays or
the original framework's.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import runpy
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .adapters.base import Adapter
from .annotations import annotated_cases
from .own_tests import run_tests
from .problems import CannotEncode, VerifyError
from .recorder import Recorder
from .sources import is_test
from .timing import time_limit
from .values import Encoder, Json

ENTRY_POINTS = ("train.py", "main.py", "run.py", "demo.py", "example.py")


def record_tests(recorder: Recorder, tests: list[str], seconds: float, out: Path) -> list[str]:
    """Record while the repository's own tests run; their outcomes go into a file of the folder `out`."""
    if not tests:
        return []
    with recorder.watching():
        remark = run_tests(tests, seconds, out)
    return [remark] if remark else []


def record_entry_point(recorder: Recorder, folder: Path, seconds: float) -> list[str]:
    """Record while a script such as train.py runs, for at most some seconds."""
    script = next((folder / name for name in ENTRY_POINTS if (folder / name).exists()), None)
    if script is None:
        return []
    arguments, sys.argv = sys.argv, [str(script)]
    recorder.script = script.stem
    try:
        with recorder.watching(), time_limit(seconds), contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(script), run_name="__main__")
    except TimeoutError:
        return [f"{script.name} was stopped after {seconds:g} s; what it had called by then was recorded"]
    except (Exception, SystemExit) as problem:
        return [f"{script.name} ended with {type(problem).__name__}: {problem}"]
    finally:
        sys.argv = arguments
    return [f"inputs recorded while {script.name} ran"]


def cases_of_file(path: Path, adapter: Adapter, recorder: Recorder, modules: list[str]) -> list[Json]:
    """The cases of a file of inputs."""
    try:
        given = runpy.run_path(str(path)).get("inputs")
        given = given() if callable(given) else given
    except Exception as problem:
        what = problem.msg if isinstance(problem, SyntaxError) else str(problem)
        place = f"--inputs {path}: line {_line(problem, path)}"
        raise VerifyError(f"{place}: {type(problem).__name__}: {what}; mend the file of inputs") from problem
    if not isinstance(given, dict):
        raise VerifyError(f"{path}: defines no function or dict `inputs`; see `ivy-convert verify --help`")
    return [
        case
        for name, cases in given.items()
        for one in (cases if isinstance(cases, list) else [cases])
        for case in [_case(str(name), one, adapter, recorder, modules)]
    ]


def _line(problem: Exception, path: Path) -> int | str:
    """The line of a file at which running it ended."""
    if isinstance(problem, SyntaxError):
        return problem.lineno or "?"
    places = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == str(path)]
    return (places[-1] if places else None) or "?"


def _case(name: str, given: Any, adapter: Adapter, recorder: Recorder, modules: list[str]) -> Json:
    module, value = _find(name, modules)
    encode = Encoder(adapter, recorder.store)
    is_class = inspect.isclass(value)
    settings, args = given if is_class else ({}, given)
    keywords = args if isinstance(args, dict) else {}
    args = () if isinstance(args, dict) else args if isinstance(args, tuple) else (args,)
    subject = f"{module}:{value.__qualname__}"
    case: Json = {"kind": "module" if is_class else "function", "module": module, "qualname": value.__qualname__}
    try:
        case |= {"method": None, "subject": subject, "args": [encode(item) for item in args]}
        case["kwargs"] = {key: encode(item) for key, item in keywords.items()}
        if is_class:
            made = {key: encode(item) for key, item in settings.items()}
            case["construct"] = {"$": "construct", "type": subject, "args": [], "kwargs": made, "training": True}
    except CannotEncode as problem:
        raise VerifyError(f"inputs for {name}: {problem}") from problem
    return case


def _find(name: str, modules: list[str]) -> tuple[str, Any]:
    wanted, _, qualname = name.rpartition(":")
    failed = ""
    for module in [wanted] if wanted else [item for item in modules if not is_test(item)]:
        try:
            value: Any = importlib.import_module(module)
        except Exception as problem:  # the name may be another module's
            failed += f"; {module} cannot be imported ({type(problem).__name__}: {problem})"
            continue
        for part in qualname.split("."):
            value = getattr(value, part, None)
        if value is not None and getattr(value, "__module__", module) == module:
            return module, value
    raise VerifyError(f"inputs for {name!r}: no module of the original has that name{failed}")


def gather(
    adapter: Adapter,
    recorder: Recorder,
    modules: dict[str, str],
    folder: Path,
    inputs: Path | None,
    tests: list[str],
    seconds: float,
    out: Path,
) -> list[str]:
    """Fill the recorder from all places, in order; a subject keeps the cases of the first place that has some."""
    notes: list[str] = []
    names = list(modules)
    from_file = cases_of_file(inputs, adapter, recorder, names) if inputs else []
    notes += record_tests(recorder, tests, seconds, out)
    seen_modules = any(case["kind"] == "module" for case in recorder.cases)
    if not seen_modules and not from_file and folder.is_dir():
        notes += record_entry_point(recorder, folder, min(seconds, 60.0))
    _prefer(recorder, from_file, lambda have: annotated_cases(adapter, recorder, names, have))
    return notes


def _prefer(recorder: Recorder, first: list[Json], last: Callable[[set[str]], list[Json]]) -> None:
    given = {case["subject"] for case in first}
    recorder.cases = first + [case for case in recorder.cases if case["subject"] not in given]
    recorder.cases += last({case["subject"] for case in recorder.cases})
