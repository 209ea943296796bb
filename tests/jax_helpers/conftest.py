"""Every test draws the same numbers on every run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

# For the parameters of tests that are drawn when a file is imported.
torch.manual_seed(0)


@pytest.fixture(autouse=True)
def fixed_seed() -> Iterator[None]:
    """Seed torch before each test."""
    torch.manual_seed(0)
    yield
