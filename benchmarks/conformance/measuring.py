"""One operation from its samples to its result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .bridges import JaxBridge, NumpyBridge
from .converting import Converted, convert
from .database import FURTHER_SAMPLES, Entry, samples, tensors_of
from .forms import Form, detailed, forms
from .judging import Invalid, Verdict, judge
from .literals import Unwritable
from .results import Problem, Result


@dataclass(frozen=True, eq=False)
class Written:
    """One form of one sample; dtype: the element type that the sample was asked for in."""

    form: Form
    dtype: str
    sample: Any


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
    unclear: list[tuple[Written, Verdict]] = []
    for one, converted, verdict in _judged(entry, written, target, bridge):
        if not converted.form.annotated and (verdict.outcome == "refused" or converted.is_untouched):
            continue  # Without annotations nobody can know that these are arrays.
        if verdict.raised and is_unusual(one):
            unclear.append((replace(one, form=detailed(one.form, one.sample)), verdict))
        else:
            _note(result, converted, one.dtype, verdict)
    first = {id(one): verdict for one, verdict in unclear}
    for one, converted, verdict in _judged(entry, [one for one, _ in unclear], target, bridge):
        _note(result, converted, one.dtype, verdict)
        if verdict.outcome == "agree":
            result.remark = result.remark or f"annotated; else {first[id(one)].reason}"
    if not result.outcomes:
        result.out_of_scope = "torch refuses the samples, or they need more than 32 bits"
    return result


def is_unusual(one: Written) -> bool:
    """Whether the sample is not one of floats with axes, which only its annotations can say."""
    tensors = tensors_of((one.sample.input, one.sample.args, one.sample.kwargs))
    return "float" not in one.dtype or any(tensor.ndim == 0 for tensor in tensors)


def _note(result: Result, converted: Converted, dtype: str, verdict: Verdict) -> None:
    result.no_gradient = result.no_gradient or verdict.no_gradient
    result.remark = result.remark or verdict.remark
    source = "\n".join(converted.form.body)
    result.add(Problem(verdict.outcome, converted.form.kind, dtype, source, converted.text, verdict.reason))


def _judged(
    entry: Entry, written: list[Written], target: str, bridge: Any
) -> Iterator[tuple[Written, Converted, Verdict]]:
    """What became of each form; those that torch itself refuses are passed over, equal texts are run once."""
    known: dict[tuple[int, str, str], Verdict] = {}
    converted_forms = convert([one.form for one in written], target) if written else []
    for index, (one, converted) in enumerate(zip(written, converted_forms, strict=True)):
        key = (id(one.sample), converted.text, "" if converted.function else str(index))
        try:
            if key not in known:
                known[key] = judge(entry, one.sample, converted, bridge)
        except Invalid:
            continue
        yield one, converted, known[key]


def _written(entry: Entry, count: int) -> tuple[list[Written], str]:
    """Every sample in every form; and why samples could not be written."""
    found: list[Written] = []
    reason = ""
    for position, dtype in enumerate(entry.dtypes):
        number = count if position == 0 or not count else min(count, FURTHER_SAMPLES)
        for sample in samples(entry, dtype, number):
            try:
                written = forms(entry, sample)
            except Unwritable as error:
                reason = str(error)
                continue
            name = str(dtype).removeprefix("torch.")
            found += [Written(form, name, sample) for form in written]
    return found, reason
