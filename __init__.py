"""ivy-convert: rewrites code from one array framework into another and proves that both compute the same.

The public API. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rewriter.report import Report
    from .verify.comparison import Comparison

__all__ = ["ConversionResult", "convert", "convert_source", "convert_tree", "transfer_weights", "verify"]


@dataclass(frozen=True)
class ConversionResult:
    """Converted source text with the report of what was done to it."""

    code: str
    report: Report


def convert_source(
    code: str, source: str | None = None, target: str = "jax", filename: str = "source.py"
) -> ConversionResult:
    """Convert the text of one Python file; helpers that it needs become part of the text.

    Raises ValueError when the text does not parse, or when no framework is given and none is imported.
    """
    from .rewriter.repository import convert_text, detect_source

    framework = source or detect_source({"source.py": code.encode()}, target)
    if framework is None:
        raise ValueError(f"{filename}: no framework is imported; say which one it is written for with source=...")
    text, report = convert_text(code, framework, target, filename)
    failed = [record for record in report.files if record.status == "failed"]
    if failed:
        raise ValueError(f"{filename}: {failed[0].reason}")
    return ConversionResult(text, report)


def convert_tree(
    path: str | Path,
    source: str | None = None,
    target: str = "jax",
    out: str | Path | None = None,
    trace: str | None = None,
) -> Report:
    """Convert a file or folder into `out` (default: beside it, named for the target).

    trace: a command that runs the source once, such as `python train.py --steps 1`; the types that it shows are used
    where the source does not tell them.

    Raises the errors that the command line reports: paths that do not exist, an output that exists.
    """
    from .cli.convert import convert_path

    return convert_path(Path(path), source, target, Path(out) if out is not None else None, trace)


def convert(obj: Any, to: str = "jax") -> Any:
    """Convert a live function, class, module object or installed package, and return the converted object."""
    from .rewriter.live import convert_object

    return convert_object(obj, to)


def transfer_weights(source_module: Any, target_module: Any) -> None:
    """Copy parameters and buffers by name, permuted by the axis names of the tables."""
    from .verify import transfer_weights as transfer

    transfer(source_module, target_module)


def verify(
    original: Any, converted: Any, inputs: Any = None, device: str = "cpu", *, steps: int = 10, timeout: float = 600.0
) -> Comparison:
    """Run both sides, each in a process of its own, and compare outputs, gradients and training steps."""
    from .verify import verify as run

    return run(original, converted, inputs=inputs, device=device, steps=steps, timeout=timeout)
