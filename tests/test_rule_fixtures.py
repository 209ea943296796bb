"""Each rule's fixture pair: `fixtures/rules/<rule>/in*.py` converts to `out*.<target>.py`, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

import ivy_convert

RULES = Path(__file__).resolve().parent.parent / "fixtures" / "rules"
PAIRS = [
    (source, output)
    for source in sorted(RULES.glob("*/in*.py"))
    for output in sorted(source.parent.glob(f"{source.stem.replace('in', 'out', 1)}.*.py"))
]


def own_code(code: str, source: str) -> str:
    """Converted text without the definitions of helpers, which have tests of their own."""
    start = code.find("\n\n# Helpers from ivy-convert.")
    if start < 0:
        return code
    first = next(line for line in source.splitlines() if line and not line.startswith(("import ", "from ", '"', "#", " ", ")")))
    name = first.partition("(")[0].partition(":")[0].partition(" =")[0].rstrip()
    return code[:start] + "\n\n" + code[code.index("\n" + name, start) :]


def test_every_fixture_has_an_output() -> None:
    sources = set(RULES.glob("*/in*.py"))
    assert sources == {source for source, _ in PAIRS}


@pytest.mark.parametrize(("source", "output"), PAIRS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_pair(source: Path, output: Path) -> None:
    text = source.read_text()
    target = output.name.split(".")[-2]
    result = ivy_convert.convert_source(text, None, target, filename=source.name)
    assert own_code(result.code, text) == output.read_text()


@pytest.mark.parametrize(("source", "output"), PAIRS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_twice_changes_nothing(source: Path, output: Path) -> None:
    target = output.name.split(".")[-2]
    once = ivy_convert.convert_source(source.read_text(), None, target).code
    assert ivy_convert.convert_source(once, "torch", target).code == once
