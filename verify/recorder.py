"""Watches a repository's own code run and records what its modules and functions are given."""

from __future__ import annotations

import inspect
import json
import os
import sys
import threading
import types
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .adapters.base import Adapter
from .problems import CannotEncode
from .sources import is_test
from .values import ArrayStore, Encoder, Json

CASES_PER_SUBJECT = 3
CALLS_LOOKED_AT = 40
_SKIPPED_FUNCTIONS = ("main", "cli", "parse_args", "get_args", "get_parser")


class Recorder:
    """A profile function for `sys.setprofile`: it needs no change of the code it watches.

    cases: what was recorded. refused: subject -> why a call of it could not be recorded.
    """

    def __init__(self, adapter: Adapter, modules: dict[str, str], store: ArrayStore):
        self.adapter = adapter
        self.names = {os.path.realpath(file): name for name, file in modules.items()}
        self.store = store
        self.cases: list[Json] = []
        self.refused: dict[str, str] = {}
        # the module that runs as `__main__`, under the name by which it can be imported
        self.script = ""
        self._made: dict[int, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {}
        self._kinds: dict[types.CodeType, str | None] = {}
        self._seen: dict[str, set[str]] = {}
        self._calls: Counter[str] = Counter()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record everything that runs inside, in other threads too."""
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]

    def __call__(self, frame: types.FrameType, event: str, _: Any) -> None:
        """Look at one call."""
        if event != "call":
            return
        code = frame.f_code
        kind = self._kinds.get(code, "")
        if kind == "":
            kind = self._kinds[code] = self._kind(code)
        if kind is None:
            return
        sys.setprofile(None)
        try:
            self._look(kind, frame)
        finally:
            sys.setprofile(self)

    def _kind(self, code: types.CodeType) -> str | None:
        name = code.co_qualname
        is_function = code.co_flags & inspect.CO_OPTIMIZED  # a class body is code of a name too
        if "<" in name or not is_function or code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
            return None
        if name.endswith(".__init__"):
            return "init"
        module = self._module(code)
        last = name.rpartition(".")[2]
        if module is None or is_test(module):
            return None
        if "." not in name:
            return None if last.startswith("_") or last in _SKIPPED_FUNCTIONS else "function"
        return "method" if not last.startswith("_") or last == self.adapter.forward_name else None

    def _module(self, code: types.CodeType) -> str | None:
        """The module of a code object; tests that put `tests/..` on the path import from a file of that name."""
        return self.names.get(os.path.realpath(code.co_filename))

    def _look(self, kind: str, frame: types.FrameType) -> None:
        args, kwargs = _arguments(frame)
        if kind == "init":
            if args:
                given, named = without_defaults(args[0], frame.f_code, args[1:], kwargs)
                self._remember(args[0], given, named)
        elif kind == "method":
            if args and self.adapter.is_module(args[0]):
                self._method_call(args[0], frame.f_code.co_name, args[1:], kwargs)
        else:
            module = self._module(frame.f_code)
            case = {"kind": "function", "module": module, "qualname": frame.f_code.co_name, "method": None}
            self._record(case, f"{module}:{frame.f_code.co_name}", None, args, kwargs)

    def _remember(self, made: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        known = self._made.get(id(made))
        if known is not None and known[0]() is made:
            return  # a base class's constructor, called from the one already seen
        try:
            self._made[id(made)] = (weakref.ref(made), args, kwargs)
        except TypeError:
            return

    def _construction(self, made: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        known = self._made.get(id(made))
        return known[1:] if known is not None and known[0]() is made else None

    def _method_call(self, owner: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        cls = type(owner)
        home = self.script if cls.__module__ == "__main__" else cls.__module__
        module = home if home in self.names.values() else None
        if module is None or is_test(module) or "<" in cls.__qualname__:
            return
        called = None if method == self.adapter.forward_name else method
        case = {"kind": "module", "module": module, "qualname": cls.__qualname__, "method": called}
        subject = f"{module}:{cls.__qualname__}" + (f".{called}" if called else "")
        self._record(case, subject, owner, args, kwargs)

    def _record(self, case: Json, subject: str, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._calls[subject] += 1
        seen = self._seen.setdefault(subject, set())
        if self._calls[subject] > CALLS_LOOKED_AT or len(seen) >= CASES_PER_SUBJECT:
            return
        trial = ArrayStore()
        encode = Encoder(self.adapter, trial, self._construction, keeps_numpy=True)
        try:
            if owner is not None:
                case["construct"] = encode(owner)
            case["args"] = [encode(value) for value in args]
            case["kwargs"] = {key: encode(value) for key, value in kwargs.items()}
        except CannotEncode as problem:
            self.refused.setdefault(subject, str(problem))
            return
        except RecursionError:
            self.refused.setdefault(subject, "an argument refers to itself")
            return
        signature = _signature(case, trial)
        if signature not in seen:
            seen.add(signature)
            self.cases.append(case | {"subject": subject, **_adopt(case, trial, self.store)})


def without_defaults(
    made: Any, code: types.CodeType, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a constructor by name, without those that have their default.

    A frame shows every parameter. What the user did not write may not exist on the other side, such as a layer's
    device, so it must not be handed over. Constructors with variable arguments keep theirs by position.
    """
    functions = (vars(cls).get("__init__") for cls in type(made).__mro__)
    function = next((one for one in functions if getattr(one, "__code__", None) is code), None)
    if function is None or code.co_flags & inspect.CO_VARARGS:
        return args, kwargs
    parameters = list(inspect.signature(function).parameters.values())[1:]
    named: dict[str, Any] = {}
    for parameter, value in zip(parameters, args, strict=False):
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            return args, kwargs
        if not _is_default(value, parameter.default):
            named[parameter.name] = value
    defaults = {parameter.name: parameter.default for parameter in parameters}
    named |= {name: value for name, value in kwargs.items() if not _is_default(value, defaults.get(name, parameters))}
    return (), named


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and isinstance(value, (int, float, str)) and value == default)


