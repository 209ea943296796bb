"""What a user reads of a verification."""

from __future__ import annotations

from rich.console import Console

from ivy_convert.verify.comparison import Comparison, OwnTest, Speed, StageResult
from ivy_convert.verify.rendering import render

LINE = "model.py:14 `x = F.gelu(x)` → model.py:12 `x = jax.nn.gelu(x)` (x: error 3.2e-04)"
COMPARISON = Comparison(
    "net",
    "net_jax",
    stages=(
        StageResult("spec", "model", "passed"),
        StageResult("forward", "model:Net", "failed", 3.2e-4, 1e-5, "outputs", "body", LINE, "the tanh form of gelu"),
        StageResult("forward", "model:Body", "failed", 3.2e-4, 1e-5, "outputs", "", LINE),
        StageResult("forward", "model:load", "skipped", reason="could not be recorded"),
        StageResult("gradients", "model:Net", "failed", 4e-3, 1e-4, "parameters weight"),
        StageResult("random", "model:Net", "passed", reason="64 draws on each side"),
        StageResult("tests", "the repository's own tests", "failed", reason="1 of 2 pass; more"),
    ),
    tests=(
        OwnTest("tests/t.py::a", "passed", "passed"),
        OwnTest("tests/t.py::b", "passed", "failed", "assert 0 (t.py:3)"),
    ),
    speeds=(Speed("model:Net", (4e-3, 1e-3), (0.5, 1.0)),),
)


def test_what_a_user_reads() -> None:
    console = Console(width=140, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(render(COMPARISON), highlight=False)
    text = captured.get()
    assert "names and signatures: the same in 1 of 1 files" in text
    assert "model:Net         ✗ 3.2e-04  ✗ 4.0e-03  ✓" in text
    assert "first line  model.py:14 `x = F.gelu(x)`" in text and "→ model.py:12 `x = jax.nn.gelu(x)`" in text
    assert "looks like  the tanh form of gelu" in text
    assert "the same as for model:Net" in text
    assert "✗ model:Net, gradients" not in text  # what gives other outputs has other gradients too
    assert "the repository's own tests: 1 of 2 pass" in text and "tests/t.py::b (failed) assert 0 (t.py:3)" in text
    assert "model:load, forward: could not be recorded" in text
    assert "forward 4 ms → 1 ms (4.0 times as fast); training step 500 ms → 1 s (2.0 times as slow)" in text
