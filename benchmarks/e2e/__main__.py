"""Models of other people's packages from torch to JAX: forward, gradients and three training steps against torch.

`python -m benchmarks.e2e [CASE ...]` downloads the packages once, converts each with the programs of its cases, runs
both sides and prints what became of each case; `--write` writes the table to `docs/e2e.md`. The exit code is 1 if a
case is wrong or crashed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from .cases import CASES
from .comparing import DOUBLE, Outcome, decided_in_double, outcome
from .packages import convert, dependencies, sources, write
from .programs import Case

PAGE = Path(__file__).parents[2] / "docs" / "e2e.md"
ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_DISABLE": "1"}


def run_side(side: str, folder: Path, cases: Sequence[Case], results: Path, double: bool = False) -> None:
    """Run the cases of one group on one side, in single or double precision."""
    job = results / f"{cases[0].group}.{side}.job.json"
    job.write_text(
        json.dumps(
            {
                "folder": str(folder),
                "dependencies": str(dependencies()),
                "double": double,
                "results": str(results),
                "cases": [{**asdict(case), "module": case.module} for case in cases],
            }
        )
    )
    command = [sys.executable, "-m", "ivy_convert.benchmarks.e2e.worker", side, str(job)]
    with open(results / f"{cases[0].group}.{side}.log", "wb") as log:
        subprocess.run(command, env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log, check=False)


def measure(group: str, cases: Sequence[Case], folder: Path) -> Iterator[Outcome]:
    """Convert a group and compare its cases."""
    original, converted, results = (folder / group / name for name in ("original", "converted", "results"))
    for stale in (original, converted, results, folder / group / "double"):
        shutil.rmtree(stale, ignore_errors=True)
    results.mkdir(parents=True)
    files = sources(group, cases)
    write(original, files)
    convert(files, converted)
    run_side("torch", original, cases, results)
    run_side("jax", converted, cases, results)
    found = [outcome(case, results, converted) for case in cases]
    unclear = [case for case, one in zip(cases, found, strict=True) if one.status == "wrong"]
    doubled = folder / group / "double"
    if unclear:
        doubled.mkdir()
        run_side("torch", original, unclear, doubled, double=True)
        run_side("jax", converted, unclear, doubled, double=True)
    for case, one in zip(cases, found, strict=True):
        yield decided_in_double(case, one, doubled, converted) if case in unclear else one


def page(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> str:
    """The whole of docs/e2e.md."""
    counts = Counter(one.status for one in outcomes)
    lines = [
        "# Models of other people's packages, from PyTorch to JAX",
        "",
        "Written by `make e2e`. Each package is converted whole with a small training program around the model. Both "
        "sides get the same weights, inputs and random draws; outputs, gradients of all weights and inputs, the losses "
        "of three training steps and the weights after them are compared in single precision. Where a model amplifies "
        f"its rounding (a batch norm over few values), double precision decides, to {DOUBLE:.0e}.",
        "",
        f"{len(outcomes)} models: " + ", ".join(f"{count} {status}" for status, count in counts.most_common()) + ".",
        "",
        "| model | kind | package | outcome | largest relative difference, or why |",
        "|---|---|---|---|---|",
    ]
    for case, one in zip(cases, outcomes, strict=True):
        why = one.why.replace("|", "\\|") or f"{one.largest:.1e}"
        lines.append(f"| {one.name} | {case.kind} | {case.group} | {one.status} | {why} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print each case as it ends; 1 if one is wrong or crashed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases or groups; all if none")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this folder and leave it there")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    arguments = parser.parse_args()
    chosen = [one for one in CASES if not arguments.cases or {one.name, one.group} & set(arguments.cases)]
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="ivy-e2e-") as temporary:
        folder = arguments.keep or Path(temporary)
        for group in dict.fromkeys(case.group for case in chosen):
            for one in measure(group, [case for case in chosen if case.group == group], folder):
                outcomes[one.name] = one
                print(f"{one.name:28} {one.status:9} {one.why or format(one.largest, '.1e')}", flush=True)
    found = [outcomes[case.name] for case in chosen]
    print(", ".join(f"{count} {status}" for status, count in Counter(one.status for one in found).most_common()))
    if arguments.write:
        PAGE.write_text(page(chosen, found), encoding="utf-8")
    return int(any(one.status in {"wrong", "crashed", "unusable"} for one in found))


if __name__ == "__main__":
    sys.exit(main())
