"""Whole packages of other people's code, converted from PyTorch to JAX: what fails, what is left, and how fast.

`python -m benchmarks.sweep [PACKAGE ...]` downloads the packages' sources once (nothing is installed), converts each
whole, converts the result again and prints a table; `--write` writes it to `docs/sweep.md`. The exit code is 1 if a
file failed, no longer parses, or was changed by the second conversion.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ivy_convert.rewriter.repository import TreeResult, convert_files

from .measuring import machine

#: Distributions at fixed versions, so that two sweeps differ only by the converter; the smallest first.
PACKAGES = {
    "vector-quantize-pytorch": "1.32.0",
    "einops": "0.8.2",
    "pytorch-metric-learning": "2.9.0",
    "denoising-diffusion-pytorch": "2.3.4",
    "x-transformers": "2.31.10",
    "segmentation-models-pytorch": "0.6.0",
    "linear-operator": "0.6.1",
    "vit-pytorch": "1.26.11",
    "gpytorch": "1.15.2",
    "lightning": "2.6.6",
    "pyro-ppl": "1.9.2",
    "torchmetrics": "1.9.0",
    "torch-geometric": "2.8.1",
    "timm": "1.0.31",
    "kornia": "0.9.0",
    "monai": "1.6.1",
    "botorch": "0.18.1",
    "diffusers": "0.42.1",
    "transformers": "5.23.0",
}
#: Small packages that others build on, for `benchmarks.e2e` alone.
BESIDE = {
    "axial-attention": "0.6.1", "axial-positional-embedding": "0.3.12", "byol-pytorch": "0.9.1",
    "colt5-attention": "0.11.2", "conformer": "0.3.2", "efficientnet-pytorch": "0.3.0", "egnn-pytorch": "0.2.8",
    "ema-pytorch": "0.8.3", "g-mlp-pytorch": "0.1.5", "gateloop-transformer": "0.2.5", "hyper-connections": "0.4.11",
    "itransformer": "0.8.1", "linear-attention-transformer": "0.19.1", "lion-pytorch": "0.2.5",
    "local-attention": "1.11.2", "mambapy": "1.2.0", "mingru-pytorch": "0.2.1", "mixture-of-experts": "0.2.3",
    "mlp-mixer-pytorch": "0.3.1", "perceiver-pytorch": "0.11.0",
    "performer-pytorch": "1.1.4", "product-key-memory": "0.3.0", "pytorch-msssim": "1.0.0", "pytorch-tabnet": "4.1.0",
    "block-recurrent-transformer-pytorch": "0.4.4", "bottleneck-transformer-pytorch": "0.1.4",
    "feedback-transformer-pytorch": "0.0.11", "glom-pytorch": "0.0.14", "h-transformer-1d": "0.1.9",
    "halonet-pytorch": "0.0.5", "invariant-point-attention": "0.2.2", "lambda-networks": "0.4.0",
    "linformer": "0.2.3", "mega-pytorch": "0.1.0", "nystrom-attention": "0.0.14", "piq": "0.8.0",
    "res-mlp-pytorch": "0.0.6", "segformer-pytorch": "0.0.6", "slot-attention": "1.5.2",
    "timesformer-pytorch": "0.4.1", "token-shift-gpt": "0.0.2", "torchdiffeq": "0.2.5", "uformer-pytorch": "0.0.8",
    "x-unet": "0.5.0",
    "pytorch-tcn": "1.2.3", "rotary-embedding-torch": "0.9.1", "siren-pytorch": "0.1.7",
    "soft-moe-pytorch": "0.1.9", "torch-einops-utils": "0.2.0",
}  # fmt: skip
PAGE = Path(__file__).parent.parent / "docs" / "sweep.md"
#: A class of reasons is listed from this many packages on.
WIDESPREAD = 3


@dataclass(frozen=True)
class Measure:
    """What became of one package. `seconds` is processor time of the first conversion, in one process."""

    package: str
    files: int
    lines: int
    seconds: float
    failed: tuple[str, ...]
    unparsable: tuple[str, ...]
    changed_again: tuple[str, ...]
    converted: int
    review: int
    left: int
    reasons: Counter[str]
    doubts: Counter[str]

    @property
    def share(self) -> float:
        """The part of all sites that was converted, those to review among them."""
        return (self.converted + self.review) / max(self.converted + self.review + self.left, 1)


def cache_folder() -> Path:
    """Where downloads stay: `IVY_CONVERT_SWEEP_CACHE`, or a folder in the user's cache."""
    given = os.environ.get("IVY_CONVERT_SWEEP_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "ivy-convert" / "sweep"


def package_files(package: str) -> dict[str, bytes]:
    """The Python files of a package's wheel by path, downloaded on first use."""
    version = PACKAGES.get(package) or BESIDE[package]
    folder = cache_folder() / f"{package}-{version}"
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary", ":all:", "--dest", str(folder), f"{package}=={version}"],
            check=True,
        )  # fmt: skip
        wheels = sorted(folder.glob("*.whl"))
    with zipfile.ZipFile(wheels[0]) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".py")}


