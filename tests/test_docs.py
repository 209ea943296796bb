"""What docs/ say is so: every module is named, and a mapping is added by the line that the page shows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ivy_convert.rewriter import repository
from ivy_convert.rewriter.table_loader import API_MAPS, load_tables

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SOURCE = b"import torch\n\n\ndef length(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:\n    return torch.hypot(a, b)\n"


def test_architecture_names_every_module_and_no_other() -> None:
    page = (DOCS / "architecture.md").read_text()
    named = re.findall(r"^- `([\w/]+\.py)`: \S", page, flags=re.MULTILINE)
    modules = [
        path.relative_to(ROOT).as_posix()
        for folder in ("rewriter", "rules", "cli", "verify")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert sorted(named) == sorted(modules)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_named_files_exist(page: Path) -> None:
    for name in re.findall(r"`((?:api_maps|rewriter|rules|cli|verify|tests|docs)/[\w/]+\.\w+)`", page.read_text()):
        assert (ROOT / name).exists(), name


def converted(api_maps: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    """The example converted to NumPy with the tables below `api_maps`, and the number of unsupported places."""
    monkeypatch.setattr(repository, "load_tables", lambda: load_tables(api_maps))
    result = repository.convert_files({"example.py": SOURCE}, "torch", "numpy")
    return result.files["example.py"].decode(), len(result.report.unsupported)


def test_a_mapping_is_one_line_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "adding-a-mapping.md").read_text()
    file, line = re.search(r"`api_maps/([\w/]+\.yaml)`:\n\n```yaml\n(.+)\n```", page).groups()  # type: ignore[union-attr]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    without, with_line = tmp_path / "without", tmp_path / "with"
    shutil.copytree(API_MAPS, without, ignore=shutil.ignore_patterns("helpers", "__pycache__"))
    rows = (without / file).read_text()
    assert rows.count(f"\n{line}\n") == 1, "the example is a row that is really there"
    (without / file).write_text(rows.replace(f"\n{line}\n", "\n"))
    shutil.copytree(without, with_line)
    with (with_line / file).open("a") as table:
        table.write(f"{line}\n")

    text, unsupported = converted(without, monkeypatch)
    assert "torch.hypot(a, b)" in text and unsupported >= 1
    text, unsupported = converted(with_line, monkeypatch)
    assert "return np.hypot(a, b)" in text and "torch" not in text and unsupported == 0


@pytest.mark.parametrize("row", ["sigmoid", "hypot"])
def test_other_rows_shown_load_as_they_stand(row: str) -> None:
    page = (DOCS / "adding-a-mapping.md").read_text()
    shown = re.findall(rf"^{row}: .*$", page, flags=re.MULTILINE)
    spelled = {path for line in shown for path in re.findall(r'"([\w.]+)\(', line)}
    known = {path for framework in load_tables().frameworks.values() for path in framework.by_path}
    assert spelled and spelled <= known
