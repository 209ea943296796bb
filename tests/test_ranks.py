"""How many axes inference says arrays have, against what torch makes of them."""

from __future__ import annotations

import libcst as cst
import pytest
import torch

from ivy_convert.rewriter.infer import Inference
from ivy_convert.rewriter.lattice import Array
from ivy_convert.rewriter.repository import convert_files

LINES = [
    "b, n, d = x.shape; r = x",
    "b, n, d = x.size(); r = x.exp() + 1",
    "assert z.ndim == 2; r = torch.where(z > 0, z, 0.0)",
    "assert z.dim() == 2 and len(v.shape) == 1; r = z @ v",
    "assert v.dim() == 1 and z.dim() == 2; r = v @ z",
    "b, n, d = x.shape; r = x @ x.transpose(1, 2)",
    "b, n, d = x.shape; r = x.sum(-1)",
    "b, n, d = x.shape; r = x.mean((0, 1), keepdim=True).float()",
    "b, n, d = x.shape; r = x.max(1)[1]",
    "b, n, d = x.shape; r, _ = x.topk(2)",
    "r = x.sum()",
    "r = x.flatten(1)",
    "r = x.flatten()",
    "b, n, d = x.shape; r = x.flatten(-2)",
    "b, n, d = x.shape; r = torch.stack([x, x]).permute(0, 2, 1, 3).clamp(0, 1)",
    "b, n = z.shape; r = torch.cat([z, z], 1).repeat(2, 1, 1)",
    "b, n = z.shape; r = z.unsqueeze(0).softmax(-1).to(torch.float64)",
    "r = torch.einsum('bnd, nk -> bk', x, z)",
    "b, n, d = x.shape; r = x[x.sum(-1) > 0]",
    "b, n = z.shape; r = z[:, z[0].argsort()]",
    "b, n = z.shape; r = z.gather(1, z.argmax(1, keepdim=True))",
    "b, n = z.shape; r = torch.argwhere(z > 0)",
    "b, n = z.shape; r = z.log_softmax(-1) * torch.ones(3, 3, 3)",
    "b, n, d = x.shape; r = x.shape[0] * x[:, 0]",
    "r = x.permute(2, 0, 1)",
    "r = torch.permute(z, (1, 0)).abs()",
]


def inferred(line: str, monkeypatch: pytest.MonkeyPatch) -> int | None:
    found: list[int | None] = []
    run = Inference.run

    def recording(self: Inference) -> None:
        run(self)
        for file in self.files.values():
            found.extend(
                type_.rank
                for node, type_ in file.types.items()
                if isinstance(node, cst.Name) and node.value == "r" and isinstance(type_, Array)
            )

    monkeypatch.setattr(Inference, "run", recording)
    code = f"import torch\n\n\ndef f(x: torch.Tensor, z: torch.Tensor, v: torch.Tensor):\n    {line}\n    return r\n"
    convert_files({"module.py": code.encode()}, "torch", "jax")
    assert found and len(set(found)) == 1
    return found[0]


@pytest.mark.parametrize("line", LINES)
def test_rank(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"torch": torch, "x": torch.randn(3, 3, 3), "z": torch.randn(3, 3), "v": torch.randn(3)}
    exec(line, names)
    assert inferred(line, monkeypatch) == names["r"].ndim


@pytest.mark.parametrize(
    "line",
    ["r = x", "r = x + 1", "r = x.squeeze(1)", "r = x @ z", "b, *_ = x.shape; r = x", "r = x.repeat(1, 2)",
     "assert x.ndim != 3; r = x", "r = x if z is None else x[0]", "r = torch.einsum('...i->...', x)"],
)  # fmt: skip
def test_open_rank(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inferred(line, monkeypatch) is None


@pytest.mark.parametrize(("name", "expected"), [("public", None), ("_private", 2)])
def test_rank_of_calls(name: str, expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a repository passes to its own functions says nothing of what others pass."""
    code = f"r = {name}(torch.ones(2, 3)) + 1\n    return r\n\n\ndef {name}(t):\n    t = t * 1\n    return t\n\n\ndef other():"
    assert inferred(code, monkeypatch) == expected
