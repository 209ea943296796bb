"""Which of several meanings a call has, where that depends on the type of an argument, and what would settle it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import libcst as cst

from .generate import code_of
from .tables import HubOp, HubParameter

#: An operation, and which of its parameters each written argument is for.
Meaning = tuple[HubOp, Mapping[str, cst.BaseExpression]]

#: What to write as the annotation of an argument of a kind; arrays have the framework's own class.
_ANNOTATIONS = {"axes": "int", "shape": "tuple[int, ...]", "scalar": "float", "arrays": "list"}


def differ(meanings: Sequence[Meaning]) -> bool:
    """Whether the operations differ, or the same argument is for different parameters of one."""
    return len({(op.name, frozenset((name, id(node)) for name, node in written.items())) for op, written in meanings}) > 1


def what_decides(meanings: Sequence[Meaning], path: str, array_class: str) -> str:
    """The reason why a call is not read: on which argument it depends, and the annotations that say which it is."""
    is_one_op = len({op.name for op, _ in meanings}) == 1
    roles: dict[cst.BaseExpression, dict[str, HubParameter]] = {}
    for op, written in meanings:
        for name, node in written.items():
            parameter = op.parameter(name)
            if parameter is not None:
                roles.setdefault(node, {})[name if is_one_op else op.name] = parameter
    for node, found in roles.items():
        kinds = [parameter.kind for parameter in found.values()]
        if len(set(kinds)) > 1:
            words = [array_class if kind.startswith("array") else _ANNOTATIONS.get(kind, kind) for kind in kinds]
            name = code_of(node, cst.Module([]))
            return (
                f"{path} means {' or '.join(found)} here, depending on the type of `{name}`, which is not known; "
                f"annotate it: {' or '.join(dict.fromkeys(words))}"
            )
    names = " or ".join(sorted({op.name for op, _ in meanings}))
    return f"{path} means {names} here, depending on the type of an argument that is not known; annotate it"
