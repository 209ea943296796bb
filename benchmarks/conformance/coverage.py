"""Results as printed, and as the parts of docs/coverage.md: totals by area, and one line for each entry."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from .results import STATUSES, Result

TITLES = {"jax": "JAX", "numpy": "NumPy"}
_LONGEST_REASON = 160


def share(counts: Counter[str]) -> str:
    """The share of supported operations among those in scope."""
    scope = sum(counts.values()) - counts["out of scope"]
    return f"{counts['supported'] / scope:.1%}" if scope else "–"


def totals_text(target: str, found: list[dict[str, Any]]) -> str:
    """One line on all results of a target."""
    counts = Counter(result["status"] for result in found)
    return f"{target}: {share(counts)} supported; " + ", ".join(f"{counts[status]} {status}" for status in STATUSES)


def print_results(results: Iterator[Result], verbose: bool) -> list[dict[str, Any]]:
    """Print a line for each result that is not `supported`, and the totals; the results in their JSON form."""
    found = []
    start = time.monotonic()
    for result in results:
        found.append(result.to_dict())
        if result.status != "supported":
            outcomes = ", ".join(f"{n} {outcome}" for outcome, n in result.outcomes.items())
            print(f"{result.status:9} {result.name} ({outcomes}): {result.reason}", flush=True)
            for problem in result.problems if verbose else ():
                print(f"    [{problem.form}] {problem.outcome}: {problem.reason}\n{problem.source}\n", flush=True)
    print(f"{totals_text('jax', found)}  ({time.monotonic() - start:.0f} s)")
    return found


def exit_code(found: list[dict[str, Any]]) -> int:
    """1 if anything is wrong or crashed."""
    return int(any(result["status"] in ("wrong", "crashed") for result in found))


def operation_parts(target: str, found: list[dict[str, Any]], samples: int) -> dict[str, str]:
    """The two parts of the page on a target's operations; samples: how many were taken of each, 0 for all."""
    totals, operations = f"{TITLES[target]}: totals", f"{TITLES[target]}: operations"
    taken = f"{samples or 'All'} samples of each operation, torch {_torch_version()}."
    return {
        totals: f"## {totals}\n\n{taken}\n\n{_totals(found)}",
        operations: f"## {operations}\n\n{_entries('operation', found)}",
    }


def entry_part(title: str, kind: str, found: list[dict[str, Any]]) -> dict[str, str]:
    """The part of the page on all modules or optimizers; kind: the word for one of them."""
    totals = f"{totals_text(f'torch {_torch_version()}', found)}."
    return {title: f"## {title}\n\n{totals}\n\n{_entries(kind, found)}"}


def _torch_version() -> str:
    import torch

    return torch.__version__.partition("+")[0]


def _entries(kind: str, found: list[dict[str, Any]]) -> str:
    text = f"| {kind} | status | why |\n|---|---|---|\n"
    for result in sorted(found, key=lambda result: result["name"]):
        text += f"| `{result['name']}` | {result['status']} | {_why(result)} |\n"
    return text


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
    reason = reason or result.get("remark", "")
    reason = " ".join(reason.split()).replace("|", "\\|")
    return reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON].rsplit(" ", 1)[0] + " …"
