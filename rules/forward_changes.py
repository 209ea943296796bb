"""`self.weight.data = normalize(self.weight.data)` within a forward pass: torch's gradient belongs to the parameter still.

The parameter stays a leaf in torch, whatever becomes of its values. In JAX the new value would be a constant of the
function that is differentiated, and the parameter's gradient zero.
"""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import Array
from ..rewriter.nodes import walk
from .definition_nodes import is_module_class_node


def keeps_gradient(array: cst.BaseExpression, context: FileContext) -> bool:
    """Whether a new value of a whole array must have the gradient of the old one: a parameter, during forward passes."""
    value = context.type_of(array)
    if not isinstance(value, Array) or value.storage != "parameter":
        return False
    function, owner = context.enclosing(cst.FunctionDef), context.enclosing(cst.ClassDef)
    if function is None or owner is None or not is_module_class_node(context, owner):
        return False
    return function.name.value in _run_by_forward(context.inference)


def _run_by_forward(inference: Inference) -> frozenset[str]:
    """The names of the methods that forward passes of the repository's modules may run."""
    known: frozenset[str] | None = inference.__dict__.get("_run_by_forward")
    if known is None:
        methods: dict[str, list[cst.FunctionDef]] = {}
        for file in inference.modules:
            for owner in inference.nodes(file).of(cst.ClassDef):
                for node in owner.body.body:
                    if isinstance(node, cst.FunctionDef):
                        methods.setdefault(node.name.value, []).append(node)
        pending = [*inference.framework.forward_methods, "__call__"]
        found: set[str] = set()
        while pending:
            name = pending.pop()
            if name in found or name == "__init__":
                continue
            found.add(name)
            for method in methods.get(name, ()):
                for part in walk(method.body):
                    if isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute) and part.func.attr.value in methods:
                        pending.append(part.func.attr.value)
        known = inference.__dict__["_run_by_forward"] = frozenset(found)
    return known
