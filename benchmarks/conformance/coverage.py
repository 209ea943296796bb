"""docs/coverage.md, from results: totals by area, then one line for each operation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from .results import STATUSES

TITLES = {"jax": "JAX", "numpy": "NumPy"}
_LONGEST_REASON = 160

_HEAD = """# Coverage of torch's operations

`make conformance` writes this file; it is never edited by hand. Every entry of torch's own test database of
operations (`op_db`, torch {version}) is taken with {samples} samples, in float32 and some in int64, bool and complex64.
Each sample is written as a person would write it (as a function, method, operator, with keywords, by position, in
place), converted through the public API, run, and compared with torch: values, shapes, kinds of dtype and gradients;
random draws by shape, kind and distribution.

- **supported**: all samples agree in all forms.
- **partial**: those that are converted agree; others are refused, with the reason.
- **refused**: left as it was, with the reason.
- **wrong**, **crashed**: our mistakes.
- **out of scope**: sparse, quantised, nested, CUDA only, internal to torch, or nothing that source text can say.
"""


def share(counts: Counter[str]) -> str:
    """The share of supported operations among those in scope."""
    scope = sum(counts.values()) - counts["out of scope"]
    return f"{counts['supported'] / scope:.1%}" if scope else "–"


def totals_text(target: str, found: list[dict[str, Any]]) -> str:
    """One line on all results of a target."""
    counts = Counter(result["status"] for result in found)
    return f"{target}: {share(counts)} supported; " + ", ".join(f"{counts[status]} {status}" for status in STATUSES)


def write(path: Path, results: dict[str, list[dict[str, Any]]], samples: int) -> None:
    """Write the coverage table of all targets."""
    import torch

    text = _HEAD.format(version=torch.__version__.partition("+")[0], samples=samples or "all")
    for target, found in results.items():
        text += f"\n## {TITLES[target]}: totals\n\n{_totals(found)}"
    for target, found in results.items():
        text += f"\n## {TITLES[target]}: operations\n\n| operation | status | why |\n|---|---|---|\n"
        for result in sorted(found, key=lambda result: result["name"]):
            text += f"| `{result['name']}` | {result['status']} | {_why(result)} |\n"
    path.write_text(text, encoding="utf-8")


def _totals(found: list[dict[str, Any]]) -> str:
    lines = [f"| area | {' | '.join(STATUSES)} | share |", "|---|" + "---:|" * (len(STATUSES) + 1)]
    by_area: dict[str, Counter[str]] = {}
    for result in found:
        by_area.setdefault(result["area"], Counter())[result["status"]] += 1
    rows = [*sorted(by_area.items()), ("**all**", sum(by_area.values(), Counter()))]
    for area, counts in rows:
        lines.append(f"| {area} | {' | '.join(str(counts[status]) for status in STATUSES)} | {share(counts)} |")
    return "\n".join(lines) + "\n"


def _why(result: dict[str, Any]) -> str:
    reason = result["reason"]
    if not reason and result["no_gradient"]:
        reason = f"no gradient in the target: {result['no_gradient']}"
    reason = " ".join(reason.split()).replace("|", "\\|")
    return reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON].rsplit(" ", 1)[0] + " …"
