"""The verify command, and `--verify` after a conversion."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..rewriter.problems import InputError

if TYPE_CHECKING:
    from ..rewriter.report import Report
    from ..verify.comparison import Comparison
    from .convert import Job, Request
    from .placement import Placement


def verify_command(
    original: Path, converted: Path, device: str, inputs: Path | None, steps: int, timeout: float, report: Path | None
) -> int:
    """Compare two versions, print the table, and return 0 only if they agree."""
    for path in (original, converted, *([inputs] if inputs else [])):
        if not path.exists():
            raise InputError(path, "no such file or folder", "check the spelling and the current folder")
    if report:
        from .report_formats import require_format

        require_format(report)
    comparison = compare(original, converted, device, inputs, steps=steps, timeout=timeout)
    print_comparison(comparison)
    if report:
        from ..rewriter.report import Report
        from .report_formats import write_report

        write_report(report, Report("", "", verification=comparison.to_dict()))
    return 0 if comparison.ok else 1


def verify_jobs(report: Report, jobs: Sequence[Job], placement: Placement, request: Request) -> tuple[Report, bool]:
    """Compare every written result with its source; the report with what was found, and whether all agree."""
    found: list[dict[str, Any]] = []
    agrees = True
    for job in jobs:
        if not job.report.source:
            continue
        with tempfile.TemporaryDirectory(prefix="ivy-convert-") as scratch:
            original = job.tree.given[0]
            if request.in_place:
                original = keep_original(job, Path(scratch))
            comparison = compare(original, placement.destination(job.tree), str(request.verify), request.inputs)
        print_comparison(comparison)
        agrees = agrees and comparison.ok
        found.append(comparison.to_dict())
    return dataclasses.replace(report, verification=found[0] if len(found) == 1 else found), agrees


def keep_original(job: Job, scratch: Path) -> Path:
    """The source as it was read, laid out in `scratch`, for a conversion that has replaced it."""
    from ..rewriter.placing import create_folder

    create_folder(scratch / job.tree.root.name, job.tree, job.tree.files)
    folder = scratch / job.tree.root.name
    return folder if job.tree.is_folder else folder / job.tree.given[0].name


def compare(original: Path, converted: Path, device: str, inputs: Path | None, **settings: Any) -> Comparison:
    """Run the verification; what cannot be verified at all is the user's input at fault."""
    from .. import verify
    from ..verify.problems import VerifyError

    try:
        return verify(original, converted, inputs=inputs, device=device, **settings)
    except VerifyError as error:
        raise InputError(converted, "cannot be verified", str(error)) from None


def print_comparison(comparison: Comparison) -> None:
    """What was found; wide and without colour where the output is no terminal."""
    from rich.console import Console

    from ..verify.rendering import render

    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(render(comparison), highlight=False)
    for note in comparison.notes:
        click.echo(f"note: {note}")
    click.echo(_conclusion(comparison))


def _conclusion(comparison: Comparison) -> str:
    if not comparison.ok:
        return "NOT verified: see above"
    if any(
        stage.status == "passed" and stage.name in ("forward", "gradients", "training") for stage in comparison.stages
    ):
        return "verified: both compute the same"
    return "verified only by the repository's own tests: no inputs to compare numbers on; give some with --inputs"
