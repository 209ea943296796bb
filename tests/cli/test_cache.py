"""A second run over the same input gives the same bytes and the same report, without converting anything again."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ivy_convert.rewriter import cache, repository
from ivy_convert.rewriter.report import OWN_FAILURE, FileRecord, Report, Site, TreeResult

from .conftest import Outcome, snapshot

Run = Callable[..., Outcome]
REPOSITORIES = Path(__file__).resolve().parent.parent.parent / "fixtures" / "repositories"


@pytest.fixture
def conversions(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Grows by one with every conversion that is really done."""
    done: list[object] = []
    convert = repository.convert_files

    def counted(*arguments: object, **options: object) -> object:
        done.append(arguments)
        return convert(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(repository, "convert_files", counted)
    yield done


def test_second_run_gives_the_same_without_converting(run: Run, source: Path, conversions: list[object]) -> None:
    (source / "odd.py").write_bytes("# -*- coding: latin-1 -*-\nimport torch  # é LEFT\nHELPER = 1\n".encode("latin-1"))
    (source / "bad.py").write_bytes(b"import torch\ndef broken(:\n")
    first = run("src", "--to", "jax", "-o", "one", "--report", "one.json")
    second = run("src", "--to", "jax", "-o", "two", "--report", "two.json")
    assert len(conversions) == 1
    assert snapshot(Path("one")) == snapshot(Path("two")) and "ivy_helpers.py" in snapshot(Path("one"))
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()
    assert (first.code, first.err) == (second.code, second.err)
    assert run("src", "--to", "jax", "--check").code == 2 and run("src", "--to", "jax", "--diff").out
    assert len(conversions) == 1


def test_anything_that_changes_the_result_is_converted_again(
    run: Run, source: Path, conversions: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def converted(*options: str) -> int:
        run("src", "--check", "--to", *options)
        return len(conversions)

    assert converted("jax") == 1 and converted("jax") == 1
    assert converted("numpy") == 2
    assert converted("jax", "--ignore", "pkg/*") == 3
    (source / "requirements.txt").write_bytes(b"torch>=2.1\n")
    assert converted("jax") == 4
    (source / "pkg" / "plain.py").write_bytes(b"x = 2\r\n")
    assert converted("jax") == 5
    (source / "pkg" / "plain.py").rename(source / "pkg" / "other.py")
    assert converted("jax") == 6 and converted("jax") == 6
    monkeypatch.setattr(cache, "_program", lambda: b"another version")
    assert converted("jax") == 7


def test_program_is_known_by_the_content_of_its_tables_and_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("api_maps/torch/a.yaml", "rules/b.py", "rewriter/c.py", "api_maps/jax/helpers/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    seen = {cache._program()}
    for number, path in enumerate(sorted(tmp_path.rglob("*.*")), 2):
        path.write_text("2")
        seen.add(cache._program())
        assert len(seen) == number


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "shared"])
def test_damaged_entry_counts_as_absent(run: Run, source: Path, conversions: list[object], damage: str) -> None:
    first = run("src", "--to", "jax", "--diff")
    (entry,) = Path(os.environ["XDG_CACHE_HOME"], "ivy-convert").glob("conversion-*")
    content = entry.read_bytes()
    if damage == "shared":
        entry.chmod(0o666)  # another user could have written it
    else:
        half = len(content) // 2
        entry.write_bytes(
            {"cut": content[:half], "changed": content[:half] + b"x" + content[half + 1 :]}.get(damage, b"")
        )
    second = run("src", "--to", "jax", "--diff")
    assert second.out == first.out and len(conversions) == 2
    assert entry.read_bytes() == content and run("src", "--to", "jax", "--diff").out == first.out
    assert len(conversions) == 2


def test_failure_of_our_own_is_tried_again(run: Run) -> None:
    report = Report("torch", "jax", (FileRecord("a.py", "failed", f"{OWN_FAILURE} on this file (MemoryError)"),))
    cache.store_conversion("conversion-0", {"a.py": b""}, TreeResult({"a.py": b""}, {}, report))
    assert cache.load_conversion("conversion-0", {"a.py": b""}) is None


def test_folder_that_cannot_be_written(run: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", "file/below")
    assert run("src", "--to", "jax", "--check").err == "" == run("src", "--to", "jax", "--check").err
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: (_ for _ in ()).throw(RuntimeError("no home"))))
    assert cache.cache_folder() is None and run("src", "--to", "jax", "--check").code == 1


def test_oldest_entries_go(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT_BYTES", 1000)
    for number in range(6):
        cache.write_entry(str(number), bytes(200))
        os.utime(Path(os.environ["XDG_CACHE_HOME"], "ivy-convert", str(number)), (number, number))
        cache.read_entry("0")  # used, so not old
    kept = sorted(path.name for path in Path(os.environ["XDG_CACHE_HOME"], "ivy-convert").iterdir())
    assert kept == ["0", "3", "4", "5"]
    cache.write_entry("large", bytes(600))
    assert cache.read_entry("large") is None


def test_runs_at_the_same_time(run: Run) -> None:
    content = [bytes([number]) * 100_000 for number in range(8)]

    def work(number: int) -> bool:
        for _ in range(20):
            cache.write_entry("shared", content[number])
            if cache.read_entry("shared") not in content:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert [path.name for path in Path(os.environ["XDG_CACHE_HOME"], "ivy-convert").iterdir()] == ["shared"]


def test_folder_is_private(run: Run, source: Path) -> None:
    run("src", "--to", "jax", "--check")
    folder = Path(os.environ["XDG_CACHE_HOME"], "ivy-convert")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_sites_come_back_equal(run: Run) -> None:
    site = Site("a.py", 1, 2, 3, 4, "torch.x", "x", "rule", "review", "why \ud800 é\n", "differs")
    other = dataclasses.replace(site, path="b\udce9.py", status="unsupported")
    report = Report.of("torch", "jax", [FileRecord("a.py", "converted", "", 3)], [site, other])
    result = TreeResult({"a.py": b"\xff\x00\r\n"}, {"h.py": b"x"}, report)
    cache.store_conversion("conversion-0", {"a.py": b"", "gone.py": b"x"}, result)
    assert cache.load_conversion("conversion-0", {"a.py": b"", "gone.py": b"x"}) == result


def test_real_repository_from_a_fresh_process(tmp_path: Path) -> None:
    """The real conversion: the second process writes and reports what the first did, and loads no parser for it."""
    shutil.copytree(REPOSITORIES / "classifier", tmp_path / "src")
    script = (
        "import sys; from ivy_convert.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('libcst' in sys.modules, 'yaml' in sys.modules, file=sys.stderr)\n"
    )
    outputs = []
    for name in ("one", "two"):
        command = [sys.executable, "-c", script, "src", "--to", "jax", "-o", name, "--report", f"{name}.json"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        outputs.append(
            subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        )
    assert outputs[0].stderr == "True True\n" and outputs[1].stderr == "False False\n"
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
