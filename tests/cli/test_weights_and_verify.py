"""The commands that reach into the verifier: what they hand over and how they answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ivy_convert
from ivy_convert.verify.comparison import Comparison, StageResult
from ivy_convert.verify.problems import VerifyError

from .conftest import Outcome

Run = Callable[..., Outcome]


def test_weights_keep_their_names_and_values(run: Run) -> None:
    arrays = {"fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "fc.bias": np.ones(2, np.float32)}
    np.savez("in.npz", **arrays)
    outcome = run("weights", "in.npz", "--to", "jax", "-o", "out.npz")
    assert outcome.code == 0 and outcome.out == "written to out.npz\n"
    written = np.load("out.npz")
    assert set(written) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(written[name], array)
    assert run("weights", "in.npz", "--to", "jax", "-o", "out.npz").code == 2
    assert run("weights", "in.npz", "--to", "jax", "-o", "out.npz", "--force").code == 0


def test_weights_that_cannot_be_read(run: Run) -> None:
    assert "nowhere.pt: no such file" in run("weights", "nowhere.pt", "--to", "jax", "-o", "o.npz").err
    Path("bad.npz").write_bytes(b"not a checkpoint")
    outcome = run("weights", "bad.npz", "--to", "jax", "-o", "o.npz")
    assert outcome.code == 2 and outcome.err.startswith("ivy-convert: bad.npz: ") and not Path("o.npz").exists()
    assert outcome.err.count("\n") == 1


def test_verify_answers_with_the_comparison(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = "passed"

    def verify(original: Path, converted: Path, inputs: object, device: str, **_: object) -> Comparison:
        if device == "tpu":
            raise VerifyError("no TPU is visible; use --device cpu")
        return Comparison("a", "b", device, (StageResult("training", "Net", status, 2e-7, 1e-4),))  # type: ignore[arg-type]

    monkeypatch.setattr(ivy_convert, "verify", verify)
    outcome = run("verify", "src", "src", "--report", "r.json")
    assert outcome.code == 0 and "training" in outcome.out and "2.0e-07" in outcome.out
    assert json.loads(Path("r.json").read_text())["verification"]["stages"][0]["largest_error"] == 2e-7
    status = "failed"
    outcome = run("verify", "src", "src")
    assert outcome.code == 1 and "NOT verified" in outcome.out
    outcome = run("verify", "src", "src", "--device", "tpu")
    assert outcome.code == 2 and "no TPU is visible" in outcome.err
