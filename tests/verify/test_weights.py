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
    written = convert_checkpoint(tmp_path / "best.pt", "numpy", tmp_path / "out")
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


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_there_and_back(tmp_path: Path, suffix: str) -> None:
    """Every type that both frameworks have, 0-d and empty arrays among them."""
    kinds = (torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool)
    state = {str(kind): torch.arange(6).reshape(2, 3).to(kind) for kind in kinds}
    state |= {"scalar": torch.tensor(3), "empty": torch.zeros(0, 4), "turned": torch.arange(6.0).reshape(2, 3).T}
    torch.save(state, tmp_path / "a.pt")
    middle = convert_checkpoint(tmp_path / "a.pt", "jax", tmp_path / f"b{suffix}")
    back = torch.load(convert_checkpoint(middle, "torch", tmp_path / "c.pt"), weights_only=True)
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        assert back[name].dtype == tensor.dtype and torch.equal(back[name], tensor), name
    assert convert_checkpoint(middle, "torch", tmp_path / "folder").name == "b.pt"


def test_safetensors_as_the_format_says(tmp_path: Path) -> None:
    """Bytes written by hand after the format's description, a bfloat16 array and metadata among them."""
    header = (
        b'{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},'
        b'"n":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}'
    )
    data = bytes([0xC0, 0x3F, 0x00, 0xC0]) + (5).to_bytes(8, "little")
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    with np.load(convert_checkpoint(tmp_path / "a.safetensors", "jax", tmp_path / "a.npz")) as arrays:
        assert arrays["w"].dtype == np.float32 and arrays["w"].tolist() == [1.5, -2.0] and arrays["n"] == 5
    written = convert_checkpoint(tmp_path / "a.npz", "jax", tmp_path / "b.safetensors").read_bytes()
    assert int.from_bytes(written[:8], "little") % 8 == 0 and written[8:9] == b"{"
    for cut in (4, 40, len(written) - 1):
        (tmp_path / "cut.safetensors").write_bytes(written[:cut])
        with pytest.raises(VerifyError, match="cut short"):
            convert_checkpoint(tmp_path / "cut.safetensors", "jax", tmp_path / "x.npz")


def test_reasons_say_what_to_do(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3), tmp_path / "module.pt")
    with pytest.raises(VerifyError, match=r"holds objects \(torch.nn.modules.linear.Linear\).*state_dict\(\)"):
        convert_checkpoint(tmp_path / "module.pt", "jax", tmp_path)
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(VerifyError, match=r"text\.pt: cannot be read .*: PyTorch does not know its format"):
        convert_checkpoint(tmp_path / "text.pt", "jax", tmp_path)
    with pytest.raises(VerifyError, match=r"only PyTorch reads \.pt files; end its name in \.npz or \.safetensors"):
        convert_checkpoint(tmp_path / "text.pt", "jax", tmp_path / "out.pt")
