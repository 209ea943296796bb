"""The six repositories of fixtures/repositories, converted to JAX: nothing left over, and verified end to end."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

import ivy_convert
from ivy_convert.rewriter.repository import TreeResult, convert_files

REPOSITORIES = Path(__file__).resolve().parent.parent / "fixtures" / "repositories"
NAMES = ("classifier", "gpt", "unet", "tagger", "generative", "graph")


def python_files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.py"))}


@functools.cache
def converted(name: str) -> TreeResult:
    return convert_files(python_files(REPOSITORIES / name), "torch", "jax")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left(name: str) -> None:
    report = converted(name).report
    assert report.unsupported == ()
    assert [record for record in report.files if record.status == "failed"] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_torch_remains(name: str) -> None:
    for path, data in converted(name).files.items():
        lines = data.decode().splitlines()
        assert [line for line in lines if line.lstrip().startswith(("import torch", "from torch"))] == [], path


@pytest.mark.parametrize("name", NAMES)
def test_twice_changes_nothing(name: str) -> None:
    first = converted(name)
    assert convert_files({**first.files, **first.helpers}, "torch", "jax").files == {**first.files, **first.helpers}


@pytest.mark.parametrize("name", NAMES)
def test_jobs_do_not_change_the_result(name: str) -> None:
    again = convert_files(python_files(REPOSITORIES / name), "torch", "jax", jobs=2)
    assert again.files == converted(name).files
    assert again.report == converted(name).report


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_verified(name: str, tmp_path: Path) -> None:
    """Spec, forward, gradients, training and the repository's own tests, which run without torch on the JAX side."""
    out = tmp_path / name
    ivy_convert.convert_tree(REPOSITORIES / name, target="jax", out=out)
    comparison = ivy_convert.verify(REPOSITORIES / name, out)
    assert [stage for stage in comparison.stages if stage.status == "failed"] == []
    passed = {stage.name for stage in comparison.stages if stage.status == "passed"}
    assert {"spec", "forward", "gradients", "training", "tests"} <= passed
