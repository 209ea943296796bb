"""Inputs for the tests that are generated from the rows: argument lists by kind, spelled for a framework.

A sample is an argument list over a hub row's own parameters, such as `f(2, 3), axis=1`. `samples:` of a hub row gives
them where the kinds do not say enough; elsewhere they follow from kinds, `dtypes` and `domain`.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ivy_convert.rewriter.signature import MISSING, Opaque, Passing
from ivy_convert.rewriter.tables import CONTEXT, DROP, REFUSE, Framework, HubOp, Spelling


class Draw:
    """The array constructors that samples may use. All are reproducible and keep clear of kinks and ties."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def names(self) -> dict[str, Any]:
        """Constructor name → function, as samples see them."""
        public = ("f", "i", "b", "p", "u", "s", "z", "c", "spd", "tril", "nonfinite")
        return {name: getattr(self, name) for name in public}

    def f(self, *shape: int) -> np.ndarray:
        """Floats of either sign."""
        return self.random.standard_normal(shape).astype(np.float32)[()]

    def i(self, *shape: int, low: int = 0, high: int = 5) -> np.ndarray:
        """Integers from low to high - 1."""
        return np.asarray(self.random.integers(low, high, shape))

    def b(self, *shape: int) -> np.ndarray:
        """Booleans."""
        return np.asarray(self.random.random(shape) < 0.5)

    def p(self, *shape: int) -> np.ndarray:
        """Positive floats, not near zero."""
        return np.asarray(self.random.uniform(0.2, 3.0, shape), np.float32)

    def u(self, *shape: int) -> np.ndarray:
        """Probabilities, not near 0 or 1."""
        return np.asarray(self.random.uniform(0.05, 0.95, shape), np.float32)

    def s(self, *shape: int) -> np.ndarray:
        """Floats within -1..1, not near the ends."""
        return np.asarray(self.random.uniform(-0.9, 0.9, shape), np.float32)

    def z(self, *shape: int) -> np.ndarray:
        """Zeros: where gradients have kinks and maxima ties."""
        return np.zeros(shape, np.float32)

    def c(self, *shape: int) -> np.ndarray:
        """Complex numbers."""
        return np.asarray(self.random.standard_normal(shape) + 1j * self.random.standard_normal(shape), np.complex64)

    def spd(self, *shape: int) -> np.ndarray:
        """Symmetric positive definite matrices `[..., n, n]`, well conditioned."""
        half = self.random.standard_normal((*shape, shape[-1]))
        return (half @ np.swapaxes(half, -1, -2) + 2 * np.eye(shape[-1])).astype(np.float32)

    def tril(self, *shape: int) -> np.ndarray:
        """Cholesky factors `[..., n, n]`: lower triangles with a positive diagonal."""
        return np.asarray(np.linalg.cholesky(self.spd(*shape)))

    def nonfinite(self) -> np.ndarray:
        """Infinities and NaN among numbers."""
        return np.array([1.0, -2.0, np.inf, -np.inf, np.nan, 0.5], np.float32)


DOMAINS = {"real": "f", "positive": "p", "unit": "s", "probability": "u", "integer": "i", "boolean": "b"}
_CONSTRUCTORS = frozenset(Draw(0).names())


@dataclass(frozen=True)
class Value:
    """One hub argument of a sample: `text` over the names in `arrays`, or a plain literal."""

    text: str
    literal: Any = MISSING


@dataclass(frozen=True)
class Sample:
    """Hub arguments by name (a list of values for a variadic parameter), and the arrays that they name."""

    text: str
    arguments: dict[str, Value | tuple[Value, ...]]
    arrays: dict[str, np.ndarray]


def sample_texts(op: HubOp) -> tuple[str, ...]:
    """The argument lists of a hub op."""
    if op.samples or not op.parameters:
        return op.samples
    required = [p for p in op.parameters if p.required]
    if not required or any(p.kind not in ("array", "array_or_scalar") for p in required):
        return ()
    return tuple(dict.fromkeys(itertools.chain.from_iterable(_texts(op, dtype, len(required)) for dtype in op.dtypes)))


def _texts(op: HubOp, dtype: str, count: int) -> Iterator[str]:
    kind = {"float": DOMAINS[op.domain], "int": "i", "bool": "b"}[dtype]
    extra = ", low=1" if kind == "i" and op.domain == "positive" else ""

    def array(*shape: int) -> str:
        return f"{kind}({', '.join(map(str, shape))}{extra if shape else extra[2:]})"

    if count == 1:
        yield from (array(2, 3), array(), array(0, 3))
        return
    yield ", ".join([array(2, 3)] * (count - 1) + [array(3)])
    yield ", ".join([array()] + [array(4)] * (count - 1))
    yield ", ".join([array(0, 3)] * (count - 1) + [array(3)])
    if op.parameters[1].kind == "array_or_scalar":
        yield ", ".join([array(4), {"float": "1.5", "int": "2", "bool": "True"}[dtype]])


