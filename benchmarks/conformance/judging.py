"""One form of one sample, before and after: agree, refused, wrong or crashed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from .bridges import flatten, rebuild
from .calls import public
from .comparing import difference, distribution_difference, gradient_difference, selecting_alike, structure_difference
from .converting import Converted
from .database import Entry, tensors_of, with_tensors

_DRAWS = 40
_ABOUT_AXES = re.compile(r"\bax[ei]s|dimension|ndim|shape|\dD\b|scalar|index")
_INT32 = torch.iinfo(torch.int32)


class Invalid(Exception):
    """torch itself refuses the form, or the target's integers cannot hold its numbers: there is nothing to compare."""


@dataclass(frozen=True)
class Verdict:
    """`outcome` is `agree`, `refused`, `wrong` or `crashed`; `no_gradient` says why the target has none.

    remark: what else a reader should know. raised: whether the reason is what the target itself raised.
    """

    outcome: str
    reason: str = ""
    no_gradient: str = ""
    remark: str = ""
    raised: bool = False


@dataclass
class Side:
    """What one side gave: raw leaves, results as the database compares them, and gradients by parameter."""

    leaves: list[Any] = field(default_factory=list)
    results: Any = None
    gradients: dict[str, torch.Tensor] | None = None
    structure: Any = None


def judge(entry: Entry, sample: Any, converted: Converted, bridge: Any) -> Verdict:
    """Run and compare; raises Invalid."""
    if converted.failure:
        return Verdict("crashed", f"the conversion failed: {converted.failure}")
    run = _Run(entry, sample, converted)
    expected = run.torch_side()
    if converted.function is None:
        return Verdict("refused", converted.refusal)
    try:
        actual, no_gradient = run.converted_side(expected, bridge)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        # torch takes a single number for an array of length 1, and empty arrays nearly everywhere; others say so at
        # once where they do not.
        given = list(tensors_of((sample.input, sample.args, sample.kwargs)))
        if any(tensor.ndim == 0 for tensor in given) and _ABOUT_AXES.search(text):
            return Verdict("refused", f"the target raises for arrays without axes: {text}", raised=True)
        if any(tensor.numel() == 0 for tensor in given):
            return Verdict("refused", f"the target raises for empty arrays: {text}", raised=True)
        return Verdict("crashed", text, raised=True)
    found = structure_difference(expected.leaves, actual.leaves)
    remark = ""
    if not found and not run.is_uninitialised():
        found = run.compare(expected, actual)
        if found and run.is_random():
            found = run.compare_random(bridge)
        elif not found:
            found = run.compare_gradients(expected, actual)
            if found and entry.has_doubtful_gradient:
                found, remark = "", "values only: torch's own test of this gradient fails"
    if found and converted.review:
        return Verdict("refused", f"to review: {converted.review}")
    return Verdict("wrong" if found else "agree", found, no_gradient, remark)


