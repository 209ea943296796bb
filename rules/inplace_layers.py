"""Layers that overwrite their input: `self.relu = nn.ReLU(inplace=True)` and the places that call `self.relu(x)`."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp, literal
from .inplace_methods import MutatingCall
from .places import without_wrappers


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """A call of an attribute that this class, or a name that this file, was given as a layer working in place."""
    if len(node.args) != 1 or node.args[0].star or not isinstance(context.type_of(node.func), Instance):
        return None
    name = dotted(node.func)
    if name is None or name not in _in_place_layers(context):
        return None
    array = without_wrappers(node.args[0].value, context)
    return MutatingCall(node, array, name, "in_place_layer", lambda c: c.rewrite_children(node))


def _in_place_layers(context: FileContext) -> frozenset[str]:
    """Dotted targets of this file, `self.relu` for instance, that are assigned a layer that works in place."""
    owner = context.enclosing(cst.ClassDef) or context.module
    known: dict[cst.CSTNode, frozenset[str]] = context.state.setdefault("inplace_layers", {})
    if owner not in known:
        known[owner] = frozenset(
            name
            for part in walk(owner)
            if isinstance(part, cst.Assign) and _works_in_place(part.value, context)
            for target in part.targets
            if (name := dotted(target.target)) is not None
        )
    return known[owner]


def _works_in_place(value: cst.CSTNode, context: FileContext) -> bool:
    """A layer made with `inplace=True`, or a sequence of layers that begins with one."""
    if not isinstance(value, cst.Call):
        return False
    bound = context.bound(value)
    if not (isinstance(bound, BoundOp) and bound.op.is_layer):
        first = value.args[0].value if value.args and not value.args[0].star else None
        return isinstance(context.type_of(value), Instance) and first is not None and _works_in_place(first, context)
    if any(a.keyword is not None and a.keyword.value == "inplace" and literal(a.value) is not False for a in value.args):
        return True
    names = [parameter.name for parameter in bound.spelling.parameters]
    plain = [argument.value for argument in value.args if argument.keyword is None]
    return "inplace" in names[: len(plain)] and literal(plain[names.index("inplace")]) is not False
