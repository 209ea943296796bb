"""explain, maps check, help and start-up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import Outcome

Run = Callable[..., Outcome]


def test_explain_shows_every_framework(run: Run) -> None:
    outcome = run("explain", "torch.exp")
    lines = outcome.out.splitlines()
    assert outcome.code == 0 and lines[0].startswith("exp(x: array")
    assert any(line.split()[0] == "jax" and "jax.numpy.exp" in line for line in lines[1:])
    assert run("explain", "Tensor.exp").out == outcome.out == run("explain", "torch.Tensor.exp").out
    only = run("explain", "torch.exp", "--to", "jax").out
    assert "numpy.exp(" in only and "torch.exp" not in only


def test_explain_unknown_name_offers_near_ones(run: Run) -> None:
    outcome = run("explain", "torch.exq")
    assert outcome.code == 2 and "torch.exq: no row in the tables: did you mean" in outcome.err
    assert "torch.exp" in outcome.err


def test_maps_check(run: Run, tmp_path: Path) -> None:
    outcome = run("maps", "check")
    assert outcome.code == 0 and outcome.out.splitlines()[-1].endswith("no mistakes")
    (tmp_path / "maps" / "canonical").mkdir(parents=True)
    (tmp_path / "maps" / "torch").mkdir()
    (tmp_path / "maps" / "canonical" / "a.yaml").write_text('exp: "(x: array)"\n')
    (tmp_path / "maps" / "torch" / "a.yaml").write_text('# a row\nexpp: "torch.exp(x)"\n')
    outcome = run("maps", "check", "maps")
    assert outcome.code == 2 and "torch/a.yaml:2" in outcome.err and "'expp'" in outcome.err
    assert run("maps", "check", "nowhere").code == 2


def test_help_names_every_option_and_command(run: Run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    for word in ("--to", "--in-place", "--diff", "--check", "--verify", "--report", "--strict", "--jobs", "--force"):
        assert word in outcome.out
    for command in ("verify", "weights", "explain", "coverage", "maps"):
        assert f"  {command} " in outcome.out
    assert run("--version").out.startswith("ivy-convert")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\nsys.argv = ['ivy-convert', '--help']\n"
        "try:\n    from ivy_convert.cli.main import main; main()\nexcept SystemExit: pass\n"
        "print(sorted({'libcst', 'yaml', 'rich', 'black', 'numpy', 'torch', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_starts_quickly() -> None:
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-m", "ivy_convert.cli.main", "--help"], capture_output=True, check=True)
        after = os.times()  # processor time: the clock would measure what else the machine is doing
        used = after.children_user + after.children_system - before.children_user - before.children_system
        seconds.append(used)
    assert min(seconds) < 0.3
