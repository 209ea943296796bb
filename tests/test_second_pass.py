"""Converting what was converted changes nothing."""

from ivy_convert.rewriter.repository import convert_files

FILES = {
    "pkg/__init__.py": b"",
    "pkg/left.py": b"import torch\n\n\ndef strange(x):\n    return torch.nobody_knows(x)\n",
    # Needs nothing but a helper: neither framework is imported afterwards.
    "pkg/labels.py": b"import torch\n\nfrom .left import strange\n\n\ndef each(x):\n"
    b"    return [strange(label) for label in torch.unique_consecutive(x)]\n",
}


def test_a_file_with_helpers_alone() -> None:
    first = convert_files(FILES, "torch", "jax")
    written = {**first.files, **first.helpers}
    assert b"unique_consecutive(x)" in written["pkg/labels.py"] and b"torch" not in written["pkg/labels.py"]
    second = convert_files(written, "torch", "jax")
    assert {**second.files, **second.helpers} == written
