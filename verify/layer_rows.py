"""The layer rows' `weights:` of the tables, read for the transfer of weights between layouts."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from .transfer import LayerWeights

API_MAPS = Path(__file__).resolve().parent.parent / "api_maps"
NATIVE_LAYERS = Path(__file__).resolve().parent / "native_layers.yaml"
_WEIGHT = re.compile(r"(\w+)\s*\[([^\]]*)\]")


def _rows(framework: str) -> Iterator[tuple[str, Any]]:
    import yaml

    native = yaml.safe_load(NATIVE_LAYERS.read_text("utf-8")).get(framework, {})
    yield from native.items()
    for path in sorted((API_MAPS / framework).glob("*.yaml")):
        if path.name != "framework.yaml":
            yield from (yaml.safe_load(path.read_text("utf-8")) or {}).items()


@cache
def layer_weights(framework: str) -> dict[type, tuple[LayerWeights, ...]]:
    """Layer class -> its rows, for the classes of `framework` that are installed and have rows with weights."""
    found: dict[type, tuple[LayerWeights, ...]] = {}
    for layer, row in _rows(framework):
        for spelling in row if isinstance(row, list) else [row]:
            if not isinstance(spelling, dict) or "weights" not in spelling or "call" not in spelling:
                continue
            cls = _class(str(spelling["call"]).partition("(")[0].strip())
            if cls is not None:
                found[cls] = (*found.get(cls, ()), LayerWeights(layer, _parse(spelling["weights"])))
    return found


def rows_of(framework: str, layer: Any) -> tuple[LayerWeights, ...]:
    """The rows of a live layer's class or of the nearest base class that has any."""
    known = layer_weights(framework)
    return next((known[cls] for cls in type(layer).__mro__ if cls in known), ())


def _class(qualified: str) -> type | None:
    parts = qualified.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:cut]))
            for part in parts[cut:]:
                value = getattr(value, part)
        except (ImportError, AttributeError):
            continue
        return value if isinstance(value, type) else None
    return None


def _parse(weights: dict[str, str]) -> dict[str, tuple[str, str]]:
    parsed = {}
    for name, text in weights.items():
        match = _WEIGHT.fullmatch(text.strip())
        if match:
            parsed[name] = (match.group(1), " ".join(match.group(2).split()))
    return parsed
