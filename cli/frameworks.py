"""The frameworks that can be read and written: the folders of api_maps/, whose tables need not be loaded for that."""

from __future__ import annotations

from pathlib import Path

_API_MAPS = Path(__file__).resolve().parent.parent / "api_maps"
FRAMEWORKS = sorted(
    folder.name for folder in _API_MAPS.iterdir() if folder.is_dir() and folder.name not in ("canonical", "__pycache__")
)
