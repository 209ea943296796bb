"""What each option of the convert command writes, prints and answers."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ivy_convert.rewriter import repository

from .conftest import HELPERS, Outcome, snapshot

Run = Callable[..., Outcome]


def test_default_output_is_a_folder_beside_the_source(run: Run, source: Path) -> None:
    before = snapshot(source)
    outcome = run("src", "--to", "jax")
    assert outcome.code == 0 and outcome.err == ""
    assert snapshot(source) == before
    written = snapshot(source.with_name("src_jax"))
    assert set(written) == {"train.py", "pkg/plain.py", "data.csv", "requirements.txt"}
    assert written["train.py"] == b"import jax\n" and written["pkg/plain.py"] == b"x = 1\r\n"
    assert written["requirements.txt"].startswith(b"jax") and b"torch" not in written["requirements.txt"]
    assert "torch -> jax" in outcome.out and "1 converted, 0 to review, 0 left" in outcome.out
    assert not [path for path in source.parent.iterdir() if path.name.startswith(".")]


def test_modes_are_kept(run: Run, source: Path) -> None:
    (source / "train.py").chmod(0o755)
    (source / "data.csv").chmod(0o640)
    assert run("src", "--to", "jax", "-o", "out/deep").code == 0
    assert stat.S_IMODE(os.stat("out/deep/train.py").st_mode) == 0o755
    assert stat.S_IMODE(os.stat("out/deep/data.csv").st_mode) == 0o640


def test_single_file_and_its_helpers(run: Run, source: Path) -> None:
    (source / "model.py").write_bytes(b"import torch  # HELPER\n")
    assert run("src/model.py", "--to", "jax").code == 0
    assert (source / "model_jax.py").read_bytes() == b"import jax  # HELPER\n"
    assert (source / "ivy_helpers.py").read_bytes() == HELPERS
    assert run("src/model.py", "--to", "jax", "-o", "named.py").code == 0
    assert Path("named.py").read_bytes() == b"import jax  # HELPER\n"
    assert run("src/model.py", "--to", "jax", "-o", "folder").code == 0
    assert Path("folder/model.py").exists()


def test_helper_modules_are_joined(run: Run, source: Path) -> None:
    (source / "model.py").write_bytes(b"import torch  # HELPER\n")
    other = HELPERS.replace(b"clamp", b"other").replace(b"import jax\n", b"import jax\nimport math\n")
    (source / "ivy_helpers.py").write_bytes(other)
    assert run("src/model.py", "--to", "jax").code == 0
    joined = (source / "ivy_helpers.py").read_text()
    namespace: dict[str, object] = {}
    exec(joined, namespace)
    assert {"clamp", "other", "math", "jax"} <= set(namespace) and joined.count("import jax\n") == 1


def test_module_of_the_users_in_the_way_of_helpers(run: Run, source: Path) -> None:
    (source / "model.py").write_bytes(b"import torch  # HELPER\n")
    (source / "ivy_helpers.py").write_bytes(b"mine = 1\n")
    outcome = run("src/model.py", "--to", "jax")
    assert outcome.code == 2 and "ivy_helpers.py: is in the way" in outcome.err
    assert (source / "ivy_helpers.py").read_bytes() == b"mine = 1\n" and not (source / "model_jax.py").exists()


def test_several_sources(run: Run, source: Path) -> None:
    Path("one.py").write_bytes(b"import torch\n")
    outcome = run("src", "one.py", "--to", "jax", "--report", "r.json")
    assert outcome.code == 0
    assert Path("one_jax.py").exists() and Path("src_jax/train.py").exists()
    paths = [site["path"] for site in json.loads(Path("r.json").read_text())["converted"]]
    assert paths == ["one.py", "src/train.py"]
    assert run("src", "one.py", "--to", "jax", "-o", "both").code == 0
    assert set(snapshot(Path("both"))) >= {"one.py", "src/train.py"}


def test_in_place(run: Run, source: Path) -> None:
    assert run("src", "--to", "jax", "--in-place").code == 0
    after = snapshot(source)
    assert after["train.py"] == b"import jax\n" and after["pkg/plain.py"] == b"x = 1\r\n" and len(after) == 5
    assert run("src", "--to", "jax", "--in-place").out.startswith("nothing to convert")


def test_in_place_asks_before_rewriting_uncommitted_work(run: Run, source: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *arguments], cwd=source, check=True, capture_output=True)

    git("init")
    outcome = run("src", "--to", "jax", "--in-place")
    assert outcome.code == 2 and "uncommitted changes" in outcome.err and "--force" in outcome.err
    assert (source / "train.py").read_bytes() == b"import torch\n"
    git("add", ".")
    git("commit", "-m", "all")
    assert run("src", "--to", "jax", "--in-place").code == 0
    (source / "train.py").write_bytes(b"import torch\n# more\n")
    assert run("src", "--to", "jax", "--in-place").code == 2
    assert run("src", "--to", "jax", "--in-place", "--force").code == 0


def test_diff_applies_and_writes_nothing(run: Run, source: Path) -> None:
    (source / "crlf.py").write_bytes(b"import torch\r\nx = 1\x0c\r\ny = 2")
    (source / "helped.py").write_bytes(b"import torch  # HELPER")
    (source / "bl ank.py").write_bytes("# -*- coding: latin-1 -*-\nimport torch  # é\n".encode("latin-1"))
    before = snapshot(source.parent)
    outcome = run("src", "--to", "jax", "--diff")
    assert outcome.code == 0 and b"\x1b[" not in outcome.raw and snapshot(source.parent) == before
    assert outcome.raw.startswith(b"--- a/src/bl ank.py\t\n") and "sites:" in outcome.err
    subprocess.run(["git", "apply", "-p1", "-"], input=outcome.raw, cwd=source.parent, check=True)
    assert (source / "bl ank.py").read_bytes() == "# -*- coding: latin-1 -*-\nimport jax  # é\n".encode("latin-1")
    assert (source / "crlf.py").read_bytes() == b"import jax\r\nx = 1\x0c\r\ny = 2"
    assert (source / "ivy_helpers.py").read_bytes() == HELPERS


def test_check(run: Run, source: Path) -> None:
    before = snapshot(source.parent)
    outcome = run("src", "--to", "jax", "--check")
    assert outcome.code == 1 and "would convert src/train.py" in outcome.out and snapshot(source.parent) == before
    (source / "train.py").write_bytes(b"import jax\n")
    assert run("src", "--to", "jax", "--check").code == 0


def test_converted_files_do_not_hide_those_that_are_not(
    monkeypatch: pytest.MonkeyPatch, run: Run, source: Path
) -> None:
    """With the real detection: most of the files use the target already."""
    monkeypatch.undo()
    files = {f"{name}.py": b"import jax\nimport numpy\n" for name in "abc"}
    assert repository.detect_source(files) == "jax" == repository.detect_source(files, "jax")
    assert repository.detect_source(files | {"d.py": b"import torch\n"}) == "jax"
    assert repository.detect_source(files | {"d.py": b"import torch\n"}, "jax") == "torch"
    assert repository.detect_source({"a.py": b"import numpy\n"}, "jax") == "numpy"


def test_notebooks_are_named(run: Run, source: Path) -> None:
    (source / "demo.ipynb").write_text("{}")
    outcome = run("src", "--to", "jax")
    assert outcome.code == 0 and Path("src_jax/demo.ipynb").read_text() == "{}"
    assert outcome.err.startswith("ivy-convert: src/demo.ipynb: notebooks are not converted, copied as it is: export it")
    assert "nbconvert" in run("src/demo.ipynb", "--to", "jax").err


def test_strict_and_open_places(run: Run, source: Path) -> None:
    (source / "train.py").write_bytes(b"import torch\n\nx = 1  # REVIEW\ny = 2  # LEFT\n")
    outcome = run("src", "--to", "jax")
    assert outcome.code == 0
    assert "src/train.py:4:1 why unsupported" in outcome.out and "src/train.py:3:1 why review" in outcome.out
    assert run("src", "--to", "jax", "-o", "again", "--strict").code == 1
    assert Path("again").is_dir()


def test_existing_output_is_not_overwritten(run: Run, source: Path) -> None:
    out = source.with_name("src_jax")
    out.mkdir()
    assert run("src", "--to", "jax").code == 0  # an empty folder may be filled
    (out / "train.py").write_bytes(b"mine\n")
    (out / "notes.txt").write_bytes(b"keep\n")
    outcome = run("src", "--to", "jax")
    assert outcome.code == 2 and "src_jax: output exists and is not empty: choose another -o" in outcome.err
    assert (out / "train.py").read_bytes() == b"mine\n"
    assert run("src", "--to", "jax", "--force").code == 0
    assert (out / "train.py").read_bytes() == b"import jax\n" and (out / "notes.txt").exists()


def test_output_may_not_touch_the_source(run: Run, source: Path) -> None:
    for out in ("src/out", "src", "."):
        outcome = run("src", "--to", "jax", "-o", out, "--force")
        assert outcome.code == 2 and outcome.err.count("\n") == 1, out
    assert not (source / "out").exists()
    outcome = run("src/train.py", "--to", "jax", "-o", "src/train.py", "--force")
    assert outcome.code == 2 and "is the source itself" in outcome.err


def test_wrong_usage(run: Run, source: Path) -> None:
    assert run("src", "--to", "nothing").code == 2
    assert run("src").code == 2
    assert run("src", "--to", "jax", "--from", "jax").code == 2
    assert run("src", "--to", "jax", "--diff", "--check").code == 2
    assert run("src", "--to", "jax", "--diff", "--verify").code == 2
    assert run("src", "--to", "jax", "--report", "report.xml").code == 2
    assert run("--unknown").code == 2
    for arguments, message in (
        (["src"], "which framework is to be written? Give --to NAME, or `to` in [tool.ivy-convert]: see ivy-convert --help"),
        (["src", "--to", "jax", "--jobs", "0"], "Invalid value for '-j' / '--jobs': 0 is not in the range x>=1: see ivy-convert --help"),
        (["weights", "x.pt"], "Missing option '--to'. Choose from: jax, numpy, tensorflow, torch: see ivy-convert weights --help"),
    ):
        assert run(*arguments).err == f"ivy-convert: {message}\n"
    assert snapshot(source.parent).keys() == {f"src/{key}" for key in snapshot(source)}


def test_path_named_as_a_command(run: Run, source: Path) -> None:
    source.rename(source.with_name("verify"))
    assert run("./verify", "--to", "jax").code == 0
    assert Path("verify_jax/train.py").exists()
    assert run("--to", "jax", "--check", "verify").code == 1


def test_configuration(run: Run, source: Path) -> None:
    config = source / "pyproject.toml"
    config.write_text("[tool.ivy-convert]\nto = 'jax'\nexclude = ['pkg']\nstrict = true\nignore = ['left*']\n")
    (source / "left_alone.py").write_bytes(b"import torch\n")
    assert run("src").code == 0
    written = snapshot(source.with_name("src_jax"))
    assert written["left_alone.py"] == b"import torch\n" and "pkg/plain.py" not in written
    config.write_text("[tool.ivy-convert]\nfrobnicate = 1\n")
    outcome = run("src", "--to", "jax")
    assert outcome.code == 2 and "pyproject.toml: unknown key 'frobnicate'" in outcome.err
    for wrong in ("jobs = 0", "jobs = true", "exclude = 'x'", "to = 'cobol'", "strict = 1"):
        config.write_text(f"[tool.ivy-convert]\n{wrong}\n")
        assert wrong.split()[0] in run("src", "--to", "jax").err


def test_select(run: Run, source: Path) -> None:
    (source / "pkg" / "model.py").write_bytes(b"import torch\n")
    assert run("src", "--to", "jax", "--select", "pkg/*").code == 0
    written = snapshot(source.with_name("src_jax"))
    assert written["pkg/model.py"] == b"import jax\n" and written["train.py"] == b"import torch\n"


@pytest.mark.parametrize("suffix", ["json", "md", "html", "sarif"])
def test_reports(run: Run, source: Path, suffix: str) -> None:
    (source / "train.py").write_bytes(b"import torch\n\nx = 1  # REVIEW\ny = 2  # LEFT\n")
    assert run("src", "--to", "jax", "--report", f"reports/report.{suffix}").code == 0
    text = Path(f"reports/report.{suffix}").read_text()
    assert "train.py" in text and "why review" in text and "why unsupported" in text
    if suffix == "json":
        report = json.loads(text)
        assert list(report) == [
            "version", "source", "target", "files", "converted", "review", "unsupported", "verification",
        ]  # fmt: skip
        assert (report["version"], report["source"], report["target"]) == (1, "torch", "jax")
        assert report["review"][0]["path"] == "train.py" and report["review"][0]["line"] == 3
    if suffix == "sarif":
        places = [result["locations"][0]["physicalLocation"] for result in json.loads(text)["runs"][0]["results"]]
        assert [place["region"]["startLine"] for place in places] == [4, 3]
        assert {place["artifactLocation"]["uri"] for place in places} == {"src/train.py"}
    if suffix == "html":
        opened = re.findall(r"<(table|tr|td|th|ul|li|code|h1)\b", text)
        assert Counter(opened) == Counter(re.findall(r"</(\w+)>", text)) - Counter(["style", "title"])


def test_coverage(run: Run, source: Path) -> None:
    (source / "train.py").write_bytes(b"import torch\n\nx = 1  # REVIEW\ny = 2  # LEFT\n")
    outcome = run("coverage", "src", "--to", "jax")
    assert outcome.code == 0 and "1 APIs, 3 uses: 1 converted, 1 to review, 1 left (66.7% rewritten)" in outcome.out


def test_verify_after_conversion(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ivy_convert
    from ivy_convert.verify.comparison import Comparison, StageResult

    seen = []

    def verify(original: Path, converted: Path, inputs: object, device: str) -> Comparison:
        seen.append(((original / "train.py").read_bytes(), (converted / "train.py").read_bytes(), device))
        outcome = "failed" if device == "cuda" else "passed"
        return Comparison("a", "b", device, (StageResult("forward", "Net", outcome, 1e-7, 1e-5),))  # type: ignore[arg-type]

    monkeypatch.setattr(ivy_convert, "verify", verify)
    outcome = run("--verify", "src", "--to", "jax", "--report", "r.json")
    assert outcome.code == 0 and "verified" in outcome.out and "forward" in outcome.out
    assert json.loads(Path("r.json").read_text())["verification"]["ok"] is True
    assert run("src", "--to", "jax", "--in-place", "--verify=cuda").code == 1
    assert seen == [(b"import torch\n", b"import jax\n", "cpu"), (b"import torch\n", b"import jax\n", "cuda")]
