"""Two fixture repositories after conversion: a jitted forward pass and training step beside torch eager, on the CPU.

`python -m benchmarks.models` converts them into a temporary folder and runs each framework in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .measuring import Sample, machine

REPOSITORIES = Path(__file__).resolve().parent.parent / "fixtures" / "repositories"
#: Case -> repository, and what is run.
CASES = {
    "classifier": ("classifier", "resnet_tiny, 32 images of 3 x 32 x 32, SGD"),
    "gpt": ("gpt", "GPT of the fixture's size (2 blocks of width 32), 8 texts of 32 tokens, AdamW"),
    "gpt_wide": ("gpt", "the same with 4 blocks of width 128, 16 texts of 64 tokens"),
}


def convert(repository: str, out: Path) -> None:
    """Convert a fixture repository with the command that users run."""
    command = Path(sys.executable).with_name("ivy-convert")
    subprocess.run([command, REPOSITORIES / repository, "--to", "jax", "-o", out], check=True, stdout=subprocess.DEVNULL)


def measure(framework: str, case: str, folder: Path, repeats: int) -> dict[str, Sample]:
    """Milliseconds of one forward pass and of one training step, measured in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "JAX_PLATFORMS": "cpu",
        # One thread for each framework: with more, what else runs on the machine decides the figures.
        "OMP_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }
    script = Path(__file__).with_name(f"{framework}_steps.py")
    finished = subprocess.run(
        [sys.executable, str(script), case, str(repeats)], env=environment, check=True, capture_output=True, text=True
    )
    times = json.loads(finished.stdout.splitlines()[-1])
    return {name: Sample(tuple(values)) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="ivy-benchmark-") as folder:
        for case, (repository, description) in CASES.items():
            out = Path(folder, case)
            convert(repository, out)
            torch = measure("torch", case, REPOSITORIES / repository, arguments.repeats)
            jax = measure("jax", case, out, arguments.repeats)
            print(f"{case}: {description}; {arguments.repeats} repeats")
            for name, baseline in torch.items():
                ratio = jax[name].median / baseline.median
                times = f"torch eager {baseline.text(' ms')}, JAX jitted {jax[name].text(' ms')}"
                print(f"  {name:14} {times}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
