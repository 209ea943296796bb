"""From the measurements of both sides to stage results, one subject at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .comparison import Outcome, Stage, StageResult
from .measure import Leaf, Verdict, judge, leaves
from .values import ArrayStore, Json


@dataclass(frozen=True)
class Measured:
    """What one worker measured for one case: stage -> outcome, and the arrays."""

    stages: Json
    store: ArrayStore
    differentiable: bool

    @staticmethod
    def load(folder: Path | None, index: int) -> Measured | None:
        """None where the worker did not get that far."""
        if folder is None or not (folder / f"{index}.json").exists():
            return None
        measured = json.loads((folder / f"{index}.json").read_text("utf-8"))
        store = ArrayStore.load(folder / f"{index}.npz")
        return Measured(measured["stages"], store, measured["differentiable"])

    def part(self, stage: str, key: str) -> dict[str, Leaf] | None:
        """One result of a stage as leaves, None where the stage failed or has no such result."""
        outcome = self.stages.get(stage, {})
        return leaves(outcome[key], self.store) if key in outcome else None


@dataclass(frozen=True)
class Runs:
    """The four runs of one case. disturbed: a fifth, the original once more with numbers some roundings away."""

    original: Measured
    converted: Measured | None
    original_double: Measured | None
    converted_double: Measured | None
    disturbed: Measured | None = None

    def lacks_double(self, stage: str) -> bool:
        """Whether the original does not run in double precision."""
        double = self.original_double
        return stage in self.original.stages and (double is None or "error" in double.stages.get(stage, {"error": ""}))

    def judge(
        self, name: Stage, stage: str, key: str, only: Callable[[str], bool] = lambda path: True
    ) -> Verdict | None:
        """Compare one result; None where the original has none. Both double runs must have it to count."""
        runs = (self.original, self.converted, self.original_double, self.converted_double, self.disturbed)
        parts = [None if run is None else run.part(stage, key) for run in runs]
        if parts[0] is None or parts[1] is None:
            return None
        if key == "weights":
            # what only one framework keeps, such as a counter of batches, was left out of the transfer
            both = set(parts[0]) & set(parts[1])
            parts = [None if part is None else {p: leaf for p, leaf in part.items() if p in both} for part in parts]
        kept = [None if part is None else {p: leaf for p, leaf in part.items() if only(p)} for part in parts]
        return judge(name, kept[0] or {}, kept[1] or {}, kept[2], kept[3], kept[4])


def results_of_case(case: Json, runs: Runs, crash: str) -> list[StageResult]:
    """The stages of one case."""
    if case["kind"] == "function":
        return _function_results(case["subject"], runs, crash)
    modes = ("forward", "forward in training mode")
    results = [_module_stage(case, runs, crash, "forward", modes, ("result", "weights"))]
    if "gradients" in runs.original.stages:
        if runs.original.stages["gradients"].get("none"):
            results.append(_skipped("gradients", case["subject"], "the original's outputs carry no gradient"))
        else:
            results.append(_module_stage(case, runs, crash, "gradients", ("gradients",), ("parameters", "inputs")))
    if "training" in runs.original.stages and not runs.original.stages.get("gradients", {}).get("none"):
        results.append(_module_stage(case, runs, crash, "training", ("training",), ("losses", "weights")))
    return results


def _skipped(name: Stage, subject: str, reason: str) -> StageResult:
    return StageResult(name, subject, "skipped", reason=reason)


def _module_stage(
    case: Json, runs: Runs, crash: str, name: Stage, stages: Sequence[str], keys: Sequence[str]
) -> StageResult:
    if name != "forward" and runs.converted is not None and not runs.converted.differentiable:
        return _skipped(name, case["subject"], "the converted code's framework has no gradients")
    verdicts: list[Verdict] = []
    skipped = ""
    for stage in stages:
        problem = runs.original.stages.get(stage, {}).get("error")
        if problem:
            skipped = f"the original ends with {problem}"
            continue
        failure = _failure(runs.converted, stage, crash)
        if failure:
            return StageResult(name, case["subject"], "failed", reason=failure)
        found = [runs.judge(name, stage, key) for key in keys]
        verdicts += [_explain(verdict, stage, key, runs) for verdict, key in zip(found, keys) if verdict is not None]
    if not verdicts:
        return _skipped(name, case["subject"], skipped)
    return _result(name, case["subject"], verdicts)


def _failure(converted: Measured | None, stage: str, crash: str) -> str:
    if converted is None:
        return crash or "the converted code's process did not get that far"
    return str(converted.stages.get(stage, {}).get("error", "" if stage in converted.stages else "was not run"))


def _explain(verdict: Verdict, stage: str, key: str, runs: Runs) -> Verdict:
    """Say which of a stage's results it was, and that random draws differ where they do."""
    if verdict.passed:
        return verdict
    what = {"result": "outputs", "weights": "weights and buffers afterwards", "inputs": "gradient of input"}
    where = f"{what.get(key, key)} {verdict.path}".strip() + (f", {stage}" if " " in stage else "")
    drawn = [run.stages.get(stage, {}).get("draws", {}) if run else {} for run in (runs.original, runs.converted)]
    remark = ""
    if drawn[0] != drawn[1]:
        remark = f"; random draws differ: the original drew {drawn[0] or 'none'}, the converted {drawn[1] or 'none'}"
    reason = "; ".join(filter(None, [where, verdict.reason])) + remark
    return Verdict(verdict.passed, verdict.error, verdict.tolerance, verdict.path, reason)


