"""What a verification found, stage by stage: the `Comparison` that is returned, written and printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.table import Table

Stage = Literal["spec", "forward", "gradients", "training", "tests"]
Outcome = Literal["passed", "failed", "skipped"]
STAGES: tuple[Stage, ...] = ("spec", "forward", "gradients", "training", "tests")


@dataclass(frozen=True)
class StageResult:
    """One stage of one subject (a module class, one of its methods, a function, or a whole file).

    largest_error: the largest difference between the two sides, divided by the magnitude of the numbers
        compared; None where nothing was measured.
    tolerance: what that error had to stay below.
    first_diverging: the submodule or parameter where the two sides part, for a stage that failed.
    line: the first line whose value differs, `file:line` with its source on both sides.
    trap: what the difference looks like, from the numbers alone.
    """

    name: Stage
    subject: str
    status: Outcome
    largest_error: float | None = None
    tolerance: float | None = None
    reason: str = ""
    first_diverging: str = ""
    line: str = ""
    trap: str = ""


@dataclass(frozen=True)
class OwnTest:
    """One of the repository's own tests, under the original's framework and under the converted's.

    before, after: `passed`, `failed`, `error`, `skipped`, or `missing` where it was not run.
    """

    test: str
    before: str
    after: str
    message: str = ""

    @property
    def verdict(self) -> str:
        """`passes`, `lost` (it passed before), `fails on both sides`, `mended`, or `not compared`."""
        wrong = ("failed", "error")
        if self.before == "passed":
            return "passes" if self.after == "passed" else "lost"
        if self.before in wrong and self.after in wrong:
            return "fails on both sides"
        return "mended" if self.before in wrong and self.after == "passed" else "not compared"


@dataclass(frozen=True)
class Comparison:
    """All stages of a verification. `ok` is False when a stage failed, and when nothing could be compared."""

    original: str
    converted: str
    device: str = "cpu"
    stages: tuple[StageResult, ...] = ()
    notes: tuple[str, ...] = field(default=())
    tests: tuple[OwnTest, ...] = field(default=())

    @property
    def failed(self) -> tuple[StageResult, ...]:
        """The stages that failed."""
        return tuple(stage for stage in self.stages if stage.status == "failed")

    @property
    def ok(self) -> bool:
        """Whether something was run on both sides and nothing failed."""
        measured = any(stage.status == "passed" and stage.name != "spec" for stage in self.stages)
        return measured and not self.failed

    def stage(self, name: Stage, subject: str) -> StageResult:
        """The result of one stage of one subject; KeyError where there is none."""
        for result in self.stages:
            if result.name == name and result.subject == subject:
                return result
        raise KeyError(f"no stage {name!r} of {subject!r}")

    def to_dict(self) -> dict[str, Any]:
        """The form that stands under `verification` in a JSON report."""
        return {
            "original": self.original,
            "converted": self.converted,
            "device": self.device,
            "ok": self.ok,
            "stages": [asdict(stage) for stage in self.stages],
            "tests": [{**asdict(test), "verdict": test.verdict} for test in self.tests],
            "notes": list(self.notes),
        }


def ordered(results: Iterable[StageResult]) -> tuple[StageResult, ...]:
    """Results by stage, in the order in which the stages run."""
    return tuple(sorted(results, key=lambda result: STAGES.index(result.name)))


def render_table(comparison: Comparison) -> Table:
    """A rich table with one row per stage and subject; print it with `rich.console.Console`."""
    from rich.markup import escape
    from rich.table import Table

    colours = {"passed": "green", "failed": "red", "skipped": "yellow"}
    table = Table(title=f"{escape(comparison.original)} → {escape(comparison.converted)} ({comparison.device})")
    for heading in ("stage", "subject", "status", "error", "tolerance", "remarks"):
        table.add_column(heading, overflow="fold")
    for stage in comparison.stages:
        where = f"first diverging: {stage.first_diverging}. " if stage.first_diverging else ""
        table.add_row(
            stage.name,
            escape(stage.subject),
            f"[{colours[stage.status]}]{stage.status}[/]",
            "" if stage.largest_error is None else f"{stage.largest_error:.1e}",
            "" if stage.tolerance is None else f"{stage.tolerance:.0e}",
            escape(where + stage.reason),
        )
    return table