def reason_class(reason: str) -> str:
    """A reason without the user's own code in it: what stands in backquotes, dotted names and numbers."""
    text = re.sub(r"`[^`]*`", "`…`", reason)
    text = re.sub(r"^if .* is an array, ", "if … is an array, ", text)
    text = re.sub(r"^[\w.]+(?= (is not in the tables|has no))", "…", text)
    return re.sub(r"\s+", " ", text)


def _parses(data: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Invalid escapes in other people's strings.
        try:
            ast.parse(data)
        except (SyntaxError, ValueError):
            return False
    return True


def _whole(result: TreeResult) -> dict[str, bytes]:
    return {**result.files, **result.helpers}


def measure(package: str, files: Mapping[str, bytes]) -> Measure:
    """Convert a package twice and count."""
    start = time.process_time()
    result = convert_files(files, "torch", "jax")
    seconds = time.process_time() - start
    first = _whole(result)
    second = _whole(convert_files(first, "torch", "jax"))
    report = result.report
    return Measure(
        package,
        len(files),
        sum(data.count(b"\n") for data in files.values()),
        seconds,
        # A file that is no valid Python before the conversion is rightly reported and copied.
        tuple(
            f"{one.path}: {one.reason}" for one in report.files if one.status == "failed" and _parses(files[one.path])
        ),
        tuple(path for path, data in first.items() if not _parses(data) and _parses(files.get(path, b""))),
        tuple(path for path in sorted({*first, *second}) if first.get(path) != second.get(path)),
        len(report.converted),
        len(report.review),
        len(report.unsupported),
        Counter(reason_class(site.reason) for site in report.unsupported),
        Counter(reason_class(site.reason) for site in report.review),
    )


def table(measures: Iterable[Measure]) -> Iterator[str]:
    """A Markdown table with one line for each package."""
    yield "| package | version | files | lines | lines/s | failed | no longer parse | changed again | converted | review | left | done |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for one in measures:
        yield (
            f"| {one.package} | {PACKAGES.get(one.package, '')} | {one.files:,} | {one.lines:,} "
            f"| {one.lines / max(one.seconds, 1e-9):,.0f} | {len(one.failed)} | {len(one.unparsable)} "
            f"| {len(one.changed_again)} | {one.converted:,} | {one.review:,} | {one.left:,} | {one.share:.1%} |"
        )


def total(measures: list[Measure]) -> Measure:
    """All packages as one."""
    return Measure(
        "together",
        sum(one.files for one in measures),
        sum(one.lines for one in measures),
        sum(one.seconds for one in measures),
        tuple(item for one in measures for item in one.failed),
        tuple(item for one in measures for item in one.unparsable),
        tuple(item for one in measures for item in one.changed_again),
        sum(one.converted for one in measures),
        sum(one.review for one in measures),
        sum(one.left for one in measures),
        sum((one.reasons for one in measures), Counter()),
        sum((one.doubts for one in measures), Counter()),
    )


def leading(counts: Mapping[str, Counter[str]], at_least: int) -> Iterator[str]:
    """Reasons by the number of packages and of sites that show them."""
    sites: Counter[str] = sum(counts.values(), Counter())
    packages = Counter(reason for counter in counts.values() for reason in counter)
    yield "| sites | packages | reason |"
    yield "|---:|---:|---|"
    for reason in sorted(sites, key=lambda reason: (-packages[reason], -sites[reason], reason)):
        if packages[reason] >= at_least:
            yield f"| {sites[reason]:,} | {packages[reason]} | {reason.replace('|', chr(92) + '|')} |"


def page(measures: list[Measure]) -> str:
    """The whole of docs/sweep.md."""
    at_least = min(WIDESPREAD, len(measures))
    lines = [
        "# Sweep: whole packages, converted from PyTorch to JAX",
        "",
        "Written by `make sweep`. Each package is converted whole, from its published wheel, with nothing of it "
        "installed; then the result is converted again, which must change nothing. A site is a place that uses the "
        "source framework: converted, converted but to be reviewed, or left with its reason. Lines per second are "
        f"processor time of one process ({machine()}).",
        "",
        *table([*measures, total(measures)]),
        "",
        f"## Why sites were left, in at least {at_least} packages",
        "",
        *leading({one.package: one.reasons for one in measures}, at_least),
        "",
        f"## What is to be reviewed, in at least {at_least} packages",
        "",
        *leading({one.package: one.doubts for one in measures}, at_least),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the table as it grows; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", choices=[[], *PACKAGES], default=[], metavar="PACKAGE")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    arguments = parser.parse_args()
    measures: list[Measure] = []
    for package in arguments.packages or PACKAGES:
        measures.append(measure(package, package_files(package)))
        lines = list(table(measures[-1:]))
        print("\n".join(lines if len(measures) == 1 else lines[2:]), flush=True)
        for kind in ("failed", "unparsable", "changed_again"):
            for item in getattr(measures[-1], kind):
                print(f"  {kind.replace('_', ' ')}: {item}", flush=True)
        if arguments.write:
            PAGE.write_text(page(measures), encoding="utf-8")
    print("\n".join(["", *leading({one.package: one.reasons for one in measures}, min(WIDESPREAD, len(measures)))]))
    whole = total(measures)
    return int(bool(whole.failed or whole.unparsable or whole.changed_again))


if __name__ == "__main__":
    sys.exit(main())
