"""What the database's entries call: public functions, methods, properties and operators, with their arguments.

An entry's function is often a lambda around the public one. What it calls is then seen by letting it run.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

import torch
from torch.overrides import TorchFunctionMode, resolve_name

from .literals import Names, Unwritable

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "and_": "&", "or_": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
UNARY = {"neg": "-", "invert": "~", "inv": "~", "pos": "+"}
#: `__radd__` is written `other + x`; Python 2's name for division is still there.
REFLECTED = {f"__r{name.strip('_')}__": sign for name, sign in {**BINARY, "div": "/"}.items()}
_QUIET = ("torch.Tensor.device.__get__",)


@dataclass(frozen=True)
class Call:
    """A call as it can be written: `name` is a dotted path, the name of a method or property, or an operator's sign."""

    kind: Literal["function", "method", "property", "operator", "index", "builtin"]
    name: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)

    def text(self, names: Names) -> str:
        """The call as an expression; raises Unwritable."""

        def write(value: Any) -> str:
            return value.text(names) if isinstance(value, Call) else names.text(value)

        if self.kind == "index":
            return f"{write(self.arguments[0])}[{names.index(self.arguments[1])}]"
        parts = [write(value) for value in self.arguments]
        if self.kind == "operator":
            return f"{parts[0]} {self.name} {parts[1]}" if len(parts) == 2 else f"{self.name}{parts[0]}"
        keywords = [f"{name}={write(value)}" for name, value in self.keywords.items()]
        if self.kind in ("function", "builtin"):
            path = self.name.replace("torch.nn.functional.", "F.")
            return f"{path}({', '.join(parts + keywords)})"
        if not isinstance(self.arguments[0], (torch.Tensor, Call)):
            raise Unwritable("a method of something else than a tensor")
        if self.kind == "property":
            return f"{parts[0]}.{self.name}"
        return f"{parts[0]}.{self.name}({', '.join(parts[1:] + keywords)})"


class _Recorder(TorchFunctionMode):
    """Notes the outermost calls of torch's functions, with what they gave."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


def public(path: str) -> Any:
    """The public object of torch's at `path` (without `torch.`), or None."""
    try:
        return attrgetter(path)(torch)
    except AttributeError:
        return None


def recorded(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call | None:
    """The public call, or calls within one another, that `function` consists of; None if it is anything else."""
    with _Recorder() as recorder:
        function(*arguments, **keywords)
    known: dict[int, Call] = {}
    unused: set[int] = set()
    call = None
    for called, args, kwargs, result in recorder.calls:
        path = resolve_name(called)
        if path in _QUIET or "set_grad_enabled" in repr(called):
            continue
        if path is None or path.startswith("aten"):
            return None
        nested = tuple(known.get(id(value), value) for value in args)
        unused -= {id(value) for value in args}
        call = _named(path, nested, {key: known.get(id(value), value) for key, value in kwargs.items()})
        if isinstance(result, torch.Tensor):
            known[id(result)] = call
        unused.add(id(result))
    return call if len(unused) == 1 else None


def _named(path: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
    short = path.removeprefix("torch.Tensor.")
    if short == path:
        return Call("function", path.replace("torch.functional.", "torch."), arguments, keywords)
    if short.endswith(".__get__"):
        return Call("property", short.removesuffix(".__get__"), arguments[:1])
    return dunder(short, arguments) or Call("method", short, arguments, keywords)


def dunder(name: str, arguments: tuple[Any, ...]) -> Call | None:
    """The operator that Python calls a special method for; None for other names."""
    if name == "__getitem__":
        return Call("index", name, arguments)
    sign = REFLECTED.get(name)
    return Call("operator", sign, arguments[1::-1]) if sign and len(arguments) == 2 else None


def operator_call(function: Any, arguments: tuple[Any, ...]) -> Call | None:
    """The expression that one of Python's own operator functions stands for."""
    name = getattr(function, "__name__", "")
    if function is operator.abs or function is abs:
        return Call("builtin", "abs", arguments)
    if name in BINARY and len(arguments) == 2:
        return Call("operator", BINARY[name], arguments)
    if name in UNARY and len(arguments) == 1:
        return Call("operator", UNARY[name], arguments)
    return None
