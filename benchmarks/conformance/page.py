"""docs/coverage.md is made of parts: a command writes its own, and leaves those of the others as they are.

A part begins with a line `<!-- part: NAME -->`. What stands above the first one is the head, which is always the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

COVERAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
#: The parts in the order in which a reader meets them; one that is not named here comes last.
ORDER = (
    "JAX: totals", "NumPy: totals", "JAX: modules", "JAX: optimizers", "helpers", "JAX: operations", "NumPy: operations",
)  # fmt: skip
HEAD = """# Coverage of PyTorch

`make conformance` writes this file; it is never edited by hand. It takes torch's own test databases of operations
(`op_db`), modules (`module_db`) and optimizers (`optim_db`), converts each entry through the public API, runs it and
compares it with torch.

- **Operations**: samples in float32 and some in int64, bool and complex64, each written as a person would write it (as
  a function, method, operator, with keywords, by position, in place). Compared are values, shapes, kinds of dtype and
  gradients; random draws by shape, kind and distribution.
- **Modules**: outputs, gradients of inputs and parameters, and buffers, in train and in eval mode, with torch's weights.
- **Optimizers**: all parameters and the loss after each of ten steps.

How an entry ends:

- **supported**: all samples agree in all forms. Arrays without axes, or of other elements than floats, for which the
  target raises an error are taken again with annotations that say so, such as `x: Int[torch.Tensor, "2 3"]`; where
  that was needed, the line begins with "annotated".
- **partial**: those that are converted agree; others are refused, with the reason.
- **refused**: left as it was, with the reason.
- **wrong**, **crashed**: our mistakes.
- **out of scope**: sparse, quantised, nested, CUDA only, internal to torch, or nothing that source text can say.
"""
_MARK = re.compile(r"^<!-- part: (.+) -->\n", re.MULTILINE)


def read_parts(path: Path) -> dict[str, str]:
    """The parts of the page by name."""
    if not path.exists():
        return {}
    pieces = _MARK.split(path.read_text(encoding="utf-8"))
    return {name: text.strip("\n") for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def write_parts(path: Path, parts: Mapping[str, str]) -> None:
    """Put parts into the page, each in the place of the one that had its name; the others stay."""
    known = {**read_parts(path), **{name: text.strip("\n") for name, text in parts.items()}}
    names = sorted(known, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    text = HEAD + "".join(f"\n<!-- part: {name} -->\n{known[name]}\n" for name in names)
    path.write_text(text, encoding="utf-8")
