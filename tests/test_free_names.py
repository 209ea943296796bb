"""Names that a helper takes from its module, and renaming them where the output already uses the name."""

from __future__ import annotations

import ast

import pytest

from ivy_convert.rewriter.free_names import free_names, renamed, with_forward_annotations
from ivy_convert.rewriter.helper_code import closure, helper_body, helper_definitions, helper_imports

TEXT = '''\
SCALE = 2


def dropout(x, rate=SCALE):
    return x * rate


class Layer:
    """dropout stays in a docstring."""

    dropout = 1

    def __init__(self, dropout: float):
        self.dropout = dropout

    def __call__(self, x):
        def inner(x):
            return dropout(x, rate=self.dropout)

        return [inner(dropout) for dropout in x] + [dropout(x)]
'''


def names(text: str) -> set[str]:
    return {name.id for statement in ast.parse(text).body for name in free_names(statement)}


def test_parameters_and_locals_are_not_free() -> None:
    assert names(TEXT) == {"SCALE", "dropout", "float"}


def test_a_parameter_of_one_method_does_not_hide_the_function_in_another() -> None:
    assert names("class A:\n    def f(self, step):\n        return step\n    def g(self):\n        return step()\n") == {"step"}


def test_a_name_bound_in_an_inner_function_is_not_free_there() -> None:
    assert names("def f():\n    def step():\n        return 1\n    return step()\n") == set()


def test_only_the_module_s_name_is_renamed() -> None:
    expected = (
        TEXT.replace("def dropout(", "def dropout_(")
        .replace("return dropout(x, rate", "return dropout_(x, rate")
        .replace("+ [dropout(x)]", "+ [dropout_(x)]")
        .replace("SCALE", "SCALE_")
    )
    assert renamed(TEXT, {"dropout": "dropout_", "SCALE": "SCALE_"}) == expected


def test_annotations_that_name_later_definitions_are_quoted() -> None:
    text = "class A:\n    def f(self, x: int, b: list[B]) -> A:\n        return self\n\n\nclass B(A):\n    a: A\n"
    expected = text.replace("list[B]", '"list[B]"').replace("-> A:", '-> "A":')
    assert with_forward_annotations(text) == expected


@pytest.mark.parametrize("framework", ["jax", "numpy", "tensorflow"])
def test_all_helpers_run_without_postponed_annotations(framework: str) -> None:
    """As they stand in a converted text that does not postpone the evaluation of annotations."""
    definitions = closure(framework, helper_definitions(framework))
    code = "\n".join(helper_imports(definitions)) + "\n\n" + with_forward_annotations(helper_body(definitions))
    space: dict[str, object] = {"__name__": "helpers"}
    exec(compile(code, "helpers.py", "exec", dont_inherit=True), space)
    assert {definition.name for definition in definitions} <= space.keys()
