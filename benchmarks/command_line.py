"""What the command costs around a conversion: start-up beside an empty Python, a first run and a second one.

`python -m benchmarks.command_line [PACKAGE]` takes an installed package, by default vit_pytorch.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from .conversion import package_files
from .measuring import compare, machine, run_process

COMMAND = str(Path(sys.executable).with_name("ivy-convert"))


def report_start(repeats: int) -> None:
    """Print the time of `ivy-convert --help` and of `python -c pass`."""
    empty = [sys.executable, "-c", "pass"]
    cost = compare(lambda: run_process([COMMAND, "--help"]).seconds, lambda: run_process(empty).seconds, repeats)
    print(f"ivy-convert --help  {cost.measured.text(' s', 3)}, python -c pass {cost.baseline.text(' s', 3)}")
    print(f"  --help / pass  {cost.ratio.text(' times')}")


def report_second_run(package: str, repeats: int) -> None:
    """Print a first run with an empty cache folder, and a second one over the same files."""
    with tempfile.TemporaryDirectory(prefix="ivy-benchmark-") as folder:
        source, out = Path(folder, package), Path(folder, "out")
        for path, data in package_files(package).items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)

        def run(fresh: bool) -> float:
            shutil.rmtree(out, ignore_errors=True)
            if fresh:
                shutil.rmtree(Path(folder, "cache"), ignore_errors=True)
            environment = {**os.environ, "XDG_CACHE_HOME": str(Path(folder, "cache"))}
            command = [COMMAND, str(source), "--to", "jax", "-o", str(out), "--jobs", "1"]
            return run_process(command, environment).seconds

        cost = compare(lambda: run(fresh=False), lambda: run(fresh=True), repeats)
    print(f"ivy-convert {package} --to jax: first run {cost.baseline.text(' s')}, second {cost.measured.text(' s')}")
    print(f"  second / first  {cost.ratio.text(' times')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", nargs="?", default="vit_pytorch")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(machine())
    report_start(arguments.repeats * 3)
    report_second_run(arguments.package, arguments.repeats)


if __name__ == "__main__":
    main()
