"""Watches a program run and writes down which types reach its functions; never a value.

Loaded from its file by the program's own interpreter as it starts (see `tracing.py`): nothing but the standard
library is needed there, and nothing is imported that the program does not import itself. Each new finding is one line
of JSON, appended as it is made: what was seen stays, however a process ends, and processes may share the file.

    ["call", file, line, function, parameter, type]      ["return", file, line, function, type]
    ["local", file, line, function, name, type]          ["attribute", file, class, name, type]

A type is `none`, `unknown`, a plain class (`int`, `str`, ...) or a list: ["array", element type, rank, storage],
["shape", rank], ["dtype", name], ["tuple", [names], types], ["list" | "set", types of items],
["dict", {key: type}, types of other values], ["object", path, file of its class].
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import inspect
import json
import os
import sys
import threading
import types
from collections.abc import Iterable
from typing import Any

#: A type as it is written down.
Type = Any

PLAIN = {int: "int", float: "float", bool: "bool", str: "str", bytes: "bytes", complex: "complex", type(None): "none"}
#: Containers are looked into that deep, and at that many items.
MOST_DEPTH, MOST_ITEMS = 4, 40
#: A function that showed nothing new in that many calls in a row is looked at only now and then.
QUIET_CALLS, THEN_EVERY = 200, 32
#: What differs more often than that at one place has no type worth knowing.
MOST_FINDINGS = 30
#: Methods change what their object holds; so many calls of one are looked at for that.
CALLS_WITH_ATTRIBUTES = 20


class Place:
    """A function of the program, by the first line of its code."""

    def __init__(self, code: types.CodeType, file: str) -> None:
        count = code.co_argcount + code.co_kwonlyargcount
        starred = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        self.where = (file, code.co_firstlineno, code.co_name)
        self.parameters = code.co_varnames[: count + starred]
        self.locals = (*code.co_varnames[count + starred :], *code.co_cellvars)
        self.is_module = code.co_name == "<module>"
        self.is_generator = bool(code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))
        self.calls = self.quiet = 0

    def is_worth_a_look(self) -> bool:
        return self.quiet < QUIET_CALLS or self.calls % THEN_EVERY == 0


class Recorder:
    """A profile function for `sys.setprofile`: it needs no change of the code it watches.

    files: the program's own. classes: the framework's own classes by what they stand for (`array`,
    `parameter`, `size`, `dtype`). stores: attributes in which modules keep their attributes, with the storage of arrays.
    """

    def __init__(
        self, out: str, files: list[str], classes: dict[str, list[str]], stores: dict[str, str]
    ) -> None:
        self.out = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.files = frozenset(files)
        self.folder = os.getcwd()  # the program may leave it
        self.stores = stores
        self._wanted = classes
        self._classes: dict[str, tuple[type, ...]] = dict.fromkeys(classes, ())
        # By id, since equal code may stand in two files; kept along, so that no other code gets the same id.
        self._places: dict[int, tuple[types.CodeType, Place | None]] = {}
        self._names: dict[int, tuple[type, str, str]] = {}
        self._found: dict[tuple[Any, ...], set[Type]] = {}
        self._modules_known = 0

    def __call__(self, frame: types.FrameType, event: str, value: Any) -> None:
        if event != "call" and event != "return":
            return
        code = frame.f_code
        known = self._places.get(id(code))
        if known is None:
            known = self._places[id(code)] = (code, self._place(code))
        place = known[1]
        if place is None:
            return
        if event == "call":
            place.calls += 1
        if place.is_worth_a_look():
            try:
                news = self._call(place, frame) if event == "call" else self._return(place, frame, value)
            except Exception:  # what cannot be looked at stays unknown; the program goes on
                news = False
            place.quiet = 0 if news else place.quiet + 1

    def _place(self, code: types.CodeType) -> Place | None:
        name = code.co_name
        if name.startswith("<") and name not in ("<lambda>", "<module>"):
            return None
        if not code.co_flags & inspect.CO_OPTIMIZED and name != "<module>":
            return None  # the body of a class
        file = os.path.realpath(os.path.join(self.folder, code.co_filename))
        return Place(code, file) if file in self.files else None

    def _call(self, place: Place, frame: types.FrameType) -> bool:
        if place.is_module or not place.parameters:
            return False
        values = frame.f_locals
        news = False
        for name in place.parameters:
            if name in values:
                news = self._note(("call", *place.where, name), self.describe(values[name])) or news
        return news

    def _return(self, place: Place, frame: types.FrameType, value: Any) -> bool:
        news = False
        if value is not None and not place.is_module and not place.is_generator:
            news = self._note(("return", *place.where), self.describe(value))
        values = frame.f_locals
        names = values if place.is_module else place.locals
        for name in [name for name in names if not name.startswith("__")]:
            local = values.get(name)
            if local is not None and not isinstance(local, (type, types.ModuleType, types.FunctionType)):
                news = self._note(("local", *place.where, name), self.describe(local)) or news
        if place.parameters and not place.is_module:
            if place.where[2] == "__init__" or place.calls < CALLS_WITH_ATTRIBUTES:
                news = self._attributes(values.get(place.parameters[0])) or news
        return news

    def _attributes(self, owner: Any) -> bool:
        """What an object of one of the program's classes holds, for the class and its bases."""
        owners = [found for found in map(self.class_name, type(owner).__mro__) if found[1] in self.files]
        if not owners:
            return False
        news = False
        held = getattr(owner, "__dict__", {})
        stores = [(held, "")] + [(held[name], storage) for name, storage in self.stores.items() if name in held]
        for store, storage in stores:
            for name, value in list(store.items()):
                if name not in self.stores:
                    described = self.describe(value, storage=storage)
                    for path, file in owners:
                        news = self._note(("attribute", file, path.rpartition(":")[2], name), described) or news
        return news

    def _note(self, key: tuple[Any, ...], found: Type) -> bool:
        """Write a finding down if it is a new one."""
        known = self._found.setdefault(key, set())
        if found in known or len(known) > MOST_FINDINGS:
            return False
        known.add(found)
        text = json.dumps([*key, found] if len(known) <= MOST_FINDINGS else [*key, "unknown"])
        os.write(self.out, (text + "\n").encode())
        return True

    # Types.

    def classes(self, kind: str) -> tuple[type, ...]:
        """The framework's classes of a kind, as soon as the program has imported them."""
        if not self._classes["array"] and len(sys.modules) != self._modules_known:
            self._modules_known = len(sys.modules)
            for name, paths in self._wanted.items():
                self._classes[name] = tuple(found for found in map(_imported_class, paths) if found is not None)
        return self._classes[kind]

    def describe(self, value: Any, depth: int = 0, storage: str = "") -> Type:
        """The type of a value, as a nested tuple."""
        kind = type(value)
        if kind in PLAIN:
            return PLAIN[kind]
        if depth > MOST_DEPTH:
            return "unknown"
        if isinstance(value, self.classes("array")):
            storage = "parameter" if isinstance(value, self.classes("parameter")) else storage
            return ("array", str(getattr(value, "dtype", "")), _rank(value), storage)
        if kind in self.classes("size"):
            return ("shape", len(value))
        if isinstance(value, self.classes("dtype")):
            return ("dtype", str(value))
        if isinstance(value, tuple):
            return self._tuple(value, depth)
        if isinstance(value, (list, set, frozenset)):
            return ("list" if isinstance(value, list) else "set", self._all(value, depth))
        if isinstance(value, dict):
            return self._dict(value, depth)
        if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)):
            return "unknown"
        return ("object", *self.class_name(kind))

    def _tuple(self, value: tuple[Any, ...], depth: int) -> Type:
        if len(value) > MOST_ITEMS:
            return ("list", self._all(value, depth))
        kind = type(value)
        names: tuple[str, ...] = getattr(kind, "_fields", ()) or getattr(kind, "__match_args__", ())
        return ("tuple", names if len(names) == len(value) else (), tuple(self.describe(item, depth + 1) for item in value))

    def _dict(self, value: dict[Any, Any], depth: int) -> Type:
        keys = list(dict.keys(value))[:MOST_ITEMS]
        if len(value) <= MOST_ITEMS and all(type(key) is str for key in keys):
            return ("dict", tuple((key, self.describe(dict.get(value, key), depth + 1)) for key in keys), ())
        return ("dict", (), self._all((dict.get(value, key) for key in keys), depth))

    def _all(self, values: Iterable[Any], depth: int) -> tuple[Type, ...]:
        """The distinct types of the first items."""
        found: dict[Type, None] = {}
        for value, _ in zip(values, range(MOST_ITEMS)):
            found[self.describe(value, depth + 1)] = None
        return tuple(sorted(found, key=repr))

    def class_name(self, kind: type) -> tuple[str, str]:
        """The path of a class and its file: `module:Class` of the program's own, the public path of others."""
        known = self._names.get(id(kind))
        if known is None:
            file = os.path.realpath(getattr(sys.modules.get(kind.__module__), "__file__", None) or "")
            path = f"{kind.__module__}:{kind.__qualname__}" if file in self.files else _public_name(kind)
            known = self._names[id(kind)] = (kind, path, file)
        return known[1], known[2]


