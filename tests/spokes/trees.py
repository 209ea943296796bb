"""Small repositories: converting their files, writing them down and importing them beside others of the same name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ivy_convert.rewriter.repository import convert_files


def read(folder: Path) -> dict[str, bytes]:
    """The Python files of a folder by relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.py"))}


def converted(files: Mapping[str, bytes], source: str, target: str, left: frozenset[str] = frozenset()) -> dict[str, bytes]:
    """All files after a conversion, helpers included. Fails when something is left but in the files named."""
    result = convert_files(files, source, target)
    reasons = [f"{site.path}:{site.line} {site.reason}" for site in result.report.unsupported if site.path not in left]
    assert not reasons, "\n".join(reasons)
    return {**result.files, **result.helpers}


def write(files: Mapping[str, bytes], folder: Path) -> Path:
    """The folder with the files in it."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def load(folder: Path, *names: str) -> list[Any]:
    """The modules of a folder, imported afresh; others of the same name stay as they were."""
    roots = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in roots}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] in roots]:
            del sys.modules[name]
        sys.modules.update(before)
