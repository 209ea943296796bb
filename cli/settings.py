"""Defaults from `[tool.ivy-convert]` in the pyproject.toml nearest to the source."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..rewriter.problems import InputError
from .frameworks import FRAMEWORKS

KINDS: Mapping[str, type] = {
    "from": str, "to": str, "exclude": list, "select": list, "ignore": list, "jobs": int, "strict": bool,
    "trace": str,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What the file in `folder` says; None or empty where it says nothing."""

    source: str | None = None
    target: str | None = None
    exclude: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    jobs: int | None = None
    strict: bool = False
    trace: str | None = None
    folder: Path | None = None


def load_settings(start: Path) -> Settings:
    """The settings for the file or folder `start`; raises InputError for anything not understood."""
    file = find_file(start)
    if file is None:
        return Settings()
    table = read_table(file)
    for key, value in table.items():
        check(file, key, value)
    return Settings(
        source=table.get("from"),
        target=table.get("to"),
        exclude=tuple(table.get("exclude", ())),
        select=tuple(table.get("select", ())),
        ignore=tuple(table.get("ignore", ())),
        jobs=table.get("jobs"),
        strict=table.get("strict", False),
        trace=table.get("trace"),
        folder=file.parent,
    )


def find_file(start: Path) -> Path | None:
    """The nearest pyproject.toml with our table, upwards from `start` to the top of its git repository."""
    here = Path(os.path.abspath(start))
    for folder in [here, *here.parents]:
        file = folder / "pyproject.toml"
        if file.is_file() and read_table(file):
            return file
        if (folder / ".git").exists():
            return None
    return None


def read_table(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("ivy-convert", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(file, f"is not valid TOML ({error})", "correct it") from None
    except OSError:
        return {}
    if not isinstance(table, dict):
        raise InputError(file, "[tool.ivy-convert] is not a table", "write it as [tool.ivy-convert]")
    return table


def check(file: Path, key: str, value: object) -> None:
    """Raise InputError unless `key` is known and `value` of its kind."""
    if key not in KINDS:
        raise InputError(file, f"unknown key {key!r} in [tool.ivy-convert]", f"use one of {', '.join(KINDS)}")
    kind = KINDS[key]
    right = type(value) is kind
    if kind is list and isinstance(value, list):
        right = all(isinstance(item, str) for item in value)
    if key in ("from", "to") and value not in FRAMEWORKS:
        raise InputError(file, f"{key} = {value!r} is not a framework", f"use one of {', '.join(FRAMEWORKS)}")
    if not right or (key == "jobs" and isinstance(value, int) and value < 1):
        wanted = {list: "a list of strings", int: "a number from 1", str: "a string", bool: "true or false"}[kind]
        raise InputError(file, f"{key} = {value!r} in [tool.ivy-convert]", f"give {wanted}")
