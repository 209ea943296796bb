"""Inputs come from a repository's own tests, its entry point, or annotations; live objects and devices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ivy_convert.verify import Comparison, VerifyError, verify
from ivy_convert.verify.adapters.base import Adapter
from ivy_convert.verify.gather import cases_of_file
from ivy_convert.verify.recorder import Recorder
from ivy_convert.verify.values import ArrayStore

MODEL = """
import dataclasses
import torch
from torch import nn

@dataclasses.dataclass
class Config:
    dim: int = 3
    act: type = nn.ReLU

class Head(nn.Module):
    def __init__(self, config: Config, inner: nn.Module):
        super().__init__()
        self.inner = inner
        self.act = config.act()
        self.scale = nn.Parameter(torch.zeros(config.dim))

    def forward(self, x, mask=None):
        x = self.act(self.inner(x)) + self.scale
        return {"out": x if mask is None else x * mask, "kept": None if mask is None else mask.sum()}

    def half(self, x):
        return self.inner(x) / 2

def build(config):
    return Head(config, Plain(config.dim))

class Plain(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim, dim))

    def forward(self, x):
        return x @ self.weight

def average(values, *, keep=True):
    return values.mean(0, keepdim=keep)
"""
MODEL_JAX = """
import dataclasses
import jax
import jax.numpy as jnp
from flax import nnx
from ivy_helpers import ReLU

@dataclasses.dataclass
class Config:
    dim: int = 3
    act: type = ReLU

class Head(nnx.Module):
    def __init__(self, config: Config, inner: nnx.Module, *, rngs: nnx.Rngs):
        self.inner = inner
        self.act = config.act()
        self.scale = nnx.Param(jnp.zeros(config.dim))

    def __call__(self, x, mask=None):
        x = self.act(self.inner(x)) + self.scale
        return {"out": x if mask is None else x * mask, "kept": None if mask is None else mask.sum()}

    def half(self, x):
        return self.inner(x) / 2

def build(config, *, rngs: nnx.Rngs):
    return Head(config, Plain(config.dim), rngs=rngs)

class Plain(nnx.Module):
    def __init__(self, dim):
        self.weight = nnx.Param(jnp.ones((dim, dim)))

    def __call__(self, x):
        return x @ self.weight

def average(values, *, keep=True):
    return values.mean(0, keepdims=keep)
"""
HELPERS = """
import jax
from flax import nnx

class ReLU(nnx.Module):
    def __call__(self, x):
        return jax.nn.relu(x)
"""
TESTS = """
import torch
import pytest
from package.model import Config, average, build

@pytest.mark.parametrize("rows", [2, 4])
def test_model(rows):
    torch.manual_seed(0)
    model = build(Config(dim=5))
    model(torch.randn(rows, 5))
    model(torch.randn(rows, 5), mask=torch.ones(rows, 5))
    model.half(torch.randn(1, 5))
    average(torch.randn(rows, 2), keep=False)
