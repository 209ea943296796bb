"""Each rule's fixture pair: `fixtures/rules/<rule>/in*.py` converts to `out*.<target>.py`, byte for byte.

`python tests/test_rule_fixtures.py [rule ...]` writes the outputs anew; read the diff before committing it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ivy_convert.rewriter.repository import convert_files, detect_source

RULES = Path(__file__).resolve().parent.parent / "fixtures" / "rules"
PAIRS = [
    (source, output)
    for source in sorted(RULES.glob("*/in*.py"))
    for output in sorted(source.parent.glob(f"{source.stem.replace('in', 'out', 1)}.*.py"))
]


def converted(text: bytes, target: str) -> bytes:
    files = {"module.py": text}
    return convert_files(files, detect_source(files) or "torch", target).files["module.py"]


def test_every_fixture_has_an_output() -> None:
    assert set(RULES.glob("*/in*.py")) == {source for source, _ in PAIRS}


@pytest.mark.parametrize(("source", "output"), PAIRS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_pair(source: Path, output: Path) -> None:
    target = output.name.split(".")[-2]
    assert converted(source.read_bytes(), target).decode() == output.read_text()


@pytest.mark.parametrize(("source", "output"), PAIRS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_twice_changes_nothing(source: Path, output: Path) -> None:
    files = {"module.py": output.read_bytes()}
    target = output.name.split(".")[-2]
    framework = detect_source({"module.py": source.read_bytes()}) or "torch"
    assert convert_files(files, framework, target).files == files


if __name__ == "__main__":
    for source in sorted(RULES.glob("*/in*.py")):
        if len(sys.argv) == 1 or source.parent.name in sys.argv[1:]:
            outputs = [output for pair, output in PAIRS if pair == source]
            for output in outputs or [source.with_name(f"{source.stem.replace('in', 'out', 1)}.jax.py")]:
                output.write_bytes(converted(source.read_bytes(), output.name.split(".")[-2]))
