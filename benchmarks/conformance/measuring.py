"""One operation from its samples to its result."""

from __future__ import annotations

from typing import Any

from .bridges import JaxBridge, NumpyBridge
from .converting import convert
from .database import FURTHER_SAMPLES, Entry, samples
from .forms import Form, forms
from .judging import Invalid, Verdict, judge
from .literals import Unwritable
from .results import Problem, Result

BRIDGES = {"jax": JaxBridge, "numpy": NumpyBridge}


def measure(entry: Entry, target: str, count: int) -> Result:
    """Convert and compare `count` samples of an entry in every form; 0 means all samples."""
    result = Result(entry.name, entry.area, out_of_scope=entry.out_of_scope())
    if result.out_of_scope:
        return result
    written, unwritable = _written(entry, count)
    if not written:
        result.out_of_scope = unwritable or "the database calls no public function with it"
        return result
    bridge = BRIDGES[target]()
    known: dict[tuple[int, str, str], Verdict] = {}
    for index, (converted, (_, dtype, sample)) in enumerate(
        zip(convert([form for form, _, _ in written], target), written, strict=True)
    ):
        try:
            key = (id(sample), converted.text, "" if converted.function else str(index))
            if key not in known:
                known[key] = judge(entry, sample, converted, bridge)
        except Invalid:
            continue
        verdict = known[key]
        if not converted.form.annotated and (verdict.outcome == "refused" or converted.is_untouched):
            continue  # Without annotations nobody can know that these are arrays.
        result.no_gradient = result.no_gradient or verdict.no_gradient
        source = "\n".join(converted.form.body)
        result.add(Problem(verdict.outcome, converted.form.kind, dtype, source, converted.text, verdict.reason))
    if not result.outcomes:
        result.out_of_scope = "torch refuses the samples, or they need more than 32 bits"
    return result


def _written(entry: Entry, count: int) -> tuple[list[tuple[Form, str, Any]], str]:
    """Every sample in every form with its element type; and why samples could not be written."""
    found, reason = [], ""
    for position, dtype in enumerate(entry.dtypes):
        number = count if position == 0 or not count else min(count, FURTHER_SAMPLES)
        for sample in samples(entry, dtype, number):
            try:
                written = forms(entry, sample)
            except Unwritable as error:
                reason = str(error)
                continue
            name = str(dtype).removeprefix("torch.")
            found += [(form, name, sample) for form in written]
    return found, reason