def _arguments(frame: types.FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a frame that has just begun, as the call `f(*args, **kwargs)`."""
    code, values = frame.f_code, frame.f_locals
    names = code.co_varnames
    count = code.co_argcount
    args = [values[name] for name in names[:count] if name in values]
    kwargs = {name: values[name] for name in names[count : count + code.co_kwonlyargcount] if name in values}
    rest = count + code.co_kwonlyargcount
    if code.co_flags & inspect.CO_VARARGS:
        args.extend(values.get(names[rest], ()))
        rest += 1
    if code.co_flags & inspect.CO_VARKEYWORDS:
        kwargs.update(values.get(names[rest], {}))
    return tuple(args), kwargs


def _references(value: Json) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("$") == "array":
            yield value
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _signature(case: Json, store: ArrayStore) -> str:
    """What makes two calls the same to us: everything but the numbers in the arrays."""
    shapes = {
        key: [list(array.shape), array.dtype.name, bool(array.size > 1 and np.all(array == array.flat[0]))]
        for key, array in store.arrays.items()
    }
    return json.dumps([case, shapes], sort_keys=True)


def _adopt(case: Json, trial: ArrayStore, store: ArrayStore) -> Json:
    """Move the arrays of a trial into the recorder's store."""
    parts = {key: case[key] for key in ("construct", "args", "kwargs") if key in case}
    for reference in _references(parts):
        reference["key"] = store.add(trial.arrays[reference["key"]])["key"]
    return parts


def write_recording(folder: Path, recorder: Recorder, notes: list[str]) -> None:
    """Write the cases (JSON) and their arrays (.npz)."""
    recorder.store.save(folder / "cases.npz")
    content = {"cases": recorder.cases, "refused": recorder.refused, "notes": notes}
    text = json.dumps(content)
    if recorder.script:
        text = text.replace('"__main__:', f'"{recorder.script}:')
    (folder / "cases.json").write_text(text, "utf-8")
