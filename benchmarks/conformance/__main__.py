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

from .coverage import totals_text, write
from .database import entries
from .measuring import BRIDGES
from .processes import measure_all
from .results import save

COVERAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"


def main() -> int:
    """Measure, print the totals and the worst, write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance", description=__doc__.split("\n")[0])
    parser.add_argument("--target", action="append", choices=sorted(BRIDGES), help="may be repeated; default: all")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these operations, such as add or linalg.pinv.singular"
    )
    parser.add_argument("--samples", type=int, default=5, help="samples of each operation, 0 for all (default: 5)")
    parser.add_argument(
        "--json", metavar="FILE", help="write every result; with several targets {target} stands for one"
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{COVERAGE.name}; needs all targets")
    arguments = parser.parse_args()
    targets = arguments.target or sorted(BRIDGES)
    known = {entry.name for entry in entries()}
    names = arguments.only or sorted(known)
    if unknown := set(names) - known:
        parser.error(f"not in the database: {', '.join(sorted(unknown))}")
    if arguments.write and (arguments.only or set(targets) != set(BRIDGES)):
        parser.error("--write needs all operations and all targets")
    results = {}
    for target in targets:
        start = time.monotonic()
        file = Path(arguments.json.replace("{target}", target)) if arguments.json else None
        found = results[target] = []
        for result in measure_all(names, target, arguments.samples):
            found.append(result)
            if result["status"] in ("wrong", "crashed"):
                print(f"{target}  {result['status']:8} {result['name']}: {result['reason']}", flush=True)
            if file is not None:
                save(file, target, arguments.samples, found)
        print(f"{totals_text(target, found)}  ({time.monotonic() - start:.0f} s)")
    if arguments.write:
        write(COVERAGE, results, arguments.samples)
    return int(any(result["status"] in ("wrong", "crashed") for found in results.values() for result in found))


if __name__ == "__main__":
    sys.exit(main())
