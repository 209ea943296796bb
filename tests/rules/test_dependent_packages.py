"""Code that stays on the source framework because of a package is reported at the import, once."""

from __future__ import annotations

import pytest

import ivy_convert
from ivy_convert.rewriter.repository import convert_files

LIGHTNING = b"import pytorch_lightning as pl\n\n\nclass Net(pl.LightningModule):\n    pass\n"


@pytest.mark.parametrize("target", ["jax", "tensorflow", "numpy"])
def test_one_site_for_each_import(target: str) -> None:
    code = "import timm, torch\nfrom torchvision.ops import nms, roi_align\nfrom .torchvision import x\n\ny = torch.ones(2)\n"
    report = ivy_convert.convert_source(code, "torch", target).report
    sites = [site for site in report.review if site.rule == "dependent_packages"]
    assert [(site.line, site.api) for site in sites] == [(1, "timm"), (2, "torchvision")]
    assert sites[0].reason.startswith("timm works on torch's arrays and modules only: take the file of the model")


def test_file_that_does_not_import_the_framework_itself() -> None:
    result = convert_files({"train.py": LIGHTNING}, "torch", "jax")
    assert result.files["train.py"] == LIGHTNING
    assert [(site.path, site.line, site.api) for site in result.report.review] == [("train.py", 1, "pytorch_lightning")]


def test_package_of_the_repository_is_converted_along() -> None:
    files = {"timm/__init__.py": b"import torch\n", "timm/ops.py": b"import timm\nimport torch\ny = torch.ones(2)\n"}
    assert convert_files(files, "torch", "jax").report.review == ()


def test_constructor_that_chooses_the_class() -> None:
    code = (
        "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def __new__(cls, wide):\n"
        "        return nn.Linear(2, 9) if wide else super().__new__(cls)\n"
    )
    result = ivy_convert.convert_source(code, "torch", "jax")
    assert "write a function that chooses and calls it" in result.report.unsupported[0].reason
    assert "return nn.Linear(2, 9) if wide" in result.code


def test_imports_that_a_conversion_makes_superfluous() -> None:
    code = (
        "import torch\nfrom torchvision import datasets, transforms\nfrom torchvision.transforms import Compose\n"
        "import torchvision.transforms.functional as TF\nimport torchvision.transforms as T\n\n"
        "f = Compose([transforms.ToTensor(), TF.hflip])\ng = T.ColorJitter(0.1)\n"
    )
    result = ivy_convert.convert_source(code, "torch", "jax")
    sites = [site.line for site in result.report.review if site.rule == "dependent_packages"]
    assert sites == [2, 5] and "from torchvision import datasets\n" in result.code
    assert [site.line for site in result.report.unsupported] == [8]
    assert "TF" not in result.code and "import torchvision.transforms as T\n" in result.code
