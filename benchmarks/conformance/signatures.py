"""The parameters of torch's functions, from Python's signatures and from the schemas of the compiled ones."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import Any

import torch

from .calls import Call, public

_PREFIXED = ("linalg", "fft", "special")


@dataclass(frozen=True)
class Parameter:
    """One parameter; `default` is `inspect.Parameter.empty` where there is none."""

    name: str
    keyword_only: bool
    default: Any


@functools.cache
def signatures(kind: str, name: str) -> tuple[tuple[Parameter, ...], ...]:
    """The overloads of a function or method, each without the receiver of a method."""
    function = public(name.removeprefix("torch.")) if kind == "function" else getattr(torch.Tensor, name, None)
    if inspect.isfunction(function):
        found = list(inspect.signature(function).parameters.values())
        if any(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in found):
            return ()
        overloads = [[Parameter(p.name, p.kind is p.KEYWORD_ONLY, p.default) for p in found]]
    else:
        overloads = [
            [Parameter(_own_name(a.name, kind), a.kwarg_only, _default(a)) for a in schema.arguments]
            for schema in torch._C._jit_get_schemas_for_operator(f"aten::{_operator_name(name)}")
        ]
    skipped = 1 if kind == "method" else 0
    return tuple(tuple(parameters[skipped:]) for parameters in overloads)


def _operator_name(path: str) -> str:
    parts = path.removeprefix("torch.").split(".")
    return "_".join(parts[-2:]) if parts[0] in _PREFIXED else parts[-1]


def _own_name(name: str, kind: str) -> str:
    return "input" if name == "self" and kind == "function" else name


def _default(argument: Any) -> Any:
    return argument.default_value if argument.has_default_value() else inspect.Parameter.empty


def by_keywords(call: Call) -> list[Call]:
    """The call with every argument named, for each overload that has the names."""
    receiver = call.arguments[: int(call.kind == "method")]
    given = call.arguments[len(receiver) :]
    found = []
    for parameters in signatures(call.kind, call.name):
        names = [parameter.name for parameter in parameters if not parameter.keyword_only]
        if given and len(given) <= len(names):
            found.append(Call(call.kind, call.name, receiver, dict(zip(names, given, strict=False)) | call.keywords))
    return found


def by_position(call: Call) -> list[Call]:
    """The call with as many arguments by position as the order of each overload's parameters allows."""
    receiver = call.arguments[: int(call.kind == "method")]
    given = call.arguments[len(receiver) :]
    found = []
    for parameters in signatures(call.kind, call.name):
        left, arguments = dict(call.keywords), list(given)
        for parameter in parameters[len(given) :]:
            if parameter.keyword_only or not left:
                break
            value = left.pop(parameter.name, parameter.default)
            if value is inspect.Parameter.empty:
                break
            arguments.append(value)
        if len(left) < len(call.keywords) and not set(left) & {
            parameter.name for parameter in parameters[: len(arguments)]
        }:
            found.append(Call(call.kind, call.name, (*receiver, *arguments), left))
    return found
