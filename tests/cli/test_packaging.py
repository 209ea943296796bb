"""The package as others get it: a wheel without any framework, and hooks run by the real pre-commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "import torch\n\n\ndef f(x: torch.Tensor):\n    return torch.exp(x)\n"

pytestmark = pytest.mark.slow


def call(*command: object, cwd: Path, code: int = 0, **environment: str) -> str:
    """Run a command, check its exit code, and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env={**os.environ, **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    return done.stdout


def checkout(folder: Path) -> Path:
    """The repository's own files as they are now, committed in a git repository of their own."""
    tracked = call("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in tracked:
        if not name.startswith(("tests/", "fixtures/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    call("git", "init", "-q", cwd=folder)
    call("git", "add", "-A", cwd=folder)
    call("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all", cwd=folder)


def test_wheel_runs_where_no_framework_is_installed(tmp_path: Path) -> None:
    source = checkout(tmp_path / "checkout")
    call(sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "-q", "-w", tmp_path, cwd=source)
    (wheel,) = tmp_path.glob("*.whl")
    call(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    binaries = tmp_path / "env" / "bin"
    call(binaries / "python", "-m", "pip", "install", "-q", wheel, cwd=tmp_path)
    call(binaries / "python", "-c", "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, "
         "['torch', 'jax', 'tensorflow', 'numpy', 'cli', 'rules', 'rewriter'])))", cwd=tmp_path)  # fmt: skip
    (tmp_path / "net.py").write_text(SOURCE)
    call(binaries / "ivy-convert", "net.py", "--to", "jax", cwd=tmp_path)
    assert "jnp.exp(x)" in (tmp_path / "net_jax.py").read_text()
    assert "no mistakes" in call(binaries / "ivy-convert", "maps", "check", cwd=tmp_path)


def test_hooks_under_the_real_pre_commit(tmp_path: Path) -> None:
    hooks = checkout(tmp_path / "hooks")
    revision = call("git", "rev-parse", "HEAD", cwd=hooks).strip()
    user = tmp_path / "user"
    user.mkdir()
    (user / "net.py").write_text(SOURCE)
    (user / "plain.py").write_text("x = 1\n")

    def configure(hook: str) -> None:
        (user / ".pre-commit-config.yaml").write_text(
            f"repos:\n- repo: {hooks}\n  rev: {revision}\n  hooks:\n  - id: {hook}\n    args: [--to, jax]\n"
        )

    def pre_commit(code: int) -> str:
        return call(
            sys.executable, "-m", "pre_commit", "run", "--all-files",
            cwd=user, code=code, PRE_COMMIT_HOME=str(tmp_path / "cache"),
        )  # fmt: skip

    configure("ivy-convert-check")
    commit(user)
    assert "would convert net.py" in pre_commit(1)
    assert (user / "net.py").read_text() == SOURCE
    configure("ivy-convert")
    assert "files were modified by this hook" in pre_commit(1)
    assert "jnp.exp(x)" in (user / "net.py").read_text() and (user / "plain.py").read_text() == "x = 1\n"
    call("git", "add", "-A", cwd=user)
    assert "Passed" in pre_commit(0)
    configure("ivy-convert-check")
    assert "Passed" in pre_commit(0)
