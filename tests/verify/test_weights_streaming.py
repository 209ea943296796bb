"""Large checkpoints pass through in pieces; checkpoints in several files, with nested content, and interrupted ones."""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ivy_convert.verify import VerifyError, convert_checkpoint
from ivy_convert.verify.checkpoints import Checkpoint, read_checkpoint
from ivy_convert.verify.safetensors import Stored, stored_array, write_file
from ivy_convert.verify.weights import write_checkpoint

# The peak of this process since it started. What getrusage says would include the parent's, from before exec.
MEASURE = """
import sys
from ivy_convert.verify import convert_checkpoint

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

small, large, out = sys.argv[1:]
convert_checkpoint(small, "jax", "small" + out)
before = peak()
convert_checkpoint(large, "jax", out)
print(peak() - before, "torch" in sys.modules or "jax" in sys.modules)
"""


def zeros_file(path: Path, count: int, size: int) -> None:
    """`count` float32 arrays of `size` bytes each, and a larger bfloat16 one; the disk holds only the header."""
    header: dict[str, object] = {}
    sizes = [size] * count + [4 * size]
    place = 0
    for number, length in enumerate(sizes):
        kind, width = ("F32", 4) if length == size else ("BF16", 2)
        offsets = [place, place + length]
        header[f"layers.{number}.weight"] = {"dtype": kind, "shape": [length // width], "data_offsets": offsets}
        place += length
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + place)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks of memory are read from /proc")
@pytest.mark.parametrize(
    ("count", "size", "out"),
    [
        (60, 1 << 22, "out.safetensors"),  # 0.25 GB, the largest array 16 MB
        (60, 1 << 22, "out.npz"),
        pytest.param(300, 1 << 22, "out.safetensors", marks=pytest.mark.slow),  # 1.3 GB
        pytest.param(20, 1 << 26, "out.safetensors", marks=pytest.mark.slow),  # 1.6 GB, the largest array 256 MB
        pytest.param(20, 1 << 26, "out.npz", marks=pytest.mark.slow),
    ],
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, count: int, size: int, out: str) -> None:
    zeros_file(tmp_path / "small.safetensors", 1, 1 << 10)
    zeros_file(tmp_path / "large.safetensors", count, size)
    command = [sys.executable, "-c", MEASURE, "small.safetensors", "large.safetensors", out]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    kilobytes, imported = result.stdout.split()
    total, largest = (tmp_path / "large.safetensors").stat().st_size, 4 * size
    assert (tmp_path / out).stat().st_size >= total
    assert imported == "False"
    # 16 MB: pieces of 1 MB, the header, and the allocator
    assert int(kilobytes) * 1024 < min(1.5 * largest, 2**24) + 2**24, int(kilobytes)
    assert int(kilobytes) * 1024 < 0.1 * total


def test_shards_of_safetensors(tmp_path: Path) -> None:
    arrays = {f"w{i}": np.full((2, 3), i, np.float32) for i in range(3)}
    for file, names in (("a-1.safetensors", ("w0", "w2")), ("a-2.safetensors", ("w1",))):
        write_file(tmp_path / file, {name: stored_array(arrays[name], name) for name in names}, {"format": "pt"})
    places = {"w0": "a-1.safetensors", "w1": "a-2.safetensors", "w2": "a-1.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 72}, "weight_map": places}))
    for given in (index, tmp_path):
        written = convert_checkpoint(given, "numpy", tmp_path / "out")
        assert written == tmp_path / "out" / "model.npz"
        with np.load(written) as content:
            assert list(content) == ["w0", "w1", "w2"]
            for name, array in arrays.items():
                np.testing.assert_array_equal(content[name], array)
    index.write_text(json.dumps({"weight_map": {**places, "w3": "a-1.safetensors"}}))
    with pytest.raises(VerifyError, match=r"a-1\.safetensors: has no array w3"):
        convert_checkpoint(index, "jax", tmp_path / "x.npz")
    (tmp_path / "a-2.safetensors").unlink()
    with pytest.raises(VerifyError, match=r"a-2\.safetensors: no such file, though model\.safetensors\.index\.json"):
        convert_checkpoint(index, "jax", tmp_path / "x.npz")


def test_shards_of_torch(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "m-1.bin")
    torch.save({"b": torch.zeros(3, dtype=torch.bfloat16)}, tmp_path / "m-2.bin")
    (tmp_path / "m.bin.index.json").write_text(json.dumps({"weight_map": {"b": "m-2.bin", "a": "m-1.bin"}}))
    back = convert_checkpoint(convert_checkpoint(tmp_path, "jax", tmp_path / "out"), "torch", tmp_path / "back.pt")
    content = torch.load(back, weights_only=True)
    assert list(content) == ["b", "a"] and content["b"].dtype == torch.bfloat16 and content["a"].tolist() == [1, 1]


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="a folder without a checkpoint"):
        convert_checkpoint(tmp_path, "jax", tmp_path / "out")
    np.savez(tmp_path / "a.npz", a=np.ones(1))
    for name in ("b.pt", "c.pt"):
        torch.save({"a": torch.ones(1)}, tmp_path / name)
    with pytest.raises(VerifyError, match=r"holds several checkpoints \(b\.pt, c\.pt, \.\.\.\); name one of them"):
        convert_checkpoint(tmp_path, "jax", tmp_path / "out")


def test_nested_content_there_and_back(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "best": np.float64(0.25),
        "args": argparse.Namespace(lr=1e-3, out=pathlib.PurePosixPath("runs")),
        "shape": torch.Size((1, 2)),
        "name": "net",
        "none": None,
        "dtype": torch.float16,
        "half": torch.ones(2, dtype=torch.bfloat16),
        "strided": torch.arange(6.0).reshape(2, 3).T,
        "conjugate": torch.tensor([1 + 2j]).conj(),
    }
    torch.save(content, tmp_path / "a.pt")
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    assert checkpoint.left_out == ["dtype (torch.dtype)"]
    assert {"model.weight", "optimizer.state.0.exp_avg", "optimizer.state.1.exp_avg_sq"} <= checkpoint.arrays.keys()
    write_checkpoint(checkpoint, tmp_path / "b.safetensors")
    back = convert_checkpoint(tmp_path / "b.safetensors", "torch", tmp_path / "c.pt")
    loaded = torch.load(back, weights_only=False)
    assert loaded["epoch"] == 3 and loaded["best"] == 0.25 and loaded["name"] == "net" and loaded["none"] is None
    assert loaded["args"] == argparse.Namespace(lr=1e-3, out=Path("runs")) and loaded["shape"] == (1, 2)
    assert "dtype" not in loaded
    for name in ("half", "strided", "conjugate"):
        assert loaded[name].dtype == content[name].dtype and torch.equal(loaded[name], content[name].resolve_conj())
    other = torch.optim.AdamW(model.parameters(), lr=9.0)
    other.load_state_dict(loaded["optimizer"])
    torch.testing.assert_close(other.state_dict(), optimizer.state_dict(), rtol=0, atol=0)


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"\0" * 8
        raise KeyboardInterrupt

    for suffix in (".safetensors", ".npz", ".pt"):
        (tmp_path / f"out{suffix}").write_text("as it was")
        checkpoint = read_checkpoint_of(Stored("F32", (4,), pieces))
        with pytest.raises(KeyboardInterrupt):
            write_checkpoint(checkpoint, tmp_path / f"out{suffix}")
        assert (tmp_path / f"out{suffix}").read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "out.pt", "out.safetensors"]


