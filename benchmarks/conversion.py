"""The speed of a conversion beside the least that any LibCST tool spends: parse, one empty visit, code generation.

`python -m benchmarks.conversion [PACKAGE ...]` takes installed packages, by default vit_pytorch and x_transformers.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libcst as cst

from ivy_convert.rewriter.repository import convert_files

from .measuring import compare, machine, run_process, wall_seconds

PACKAGES = ("vit_pytorch", "x_transformers")
#: The whole conversion may cost this many times the floor.
LIMIT = 4.0


class _Nothing(cst.CSTTransformer):
    pass


def package_files(package: str) -> dict[str, bytes]:
    """The Python files of an installed package, by path; its code is not run. Raises SystemExit if it is missing."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: pip install -e '.[dev]'")
    root = Path(found.submodule_search_locations[0])
    return {path.relative_to(root.parent).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.py"))}


def pass_through(files: dict[str, bytes]) -> None:
    """The floor: every file parsed, visited by a transformer that does nothing, and written out."""
    for data in files.values():
        assert cst.parse_module(data).visit(_Nothing()).code is not None


def convert(files: dict[str, bytes], jobs: int = 1) -> None:
    convert_files(files, "torch", "jax", jobs=jobs)


def processor_seconds(action: Callable[[], object]) -> float:
    """Processor time, which other work on the machine disturbs less than the clock.

    What earlier runs left alive is kept from the cycle collector, so that each run meets it as a fresh process would.
    """
    gc.collect()
    gc.freeze()
    start = time.process_time()
    action()
    return time.process_time() - start


def report_speed(package: str, repeats: int) -> float:
    """Print lines per second and the ratio to the floor; give the median ratio."""
    files = package_files(package)
    lines = sum(data.count(b"\n") for data in files.values())
    convert(dict(list(files.items())[:2]))  # Tables, rules and black are loaded once; start-up is measured by itself.
    cost = compare(
        lambda: processor_seconds(lambda: convert(files)),
        lambda: processor_seconds(lambda: pass_through(files)),
        repeats,
    )
    print(f"{package}: {len(files)} files, {lines:,} lines, {repeats} repeats")
    print(f"  floor       {lines / cost.baseline.median:>9,.0f} lines/s   {cost.baseline.text(' s')}")
    print(f"  conversion  {lines / cost.measured.median:>9,.0f} lines/s   {cost.measured.text(' s')}")
    print(f"  conversion / floor  {cost.ratio.text(' times')}, allowed {LIMIT:g}")
    return cost.ratio.median


def report_jobs(package: str, repeats: int) -> None:
    """Print what a second process saves, by the clock."""
    files = package_files(package)
    cost = compare(
        lambda: wall_seconds(lambda: convert(files, 2)),
        lambda: wall_seconds(lambda: convert(files, 1)),
        repeats,
    )
    print(f"{package} by the clock: --jobs 1 {cost.baseline.text(' s')}, --jobs 2 {cost.measured.text(' s')}")
    print(f"  --jobs 2 / --jobs 1  {cost.ratio.text(' times')}")


def report_memory(package: str) -> None:
    """Print the peak memory of a process that converts, beside one that only passes everything through."""
    peaks = {
        work: run_process([sys.executable, "-m", "benchmarks.conversion", package, "--only", work]).peak_memory
        for work in ("floor", "conversion")
    }
    print(f"{package} peak memory: conversion {peaks['conversion']:.0f} MB, floor {peaks['floor']:.0f} MB")


def main() -> int:
    """Print everything; 1 if a conversion costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("floor", "conversion"), help="do this once and print nothing")
    arguments = parser.parse_args()
    if arguments.only:
        for package in arguments.packages:
            (pass_through if arguments.only == "floor" else convert)(package_files(package))
        return 0
    print(machine())
    for package in arguments.packages:
        report_memory(package)
    ratios = [report_speed(package, arguments.repeats) for package in arguments.packages]
    report_jobs(arguments.packages[0], arguments.repeats)
    return int(max(ratios) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
