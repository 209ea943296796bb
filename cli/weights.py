"""The weights command: a checkpoint for the target framework."""

from __future__ import annotations

from pathlib import Path

import click

from ..rewriter.problems import InputError


def weights_command(checkpoint: Path, target: str, out: Path, force: bool) -> int:
    """Convert `checkpoint` and print where the result is; InputError if it cannot be read or `out` is taken."""
    from ..verify import VerifyError
    from ..verify.checkpoints import found_checkpoint, read_checkpoint
    from ..verify.weights import destination, write_checkpoint

    if not checkpoint.exists():
        raise InputError(checkpoint, "no such file", "check the spelling and the current folder")
    if out.resolve() == checkpoint.resolve() and not checkpoint.is_dir():
        raise InputError(out, "output is the checkpoint itself", "choose another -o")
    try:
        source = found_checkpoint(checkpoint)
        place = destination(source, target, out)
        if place.resolve() == source.resolve():
            raise InputError(place, "output is the checkpoint itself", "choose another -o")
        if place.exists() and not force:
            raise InputError(place, "output exists", "choose another -o, or pass --force")
        content = read_checkpoint(source)
        write_checkpoint(content, place)
    except VerifyError as error:
        raise InputError(checkpoint, "cannot be converted", str(error).removeprefix(f"{checkpoint}: ")) from None
    click.echo(f"written to {place}")
    for name in content.left_out:
        click.echo(f"left out: {name}")
    return 0
