"""Hand-written pairs: the right one passes every stage, and what goes wrong around it is reported."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ivy_convert.verify import Comparison, verify
from ivy_convert.verify.process import Side, run_worker

PAIRS = Path(__file__).parent / "pairs"
NET = PAIRS / "net"


@pytest.fixture(scope="module")
def right() -> Comparison:
    return verify(NET / "net.py", NET / "net_jax.py", inputs=NET / "inputs.py")


def test_right_conversion_passes_all_stages(right: Comparison) -> None:
    assert right.ok, right.failed
    stages = {(stage.name, stage.subject) for stage in right.stages if stage.status == "passed"}
    assert {(name, "net:Net") for name in ("forward", "gradients", "training")} <= stages
    assert ("training", "net:fit") in stages
    for stage in right.stages:
        limit = {"forward": 1e-5, "gradients": 1e-4, "training": 1e-4}.get(stage.name, math.inf)
        assert (stage.largest_error or 0.0) < limit


def test_comparison_as_a_dict(right: Comparison) -> None:
    content = right.to_dict()
    assert content["ok"] is True and content["device"] == "cpu"
    assert content["stages"][0] == {
        "name": "spec",
        "subject": "net",
        "status": "passed",
        "largest_error": None,
        "tolerance": None,
        "reason": "",
        "first_diverging": "",
        "line": "",
        "trap": "",
    }


def _only(subject: str, folder: Path) -> Path:
    """The pair's inputs for one subject."""
    name = subject.partition(":")[2]
    text = (NET / "inputs.py").read_text() + f"\n\neverything = inputs()\ninputs = {{{name!r}: everything[{name!r}]}}\n"
    (folder / "inputs.py").write_text(text)
    return folder / "inputs.py"


def test_changed_signature_and_missing_name(tmp_path: Path) -> None:
    code = (NET / "net_jax.py").read_text()
    code = code.replace("classes: int, *,", "*, classes: int,").replace("def accuracy", "def precision")
    (tmp_path / "net_jax.py").write_text(code)
    comparison = verify(NET / "net.py", tmp_path / "net_jax.py", inputs=NET / "inputs.py")
    reason = comparison.stage("spec", "net").reason
    assert "accuracy is missing" in reason and "Net.__init__" in reason
    assert comparison.stage("forward", "net:accuracy").status == "failed"


def test_the_original_framework_is_absent_on_the_converted_side(tmp_path: Path) -> None:
    code = "import torch\n" + (NET / "net_jax.py").read_text()
    (tmp_path / "net_jax.py").write_text(code)
    comparison = verify(NET / "net.py", tmp_path / "net_jax.py", inputs=NET / "inputs.py")
    assert "No module named 'torch'" in comparison.stage("forward", "net:Net").reason


def test_crash_costs_only_its_case(tmp_path: Path) -> None:
    code = (NET / "net_jax.py").read_text()
    code = code.replace("    return (logits.argmax", "    import os\n    os.abort()\n    return (logits.argmax")
    (tmp_path / "net_jax.py").write_text(code)
    comparison = verify(NET / "net.py", tmp_path / "net_jax.py", inputs=NET / "inputs.py")
    assert "ended with code" in comparison.stage("forward", "net:accuracy").reason
    assert comparison.stage("forward", "net:Net").status == "passed"


def test_worker_is_stopped_at_its_timeout(tmp_path: Path) -> None:
    from ivy_convert.verify.sources import locate

    (tmp_path / "slow.py").write_text("import numpy\nimport time\ntime.sleep(60)\n")
    inputs = tmp_path / "inputs.py"
    inputs.write_text("inputs = {'f': (1,)}\n")
    side = Side(locate(tmp_path / "slow.py"), "numpy")
    ended = run_worker(
        side,
        tmp_path / "out",
        "cpu",
        3.0,
        task="record",
        modules={"slow": str(tmp_path / "slow.py")},
        folder=str(tmp_path),
        inputs=str(inputs),
        tests=[],
        seconds=60,
    )
    assert ended.crashed and "stopped after 3 s" in ended.problem


def test_keras_target(tmp_path: Path) -> None:
    from ivy_convert.verify.spec import compare_spec

    everything = (NET / "inputs.py").read_text() + "\n\neverything = inputs()\n"
    (tmp_path / "inputs.py").write_text(everything + "inputs = {k: everything[k] for k in ('Block', 'accuracy')}\n")
    comparison = verify(NET / "net.py", NET / "net_keras.py", inputs=tmp_path / "inputs.py")
    for stage, limit in (("forward", 1e-5), ("gradients", 1e-4), ("training", 1e-4)):
        result = comparison.stage(stage, "net:Block")  # type: ignore[arg-type]
        assert result.status == "passed", result
        assert result.largest_error is not None and result.largest_error < limit
    assert comparison.stage("forward", "net:accuracy").status == "passed"
    spec = compare_spec("net", NET / "net.py", NET / "net_keras.py", {"Block": "Block", "accuracy": "accuracy"})
    assert spec.status == "passed"
