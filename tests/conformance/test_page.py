"""docs/coverage.md: each command writes its own parts, and the others stay."""

from __future__ import annotations

from pathlib import Path

from benchmarks.conformance.coverage import entry_part
from benchmarks.conformance.page import COVERAGE, HEAD, read_parts, write_parts
from benchmarks.conformance.results import Problem, Result


def test_a_part_takes_the_place_of_the_one_with_its_name(tmp_path: Path) -> None:
    page = tmp_path / "coverage.md"
    write_parts(page, {"JAX: operations": "old", "NumPy: totals": "numpy"})
    write_parts(page, {"JAX: operations": "new\n\n| a | b |\n", "of another day": "more"})
    assert list(read_parts(page).items()) == [
        ("NumPy: totals", "numpy"), ("JAX: operations", "new\n\n| a | b |"), ("of another day", "more"),
    ]  # fmt: skip


def test_the_committed_page_is_what_its_parts_make(tmp_path: Path) -> None:
    page = tmp_path / "coverage.md"
    write_parts(page, read_parts(COVERAGE))
    assert page.read_text(encoding="utf-8") == COVERAGE.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").startswith(HEAD)


def test_part_of_one_kind_of_entry() -> None:
    result = Result("Adam", "optimizers")
    result.add(Problem("agree", "loop", "float32", "", "", ""))
    (text,) = entry_part("JAX: optimizers", "optimizer", [result.to_dict()]).values()
    assert "100.0% supported; 1 supported, 0 partial" in text
    assert "| `Adam` | supported |  |" in text
