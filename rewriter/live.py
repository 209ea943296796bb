"""Converts live objects: the file or package that defines one is converted, imported and asked for the same name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import tempfile
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

from .repository import convert_files, detect_source


class LiveConversionError(ValueError):
    """An object that cannot be converted because its source is not at hand or leaves something unsupported."""


def convert_object(obj: Any, target: str) -> Any:
    """The converted counterpart of a function, class, module object or installed package.

    Raises LiveConversionError when its source cannot be found or part of it is not supported by the target.
    """
    if isinstance(obj, ModuleType):
        return _convert_module(obj, target)
    if not (inspect.isfunction(obj) or inspect.isclass(obj)):
        raise LiveConversionError(f"cannot convert {obj!r}: give a function, a class or a module")
    module = sys.modules.get(obj.__module__)
    if module is not None and getattr(module, "__file__", None) and module.__name__ != "__main__":
        return _attribute(_convert_module(module, target), obj.__qualname__)
    return _attribute(_load("converted", {"converted.py": _standalone_source(obj)}, target), obj.__qualname__)


def _attribute(module: ModuleType, qualified: str) -> Any:
    value: Any = module
    for part in qualified.split("."):
        value = getattr(value, part)
    return value


def _standalone_source(obj: Any) -> bytes:
    """The object's own source with imports for the modules that its globals name."""
    try:
        source = textwrap.dedent(inspect.getsource(obj))
    except (OSError, TypeError) as error:
        raise LiveConversionError(f"the source of {obj!r} is not at hand: {error}") from None
    scope = getattr(obj, "__globals__", None) or vars(sys.modules[obj.__module__])
    lines = []
    for name, value in scope.items():
        if isinstance(value, ModuleType) and not name.startswith("_") and name in source:
            lines.append(f"import {value.__name__} as {name}")
    return ("\n".join(lines) + "\n\n\n" + source).encode()


def _convert_module(module: ModuleType, target: str) -> ModuleType:
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        raise LiveConversionError(f"{module.__name__} has no Python source file")
    package = module.__name__.partition(".")[0]
    root = sys.modules.get(package)
    if root is not None and hasattr(root, "__path__"):
        folder = Path(next(iter(root.__path__)))
        files = {f"{package}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in folder.rglob("*.py")}
        return _load(module.__name__, files, target)
    return _load(Path(file).stem, {Path(file).name: Path(file).read_bytes()}, target)


def _load(name: str, files: dict[str, bytes], target: str) -> ModuleType:
    """Convert, write to a temporary folder and import under names that do not hide the originals."""
    source = detect_source(files, target)
    if source is None:
        raise LiveConversionError(f"{name} imports no framework that ivy-convert knows")
    result = convert_files(files, source, target, inline_helpers=len(files) == 1)
    top = name.partition(".")[0]
    renamed = f"{top}_{target}"
    own = f"{name.replace('.', '/')}.py"
    left = [site for site in result.report.unsupported if site.path in (own, f"{name.replace('.', '/')}/__init__.py")]
    if left:
        raise LiveConversionError(f"{left[0].path}:{left[0].line}: {left[0].reason} ({len(left)} places unsupported)")
    folder = Path(tempfile.mkdtemp(prefix="ivy-convert-"))
    for path, data in {**result.files, **result.helpers}.items():
        _, _, rest = path.partition("/")
        place = folder / (f"{renamed}/{rest}" if rest else path if path not in (f"{top}.py",) else f"{renamed}.py")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(".".join([renamed, *name.split(".")[1:]]))
    finally:
        sys.path.remove(str(folder))
