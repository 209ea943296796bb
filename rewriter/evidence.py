"""What the body of a function says of a parameter without annotation: is it an array?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import libcst as cst

from .nodes import walk

_BUILTIN_ATTRIBUTES = frozenset(
    name for kind in (str, bytes, list, dict, set, tuple, int, float, complex) for name in dir(kind)
)


class ArrayEvidence:
    """Facts about which attributes and functions only arrays have.

    unique_attributes: attributes that only this framework's array class has.
    shared_attributes: its attributes that other array classes have too: they count in a function that uses this
    framework and no other.
    keywords: argument names that only its methods take.
    array_function: whether a call's first argument must be an array, by dotted name in the file.
    """

    def __init__(
        self, unique_attributes: frozenset[str], shared_attributes: frozenset[str], keywords: frozenset[str]
    ) -> None:
        self.unique_attributes = unique_attributes - _BUILTIN_ATTRIBUTES
        self.shared_attributes = shared_attributes - _BUILTIN_ATTRIBUTES
        self.keywords = keywords

    def parameters(
        self,
        function: cst.FunctionDef,
        array_function: Callable[[cst.BaseExpression], bool],
        framework_of: Callable[[str], str | None],
    ) -> dict[str, bool]:
        """Parameter name → True (an array), False (certainly something else); others are absent.

        framework_of: the array framework that a global name of the file belongs to; `own` for the source framework.
        """
        body = list(walk(function.body))
        mentioned = {framework_of(node.value) for node in body if isinstance(node, cst.Name)} - {None}
        telling = self.unique_attributes | (self.shared_attributes if mentioned == {"own"} else frozenset())
        names = {p.name.value for p in all_parameters(function.params)}
        found: dict[str, bool] = {}

        def note(expression: cst.CSTNode, value: bool) -> None:
            if isinstance(expression, cst.Name) and expression.value in names:
                found[expression.value] = found.get(expression.value, True) and value

        for node in body:
            if isinstance(node, cst.Attribute):
                attribute = node.attr.value
                if attribute in telling:
                    note(node.value, True)
                elif attribute in ("items", "keys", "append", "startswith", "lower", "get", "update", "endswith"):
                    note(node.value, False)
            elif isinstance(node, cst.Call):
                if isinstance(node.func, cst.Attribute) and any(
                    argument.keyword is not None and argument.keyword.value in self.keywords for argument in node.args
                ):
                    note(node.func.value, True)
                if node.args and not node.args[0].star and array_function(node.func):
                    first = node.args[0]
                    if first.keyword is None:
                        note(first.value, True)
        return found


def all_parameters(parameters: cst.Parameters) -> Iterator[cst.Param]:
    """Every named parameter of a function, without the starred ones."""
    yield from (*parameters.posonly_params, *parameters.params, *parameters.kwonly_params)
