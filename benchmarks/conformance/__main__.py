"""Every operation of torch's test database, converted and compared: `make conformance`.

`python -m benchmarks.conformance --target jax` takes five samples of each entry, writes each as a person would (as a
function, a method, an operator, with keywords, by position, in place), converts the text through the public API, runs
both and compares values, shapes, kinds of dtype and gradients. Exits with 1 if anything is wrong or crashes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from .coverage import operation_parts, totals_text
from .database import entries
from .measuring import BRIDGES
from .page import COVERAGE, write_parts
from .processes import measure_all
from .results import load, save


def main() -> int:
    """Measure, print the totals and the worst, write what was asked for."""
    known = [entry.name for entry in entries()]
    arguments = read_arguments(known)
    targets = arguments.target or sorted(BRIDGES)
    results = {target: list(measured(target, known, arguments).values()) for target in targets}
    if arguments.write:
        for target, found in results.items():
            if {result["name"] for result in found} != set(known):
                raise SystemExit(f"--write needs every operation for {target}")
            write_parts(COVERAGE, operation_parts(target, found, arguments.samples))
    return int(any(result["status"] in ("wrong", "crashed") for found in results.values() for result in found))


def read_arguments(known: list[str]) -> argparse.Namespace:
    """The command line; known: the names of all operations."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__.split("\n")[0])
    parser.add_argument("--target", action="append", choices=sorted(BRIDGES), help="may be repeated; default: all")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these operations, such as linalg.pinv.singular")
    parser.add_argument("--samples", type=int, default=5, help="samples of each operation, 0 for all (default: 5)")
    parser.add_argument("--json", metavar="FILE", help="write every result; {target} in the name stands for the target")
    parser.add_argument("--keep", action="store_true", help="measure only what FILE lacks, or what --only names")
    parser.add_argument("--write", action="store_true", help=f"write the target's parts of docs/{COVERAGE.name}")
    arguments = parser.parse_args()
    if unknown := set(arguments.only or ()) - set(known):
        parser.error(f"not in the database: {', '.join(sorted(unknown))}")
    if arguments.keep and not arguments.json:
        parser.error("--keep needs --json FILE")
    return arguments


def measured(target: str, known: list[str], arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The results of one target by operation, those of the file first if they are kept."""
    start = time.monotonic()
    file = Path(arguments.json.replace("{target}", target)) if arguments.json else None
    found = load(file) if file is not None and arguments.keep and file.exists() else {}
    names = arguments.only or [name for name in known if name not in found]
    for result in measure_all(names, target, arguments.samples):
        found[result["name"]] = result
        if result["status"] in ("wrong", "crashed"):
            print(f"{target}  {result['status']:8} {result['name']}: {result['reason']}", flush=True)
        if file is not None:
            save(file, target, arguments.samples, [found[name] for name in known if name in found])
    print(f"{totals_text(target, list(found.values()))}  ({time.monotonic() - start:.0f} s)")
    return found


if __name__ == "__main__":
    sys.exit(main())
