"""The repository's own tests before and after, test by test."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivy_convert.verify import Comparison, verify
from ivy_convert.verify.outcomes import Ran, compared, read_outcomes, stage_of_tests

MODEL = "import numpy\n\n\ndef double(x):\n    return x + x\n\n\ndef largest(x):\n    return {0}\n"
TESTS = """
import numpy
import pytest
from model import double, largest

@pytest.mark.parametrize("dtype", [{0}])
def test_double(dtype):
    assert float(double(numpy.ones(2, dtype=dtype)).sum()) == 4

def test_largest():
    assert largest(numpy.ones(3)) == 1

def test_wrong_before_and_after():
    assert 1 + 1 == 3, "not in this world"

def test_setup_error(no_such_fixture):
    pass

@pytest.mark.skip(reason="needs a moon")
def test_skipped():
    pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    assert False

def test_mended():
    assert {1}

def test_last():
    pass
"""


def repositories(folder: Path, largest: str) -> tuple[Path, Path]:
    """Two versions of a repository of two functions with nine tests; `largest` is the second's `largest(x)`."""
    dtypes = ("numpy.dtype(float), numpy.dtype('f4')", "numpy.float64, numpy.float32")
    for name, code, ids, mended in (("first", "x.max()", dtypes[0], "False"), ("second", largest, dtypes[1], "True")):
        (folder / name / "tests").mkdir(parents=True)
        (folder / name / "model.py").write_text(MODEL.format(code))
        (folder / name / "tests" / "test_model.py").write_text(TESTS.format(ids, mended))
    return folder / "first", folder / "second"


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return verify(*repositories(tmp_path_factory.mktemp("own"), "x.max() - 1"))


def test_each_test_has_its_outcome_on_both_sides(lost: Comparison) -> None:
    found = {one.test.partition("::")[2]: (one.before, one.after, one.verdict) for one in lost.tests}
    assert found == {
        "test_double[dtype0]": ("passed", "passed", "passes"),
        "test_double[dtype1]": ("passed", "passed", "passes"),
        "test_largest": ("passed", "failed", "lost"),
        "test_wrong_before_and_after": ("failed", "failed", "fails on both sides"),
        "test_setup_error": ("error", "error", "fails on both sides"),
        "test_skipped": ("skipped", "skipped", "not compared"),
        "test_expected_to_fail": ("skipped", "skipped", "not compared"),
        "test_mended": ("failed", "passed", "mended"),
        "test_last": ("passed", "passed", "passes"),
    }


def test_a_test_that_passed_and_does_not_now_fails_the_verification(lost: Comparison) -> None:
    stage = lost.stage("tests", "the repository's own tests")
    assert stage.status == "failed" and not lost.ok
    assert stage.reason.startswith("3 of 4 pass; 2 fail on both sides; tests/test_model.py::test_largest failed: ")
    assert "(test_model.py:11)" in stage.reason


def test_nothing_is_left_in_the_users_folders(tmp_path: Path) -> None:
    original, converted = repositories(tmp_path, "x.max()")
    before = sorted(tmp_path.rglob("*"))
    comparison = verify(original, converted)
    assert comparison.stage("tests", "the repository's own tests").status == "passed"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_test_that_ends_the_process_costs_only_itself(tmp_path: Path) -> None:
    original, converted = repositories(tmp_path, "__import__('os')._exit(7)")
    comparison = verify(original, converted)
    (crashed,) = [one for one in comparison.tests if one.test.endswith("test_largest")]
    assert crashed.verdict == "lost" and "did not end: ended with code 7" in crashed.message
    assert comparison.tests[0].verdict == "passes"
    assert comparison.tests[-1].after == "missing" and "was not reached" in comparison.tests[-1].message


def test_a_file_that_cannot_be_imported_fails_all_its_tests(tmp_path: Path) -> None:
    original, converted = repositories(tmp_path, "x.max()")
    file = converted / "tests" / "test_model.py"
    file.write_text("import nothing_of_that_name\n" + file.read_text())
    comparison = verify(original, converted)
    assert {one.verdict for one in comparison.tests if one.before == "passed"} == {"lost"}
    assert "No module named 'nothing_of_that_name'" in comparison.tests[0].message


def test_lines_that_stay_without_an_end(tmp_path: Path) -> None:
    lines = ['{"root": "/r"}', '{"test": "a", "outcome": "running", "message": ""}']
    (tmp_path / "outcomes.jsonl").write_text(
        "\n".join([*lines, '{"test": "b", "outcome": "collected", "message": ""}'])
    )
    found, root = read_outcomes(tmp_path)
    assert root == "/r" and found["a"].outcome == "error" and found["b"].outcome == "missing"


def test_no_test_that_passes_before() -> None:
    tests = compared({"t": Ran("t", "failed", "x")}, {"t": Ran("t", "passed")}, same_names=True)
    assert stage_of_tests(tests, "").status == "skipped"
