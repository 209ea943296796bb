"""Dependency files follow the conversion, keeping everything else as it was."""

from __future__ import annotations

import tomllib

import pytest

from ivy_convert.rewriter.dependencies import replace_packages
from ivy_convert.rewriter.requirement import Packages, name_of

SOURCE = Packages.of({"torch": "torch>=2.4"}, aliases=["pytorch", "pytorch-cuda"], indexes=["download.pytorch.org"])
TARGET = Packages.of(
    {"jax": "jax>=0.7", "flax": "flax>=0.12", "optax": "optax>=0.2.5", "grain": "grain>=0.2.10"}
)


def convert(name: str, text: str, imported: tuple[str, ...] = ("jax", "flax", "numpy")) -> str:
    changed = replace_packages({name: text.encode()}, SOURCE, TARGET, imported)
    return changed.get(name, text.encode()).decode()


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("torch", "torch"), ("torch==2.1.0+cu118", "torch"), ("  Torch >= 1.9 ; python_version<'3.12'", "torch"),
        ("torch[opt-einsum]~=2.0", "torch"), ("torch @ https://example.org/torch.whl", "torch"),
        ("torch_geometric", "torch-geometric"), ("# torch", ""), ("-e .", ""), ("pytorch::pytorch", "pytorch"),
        ("torch # why", "torch"), ("torch=1.9.0=py3", "torch"), ("", ""),
    ],
)  # fmt: skip
def test_name_of_requirement(requirement: str, name: str) -> None:
    assert name_of(requirement) == name


def test_requirements_keep_comments_order_and_markers() -> None:
    text = "# for training\nnumpy>=1.20\ntorch>=1.9,<3  # the framework\ntorchvision\ntqdm\n"
    assert convert("requirements.txt", text) == (
        "# for training\nnumpy>=1.20\njax>=0.7  # the framework\nflax>=0.12\ntorchvision\ntqdm\n"
    )
    assert convert("requirements/base.txt", "torch; sys_platform == 'linux'") == (
        "jax>=0.7; sys_platform == 'linux'\nflax>=0.12; sys_platform == 'linux'"
    )


def test_requirements_with_hashes_indexes_and_crlf() -> None:
    text = (
        "--extra-index-url https://download.pytorch.org/whl/cpu\r\n"
        "torch==2.1.0 \\\r\n    --hash=sha256:aa \\\r\n    --hash=sha256:bb\r\neinops\r\n"
    )
    assert convert("requirements-dev.txt", text) == "jax>=0.7\r\nflax>=0.12\r\neinops\r\n"


def test_requirement_present_already_is_not_repeated() -> None:
    assert convert("requirements.txt", "jax[cuda12]==0.7\ntorch\n") == "jax[cuda12]==0.7\nflax>=0.12\n"
    assert convert("requirements.txt", "jax\nflax\ntorch\n") == "jax\nflax\n"


def test_source_package_still_imported_stays() -> None:
    assert convert("requirements.txt", "torch==2.0\n", ("jax", "torch")) == "torch==2.0\njax>=0.7\n"


def test_file_without_the_source_framework_is_untouched() -> None:
    assert convert("requirements.txt", "numpy\n") == "numpy\n"
    assert convert("notes.txt", "torch\n") == "torch\n"


def test_utf16_requirements() -> None:
    content = "torch==2.0\r\n".encode("utf-16")
    changed = replace_packages({"requirements.txt": content}, SOURCE, TARGET, ["jax"])
    assert changed["requirements.txt"].decode("utf-16") == "jax>=0.7\r\n"


def test_pyproject_project_table() -> None:
    text = (
        '[build-system]\nrequires = ["setuptools", "torch"]\n\n[project]\nname = "torch-net"  # torch\n'
        'dependencies = [\n    "numpy",  # arrays\n    "torch>=2.0; python_version < \'3.13\'",\n]\n'
        'optional-dependencies.dev = ["pytest", "torch"]\n'
        "[tool.x]\ndependencies = ['torch']\n"
    )
    edited = convert("pyproject.toml", text)
    read = tomllib.loads(edited)
    marker = "; python_version < '3.13'"
    assert read["project"]["dependencies"] == ["numpy", f"jax>=0.7{marker}", f"flax>=0.12{marker}"]
    assert read["build-system"]["requires"] == ["setuptools", "torch"]
    assert read["tool"]["x"]["dependencies"] == ["torch"]
    assert '    "numpy",  # arrays\n    "jax>=0.7' in edited and 'name = "torch-net"  # torch\n' in edited


def test_pyproject_inline_groups_and_poetry() -> None:
    inline = '[project]\ndependencies = ["torch", "tqdm"]\n[dependency-groups]\ntest = ["tqdm", "torch"]\n'
    read = tomllib.loads(convert("pyproject.toml", inline))
    assert read["project"]["dependencies"] == ["jax>=0.7", "flax>=0.12", "tqdm"]
    assert "torch" not in read["dependency-groups"]["test"]
    poetry = '[tool.poetry.dependencies]\npython = "^3.11"\ntorch = {version = "^2.0"}  # framework\ntqdm = "*"\n'
    assert convert("pyproject.toml", poetry) == (
        '[tool.poetry.dependencies]\npython = "^3.11"\njax = ">=0.7"  # framework\nflax = ">=0.12"\ntqdm = "*"\n'
    )
    assert convert("Pipfile", '[packages]\ntorch = "*"\n') == '[packages]\njax = ">=0.7"\nflax = ">=0.12"\n'


def test_unreadable_pyproject_is_left_alone() -> None:
    assert convert("pyproject.toml", "[project\ndependencies = ['torch']\n") == "[project\ndependencies = ['torch']\n"


def test_setup_cfg() -> None:
    text = "[metadata]\nname = torch\n[options]\ninstall_requires =\n    numpy\n    torch>=1\nzip_safe = no\n"
    expected = text.replace("    torch>=1\n", "    jax>=0.7\n    flax>=0.12\n")
    assert convert("setup.cfg", text) == expected


def test_setup_py_lists_and_variables() -> None:
    text = (
        "from setuptools import setup\nrequires = [\n    'torch>=1.0',\n    'tqdm',\n]\n"
        "setup(name='torch', install_requires=requires, extras_require={'dev': ['torch', 'pytest']})\n"
    )
    edited = convert("setup.py", text)
    assert "    'jax>=0.7',\n    'flax>=0.12',\n    'tqdm',\n" in edited
    assert "name='torch'" in edited and "'pytest'" in edited and "['torch'" not in edited


def test_conda_environment() -> None:
    text = (
        "name: torch\nchannels:\n  - pytorch\n  - conda-forge\ndependencies:\n  - python=3.11\n"
        "  - pytorch=2.0  # framework\n  - pytorch-cuda=12\n  - pip:\n      - einops\n"
    )
    expected = text.replace("  - pytorch=2.0", "  - jax>=0.7").replace("  - pytorch-cuda=12\n", "")
    assert convert("environment.yml", text, ("jax",)) == expected
    pip = "dependencies:\n  - pip:\n      - torch==2.0\n"
    assert convert("envs/environment-gpu.yaml", pip, ("jax",)) == "dependencies:\n  - pip:\n      - jax>=0.7\n"
