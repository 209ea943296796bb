"""Forms through the public API: one source text for many of them, and what became of each."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ivy_convert

from .forms import HEADER, Form


@dataclass(frozen=True)
class Converted:
    """What became of one form.

    original: the function in torch.
    function: the converted one, None where it was refused or the conversion failed.
    text: its converted text.
    refusal: why it was left as it is. review: what the report says may differ. failure: how the conversion failed.
    """

    form: Form
    original: Callable[..., Any]
    function: Callable[..., Any] | None = None
    text: str = ""
    refusal: str = ""
    review: str = ""
    failure: str = ""

    @property
    def is_untouched(self) -> bool:
        """Whether the text is still that of torch."""
        return self.text == _texts(self.form.source("original"))["original"]


def convert(forms: list[Form], target: str) -> list[Converted]:
    """Convert all forms in one source; each by itself if that fails."""
    try:
        return _convert_together(forms, target)
    except Exception as error:
        if len(forms) == 1:
            return [Converted(forms[0], _original(forms[0]), failure=f"{type(error).__name__}: {error}")]
        return [converted for form in forms for converted in convert([form], target)]


def _original(form: Form) -> Callable[..., Any]:
    namespace: dict[str, Any] = {}
    exec(compile(HEADER + form.source("original"), "original.py", "exec"), namespace)
    return namespace["original"]


def _convert_together(forms: list[Form], target: str) -> list[Converted]:
    code, owners = HEADER, {}
    for index, form in enumerate(forms):
        code += "\n\n" + form.source(f"case_{index}")
        last = code.count("\n")
        owners.update(dict.fromkeys(range(last - len(form.body), last + 1), index))
    result = ivy_convert.convert_source(code, "torch", target, "cases.py")
    refusals = _by_owner(result.report.unsupported, owners)
    # That a draw is not repeatable under jit is no difference of numbers.
    reviews = _by_owner((site for site in result.report.review if site.rule != "rngs"), owners)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    exec(compile(code, "cases.py", "exec"), before)
    exec(compile(result.code, "cases_converted.py", "exec"), after)
    texts = _texts(result.code)
    return [
        Converted(
            form,
            before[name := f"case_{index}"],
            None if index in refusals else after[name],
            texts[name],
            refusals.get(index, ""),
            reviews.get(index, ""),
        )
        for index, form in enumerate(forms)
    ]


def _by_owner(sites: Any, owners: dict[int, int]) -> dict[int, str]:
    found: dict[int, list[str]] = {}
    for site in sites:
        if site.line in owners:
            found.setdefault(owners[site.line], []).append(site.reason)
    return {owner: "; ".join(dict.fromkeys(reasons)) for owner, reasons in found.items()}


def _texts(code: str) -> dict[str, str]:
    """The statements of each function, by its name."""
    return {
        node.name: "\n".join(ast.unparse(statement) for statement in node.body)
        for node in ast.parse(code).body
        if isinstance(node, ast.FunctionDef)
    }