def make_sample(op: HubOp, text: str) -> Sample:
    """Evaluate the array constructors of a sample and bind it to the hub's parameters."""
    call = ast.parse(f"_({text})", mode="eval").body
    assert isinstance(call, ast.Call)
    draw = Draw(zlib.crc32(f"{op.name}:{text}".encode()))
    arrays: dict[str, np.ndarray] = {}

    def value(node: ast.expr) -> Value:
        if isinstance(node, (ast.List, ast.Tuple)) and _draws(node):
            parts = ", ".join(value(part).text for part in node.elts)
            return Value(f"[{parts}]")
        if _draws(node):
            name = f"x{len(arrays)}"
            drawn = eval(compile(ast.Expression(node), text, "eval"), {**draw.names(), "__builtins__": builtins})
            arrays[name] = np.asarray(drawn)
            return Value(name)
        try:
            return Value(ast.unparse(node), ast.literal_eval(node))
        except ValueError:
            return Value(ast.unparse(node), ast.unparse(node))

    positional = [p for p in op.parameters if p.passing in (Passing.POSITIONAL_ONLY, Passing.POSITIONAL_OR_KEYWORD)]
    variadic = next((p for p in op.parameters if p.passing is Passing.VARIADIC), None)
    arguments: dict[str, Value | tuple[Value, ...]] = {}
    for parameter, node in zip(positional, call.args, strict=False):
        arguments[parameter.name] = value(node)
    if variadic is not None:
        arguments[variadic.name] = tuple(value(node) for node in call.args[len(positional) :])
    for keyword in call.keywords:
        assert keyword.arg is not None
        arguments[keyword.arg] = value(keyword.value)
    return Sample(text, arguments, arrays)


def _draws(node: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in _CONSTRUCTORS
        for part in ast.walk(node)
    )


def same(first: Any, second: Any) -> bool:
    """Equality of defaults as values."""
    if isinstance(first, bool) != isinstance(second, bool) or first is MISSING or second is MISSING:
        return False
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return list(first) == list(second)
    return bool(first == second)


def spell(framework: Framework, op: HubOp, row: Spelling, sample: Sample) -> str | None:
    """The sample as a call of this spelling; None when the spelling cannot express it."""
    arguments = dict(sample.arguments)
    for name, fixed in row.where.items():
        given = arguments.pop(name, None)
        literal = given.literal if isinstance(given, Value) else op.parameter(name).default  # type: ignore[union-attr]
        if not any(same(literal, option) for option in (fixed if isinstance(fixed, list) else [fixed])):
            return None
    if row.form == "operator":
        text = row.path
        if set(arguments) - {name.id for name in ast.walk(ast.parse(text)) if isinstance(name, ast.Name)}:
            return None
        names = {name: str(value.text) for name, value in arguments.items()}  # type: ignore[union-attr]
        return "".join(names.get(token, token) for token in _words(text))
    receiver = ""
    if row.form in ("method", "property"):
        value = arguments.pop(op.parameters[0].name)
        assert isinstance(value, Value)
        if value.literal is not MISSING:
            return None
        receiver = value.text
        if row.form == "property":
            return f"{receiver}.{row.attribute}" if not arguments else None
    parts = _spelled_arguments(framework, op, row, arguments)
    if parts is None:
        return None
    function = f"{receiver}.{row.attribute}" if receiver else row.path
    return f"{function}({', '.join(parts)})"


def _words(text: str) -> list[str]:
    return ["".join(group) for _, group in itertools.groupby(text, lambda c: c.isalnum() or c == "_")]


def _spelled_arguments(
    framework: Framework, op: HubOp, row: Spelling, arguments: dict[str, Value | tuple[Value, ...]]
) -> list[str] | None:
    parts: list[str] = []
    positional = True
    for parameter in row.parameters:
        if parameter.hub == CONTEXT and parameter.default is MISSING:
            return None
        if parameter.hub == DROP and parameter.default is MISSING:
            parts.append("'cpu'")
            continue
        value = arguments.pop(parameter.hub, None)
        if value is None:
            if parameter.hub not in (REFUSE, DROP, CONTEXT):
                hub = op.parameter(parameter.hub)
                default = hub.default if hub is not None else MISSING
                if parameter.default is MISSING and parameter.passing is not Passing.VARIADIC and default is MISSING:
                    return None
                own = row.values.get(parameter.hub, {}).get(default, default)
                if not same(own, parameter.default) and not isinstance(parameter.default, Opaque):
                    if parameter.passing is Passing.VARIADIC:
                        return None
                    value = Value(repr(default), default)
        if value is None:
            positional = positional and parameter.passing is Passing.VARIADIC
            continue
        if isinstance(value, tuple):
            parts.extend(one.text for one in value)
            continue
        text = _own_text(framework, row, parameter.hub, op, value)
        if text is None:
            return None
        if parameter.passing is Passing.VARIADIC and text.startswith("[") and op.parameter(parameter.hub).kind == "arrays":
            parts.append(text[1:-1])  # arrays one by one where others take a list of them
        elif parameter.passing is Passing.VARIADIC or (positional and parameter.passing is not Passing.KEYWORD_ONLY):
            parts.append(text)
        else:
            positional = False
            parts.append(f"{parameter.name}={text}")
    return None if arguments else parts


def _own_text(framework: Framework, row: Spelling, hub: str, op: HubOp, value: Value) -> str | None:
    """A value in the framework's words; None for an element type that it does not have."""
    mapping = row.values.get(hub, {})
    if isinstance(value.literal, (str, bool, int, float)) and value.literal in mapping:
        return repr(mapping[value.literal])
    parameter = op.parameter(hub)
    if parameter is not None and parameter.kind == "dtype" and isinstance(value.literal, str):
        spellings = framework.fact("dtypes", value.literal)
        return spellings[0] if isinstance(spellings, list) else spellings
    return value.text
