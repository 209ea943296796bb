"""Packages that nobody wrote for this converter: they convert whole, and their models compute the same numbers.

Each model is built on both sides in a process of its own, gets the same weights and inputs, and is compared forward
and backward (gradients of inputs and of all parameters). What torch-free conversion allows runs with torch refused.
The everyday part compares a few models; `-m slow` sweeps over all of `installed_packages/cases.py`.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from ivy_convert.rewriter.repository import TreeResult, convert_files

from .installed_packages.cases import CASES, Case

WORKER = Path(__file__).parent / "installed_packages" / "worker.py"
# A package, with the packages of torch code that it imports: they have to come along.
PACKAGES = {"vit_pytorch": ("vit_pytorch",), "x_transformers": ("x_transformers", "torch_einops_utils")}
# What cannot be imported beside the converted package; the second keeps code that only torch has, with its imports.
REFUSED = {"vit_pytorch": "torch,tensorflow", "x_transformers": "tensorflow"}
ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
# Gradients that are zero but for rounding (a bias in front of a norm or a softmax) are measured by the others.
SMALLEST_SHARE = 0.01


def _site_packages() -> Path:
    spec = importlib.util.find_spec("vit_pytorch")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parents[1]


def _sources(names: Sequence[str]) -> dict[str, bytes]:
    root = _site_packages()
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for name in names
        for path in sorted((root / name).rglob("*.py"))
    }


@pytest.fixture(scope="session")
def conversions() -> dict[str, TreeResult]:
    return {package: convert_files(_sources(names), "torch", "jax") for package, names in PACKAGES.items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_fails(package: str, conversions: Mapping[str, TreeResult]) -> None:
    report = conversions[package].report
    assert [(record.path, record.reason) for record in report.files if record.status == "failed"] == []
    assert len(report.converted) > 1000


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_parses(package: str, conversions: Mapping[str, TreeResult]) -> None:
    result = conversions[package]
    assert result.files.keys() == _sources(PACKAGES[package]).keys()
    for path, data in {**result.files, **result.helpers}.items():
        ast.parse(data, filename=path)


@pytest.mark.parametrize("package", PACKAGES)
def test_twice_changes_nothing(package: str, conversions: Mapping[str, TreeResult]) -> None:
    result = conversions[package]
    again = convert_files({**result.files, **result.helpers}, "torch", "jax").files
    assert [path for path, data in result.files.items() if again[path] != data] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_leftover_has_a_reason_in_report_and_code(
    package: str, conversions: Mapping[str, TreeResult]
) -> None:
    result = conversions[package]
    for site in result.report.unsupported:
        assert site.reason, site
        assert " ".join(site.reason.split()) in result.files[site.path].decode(), site
    assert all(site.reason for site in result.report.review)


def _start(side: str, packages: Path, cases: Sequence[Case], folder: Path, refused: str = "") -> subprocess.Popen[bytes]:
    texts = json.dumps([case.to_json() for case in cases])
    command = [sys.executable, str(WORKER), side, str(packages), texts, str(folder), refused]
    return subprocess.Popen(command, env={**os.environ, **ENVIRONMENT})


def _results(cases: Sequence[Case], conversions: Mapping[str, TreeResult], factory: pytest.TempPathFactory) -> Path:
    """The folder with both sides' results of these cases; on the JAX side one process for each package."""
    converted, folder = factory.mktemp("converted"), factory.mktemp("results")
    for result in conversions.values():
        for path, data in {**result.files, **result.helpers}.items():
            (converted / path).parent.mkdir(parents=True, exist_ok=True)
            (converted / path).write_bytes(data)
    assert _start("torch", _site_packages(), cases, folder).wait() == 0
    processes = []
    for package, refused in REFUSED.items():
        own = [case for case in cases if case.model["$"].startswith(f"{package}.")]
        processes.append(_start("jax", converted, own, folder, refused))
    assert [process.wait() for process in processes] == [0] * len(processes)
    return folder


@pytest.fixture(scope="session")
def quick_results(conversions: dict[str, TreeResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _results([case for case in CASES if case.quick], conversions, tmp_path_factory)


@pytest.fixture(scope="session")
def slow_results(conversions: dict[str, TreeResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _results([case for case in CASES if not case.quick], conversions, tmp_path_factory)


def _load(folder: Path, case: Case, side: str) -> dict[str, np.ndarray]:
    failure = folder / f"{case.name}.{side}.txt"
    assert not failure.exists(), failure.read_text()
    with np.load(folder / f"{case.name}.{side}.npz") as stored:
        return dict(stored)


def _compare(case: Case, folder: Path) -> None:
    expected, actual = _load(folder, case, "torch"), _load(folder, case, "jax")
    names = [name for name in expected if name.startswith(("output ", "gradient ", "input gradient "))]
    assert any(name.startswith("output ") for name in names)
    assert any(name.startswith("gradient ") for name in names)
    kinds = {name: name.rpartition(" ")[0].split(" ")[-1] for name in names}
    largest = dict.fromkeys(kinds.values(), 1e-06)
    for name in names:
        largest[kinds[name]] = max(largest[kinds[name]], float(np.abs(expected[name]).max(initial=0)))
    for name in names:
        assert name in actual, f"{name} is missing in the converted model"
        assert actual[name].shape == expected[name].shape, name
        magnitude = max(float(np.abs(expected[name]).max(initial=0)), SMALLEST_SHARE * largest[kinds[name]])
        error = float(np.abs(actual[name] - expected[name]).max(initial=0)) / magnitude
        assert error <= (case.forward if name.startswith("output ") else case.backward), (name, error)


@pytest.mark.parametrize("case", [case for case in CASES if case.quick], ids=lambda case: case.name)
def test_model(case: Case, quick_results: Path) -> None:
    _compare(case, quick_results)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if not case.quick], ids=lambda case: case.name)
def test_more_models(case: Case, slow_results: Path) -> None:
    _compare(case, slow_results)
