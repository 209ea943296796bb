"""Checkpoint files keep their arrays and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ivy_convert.verify import VerifyError, convert_checkpoint


def test_checkpoint_of_torch(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    half = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    torch.save({"model": model.state_dict(), "epoch": 7, "half": half, "note": "x"}, tmp_path / "best.pt")
    written = convert_checkpoint(tmp_path / "best.pt", "jax", tmp_path / "out")
    assert written == tmp_path / "out" / "best.npz"
    with np.load(written) as arrays:
        assert set(arrays) == {f"model.{name}" for name in model.state_dict()} | {"epoch", "half"}
        np.testing.assert_array_equal(arrays["model.0.weight"], model[0].weight.detach().numpy())
        assert arrays["epoch"] == 7 and arrays["half"].tolist() == [1.5, -2.0]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["best.npz"]


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    import os

    class Evil:
        def __reduce__(self) -> object:
            return os.mkdir, (str(tmp_path / "harm"),)

    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(VerifyError, match=r"evil\.pt: cannot be read as a checkpoint of weights"):
        convert_checkpoint(tmp_path / "evil.pt", "jax", tmp_path / "out")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("target", ["jax", "numpy"])
def test_empty_and_missing(tmp_path: Path, target: str) -> None:
    torch.save({"note": "nothing"}, tmp_path / "empty.pt")
    with pytest.raises(VerifyError, match="holds no arrays"):
        convert_checkpoint(tmp_path / "empty.pt", target, tmp_path)
    with pytest.raises(VerifyError, match="no such file"):
        convert_checkpoint(tmp_path / "none.pt", target, tmp_path)
    with pytest.raises(VerifyError, match="known targets"):
        convert_checkpoint(tmp_path / "empty.pt", "fortran", tmp_path)