def _public_name(kind: type) -> str:
    """The shortest path that leads to a class, through the packages above its module; with a colon if none does."""
    parts = kind.__module__.split(".")
    for length in range(1, len(parts) + 1):
        package = ".".join(parts[:length])
        if vars(sys.modules.get(package, types)).get(kind.__qualname__) is kind:
            return f"{package}.{kind.__qualname__}"
    return f"{kind.__module__}:{kind.__qualname__}"


def _rank(value: Any) -> int | None:
    try:
        return len(value.shape)
    except Exception:  # an array that has no shape yet
        return None


def _imported_class(path: str) -> type | None:
    """The class at a dotted path, if its package has been imported."""
    root, _, rest = path.partition(".")
    found = sys.modules.get(root)
    for name in rest.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, type) else None


def start(job_file: str, folder: str) -> None:
    """Watch this process from now on; `folder`, which brought this about, is left as if it were not there."""
    sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry or ".") != os.path.realpath(folder)]
    _run_hidden_startup()
    with open(job_file, encoding="utf-8") as file:
        job = json.load(file)
    recorder = Recorder(job["out"], job["files"], job["classes"], job["stores"])
    threading.setprofile(recorder)
    sys.setprofile(recorder)


def _run_hidden_startup() -> None:
    """Run the environment's own `sitecustomize`, which ours stands in front of."""
    sys.modules.pop("sitecustomize", None)
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)
