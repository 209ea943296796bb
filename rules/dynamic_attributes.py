"""`getattr` of the source framework's modules: `getattr(nn, "Tanh")` is `nn.Tanh`, other names show when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Reference
from ..rewriter.read import Refusal, literal
from ..rewriter.references import write_reference
from ..rewriter.rule import Rule


@dataclass(frozen=True)
class NamedAttribute:
    """An object of the source framework that is asked for by a name written out."""

    path: str


def read(node: cst.Call, context: FileContext) -> NamedAttribute | Refusal | None:
    """`getattr(nn, "Tanh")`, `getattr(nn, name)`."""
    if not isinstance(node.func, cst.Name) or node.func.value != "getattr" or not 2 <= len(node.args) <= 3:
        return None
    owner, name = node.args[0].value, literal(node.args[1].value)
    path = context.direct_path(owner)
    if path is None or not context.source.owns(path) or not isinstance(context.type_of(owner), Reference):
        return None
    if isinstance(name, str) and context.inference.framework.knows(f"{path}.{name}"):
        return NamedAttribute(f"{path}.{name}")
    if context.source.by_path.get(path):
        return None  # of a class or function
    reason = f"which of {path}'s names this is shows when it runs; write a dictionary of those that may be asked for"
    return Refusal(reason, node, path)


def write(construct: NamedAttribute, node: cst.Call, context: FileContext) -> Any:
    """The target's name for the object."""
    return write_reference(context, node, construct.path)


RULES = (
    Rule("dynamic_attributes", (cst.Call,), {"torch": read}, dict.fromkeys(("jax", "numpy", "tensorflow"), write), order=30),
)
