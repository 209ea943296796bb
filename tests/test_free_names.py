"""Names that a helper takes from its module, and renaming them where the output already uses the name."""

from __future__ import annotations

import ast

from ivy_convert.rewriter.free_names import free_names, renamed

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
