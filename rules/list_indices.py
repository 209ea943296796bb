"""Lists as indices: `x[[0, 2]]` selects rows in torch, while JAX asks for an array."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Array, Scalar, Sequence
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .places import index_elements


@dataclass(frozen=True)
class ListIndex:
    """An array read at the positions that a list holds, or where a list of truth values is true."""


def read(node: cst.Subscript, context: FileContext) -> ListIndex | Refusal | None:
    """A list beside other indices is understood by both."""
    index = node.slice[0].slice
    if len(node.slice) != 1 or not isinstance(index, cst.Index):
        return None
    found = context.type_of(index.value)
    if not isinstance(found, Sequence) or found.kind != "list" or not isinstance(context.type_of(node.value), Array):
        return None
    if found.item in (Scalar("int"), Scalar("bool")):
        return ListIndex()
    return Refusal(
        "whether a list is one index or several depends on what it holds: annotate it, for instance list[int]", node
    )


def write(construct: ListIndex, node: cst.Subscript, context: FileContext) -> cst.Subscript:
    """`x[jnp.array([0, 2])]`."""
    context.converted(node, op="list_index", rule="list_indices")
    return node.with_changes(value=context.rewrite(node.value), slice=index_elements(node, context))


RULES = (Rule("list_indices", (cst.Subscript,), {"torch": read}, {"jax": write}, order=60),)
