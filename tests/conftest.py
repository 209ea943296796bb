"""Which tests belong to the everyday run, and which to the long sweeps of `make test-slow`."""

from __future__ import annotations

import pytest

#: Whole files whose cost is XLA's compilation of many small programs.
SWEEPS = (
    "jax_helpers/test_layers_losses.py",
    "jax_helpers/test_layers_spatial.py",
    "jax_helpers/test_layers_recurrent.py",
    "jax_helpers/test_layers_attention.py",
    "spokes/test_tensorflow_rows.py",
    "verify/test_mistakes.py",
    "verify/test_noise.py",
    "rules/test_mutation_programs.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the sweeps as slow."""
    for item in items:
        if item.path.as_posix().endswith(SWEEPS):
            item.add_marker(pytest.mark.slow)
