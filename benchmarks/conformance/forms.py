"""A sample in every form that a person would write it in, as functions in source text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F

from .calls import BINARY, Call, dunder, operator_call, public, recorded
from .database import Entry, tensors_of, with_tensors
from .literals import Names, Unwritable
from .signatures import by_keywords, by_position

HEADER = "import torch\nimport torch.nn.functional as F\n"
#: What an array is called where its function says what it is.
ANNOTATION = "torch.Tensor"
#: jaxtyping's names for arrays of one kind of element.
_KINDS = ((lambda dtype: dtype.is_complex, "Complex"), (lambda dtype: dtype.is_floating_point, "Float"),
          (lambda dtype: dtype == torch.bool, "Bool"), (lambda dtype: True, "Int"))  # fmt: skip


@dataclass(frozen=True)
class Form:
    """One sample in one form: a function of its tensors.

    kind: `function`, `keywords`, `positions`, `method`, `operator`, `in place` and so on.
    parameters: the names of the sample's tensors, in order; `used` those that the text mentions.
    details: what each tensor's annotation says beyond that it is one, in the order of `parameters`.
    """

    kind: str
    body: tuple[str, ...]
    parameters: tuple[str, ...]
    used: tuple[str, ...]
    annotated: bool = True
    details: tuple[str, ...] = ()

    def source(self, name: str) -> str:
        """The function under a name."""
        detailed = dict(zip(self.parameters, self.details, strict=False))
        arguments = ", ".join(
            f"{parameter}: {detailed.get(parameter, ANNOTATION)}" if self.annotated else parameter
            for parameter in self.used
        )
        return f"def {name}({arguments}):\n" + "".join(f"    {line}\n" for line in self.body)


def detailed(form: Form, sample: Any) -> Form:
    """The form with annotations of element types and lengths, such as `"Int[torch.Tensor, '2 3']"`."""

    def annotation(tensor: torch.Tensor) -> str:
        kind = next(name for holds, name in _KINDS if holds(tensor.dtype))
        return f"\"{kind}[{ANNOTATION}, '{' '.join(map(str, tensor.shape))}']\""

    tensors = tensors_of((sample.input, sample.args, sample.kwargs))
    return replace(form, annotated=True, details=tuple(map(annotation, tensors)))


def forms(entry: Entry, sample: Any) -> list[Form]:
    """All forms of a sample that torch itself accepts; raises Unwritable where no text says its arguments."""
    tensors = list(tensors_of((sample.input, sample.args, sample.kwargs)))
    writer = _Writer(entry, sample, Names(tensors), tensors)
    found: dict[tuple[str, ...], Form] = {}
    for kind, body in writer.bodies():
        found.setdefault(body, writer.form(kind, body))
    functions = [form for form in found.values() if form.kind == "function"]
    plain = [
        Form("no annotations", form.body, form.parameters, form.used, False) for form in functions[:1] if form.used
    ]
    return [*found.values(), *plain]


class _Writer:
    def __init__(self, entry: Entry, sample: Any, names: Names, tensors: list[torch.Tensor]) -> None:
        self.info, self.names, self.tensors = entry.info, names, tensors
        self.arguments = (sample.input, *sample.args)
        self.keywords = sample.kwargs

    def form(self, kind: str, body: tuple[str, ...]) -> Form:
        text = "\n".join(body)
        used = tuple(name for name in self.names.parameters if name in _words(text))
        return Form(kind, body, self.names.parameters, used)

    def bodies(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Kind and statements of each form."""
        unwritable = None
        for kind, call in self._calls():
            try:
                yield kind, (f"return {self._accepted(call)}",)
            except Unwritable as error:
                unwritable = error
                continue
            except Exception:
                continue
            if call.kind in ("function", "method"):
                for way, rewritten in (("keywords", by_keywords(call)), ("positions", by_position(call))):
                    for other in rewritten:
                        try:
                            text = self._accepted(other)
                        except Exception:
                            continue
                        yield (way if kind == "function" else f"{kind}, {way}"), (f"return {text}",)
                        break
        yield from self._in_place()
        if unwritable is not None:
            raise unwritable

    def _accepted(self, call: Call) -> str:
        """The call's text, if torch runs it; raises what torch raises."""
        text = call.text(self.names)
        copies = [tensor.detach().clone() for tensor in self.tensors]
        eval(text, {"torch": torch, "F": F, **dict(zip(self.names.parameters, copies, strict=True))})
        return text

    def _calls(self) -> Iterator[tuple[str, Call]]:
        for name in (self.info.name, *(alias.name for alias in self.info.aliases)):
            if public(name) is not None and not name.startswith("__"):
                yield (
                    "function" if name == self.info.name else "alias",
                    Call("function", f"torch.{name}", self.arguments, self.keywords),
                )
        yield from self._variant("function", self.info.op)
        yield from self._variant("method", self.info.method_variant)
        for alias in self.info.aliases:
            yield from self._variant("method alias", alias.method_variant)
        special = dunder(self.info.name, self.arguments)
        if special is not None:
            yield "operator", special
        call = operator_call(self.info.operator_variant, self.arguments)
        if call is not None and not self.keywords:
            yield "operator", call

    def _variant(self, kind: str, function: Any) -> Iterator[tuple[str, Call]]:
        """A callable of the entry's as a call that can be written: by its own name, or by what it calls."""
        if function is None:
            return
        name = getattr(function, "__name__", "")
        if name and not name.startswith("__") and getattr(torch.Tensor, name, None) is function:
            yield kind, Call("method", name, self.arguments, self.keywords)
        elif public(self.info.name) is not function:
            call = self._recorded(function)
            if call is not None:
                yield ("method" if call.kind == "method" else kind), call

    def _recorded(self, function: Any) -> Call | None:
        copies = [tensor.detach().clone() for tensor in self.tensors]
        arguments, keywords = with_tensors((self.arguments, self.keywords), iter(copies))
        try:
            call = recorded(function, arguments, keywords)
        except Exception:
            return None
        return call and _on(call, dict(zip(map(id, copies), self.tensors, strict=True)))

    def _in_place(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Changes of a copy, so that no caller's array is at stake."""
        if not isinstance(self.arguments[0], torch.Tensor):
            return
        receiver = self.names.parameters[0]
        copy, result = f"{receiver} = {receiver}.clone()", f"return {receiver}"
        for variant in (self.info.inplace_variant, *(alias.inplace_variant for alias in self.info.aliases)):
            for _, call in self._variant("in place", variant):
                try:
                    text = self._accepted(call)
                except Exception:
                    continue
                yield "in place", (copy, text, result)
        name = getattr(self.info.inplace_operator_variant, "__name__", "")
        sign = BINARY.get(name.removeprefix("i")) or BINARY.get(f"{name.removeprefix('i')}_")
        if sign and len(self.arguments) == 2 and not self.keywords:
            try:
                self._accepted(Call("operator", sign, self.arguments))
                yield "in place operator", (copy, f"{receiver} {sign}= {self.names.text(self.arguments[1])}", result)
            except Exception:
                return


def _on(call: Call, originals: dict[int, torch.Tensor]) -> Call:
    """A call on the sample's own tensors in place of their copies."""

    def swap(value: Any) -> Any:
        if isinstance(value, Call):
            return _on(value, originals)
        if isinstance(value, torch.Tensor):
            return originals.get(id(value), value)
        if type(value) in (list, tuple):
            return type(value)(swap(part) for part in value)
        return value

    keywords = {key: swap(value) for key, value in call.keywords.items()}
    return Call(call.kind, call.name, tuple(swap(value) for value in call.arguments), keywords)


def _words(text: str) -> set[str]:
    return set(
        "".join(letter if letter.isalnum() or letter in "_." else " " for letter in text).replace(".", " .").split()
    )
