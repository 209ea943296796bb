"""What a verification found, stage by stage: the `Comparison` that is returned, written and printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Stage = Literal["spec", "forward", "gradients", "training", "random", "tests"]
Outcome = Literal["passed", "failed", "skipped"]
STAGES: tuple[Stage, ...] = ("spec", "forward", "gradients", "training", "random", "tests")


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
class Speed:
    """Seconds of a forward pass and of a training step on both sides, after warm-up; None where it cannot train.

    JAX runs compiled where it can, torch as it is.
    """

    subject: str
    forward: tuple[float, float]
    step: tuple[float, float] | None = None


@dataclass(frozen=True)
class Comparison:
    """All stages of a verification. `ok` is False when a stage failed, and when nothing could be compared."""

    original: str
    converted: str
    device: str = "cpu"
    stages: tuple[StageResult, ...] = ()
    notes: tuple[str, ...] = field(default=())
    tests: tuple[OwnTest, ...] = field(default=())
    speeds: tuple[Speed, ...] = field(default=())

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
            "speeds": [asdict(speed) for speed in self.speeds],
            "notes": list(self.notes),
        }


def ordered(results: Iterable[StageResult]) -> tuple[StageResult, ...]:
    """Results by stage, in the order in which the stages run."""
    return tuple(sorted(results, key=lambda result: STAGES.index(result.name)))
