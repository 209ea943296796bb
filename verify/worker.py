"""What runs in a process of its own, on one side: `python -m ivy_convert.verify.worker JOB.json`.

The job says the task (`record`, `evaluate` or `tests`), the framework, the device, the code and where results go.
Results are written case by case, so that a crash loses only the case that caused it.
"""

from __future__ import annotations

import importlib.abc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .adapters import load_adapter
from .execute import Case, Weights, described, finder, measure
from .gather import gather
from .noise import NoiseStream
from .own_tests import REMARK_FILE, run_tests
from .problems import VerifyError
from .recorder import Recorder, write_recording
from .repeated import draws, timings
from .timing import time_limit
from .transfer import LayerWeights, State
from .values import ArrayStore, Encoder, Json


class Absent(importlib.abc.MetaPathFinder):
    """Makes the original's framework look as if it were not installed."""

    def __init__(self, packages: Sequence[str]):
        self.packages = frozenset(packages)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Refuse the named packages and everything in them."""
        if fullname.partition(".")[0] in self.packages:
            message = f"No module named {fullname!r} (the converted code must not need it)"
            raise ModuleNotFoundError(message, name=fullname)


def main(job_file: str) -> None:
    """Do one job; a VerifyError goes into `problem.txt` of the output folder."""
    job = json.loads(Path(job_file).read_text("utf-8"))
    out = Path(job["out"])
    sys.path[:0] = job["search"]
    sys.dont_write_bytecode = True
    if job["absent"]:
        sys.meta_path.insert(0, Absent(job["absent"]))
    try:
        adapter = load_adapter(job["framework"])
        (out / "device.txt").write_text(adapter.start(job["device"], job["double"]), "utf-8")
        {"record": _record, "evaluate": _evaluate, "tests": _tests, "repeat": _repeat}[job["task"]](job, adapter, out)
    except VerifyError as problem:
        (out / "problem.txt").write_text(str(problem), "utf-8")
        raise SystemExit(3) from problem


def _record(job: Json, adapter: Any, out: Path) -> None:
    recorder = Recorder(adapter, job["modules"], ArrayStore())
    inputs = Path(job["inputs"]) if job["inputs"] else None
    places = (Path(job["folder"]), inputs, job["tests"])
    notes = gather(adapter, recorder, job["modules"], *places, job["seconds"], out)
    write_recording(out, recorder, notes)


def _tests(job: Json, adapter: Any, out: Path) -> None:
    (out / REMARK_FILE).write_text(run_tests(job["tests"], job["seconds"], out), "utf-8")


def _evaluate(job: Json, adapter: Any, out: Path) -> None:
    cases = json.loads(Path(job["cases"]).with_suffix(".json").read_text("utf-8"))["cases"]
    store = ArrayStore.load(Path(job["cases"]).with_suffix(".npz"))
    find = finder(adapter, job["known"], job["foreign"])
    trained: set[str] = set()
    for index in job["indices"]:
        given, rate, trains = _given(job, index)
        # the long stage once for each subject: for its first case that trains
        cases[index]["train"] = trains and (given is not None or cases[index]["subject"] not in trained)
        stream = NoiseStream(jitter=job["jitter"])
        weights = Weights(adapter, given)
        case = Case(cases[index], adapter, store, weights, find, stream, job["steps"])
        measured = measure(case, list(job["known"].values()), job["seconds"], rate, job["files"])
        arrays: ArrayStore = measured.pop("arrays")
        if "losses" in measured["stages"].get("training", {}):
            trained.add(cases[index]["subject"])
        if given is None:
            encode = Encoder(adapter, arrays)
            measured["weights"] = [_pack(state, encode) for state in weights.states]
        arrays.save(out / f"{index}.npz")
        (out / f"{index}.json").write_text(json.dumps(measured), "utf-8")


def _repeat(job: Json, adapter: Any, out: Path) -> None:
    """Draws or timings of some cases, each with the weights of the original's first run."""
    cases = json.loads(Path(job["cases"]).with_suffix(".json").read_text("utf-8"))["cases"]
    store = ArrayStore.load(Path(job["cases"]).with_suffix(".npz"))
    find = finder(adapter, job["known"], job["foreign"])
    for index in job["indices"]:
        given, rate, cases[index]["train"] = _given(job, index)
        case = Case(cases[index], adapter, store, Weights(adapter, given), find, NoiseStream())
        try:
            with time_limit(job["seconds"]):
                found = draws(case, list(job["known"].values())) if job["draws"] else timings(case, rate or 1e-3)
        except Exception as problem:
            found = {"error": described(problem)}
        (out / f"{index}.json").write_text(json.dumps(found), "utf-8")


def _given(job: Json, index: int) -> tuple[list[State] | None, float | None, bool]:
    """Weights, learning rate and whether to train, from the original's first run; None in that run itself."""
    if not job["weights"]:
        return None, None, True
    folder = Path(job["weights"])
    measured = json.loads((folder / f"{index}.json").read_text("utf-8"))
    store = ArrayStore.load(folder / f"{index}.npz")
    rate = measured["stages"].get("training", {}).get("rate", 1e-2)
    trains = "training" in measured["stages"]
    return [_unpack(state, store) for state in measured["weights"]], rate, trains


def _pack(state: State, encode: Encoder) -> Json:
    return {
        "arrays": {name: encode(array) for name, array in state.arrays.items()},
        "parameters": sorted(state.parameters),
        "tied": dict(state.tied),
        "optional": sorted(state.optional),
        "layers": {path: [[row.layer, dict(row.weights)] for row in rows] for path, rows in state.layers.items()},
    }


def _unpack(packed: Json, store: ArrayStore) -> State:
    layers = {
        path: tuple(LayerWeights(layer, {n: (w[0], w[1]) for n, w in weights.items()}) for layer, weights in rows)
        for path, rows in packed["layers"].items()
    }
    arrays = {name: store.arrays[reference["key"]] for name, reference in packed["arrays"].items()}
    return State(arrays, frozenset(packed["parameters"]), packed["tied"], frozenset(packed["optional"]), layers)


if __name__ == "__main__":
    main(sys.argv[1])
