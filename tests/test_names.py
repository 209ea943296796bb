"""Which file an import means."""

import libcst as cst

from ivy_convert.rewriter.names import Repository

EMPTY = cst.Module([])


def _repository(*paths: str) -> Repository:
    return Repository(dict.fromkeys(paths, EMPTY), foreign=["torch"])


def test_packages_do_not_shadow_what_is_installed() -> None:
    names = _repository("pkg/__init__.py", "pkg/math.py", "pkg/torch.py", "pkg/layers.py", "pkg/use.py")
    scope = names.scopes["pkg/use.py"]
    assert names.absolute("math", scope) == "math"
    assert names.absolute("torch.nn", scope) == "torch.nn"
    assert names.absolute("pkg.math", scope) == "pkg.math"


def test_scripts_find_their_neighbours_first() -> None:
    names = _repository("tools/math.py", "tools/run.py", "other/use.py")
    assert names.absolute("math", names.scopes["tools/run.py"]) == "tools.math"
    assert names.absolute("math", names.scopes["other/use.py"]) == "math"


def test_a_module_found_by_its_ending_must_be_the_only_one() -> None:
    names = _repository("source/pkg/__init__.py", "source/pkg/layers.py", "use.py")
    assert names.absolute("pkg.layers", names.scopes["use.py"]) == "source.pkg.layers"
    names = _repository("one/pkg/layers.py", "two/pkg/layers.py", "use.py")
    assert names.absolute("pkg.layers", names.scopes["use.py"]) == "pkg.layers"
