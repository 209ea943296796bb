"""The command line: names, arguments and help. Each command's work is imported when it runs."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .frameworks import FRAMEWORKS

FRAMEWORK = click.Choice(FRAMEWORKS)
DEVICE = click.Choice(["cpu", "cuda", "tpu"])
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class DefaultGroup(click.Group):
    """A group whose command may be left out: `ivy-convert SRC` is `ivy-convert convert SRC`.

    A file or folder named as a command is still reached, as `./verify`.
    """

    default = "convert"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = ("-h", "--help", "--version")
        if args and args[0] not in self.commands and args[0] not in own:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "SRC... --to NAME [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGUMENTS]", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        convert = self.commands[self.default]
        click.Command.format_options(convert, click.Context(convert, parent=ctx), formatter)
        self.format_commands(ctx, formatter)


class ConvertCommand(click.Command):
    """`--verify` takes its device only as `--verify=cuda`, so that a path may follow it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(
            ctx, ["--verify=cpu" if arg == "--verify" and at < end else arg for at, arg in enumerate(args)]
        )


@click.group(cls=DefaultGroup, context_settings=SETTINGS, no_args_is_help=True)
@click.version_option(package_name="ivy-convert", prog_name="ivy-convert")
def cli() -> None:
    """Rewrite Python source from one array framework into another.

    SRC is a file or a folder; the result is written to <SRC>_<target>/ and nothing is overwritten unasked.
    Exit codes: 0 done, 1 something to review (--check, --strict) or a failed verification, 2 wrong usage or
    unreadable input.
    """


@cli.command("convert", cls=ConvertCommand, hidden=True)
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "target", type=FRAMEWORK, help="The framework to write.")
@click.option("--from", "source", type=FRAMEWORK, help="The framework to read (default: detected).")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="OUT", help="Where to write the result.")
@click.option("--in-place", is_flag=True, help="Rewrite the source files themselves.")
@click.option("--diff", is_flag=True, help="Print what would change; write nothing.")
@click.option("--check", is_flag=True, help="Exit 1 if anything would change or needs review; write nothing.")
@click.option("--verify", metavar="[=cpu|cuda|tpu]", type=DEVICE, help="Run both versions and compare the numbers.")
@click.option("--inputs", type=click.Path(path_type=Path), metavar="FILE", help="Inputs for the verification.")
@click.option("--trace", metavar="COMMAND", help="Run this once, such as 'python train.py', and learn types from it.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE", help="Write a .json, .md, .html or .sarif.")
@click.option("--strict", is_flag=True, default=None, help="Exit 1 if anything is left over or needs review.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Number of processes (default: by size).")
@click.option("--select", multiple=True, metavar="PATTERN", help="Convert only these files, such as 'models/*'.")
@click.option("--ignore", multiple=True, metavar="PATTERN", help="Leave these files as they are, such as 'tests/*'.")
@click.option("--force", is_flag=True, help="Overwrite the output; rewrite in place over uncommitted changes.")
def convert(**arguments: Any) -> None:
    """Convert files and folders (the default command)."""
    from .convert import Request, run

    sys.exit(run(Request(**arguments)))


@cli.command()
@click.argument("original", type=click.Path(path_type=Path))
@click.argument("converted", type=click.Path(path_type=Path))
@click.option("--device", type=DEVICE, default="cpu", show_default=True, help="Where to run both.")
@click.option("--inputs", type=click.Path(path_type=Path), metavar="FILE", help="What to call them with.")
@click.option("--steps", type=click.IntRange(min=1), default=10, show_default=True, help="Training steps to compare.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds that one process may take.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE", help="Write a .json or .md report.")
def verify(**arguments: Any) -> None:
    """Run an original and its conversion and compare outputs, gradients, training and the repository's own tests.

    Names the first line at which the two part, and what the difference looks like. Inputs come from the repository's tests, its entry point and annotations, or from a Python file such as

    \b
    import numpy as np
    x = np.ones((2, 3), "float32")
    inputs = {
        "Net": ({"dim": 3}, (x,)),  # a class: what constructs it, what it is called with
        "losses:distance": (x, x),  # a function, here of the module `losses`
    }
    """
    from .verification import verify_command

    sys.exit(verify_command(**arguments))


@cli.command()
@click.argument("checkpoint", metavar="CKPT", type=click.Path(path_type=Path))
@click.option("--to", "target", type=FRAMEWORK, required=True, help="The framework to write it for.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="OUT", required=True, help="Where to write it.")
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def weights(**arguments: Any) -> None:
    """Convert a checkpoint: parameters, buffers, and what optimizers and schedules hold.

    CKPT is a .pt, .safetensors or .npz file, the .index.json of one in several files, or a folder with one of these.
    OUT is a .safetensors or .npz file (PyTorch: .pt), or a folder for it; the converted code's load() reads it.
    """
    from .weights import weights_command

    sys.exit(weights_command(**arguments))


@cli.command()
@click.argument("name", metavar="API")
@click.option("--to", "target", type=FRAMEWORK, help="Show only how this framework writes it.")
def explain(name: str, target: str | None) -> None:
    """Show what an API is and how each framework spells it, e.g. torch.gather."""
    from .tables import explain_command

    sys.exit(explain_command(name, target))


@cli.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "target", type=FRAMEWORK, required=True, help="The framework to write.")
@click.option("--from", "source", type=FRAMEWORK, help="The framework to read (default: detected).")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Number of processes (default: by size).")
def coverage(sources: tuple[Path, ...], target: str, source: str | None, jobs: int | None) -> None:
    """Count which APIs SRC uses and what a conversion makes of each; write nothing."""
    from .coverage import coverage_command

    sys.exit(coverage_command(sources, target, source, jobs))


@cli.group()
def maps() -> None:
    """Look after the tables in api_maps/."""


@maps.command("check")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def maps_check(folder: Path | None) -> None:
    """Load all tables strictly; print each mistake with file and line."""
    from .tables import maps_check_command

    sys.exit(maps_check_command(folder))


def one_line(error: click.ClickException) -> str:
    """What is wrong with the command line, and where the right words stand."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path.removesuffix(f" {DefaultGroup.default}") if context else "ivy-convert"
    return f"{message}: see {command} --help"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    from ..rewriter.problems import InputError

    try:
        sys.exit(cli(arguments, prog_name="ivy-convert", standalone_mode=False) or 0)
    except InputError as error:
        click.echo(f"ivy-convert: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"ivy-convert: {one_line(error)}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("ivy-convert: interrupted: your files are as they were", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone, as with `| head`
        sys.exit(0)
    except Exception:
        traceback.print_exc()
        click.echo("ivy-convert: failed through a mistake of its own: please report the lines above", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