def _result(name: Stage, subject: str, verdicts: Sequence[Verdict]) -> StageResult:
    worst = max(verdicts, key=lambda verdict: (not verdict.passed, verdict.error))
    outcome: Outcome = "passed" if worst.passed else "failed"
    diverging = ""
    if name in ("gradients", "training"):
        wrong = sorted((v for v in verdicts if not v.passed), key=lambda verdict: -verdict.error)
        diverging = next(filter(None, (parameter_name(verdict.path) for verdict in wrong)), "")
    return StageResult(
        name, subject, outcome, worst.error, worst.tolerance, "" if worst.passed else worst.reason, diverging
    )


def parameter_name(path: str) -> str:
    """The name in a path: `fc.weight` of `[0].fc.weight` (weights of the first module) or of `fc.weight`."""
    return path.partition("]")[2].lstrip(".") if path.startswith("[") else path


def _function_results(subject: str, runs: Runs, crash: str) -> list[StageResult]:
    call = runs.original.stages["call"]
    if "error" in call:
        return [_skipped("forward", subject, f"the original ends with {call['error']}")]
    name: Stage = "training" if call["steps"] else "forward"
    failure = _failure(runs.converted, "call", crash)
    if failure:
        return [StageResult(name, subject, "failed", reason=failure)]
    assert runs.converted is not None
    verdicts = _call_verdicts(name, runs, call, runs.converted.stages["call"])
    results = [_result(name, subject, verdicts) if verdicts else _skipped(name, subject, "returns nothing to compare")]
    if results[0].status != "failed":
        results += _mutation(subject, runs, call)
    gradients = runs.original.stages.get("gradients", {})
    if "parameters" in gradients and gradients["inputs"]:
        case = {"subject": subject}
        results.append(_module_stage(case, runs, crash, "gradients", ("gradients",), ("inputs",)))
    return results


def _call_verdicts(name: Stage, runs: Runs, call: Json, theirs: Json) -> list[Verdict]:
    verdicts: list[Verdict | None] = []
    cut = call["steps"] > call["limit"]
    if "result" in theirs:
        verdicts.append(runs.judge(name, "call", "result", _first_values(call["limit"]) if cut else lambda path: True))
    comparable = theirs.get("cut") or call["steps"] <= call["limit"]
    if call["steps"] and comparable:
        verdicts.append(runs.judge(name, "call", "weights"))
        if call["steps"] != theirs["steps"] and not theirs.get("cut"):
            reason = f"{call['steps']} optimizer steps have become {theirs['steps']}"
            verdicts.append(None if theirs["steps"] == 0 else Verdict(False, float("inf"), 0.0, reason=reason))
    nothing = [leaf.value for leaf in (runs.original.part("call", "result") or {}).values()]
    if len(verdicts) == 1 and all(value is None or isinstance(value, dict) for value in nothing):
        return []
    return [_explain(verdict, "call", "result", runs) for verdict in verdicts if verdict is not None]


def _first_values(steps: int) -> Callable[[str], bool]:
    """Of a history, the steps that are compared."""

    def first(path: str) -> bool:
        head = path.strip("[").partition("]")[0]
        return not head.isdigit() or int(head) < steps

    return first


def _mutation(subject: str, runs: Runs, call: Json) -> list[StageResult]:
    """An argument that the original changes in place must show in what the converted function returns."""
    returned = [leaf.value for leaf in (runs.original.part("call", "result") or {}).values()]
    for index, encoded in zip(call["changed"], call["changed_values"]):
        value = next(iter(leaves(encoded, runs.original.store).values())).value
        if runs.converted is not None and index in runs.converted.stages["call"]["changed"]:
            continue
        if not any(_same(value, other) for other in returned):
            reason = f"the original changes array argument {index} in place; the converted function leaves it as it was"
            return [StageResult("forward", subject, "failed", reason=reason)]
    return []


def _same(one: Any, other: Any) -> bool:
    return getattr(other, "shape", None) == one.shape and bool((one == other).all())


def merged(results: Iterable[StageResult]) -> list[StageResult]:
    """One result per stage and subject: failed if a case failed, else passed if one passed, with the worst error."""
    groups: dict[tuple[str, str], list[StageResult]] = {}
    for result in results:
        groups.setdefault((result.name, result.subject), []).append(result)
    order = {"skipped": 0, "passed": 1, "failed": 2}
    return [
        max(group, key=lambda result: (order[result.status], result.largest_error or 0.0)) for group in groups.values()
    ]
