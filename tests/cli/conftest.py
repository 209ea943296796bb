"""A stand-in for the conversion itself, so that these tests are about files, options and exit codes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivy_convert.cli.main import main
from ivy_convert.rewriter import repository
from ivy_convert.rewriter.report import FileRecord, Report, Site

HELPERS = b'"""Helpers."""\n\nimport jax\n\n\ndef clamp(x):\n    return jax.numpy.clip(x, 0, 1)\n'


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str
    raw: bytes = b""  # what was written on stdout


def fake_convert_files(
    files: Mapping[str, bytes],
    source: str,
    target: str,
    *,
    jobs: int = 1,
    on_file: Callable[[FileRecord], None] | None = None,
    observations: object = None,
) -> repository.TreeResult:
    """`import torch` becomes `import jax`; the words REVIEW, LEFT and HELPER in a file ask for just that."""
    records, sites, converted, helpers = [], [], {}, {}
    for path, content in files.items():
        new = content.replace(b"import torch", b"import jax")
        record = FileRecord(path, "converted" if new != content else "unchanged", "", content.count(b"\n"))
        try:
            ast.parse(content)
        except (SyntaxError, ValueError) as error:
            new, record = content, FileRecord(path, "failed", f"line 1: {error}; correct the file or exclude it")
        for word, status in ((b"import torch", "converted"), (b"REVIEW", "review"), (b"LEFT", "unsupported")):
            if word in content and record.status != "failed":
                line = content[: content.index(word)].count(b"\n") + 1
                sites.append(Site(path, line, 0, line, 9, "torch.x", "x", "", status, f"why {status}"))  # type: ignore[arg-type]
        if b"HELPER" in content:
            helpers["ivy_helpers.py"] = HELPERS
        converted[path] = new
        records.append(record)
        if on_file is not None:
            on_file(record)
    return repository.TreeResult(converted, helpers, Report.of(source, target, records, sites))


def fake_detect_source(files: Mapping[str, bytes], target: str | None = None) -> str | None:
    for framework in ("torch", "jax"):
        if any(f"import {framework}".encode() in content for content in files.values()):
            return framework
    return None


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Callable[..., Outcome]:
    """Run the command line in an empty folder, with the stand-in conversion and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(repository, "convert_files", fake_convert_files)
    monkeypatch.setattr(repository, "detect_source", fake_detect_source)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsysbinary.readouterr()
        return Outcome(int(stop.value.code or 0), captured.out.decode("utf-8", "replace"), captured.err.decode(), captured.out)

    return call


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small repository: two Python files, data, a folder of a tool's own state."""
    root = tmp_path / "src"
    (root / "pkg").mkdir(parents=True)
    (root / "__pycache__").mkdir()
    (root / "train.py").write_bytes(b"import torch\n")
    (root / "pkg" / "plain.py").write_bytes(b"x = 1\r\n")
    (root / "data.csv").write_bytes(b"1,2\n")
    (root / "requirements.txt").write_bytes(b"torch>=2\nnumpy\n")
    (root / "__pycache__" / "train.pyc").write_bytes(b"\0")
    return root


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
