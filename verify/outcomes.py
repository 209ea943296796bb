"""The repository's own tests before and after, lined up test by test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .comparison import OwnTest, StageResult
from .own_tests import FILE

SUBJECT = "the repository's own tests"
NAMED_IN_REASON = 3


@dataclass(frozen=True)
class Ran:
    """One test on one side. outcome: as in `own_tests.Outcomes`; `missing` where the side has no such test."""

    test: str
    outcome: str
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether it ran and did not pass."""
        return self.outcome in ("failed", "error")


def read_outcomes(folder: Path, problem: str = "") -> tuple[dict[str, Ran], str]:
    """What `run_tests` wrote into a folder, by test, and the folder that the tests' names are relative to.

    problem: how the process ended, if not well: the test that ran at that moment ended it.
    """
    found: dict[str, Ran] = {}
    root = ""
    if not (folder / FILE).exists():
        return found, root
    for line in (folder / FILE).read_text("utf-8").splitlines():
        entry = json.loads(line)
        root = entry.get("root", root)
        if "test" in entry:
            found[entry["test"]] = Ran(entry["test"], entry["outcome"], entry["message"])
    ended = problem or "the time was up"
    for test, ran in found.items():
        if ran.outcome == "running":
            found[test] = replace(ran, outcome="error", message=f"did not end: {ended}")
        elif ran.outcome == "collected":
            found[test] = replace(ran, outcome="missing", message=f"was not reached: {ended}")
    return found, root


def compared(before: Mapping[str, Ran], after: Mapping[str, Ran], same_names: bool) -> tuple[OwnTest, ...]:
    """Each test of the original with its outcome on both sides.

    same_names: whether both sides' files are called alike; of single files only the tests' own names are compared.
    Cases of a parametrized test whose ids changed with the values (`dtype0`, `float32`) are lined up in their order.
    """
    if not same_names:
        before, after = _without_files(before), _without_files(after)
    ours = _lined_up(before, after)
    return tuple(
        OwnTest(test, ran.outcome, other.outcome, _why(ran, other))
        for test, ran in before.items()
        for other in [ours.get(test) or _of_its_file(test, after)]
    )


def _why(before: Ran, after: Ran) -> str:
    if after.outcome == before.outcome == "passed":
        return ""
    return after.message or before.message


def _without_files(ran: Mapping[str, Ran]) -> dict[str, Ran]:
    return {test.partition("::")[2] or test: one for test, one in ran.items()}


def _of_its_file(test: str, after: Mapping[str, Ran]) -> Ran:
    """A file that cannot be imported has one outcome for all its tests."""
    return after.get(test.partition("::")[0], Ran(test, "missing", "the converted repository has no such test"))


def _lined_up(before: Mapping[str, Ran], after: Mapping[str, Ran]) -> dict[str, Ran]:
    found = {test: after[test] for test in before if test in after}
    left = _by_function(test for test in before if test not in after)
    new = _by_function(test for test in after if test not in before)
    for function, tests in left.items():
        if len(tests) == len(new.get(function, ())):
            found |= {test: after[other] for test, other in zip(tests, new[function])}
    return found


def _by_function(tests: Iterable[str]) -> dict[str, list[str]]:
    """Parametrized tests by their function."""
    found: dict[str, list[str]] = {}
    for test in tests:
        if test.endswith("]"):
            found.setdefault(test.partition("[")[0], []).append(test)
    return found


def stage_of_tests(tests: tuple[OwnTest, ...], remark: str) -> StageResult:
    """One result for all tests: failed where one passed before and does not now."""
    passed = [one for one in tests if one.before == "passed"]
    lost = [one for one in tests if one.verdict == "lost"]
    both = sum(one.verdict == "fails on both sides" for one in tests)
    reason = f"{len(passed) - len(lost)} of {len(passed)} pass"
    if both:
        reason += f"; {both} fail on both sides"
    if lost:
        reason += "; " + "; ".join(f"{one.test} {one.after}: {one.message}" for one in lost[:NAMED_IN_REASON])
        reason += f"; and {len(lost) - NAMED_IN_REASON} more" if len(lost) > NAMED_IN_REASON else ""
    reason += f"; {remark}" if remark else ""
    if not passed:
        return StageResult("tests", SUBJECT, "skipped", reason=f"none passes on the original's side; {reason}")
    return StageResult("tests", SUBJECT, "failed" if lost else "passed", reason=reason)
