"""The README shows what the tool really writes."""

from __future__ import annotations

import re
from pathlib import Path

from ivy_convert.rewriter.repository import convert_files

ROOT = Path(__file__).resolve().parent.parent


def test_before_and_after() -> None:
    before, after, *_ = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    source = (ROOT / "fixtures" / "readme" / "sample.py").read_text()
    assert before == source
    assert convert_files({"sample.py": source.encode()}, "torch", "jax").files["sample.py"].decode() == after
