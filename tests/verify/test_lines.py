"""A conversion with one mistake in every function: its line is found, and what the mistake looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivy_convert.verify import Comparison, verify

PAIR = Path(__file__).parent / "pairs" / "traps"

# function, line of the original, line of the conversion, what the difference looks like
MISTAKES = [
    ("standardise", "scale = x.std(dim=0)", "scale = x.std(axis=0)", "a standard deviation with correction 0 in place of 1"),
    ("attend", "weights = F.softmax(scores, dim=1)", "weights = np.exp(", "softmax over axis 0 in place of axis 1, of scores"),
    ("frame", "wide = F.pad(", "wide = np.pad(", "zero padding in place of reflect padding, of image"),
    ("enlarge", "large = F.interpolate(", "large = _resize(", "linear with align_corners=False in place of"),
    ("flatten", "flat = image.flatten(1)", "flat = image.transpose(", "another layout: image is reshaped in axis order [0, 2, 3, 1]"),
    ("middle", "level = x.median(", "level = np.median(", "the mean of the two middle values in place of the lower one"),
    ("narrow", "scaled = x * 3", "scaled = (x * 3).astype(", "numbers rounded to float16"),
    ("share", "whole = torch.div(", "whole = steps // 3.0", "a division or rounding down in place of towards zero"),
    ("smooth", "return F.gelu(shifted)", "return 0.5 * shifted", "the tanh form of gelu in place of the exact one"),
]  # fmt: skip


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return verify(PAIR / "traps.py", PAIR / "traps_numpy.py", inputs=PAIR / "inputs.py")


def _line(file: str, text: str) -> str:
    """`traps.py:7` for the line that has the text."""
    lines = (PAIR / file).read_text().splitlines()
    return f"{file}:{next(number for number, line in enumerate(lines, 1) if text in line)} `{text}"


@pytest.mark.parametrize(("name", "theirs", "ours", "trap"), MISTAKES, ids=[one[0] for one in MISTAKES])
def test_line_and_trap(comparison: Comparison, name: str, theirs: str, ours: str, trap: str) -> None:
    result = comparison.stage("forward", f"traps:{name}")
    assert result.status == "failed"
    before, _, after = result.line.partition(" → ")
    assert before.startswith(_line("traps.py", theirs)) and after.startswith(_line("traps_numpy.py", ours)), result.line
    assert result.trap.startswith(trap)