def read_checkpoint_of(array: Stored) -> Checkpoint:
    return Checkpoint({"first": stored_array(np.ones(3), "first"), "w": array})


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b'{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', r"w of shape \[3\] has 8 bytes"),
        (b'{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}', "w is not whole"),
        (b'{"w":{"dtype":"X9","shape":[2],"data_offsets":[0,8]}}', r"type X9 cannot be read \(w\)"),
        (b"not JSON at all", r"is no \.safetensors file"),
    ],
)
def test_headers_that_are_wrong(tmp_path: Path, header: bytes, reason: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 8)
    with pytest.raises(VerifyError, match=r"a\.safetensors: cannot be read as a checkpoint of weights: .*" + reason):
        convert_checkpoint(tmp_path / "a.safetensors", "jax", tmp_path / "b.npz")
    assert not (tmp_path / "b.npz").exists()


def test_types_that_a_format_does_not_have(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2, dtype=torch.complex128)}, tmp_path / "a.pt")
    with pytest.raises(VerifyError, match=r"no complex numbers of 128 bits; write \.npz"):
        convert_checkpoint(tmp_path / "a.pt", "jax", tmp_path / "out")
    with np.load(convert_checkpoint(tmp_path / "a.pt", "jax", tmp_path / "b.npz")) as content:
        assert content["w"].dtype == np.complex128 and content["w"].tolist() == [1, 1]
    torch.save({"w": torch.eye(2).to_sparse()}, tmp_path / "sparse.pt")
    with pytest.raises(VerifyError, match=r"w is a torch\.sparse_coo tensor"):
        convert_checkpoint(tmp_path / "sparse.pt", "jax", tmp_path / "out")
    np.savez(tmp_path / "turned.npz", a=np.asfortranarray(np.arange(6).reshape(2, 3)), b=np.arange(3, dtype=">i2"))
    back = torch.load(convert_checkpoint(tmp_path / "turned.npz", "torch", tmp_path / "t.pt"), weights_only=True)
    assert back["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and back["b"].tolist() == [0, 1, 2]
