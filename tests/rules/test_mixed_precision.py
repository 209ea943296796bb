"""Mixed precision: on the CPU both sides compute in float32, so converted programs train as the originals do."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import NORMALIZED_NET, assert_same_training

import ivy_convert

HEAD = (
    NORMALIZED_NET
    + """

def train(model: Net, xs, ys, use_amp: bool = False):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
"""
)
FORMS = {
    "scaled": """
    scaler = torch.cuda.amp.GradScaler(enabled=use_amp)
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses
""",
    "clipped": """
    scaler = torch.amp.GradScaler("cuda", enabled=False)
    for x, y in zip(xs, ys):
        with torch.amp.autocast("cuda", torch.float16, use_amp):
            loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad(set_to_none=True)
        scaled = scaler.scale(loss)
        scaled.backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses
""",
    "accumulated": """
    scaler = torch.cuda.amp.GradScaler(enabled=False)
    for i, (x, y) in enumerate(zip(xs, ys)):
        with torch.cuda.amp.autocast(use_amp):
            loss = F.cross_entropy(model(x), y) / 2
        scaler.scale(loss).backward()
        if (i + 1) % 2 == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        losses.append(loss.item())
    return losses
""",
}


@pytest.mark.parametrize("form", FORMS)
def test_trains_as_the_original(form: str) -> None:
    text = assert_same_training(HEAD + FORMS[form], allow_review=True)
    assert "scaler" not in text
    assert "default_matmul_precision" in text


def test_matrix_products_inside_are_of_bfloat16() -> None:
    code = """
import torch


def product(x: torch.Tensor):
    with torch.autocast("cuda", dtype=torch.bfloat16):
        inside = x @ x
    return inside
"""
    namespace: dict = {}
    exec(ivy_convert.convert_source(code, source="torch", target="jax").code, namespace)
    program = str(jax.make_jaxpr(namespace["product"])(jax.numpy.ones((2, 2))))
    assert "precision=(Precision.DEFAULT, Precision.DEFAULT)" in program or "BF16" in program


def test_a_scaler_whose_state_is_kept_is_reported() -> None:
    code = FORMS["scaled"].replace("    return losses", '    torch.save(scaler.state_dict(), "x")\n    return losses')
    report = ivy_convert.convert_source(HEAD + code, source="torch", target="jax").report
    assert any("loss scaler" in site.reason for site in report.unsupported)
