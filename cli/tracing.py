"""`--trace`: runs the source once, by a command of the user's, and hands what it showed of types to the conversion."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..rewriter.observations import Observations
from ..rewriter.problems import InputError
from ..rewriter.tree import SourceTree

if TYPE_CHECKING:
    from .convert import Request


def observe(request: Request, trees: Sequence[SourceTree]) -> list[Observations | None]:
    """What one run of the command shows of each tree; nothing where no file uses a framework.

    Raises InputError where the command fails: then nothing has been written yet.
    """
    from ..rewriter.repository import detect_source
    from ..rewriter.table_loader import load_tables
    from ..verify.problems import TraceError
    from ..verify.tracing import trace

    files = {key: data for tree in trees for key, data in tree.files.items()}
    source = request.source or detect_source(files, request.target)
    if not request.trace or source is None:
        return [None] * len(trees)
    fact = load_tables().frameworks[source].fact
    arrays = [path for path, dtype in fact("array_classes", default={}).items() if not dtype]
    classes = {"array": arrays} | {
        kind: _listed(fact("objects", kind, default=[])) for kind in ("parameter", "size", "dtype")
    }
    places = [{os.path.realpath(tree.place(key)): key for key in tree.files} for tree in trees]
    click.echo(f"running {request.trace}", err=True)
    try:
        records = trace(
            request.trace,
            [Path(file) for names in places for file in names],
            classes,
            fact("module_class", "attribute_stores", default={}),
            request.trace_folder,
        )
    except TraceError as error:
        raise InputError(f"--trace {request.trace!r}", error.what, error.remedy) from None
    return [Observations(records, names) for names in places]


def _listed(paths: str | list[str]) -> list[str]:
    return [paths] if isinstance(paths, str) else paths
