"""The weights command: a checkpoint for the target framework."""

from __future__ import annotations

from pathlib import Path

import click

from ..rewriter.problems import InputError


def weights_command(checkpoint: Path, target: str, out: Path, force: bool) -> int:
    """Convert `checkpoint` and print where the result is; InputError if it cannot be read or `out` is taken."""
    from ..verify import VerifyError, convert_checkpoint
    from ..verify.weights import destination

    if not checkpoint.exists():
        raise InputError(checkpoint, "no such file", "check the spelling and the current folder")
    if out.resolve() == checkpoint.resolve():
        raise InputError(out, "output is the checkpoint itself", "choose another -o")
    try:
        place = destination(checkpoint, target, out)
        if place.exists() and not force:
            raise InputError(place, "output exists", "choose another -o, or pass --force")
        written = convert_checkpoint(checkpoint, target, out)
    except VerifyError as error:
        raise InputError(checkpoint, "cannot be converted", str(error).removeprefix(f"{checkpoint}: ")) from None
    click.echo(f"written to {written}")
    return 0