class _Run:
    def __init__(self, entry: Entry, sample: Any, converted: Converted) -> None:
        self.info, self.sample, self.converted = entry.info, sample, converted

    def inputs(self, double: bool = False) -> list[torch.Tensor]:
        """Fresh copies of the sample's tensors."""
        found = []
        for tensor in tensors_of((self.sample.input, self.sample.args, self.sample.kwargs)):
            copy = tensor.detach().clone()
            if double and (copy.is_floating_point() or copy.is_complex()):
                copy = copy.to(torch.complex128 if copy.is_complex() else torch.float64)
            found.append(copy.requires_grad_(tensor.requires_grad))
        return found

    def side(self, call: Callable[[dict[str, torch.Tensor], Side], Any], double: bool = False) -> Side:
        """Run `call` on named tensors as the database would, with its wrappers around it, and take gradients."""
        side, form, inputs = Side(), self.converted.form, self.inputs(double)

        def inner(*arguments: Any, **keywords: Any) -> Any:
            named = dict(zip(form.parameters, tensors_of((*arguments, keywords)), strict=True))
            return call({name: named[name] for name in form.used}, side)

        inner.__name__ = getattr(self.info.op, "__name__", "op")
        sample = self.sample
        given, args, kwargs = with_tensors((sample.input, sample.args, sample.kwargs), iter(inputs))
        results = self.info.gradcheck_wrapper(inner, given, *args, **kwargs)
        try:
            results = sample.output_process_fn_grad(results)
        except Exception:
            results = side.structure
        side.results = results
        side.gradients = _gradients(flatten(results), dict(zip(form.parameters, inputs, strict=True)))
        return side

    def torch_side(self, double: bool = False) -> Side:
        """Raises Invalid."""

        def call(tensors: dict[str, torch.Tensor], side: Side) -> Any:
            side.structure = self.converted.original(**tensors)
            side.leaves = flatten(side.structure)
            return side.structure

        try:
            side = self.side(call, double)
        except Exception as error:
            raise Invalid(str(error)) from None
        for leaf in (*self.inputs(), *side.leaves):
            if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.int64 and leaf.numel():
                if leaf.max() > _INT32.max or leaf.min() < _INT32.min:
                    raise Invalid("numbers beyond 32 bits")
        return side

    def converted_side(self, expected: Side, bridge: Any) -> tuple[Side, str]:
        """The converted side, and why it has no gradients if it has none."""
        problems: list[str] = []

        def call(tensors: dict[str, torch.Tensor], side: Side) -> Any:
            side.leaves = bridge(self.converted.function, tensors)
            problems.append(bridge.gradient_problem)
            side.structure = side.leaves
            if len(side.leaves) == len(expected.leaves):
                side.structure = rebuild(expected.structure, side.leaves)
            return side.structure

        side = self.side(call)
        if expected.gradients and not side.gradients and problems and problems[0]:
            if problems[0].startswith("NotImplementedError") or "everse-mode" in problems[0]:
                return side, problems[0].splitlines()[0][:200]
            raise RuntimeError(f"under differentiation: {problems[0].splitlines()[0]}")
        return side, ""

    def is_uninitialised(self) -> bool:
        """Whether results are memory that nobody has written: only shapes and kinds can be compared."""
        return any(word in self.info.name for word in ("empty", "resize"))

    def _named(self) -> dict[str, torch.Tensor]:
        """Fresh inputs by parameter, without gradients."""
        pairs = zip(self.converted.form.parameters, self.inputs(), strict=True)
        return {name: tensor.detach() for name, tensor in pairs if name in self.converted.form.used}

    def _draw(self) -> list[Any]:
        """torch's results without the database's wrappers, some of which set the seed."""
        return flatten(self.converted.original(**self._named()))

    def is_random(self) -> bool:
        """Whether torch itself gives other numbers the next times."""
        first = self._draw()
        return any(difference(first, self._draw()) for _ in range(_DRAWS))

    def compare_random(self, bridge: Any) -> str:
        """Compare two sets of draws."""
        expected = [self._draw() for _ in range(_DRAWS)]
        actual = [bridge(self.converted.function, self._named()) for _ in range(_DRAWS)]
        return distribution_difference(expected, actual)

    def compare(self, expected: Side, actual: Side) -> str:
        """What differs in values; torch in double precision tells rounding from meaning."""
        found = self._difference(expected, actual)
        return self._difference(expected, actual, self._double()) if found else ""

    def compare_gradients(self, expected: Side, actual: Side) -> str:
        """What differs in gradients, likewise."""
        if not expected.gradients or not actual.gradients:
            return ""
        found = gradient_difference(expected.gradients, actual.gradients, None)
        if found:
            exact = self._double()
            found = gradient_difference(expected.gradients, actual.gradients, exact and exact.gradients)
        return found

    def _difference(self, expected: Side, actual: Side, exact: Side | None = None) -> str:
        found = difference(expected.results, actual.results, exact and exact.results)
        if found and not self._promises_first():
            same = selecting_alike(self.sample.input, expected.results, actual.results)
            found = found if same is None else difference(expected.results, same, exact and exact.results)
        return found

    def _promises_first(self) -> bool:
        """Whether torch's documentation says which of several equal elements an index points to."""
        text = getattr(public(self.info.name), "__doc__", None) or ""
        return "first maximal" in text or "first minimal" in text

    def _double(self) -> Side | None:
        try:
            return self.torch_side(double=True)
        except Invalid:
            return None


def _gradients(results: list[Any], inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor] | None:
    """Gradients of a weighted sum of all results, by parameter; None where there is nothing to differentiate."""
    generator = torch.Generator().manual_seed(0)
    total: Any = None
    for leaf in results:
        if isinstance(leaf, torch.Tensor) and leaf.requires_grad:
            # No symmetry may hide an error.
            weights = torch.rand(leaf.shape, generator=generator, dtype=torch.float64).to(leaf.real.dtype) + 0.5
            part = ((leaf.real + 0.5 * leaf.imag if leaf.is_complex() else leaf) * weights).sum()
            total = part if total is None else total + part
    followed = {name: tensor for name, tensor in inputs.items() if tensor.requires_grad}
    if total is None or not followed:
        return None
    try:
        found = torch.autograd.grad(total, list(followed.values()), allow_unused=True)
    except (RuntimeError, NotImplementedError):
        return None
    return {
        name: torch.zeros_like(tensor) if gradient is None else gradient.resolve_conj()
        for (name, tensor), gradient in zip(followed.items(), found, strict=True)
    }
