"""Which functions run while a gradient is taken: what modules' forward methods and losses call."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.names import dotted
from ..rewriter.nodes import NodesByKind
from .optimizer_models import own_nodes

_TRANSFORMS = frozenset(
    """grad grad_and_value value_and_grad vjp jvp jacrev jacfwd jacobian hessian hvp vhp linearize vmap checkpoint""".split()
)


def is_differentiated(context: FileContext) -> bool:
    """Whether the function being rewritten may run inside a computation that is differentiated.

    By name: everything that a forward method calls, everything called in a block in front of `backward()` or in a
    function with `grad(y, x)`, and what is handed to functions that differentiate.
    """
    functions = [node for node in context.stack if isinstance(node, cst.FunctionDef)]
    if not functions:
        return False
    names = _differentiated_names(context.inference)
    owners = [node for node in context.stack if isinstance(node, cst.ClassDef)]
    forward = context.inference.framework.forward_methods
    if owners and any(function.name.value in forward for function in functions):
        return True
    return any(function.name.value in names for function in functions)


def _differentiated_names(inference: Inference) -> frozenset[str]:
    """The names of all functions and methods that may be called under differentiation."""
    known: frozenset[str] | None = inference.__dict__.get("_differentiated_names")
    if known is not None:
        return known
    functions: dict[str, list[cst.FunctionDef]] = {}
    pending: set[str] = set()
    for file, module in inference.modules.items():
        nodes = inference.nodes(file)
        for function in nodes.of(cst.FunctionDef):
            functions.setdefault(function.name.value, []).append(function)
        pending |= _called_by_transforms(nodes)
        if any(name.value == "backward" for name in nodes.of(cst.Name)):
            pending |= _called_before_backward(module)
            for block in nodes.of(cst.IndentedBlock):
                pending |= _called_before_backward(block)
    pending |= set(inference.framework.forward_methods)
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name in reached or name not in functions:
            continue
        reached.add(name)
        for function in functions[name]:
            pending |= set(_called(function.body))
    result = frozenset(reached)
    inference.__dict__["_differentiated_names"] = result
    return result


def _called_by_transforms(nodes: NodesByKind) -> set[str]:
    """Names of functions that are handed to `grad`, `jacrev` and the like, and what is called beside a `grad(y, x)`."""
    names: set[str] = set()
    for call in nodes.of(cst.Call):
        last = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
        if isinstance(last, cst.Name) and last.value in _TRANSFORMS:
            for argument in call.args:
                if isinstance(argument.value, cst.Lambda):
                    names |= set(_called(argument.value.body))
                else:
                    names.add((dotted(argument.value) or "").rpartition(".")[2])
    for function in nodes.of(cst.FunctionDef):
        called = set(_called(function.body))
        names |= called if "grad" in called else set()
    return names


def _called_before_backward(block: cst.IndentedBlock | cst.Module) -> set[str]:
    """Names called in the statements of a block in front of its last `backward()`."""
    names: set[str] = set()
    pending: set[str] = set()
    for statement in block.body:
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            continue
        called = set(_called(statement))
        pending |= called
        if isinstance(statement, cst.SimpleStatementLine) and "backward" in called:
            names |= pending
            pending = set()
    return names


def _called(node: cst.CSTNode) -> Iterator[str]:
    """The last parts of the names of all functions called below a node, calls without gradients left out."""
    for part in (node, *own_nodes(node)):
        if type(part) is cst.Call:
            if isinstance(part.func, cst.Name):
                yield part.func.value
            elif isinstance(part.func, cst.Attribute):
                yield part.func.attr.value
