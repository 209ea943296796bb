"""Input that cannot be used gets one clear line with a remedy; everything else is converted, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ivy_convert.rewriter import placing, repository, tree
from ivy_convert.rewriter.placing import replace_files

from .conftest import Outcome, snapshot

Run = Callable[..., Outcome]


def assert_one_line(outcome: Outcome, *words: str, code: int = 2) -> None:
    lines = outcome.err.splitlines()
    assert outcome.code == code, outcome
    assert len(lines) == 1 and lines[0].startswith("ivy-convert: ") and lines[0].count(": ") >= 3, lines
    for word in words:
        assert word in lines[0], lines


def test_path_that_does_not_exist(run: Run) -> None:
    assert_one_line(run("nowhere", "--to", "jax"), "nowhere", "no such file or folder", "check the spelling")
    assert_one_line(run("verify", "nowhere", "there"), "nowhere: no such file")
    assert_one_line(run("coverage", "nowhere", "--to", "jax"), "nowhere: no such file")


def test_words_about_a_verification_are_read_before_any_work(run: Run, source: Path) -> None:
    outcome = run("src", "--to", "jax", "--verify", "--inputs", "nowhere.py")
    assert_one_line(outcome, "nowhere.py: no such file: check the spelling")
    outcome = run("verify", "src", "src", "--report", "report.txt")
    assert outcome.code == 2 and outcome.err.startswith("ivy-convert: --report report.txt: end its name in .json")
    assert not Path("src_jax").exists()


def test_folder_without_python_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    assert_one_line(run("empty", "--to", "jax"), "empty: no Python files here")
    assert_one_line(run("empty/notes.txt", "--to", "jax"), "not a Python file")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"import torch\ndef broken(:\n", "invalid syntax"),
        (b"import torch\nprint 'hello'\n", "Python 2"),
        (b"import torch\nraise ValueError, 'x'\n", ""),
        (b"import torch\nx = '\xe9'\n", "coding"),
        (b"# -*- coding: klingon -*-\nimport torch\n", "klingon"),
        (b"import torch\0\n", ""),
    ],
    ids=["syntax", "python2-print", "python2-raise", "latin-1", "unknown-coding", "null-byte"],
)
def test_file_that_does_not_parse(
    monkeypatch: pytest.MonkeyPatch, run: Run, source: Path, content: bytes, word: str
) -> None:
    """With the real conversion: the file is copied as it is and named, the others are converted."""
    monkeypatch.undo()
    monkeypatch.chdir(source.parent)
    (source / "bad.py").write_bytes(content)
    outcome = run("src", "--to", "jax", "--from", "torch")
    assert_one_line(outcome, "src/bad.py: ", word, "left as it was")
    assert Path("src_jax/bad.py").read_bytes() == content
    assert b"torch" not in Path("src_jax/train.py").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        "# -*- coding: latin-1 -*-\nimport torch\n\nname = 'é'\ny = torch.exp(torch.ones(2))\n".encode("latin-1"),
        "\ufeffimport torch\n\ny = torch.exp(torch.ones(2))  # é\n".encode(),
        b"import torch\r\n\r\ny = torch.exp(torch.ones(2))\r\nz = 1\r\n",
        b"import torch\n\x0c\ny = torch.exp(torch.ones(2))\n\x0c\nz = 1\n",
        b"import torch\n\ndef f(x):\n\tif x:\n\t\ty = torch.exp(torch.ones(2))\n\t\treturn y\n\treturn  1\n",
        b"import torch\n\ny = torch.exp(torch.ones(2))",
    ],
    ids=["coding-line", "byte-order-mark", "crlf", "form-feed", "tabs", "no-newline-at-the-end"],
)
def test_unusual_bytes_survive(monkeypatch: pytest.MonkeyPatch, run: Run, source: Path, content: bytes) -> None:
    """With the real conversion: every line without the framework is byte for byte what it was."""
    monkeypatch.undo()
    monkeypatch.chdir(source.parent)
    (source / "odd.py").write_bytes(content)
    outcome = run("src", "--to", "jax")
    assert outcome.code == 0 and outcome.err == ""
    written = Path("src_jax/odd.py").read_bytes()
    assert b"torch" not in written and b"jnp.exp(jnp.ones(" in written
    kept = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if b"torch" not in line]
    assert kept == [line for line in written.split(b"\n") if b"jax" not in line and b"jnp" not in line]
    assert written.endswith(b"\n") == content.endswith(b"\n")
    assert written.startswith(b"\xef\xbb\xbf") == content.startswith(b"\xef\xbb\xbf")


def test_symbolic_links(run: Run, source: Path) -> None:
    (source / "pkg" / "loop").symlink_to("..")
    (source / "self.py").symlink_to("self.py")
    (source / "same.py").symlink_to("train.py")
    (source / "dangling").symlink_to("nowhere")
    outcome = run("src", "--to", "jax")
    assert outcome.code == 0
    lines = sorted(outcome.err.splitlines())
    assert [line.split(": ")[1] for line in lines] == ["src/dangling", "src/pkg/loop", "src/self.py"]
    assert "symbolic link loop, left out: remove the link" in lines[1] and "loop" in lines[2]
    assert os.readlink("src_jax/same.py") == "train.py" and Path("src_jax/same.py").read_bytes() == b"import jax\n"
    assert not os.path.lexists("src_jax/pkg/loop")
    assert_one_line(run("src/self.py", "--to", "jax"), "self.py: symbolic link loop: name the real file")


def test_link_out_of_the_source(run: Run, source: Path) -> None:
    outside = source.parent / "outside.py"
    outside.write_bytes(b"import torch\n")
    (source / "linked.py").symlink_to("../outside.py")
    outcome = run("src", "--to", "jax", "--in-place")
    assert outcome.code == 0 and "src/linked.py: symbolic link out of the source, not converted" in outcome.err
    assert outside.read_bytes() == b"import torch\n"
    assert run("src/linked.py", "--to", "jax", "--in-place").code == 0
    assert (source / "linked.py").is_symlink() and outside.read_bytes() == b"import jax\n"


def test_pipe_among_the_files(run: Run, source: Path) -> None:
    os.mkfifo(source / "queue")
    assert run("src", "--to", "jax").code == 0
    assert not Path("src_jax/queue").exists()


def test_unreadable_file(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "secret.py").write_bytes(b"import torch\n")
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "secret.py":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(tree.Path, "read_bytes", refuse)
    outcome = run("src", "--to", "jax")
    monkeypatch.undo()
    assert_one_line(outcome, "src/secret.py: may not be read: check its permissions")
    assert (source.parent / "src_jax" / "train.py").read_bytes() == b"import jax\n"


def test_write_protected_file_in_place(run: Run, source: Path) -> None:
    (source / "a.py").write_bytes(b"import torch\n")
    (source / "train.py").chmod(0o444)
    before = snapshot(source)
    assert_one_line(run("src", "--to", "jax", "--in-place"), "train.py: is write-protected")
    assert snapshot(source) == before


def test_read_only_target(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**where: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(placing.tempfile, "mkdtemp", refuse)
    assert_one_line(run("src", "--to", "jax"), "src_jax: may not be written")
    assert not Path("src_jax").exists()


def test_full_disk_while_writing_a_folder(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes = Path.write_bytes

    def fail(path: Path, content: bytes) -> int:
        if path.name == "train.py":
            raise OSError(28, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(placing.Path, "write_bytes", fail)
    assert_one_line(run("src", "--to", "jax"), "src_jax: cannot be written (No space left on device)")
    assert [path.name for path in source.parent.iterdir()] == ["src"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_failure_half_way_in_place_puts_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, at: int
) -> None:
    contents: Mapping[Path, bytes] = {tmp_path / name: b"new" for name in ("a.py", "b.py", "c.py", "n/d.py")}
    for name in "abc":
        (tmp_path / f"{name}.py").write_bytes(b"old " + name.encode())
    before, replace, calls = snapshot(tmp_path), os.replace, []

    def fail(old: Path, new: Path) -> None:
        calls.append(new)
        if len(calls) == at:
            raise failure
        replace(old, new)

    monkeypatch.setattr(placing.os, "replace", fail)
    with pytest.raises((placing.InputError, KeyboardInterrupt)):
        replace_files(contents)
    assert snapshot(tmp_path) == before and not (tmp_path / "n").exists()


def test_success_leaves_no_temporary_files(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"old")
    (tmp_path / "a.py").chmod(0o755)
    replace_files({tmp_path / "a.py": b"new", tmp_path / "b.py": b"new"})
    assert snapshot(tmp_path) == {"a.py": b"new", "b.py": b"new"}
    assert (tmp_path / "a.py").stat().st_mode & 0o777 == 0o755


def test_interrupt_while_converting(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(repository, "convert_files", interrupted)
    before = snapshot(source)
    for mode in (["--in-place"], ["-o", "out"]):
        outcome = run("src", "--to", "jax", *mode)
        assert outcome.code == 130 and outcome.err.strip() == "ivy-convert: interrupted: your files are as they were"
    assert snapshot(source) == before and not Path("out").exists()


def test_control_c_of_a_real_process(source: Path) -> None:
    """A long conversion is stopped by SIGINT; the source is whole and no half-written output stands beside it."""
    for number in range(40):
        lines = "".join(f"def f{line}(x):\n    return torch.exp(x) + {line}\n" for line in range(200))
        (source / f"m{number}.py").write_text("import torch\n" + lines)
    before = snapshot(source)
    command = [sys.executable, "-m", "ivy_convert.cli.main", "src", "--to", "jax", "--in-place", "--jobs", "2"]
    process = subprocess.Popen(
        command, cwd=source.parent, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        # A shell that runs the tests in the background has them ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and errors.splitlines()[-1].startswith("ivy-convert: interrupted"), errors
    assert "Traceback" not in errors
    assert snapshot(source) == before


@pytest.mark.slow
def test_file_of_thirty_thousand_lines(source: Path) -> None:
    body = "".join(f"def f{n}(x):\n    # step {n}\n    return torch.exp(x) + {n}\n" for n in range(10_000))
    (source / "long.py").write_text("import torch\n" + body)
    command = [sys.executable, "-m", "ivy_convert.cli.main", "src", "--to", "jax"]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    written = (source.parent / "src_jax" / "long.py").read_text()
    assert written.count("jnp.exp(x)") == 10_000 and "torch" not in written


def test_broken_pipe(source: Path) -> None:
    command = f"{sys.executable} -m ivy_convert.cli.main --help | true"
    done = subprocess.run(command, shell=True, cwd=source, capture_output=True, text=True)
    assert done.stderr == ""
