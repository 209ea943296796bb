"""Records what the lines of a repository compute while one case runs, so that two runs can be lined up.

A value is written down when a name's numbers change, under the name and the line of the statement that changed them:
`x.add_(y)` and `x = x + y` leave the same trace, and a copy that changes nothing leaves none.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import os
import sys
import types
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .adapters.base import Adapter, SubmoduleCall
from .spec import FORWARD_NAMES
from .values import Encoder, Json, array_leaves

MOST_EVENTS = 4000
MOST_NUMBERS = 40_000_000
MOST_ARRAYS_OF_A_NAME = 8


@dataclass(frozen=True)
class LineEvent:
    """A name got new numbers, in one call of a function.

    frame: module, function and how many calls of it there were before; or a submodule and its calls.
    name: the local name, `return`, `argument x`, or `input` and `output` of a submodule.
    """

    frame: str
    name: str
    file: str
    line: int
    arrays: tuple[np.ndarray, ...]


@dataclass
class _Frame:
    key: str
    code: types.CodeType
    line: int
    seen: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    stamps: dict[str, Any] = field(default_factory=dict)


class LineRecorder:
    """A trace function for `sys.settrace`. files: path of a file -> the name of its module on the original's side."""

    def __init__(self, adapter: Adapter, files: Mapping[str, str]):
        self.adapter = adapter
        self.names = {os.path.realpath(file): name for file, name in files.items()}
        self.events: list[LineEvent] = []
        self._numbers = 0
        self._counts: Counter[str] = Counter()
        self._modules: dict[types.CodeType, str | None] = {}
        self._running: dict[types.FrameType, _Frame] = {}
        self._stack: list[types.FrameType] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Record the lines that run inside; compiled functions run line by line."""
        before = sys.gettrace()
        with self.adapter.uncompiled():
            sys.settrace(self._called)
            try:
                yield
            finally:
                sys.settrace(before)

    def submodule_call(self, call: SubmoduleCall) -> None:
        """A submodule has ended: its inputs and outputs belong to the line that called it."""
        if self._stack:
            frame, key = self._running[self._stack[-1]], self._numbered(f"submodule {call.name}")
            self._add(key, "input", frame.code, frame.line, call.inputs)
            self._add(key, "output", frame.code, frame.line, call.outputs)

    # --- frames -------------------------------------------------------------------------------------------

    def _called(self, frame: types.FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        name = self._modules.get(code, "")
        if name == "":
            name = self._modules[code] = self._module(code)
        if name is None:
            return None
        if len(self.events) >= MOST_EVENTS or self._numbers >= MOST_NUMBERS:
            return None
        scope, _, last = code.co_qualname.rpartition(".")
        last = "forward" if last in FORWARD_NAMES else last
        own = _Frame(self._numbered(f"{name}:{scope}.{last}" if scope else f"{name}:{last}"), code, frame.f_lineno)
        caller = self._running[self._stack[-1]] if self._stack else own
        for argument, arrays in self._changed(own, frame):
            self._add(own.key, f"argument {argument}", caller.code, caller.line, arrays)
        self._running[frame] = own
        self._stack.append(frame)
        return self._traced

    def _module(self, code: types.CodeType) -> str | None:
        """The repository's module that a function is of; None for other code, class bodies and comprehensions."""
        if not code.co_flags & inspect.CO_OPTIMIZED or code.co_name.startswith("<"):
            return None
        return self.names.get(os.path.realpath(code.co_filename))

    def _numbered(self, key: str) -> str:
        self._counts[key] += 1
        return f"{key} #{self._counts[key]}"

    def _traced(self, frame: types.FrameType, event: str, result: Any) -> Any:
        own = self._running.get(frame)
        if own is None or event == "exception":
            return self._traced
        for name, arrays in self._changed(own, frame):
            self._add(own.key, name, own.code, own.line, arrays)
        own.line = frame.f_lineno
        if event == "return":
            arrays = self._arrays(result)
            if arrays:
                self._add(own.key, "return", own.code, own.line, arrays)
            self._running.pop(frame)
            self._stack.remove(frame)
        return self._traced

    # --- values -------------------------------------------------------------------------------------------

    def _changed(self, own: _Frame, frame: types.FrameType) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
        for name, value in list(frame.f_locals.items()):
            stamp = self._stamp(value)
            if stamp is not None and own.stamps.get(name) == stamp:
                continue
            own.stamps[name] = stamp
            arrays = self._arrays(value)
            if arrays and not _same(own.seen.get(name), arrays):
                own.seen[name] = arrays
                yield name, arrays

    def _stamp(self, value: Any) -> Any:
        """Equal for a value that cannot have changed since; None where only its numbers can tell."""
        if isinstance(value, (int, float, str, type(None))):
            return (type(value), value)
        if not self.adapter.is_array(value) or isinstance(value, np.ndarray):
            return None
        try:
            return (_Held(value), value._version if hasattr(value, "_version") else 0)
        except RuntimeError:  # torch counts no changes under inference_mode
            return None

    def _arrays(self, value: Any) -> tuple[np.ndarray, ...]:
        """The numbers of an array, a plain number, or a small list, tuple or dict of them."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return (np.array(value),)
        leaves = array_leaves(value, lambda item: self.adapter.is_array(item) or isinstance(item, np.ndarray))
        found = [self.adapter.snapshot(leaf) for leaf in leaves[:MOST_ARRAYS_OF_A_NAME]]
        return tuple(np.array(array) for array in found if array is not None and array.dtype != object)

    def _add(self, key: str, name: str, code: types.CodeType, line: int, arrays: tuple[np.ndarray, ...]) -> None:
        self._numbers += sum(array.size for array in arrays)
        if len(self.events) < MOST_EVENTS and self._numbers < MOST_NUMBERS:
            file = os.path.realpath(code.co_filename)
            self.events.append(LineEvent(key, name, file, statement_line(file, line), arrays))


@contextlib.contextmanager
def recorded(
    adapter: Adapter, module: Any, files: Mapping[str, str] | None, encode: Encoder, outcome: Json
) -> Iterator[None]:
    """While it holds, calls of submodules and lines are recorded; they go into the outcome.

    module: the module under test, None for a function. files: as for `LineRecorder`, None where nothing is recorded.
    """
    if files is None:
        yield
        return
    lines = LineRecorder(adapter, files)

    class Calls(list):  # type: ignore[type-arg]
        """Tells the lines where a submodule ended."""

        def append(self, call: SubmoduleCall) -> None:
            super().append(call)
            lines.submodule_call(call)

    calls = Calls()
    with contextlib.nullcontext() if module is None else adapter.watch(module, calls), lines.watching():
        yield
    outcome["calls"] = [
        {"name": call.name, "caller": call.caller, "inputs": encode(call.inputs), "outputs": encode(call.outputs)}
        for call in calls
    ]
    outcome["lines"] = [vars(event) | {"arrays": encode(event.arrays)} for event in lines.events]


class _Held:
    """Keeps a value alive and compares by identity, so that its place in memory is not given to another."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.value is self.value

    __hash__ = None  # type: ignore[assignment]


def _same(before: tuple[Any, ...] | None, now: tuple[np.ndarray, ...]) -> bool:
    if before is None or len(before) != len(now):
        return False
    pairs = zip(before, now, strict=True)
    return all(np.array_equal(one, two, equal_nan=one.dtype.kind in "fc") for one, two in pairs)


@functools.cache
def _statements(file: str) -> dict[int, int]:
    """Line -> first line of the innermost statement that covers it."""
    first: dict[int, int] = {}
    with open(file, "rb") as opened:
        tree = ast.parse(opened.read())
    for node in ast.walk(tree):  # outer statements come before inner ones
        if isinstance(node, ast.stmt):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                first[line] = node.lineno
    return first


def statement_line(file: str, line: int) -> int:
    """The line at which the statement around a line begins."""
    return _statements(file).get(line, line)