"""


def _repositories(folder: Path) -> tuple[Path, Path]:
    for side, model in (("torch", MODEL), ("jax", MODEL_JAX)):
        (folder / side / "package").mkdir(parents=True)
        (folder / side / "package" / "__init__.py").write_text("")
        (folder / side / "package" / "model.py").write_text(model)
    (folder / "jax" / "ivy_helpers.py").write_text(HELPERS)
    return folder / "torch", folder / "jax"


def _with_tests(folder: Path) -> tuple[Path, Path]:
    original, converted = _repositories(folder)
    for side in (original, converted):
        (side / "tests").mkdir()
    (original / "tests" / "test_model.py").write_text(TESTS)
    changes = [
        ("import torch\n", "import jax\nimport jax.numpy as jnp\nfrom flax import nnx\n"),
        ("    torch.manual_seed(0)\n", "    rngs = nnx.Rngs(0)\n"),
        ("Config(dim=5)", "Config(dim=5), rngs=rngs"),
        ("torch.randn(rows, 5)", "jax.random.normal(rngs(), (rows, 5))"),
        ("torch.randn(1, 5)", "jax.random.normal(rngs(), (1, 5))"),
        ("torch.randn(rows, 2)", "jax.random.normal(rngs(), (rows, 2))"),
        ("torch.ones(rows, 5)", "jnp.ones((rows, 5))"),
    ]
    text = TESTS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (converted / "tests" / "test_model.py").write_text(text)
    return original, converted


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return verify(*_with_tests(tmp_path_factory.mktemp("repositories")))


def test_recorded_from_the_tests(compared: Comparison) -> None:
    assert compared.ok, [stage for stage in compared.stages if stage.status == "failed"]
    passed = {(stage.name, stage.subject) for stage in compared.stages if stage.status == "passed"}
    assert {
        ("spec", "package.model"),
        ("forward", "package.model:Head"),
        ("forward", "package.model:Head.half"),
        ("forward", "package.model:Plain"),
        ("forward", "package.model:average"),
        ("gradients", "package.model:Head"),
        ("gradients", "package.model:average"),
        ("training", "package.model:Head"),
    } <= passed


def test_own_tests_are_run_on_the_converted_side(compared: Comparison) -> None:
    stage = compared.stage("tests", "the repository's own tests")
    assert stage.status == "passed" and stage.reason == "2 of 2 pass"


def test_entry_point_and_failing_own_tests(tmp_path: Path) -> None:
    original, converted = _repositories(tmp_path)
    script = "import torch\nfrom package.model import Config, build\n"
    script += "if __name__ == '__main__':\n    print(build(Config())(torch.ones(2, 3))['out'])\n    open('left', 'w')\n"
    (original / "train.py").write_text(script)
    (converted / "train.py").write_text("import jax\n")
    comparison = verify(original, converted)
    assert comparison.stage("forward", "package.model:Head").status == "passed"
    assert comparison.notes[0] == "inputs recorded while train.py ran"
    assert "package.model:average; give some with --inputs" in comparison.notes[1]
    assert not (original / "left").exists()


def test_nothing_to_run_is_not_ok(tmp_path: Path) -> None:
    comparison = verify(*_repositories(tmp_path))
    assert not comparison.ok
    assert "no inputs were found" in comparison.notes[0]


def test_annotated_shapes(tmp_path: Path) -> None:
    text = (
        'from __future__ import annotations\nimport {0}\n\ndef outer(a: Float[Array, "n k"], b: Float[Array, "k"]):\n'
    )
    (tmp_path / "before.py").write_text(text.format("torch") + "    return torch.relu(a @ b)\n")
    (tmp_path / "after.py").write_text(text.format("numpy as np") + "    return np.maximum(a @ b, 0)\n")
    comparison = verify(tmp_path / "before.py", tmp_path / "after.py")
    assert comparison.ok
    assert comparison.stage("forward", "before:outer").largest_error is not None


def test_live_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    (tmp_path / "theirs.py").write_text(
        "import torch\n\ndef f(x):\n    return torch.exp(x)\n\ndef g(x):\n    return x\n"
    )
    (tmp_path / "ours.py").write_text("import numpy as np\n\ndef f(x):\n    return np.exp(x) + 1e-4\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import ours
    import theirs

    comparison = verify(theirs.f, ours.f, inputs={"f": (np.ones(3, np.float32),)})
    assert comparison.stage("spec", "theirs").status == "passed"
    result = comparison.stage("forward", "theirs:f")
    assert result.status == "failed"
    assert result.largest_error == pytest.approx(1e-4 / np.e, rel=1e-2)


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_device_that_is_not_there(tmp_path: Path, device: str) -> None:
    import jax

    if any(found.platform in ("gpu", "tpu") for found in jax.devices()):
        pytest.skip("this machine has an accelerator")
    (tmp_path / "before.py").write_text("import torch\n\ndef f(x):\n    return x\n")
    (tmp_path / "after.py").write_text("import jax\n\ndef f(x):\n    return x\n")
    with pytest.raises(VerifyError, match=f"device {device}: .*verify on the CPU"):
        verify(tmp_path / "before.py", tmp_path / "after.py", inputs={"f": (1.0,)}, device=device)


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="nowhere: no such file or folder"):
        verify("nowhere", tmp_path)
    with pytest.raises(VerifyError, match="no Python files"):
        verify(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\ninputs = {\n", "line 2: SyntaxError: '{' was never closed; mend the file of inputs"),
        ("def inputs():\n    import math\n    return math.square(2)\n", "line 3: AttributeError: module 'math' has no"),
        ("given = {}\n", "defines no function or dict `inputs`"),
    ],
)
def test_file_of_inputs_that_does_not_run(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "in.py").write_text(text)
    with pytest.raises(VerifyError, match=re.escape(reason)):
        cases_of_file(tmp_path / "in.py", Adapter(), Recorder(Adapter(), {}, ArrayStore()), [])


def test_module_that_cannot_be_imported_costs_only_its_own_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_one.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "whole_one.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "in.py").write_text("inputs = {'double': (3.0,)}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    recorder = Recorder(Adapter(), {}, ArrayStore())
    modules = ["broken_one", "whole_one"]
    (case,) = cases_of_file(tmp_path / "in.py", Adapter(), recorder, modules)
    assert case["subject"] == "whole_one:double"
    (tmp_path / "in.py").write_text("inputs = {'triple': (3.0,)}\n")
    with pytest.raises(VerifyError, match=r"no module .* has that name; broken_one cannot be imported \(ModuleNotFound"):
        cases_of_file(tmp_path / "in.py", Adapter(), recorder, modules)
