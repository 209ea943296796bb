"""Layers that overwrite their input: `self.relu = nn.ReLU(inplace=True)` and the places that call `self.relu(x)`."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance
from ..rewriter.names import dotted
from .inplace_methods import MutatingCall
from .places import aliases_of, without_wrappers


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """A call of an attribute that this class, or a name that this file, was given as a layer working in place."""
    if len(node.args) != 1 or node.args[0].star or not isinstance(context.type_of(node.func), Instance):
        return None
    name = dotted(node.func)
    if name is None or name not in aliases_of(context.inference).layers(context.scope.file).in_place:
        return None
    array = without_wrappers(node.args[0].value, context)
    return MutatingCall(node, array, name, "in_place_layer", lambda c: c.rewrite_children(node))
