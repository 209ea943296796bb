"""What a verification found, for a terminal: a row for each subject, then every difference with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .comparison import STAGES, Comparison, OwnTest, Speed, Stage, StageResult
from .speed import readable

MOST_SKIPPED = 12
COLOURS = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}
# Stages that are asked of one class or function; the others have a line of their own.
OF_SUBJECTS: tuple[Stage, ...] = tuple(stage for stage in STAGES if stage not in ("spec", "tests"))


def render(comparison: Comparison) -> Group:
    """Everything, for `rich.console.Console.print`."""
    return Group(*_parts(comparison))


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield Text(f"{comparison.original} → {comparison.converted} ({comparison.device})", style="bold")
    if any(stage.name == "spec" for stage in comparison.stages):
        yield _names(comparison.stages)
    subjects = _subjects(comparison.stages)
    if subjects.row_count:
        yield subjects
    yield from _failures(comparison.failed)
    yield from _own_tests(comparison)
    yield from _skipped(comparison.stages)
    yield from _speeds(comparison.speeds)


def _names(stages: Sequence[StageResult]) -> Text:
    files = [stage for stage in stages if stage.name == "spec"]
    same = sum(stage.status == "passed" for stage in files)
    colour = COLOURS["passed" if same == len(files) else "failed"]
    return Text(f"names and signatures: the same in {same} of {len(files)} files", style=colour)


def _subjects(stages: Sequence[StageResult]) -> Table:
    """One row for each class and function, one column for each stage that any of them has."""
    found: dict[str, dict[str, StageResult]] = {}
    for stage in stages:
        if stage.name in OF_SUBJECTS:
            found.setdefault(stage.subject, {})[stage.name] = stage
    columns = [name for name in OF_SUBJECTS if any(name in row for row in found.values())]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("largest error of", overflow="fold")
    for name in columns:
        table.add_column(name, no_wrap=True)
    for subject, row in found.items():
        if any(stage.status != "skipped" for stage in row.values()):
            table.add_row(escape(subject), *(_cell(row.get(name)) for name in columns))
    return table


def _cell(stage: StageResult | None) -> str:
    if stage is None:
        return ""
    number = "" if stage.largest_error is None else f" {stage.largest_error:.1e}"
    return f"[{COLOURS[stage.status]}]{MARKS[stage.status]}{number}[/]"


def _failures(failed: Sequence[StageResult]) -> Iterator[RenderableType]:
    """Each failure with its place; what parts at a line that was named before is only listed."""
    lines: dict[str, str] = {}
    apart = {stage.subject for stage in failed if stage.name == "forward"}
    for stage in failed:
        if stage.name == "tests" or (stage.name in ("gradients", "training") and stage.subject in apart):
            continue  # what gives other outputs has other gradients too
        yield Text(f"\n✗ {stage.subject}, {stage.name}", style=COLOURS["failed"])
        details = Table.grid(padding=(0, 2))
        details.add_column(no_wrap=True, style="dim")
        details.add_column(overflow="fold")
        if stage.largest_error is not None:
            details.add_row("error", f"{stage.largest_error:.1e}, where {stage.tolerance or 0:.0e} is allowed")
        for label, text in (("what", stage.reason), ("first part", stage.first_diverging)):
            if text:
                details.add_row(label, escape(text))
        before, _, after = stage.line.partition(" → ")
        if stage.line in lines:
            details.add_row("first line", escape(f"the same as for {lines[stage.line]}"))
        elif stage.line:
            details.add_row("first line", escape(before))
            details.add_row("", escape(f"→ {after}"))
            lines[stage.line] = stage.subject
        if stage.trap:
            details.add_row("looks like", f"[bold]{escape(stage.trap)}[/]")
        yield Padding(details, (0, 0, 0, 2))


def _own_tests(comparison: Comparison) -> Iterator[RenderableType]:
    """How many of the repository's own tests pass on both sides, and each that tells more."""
    for stage in comparison.stages:
        if stage.name == "tests":
            yield Text(f"\nthe repository's own tests: {stage.reason.partition(';')[0]}", style=COLOURS[stage.status])
    for verdict in ("lost", "fails on both sides", "mended"):
        tests = [test for test in comparison.tests if test.verdict == verdict]
        if tests:
            yield Padding(_tests(verdict, tests), (0, 0, 0, 2))


def _tests(verdict: str, tests: Sequence[OwnTest]) -> Text:
    heads = {
        "lost": "passed before, not now:",
        "fails on both sides": "fail on both sides:",
        "mended": "pass only now:",
    }
    lines = [f"  {test.test} ({test.after}) {test.message}".rstrip() for test in tests]
    return Text("\n".join([heads[verdict], *lines]), style=COLOURS["failed"] if verdict == "lost" else "")


def _skipped(stages: Sequence[StageResult]) -> Iterator[RenderableType]:
    skipped = [stage for stage in stages if stage.status == "skipped" and stage.name != "tests"]
    if skipped:
        lines = [f"  {stage.subject}, {stage.name}: {stage.reason}" for stage in skipped[:MOST_SKIPPED]]
        lines += [f"  and {len(skipped) - MOST_SKIPPED} more (--report has all)"] if len(skipped) > MOST_SKIPPED else []
        yield Text("\n".join(["\nnot compared:", *lines]), style=COLOURS["skipped"])


def _speeds(speeds: Sequence[Speed]) -> Iterator[RenderableType]:
    for speed in speeds:
        parts = [f"forward {_times(speed.forward)}"]
        parts += [f"training step {_times(speed.step)}"] if speed.step else []
        yield Text(f"\nspeed of {speed.subject}: " + "; ".join(parts))


def _times(pair: tuple[float, float]) -> str:
    before, after = pair
    ratio = f"{before / after:.1f} times as fast" if after <= before else f"{after / before:.1f} times as slow"
    return f"{readable(before)} → {readable(after)} ({ratio})"
