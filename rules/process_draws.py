"""Whether code draws, in functions that it calls, from the generator of the process rather than from a local one."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import Instance, Method, Reference
from ..rewriter.names import Definition
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp
from .distribution_draws import is_distribution_draw


def calls_process_draws(context: FileContext, body: cst.CSTNode) -> bool:
    """Whether a scope of this file calls functions of the repository that draw from the process's stream."""
    return any(_draws(context.inference, found) for found in _called(context.inference, context.scope.file, body))


def _called(inference: Inference, file: str, body: cst.CSTNode) -> list[Definition]:
    """The functions, methods and constructors of the repository that code calls."""
    types = inference.files[file].types
    found = []
    for node in walk(body):
        if not isinstance(node, cst.Call):
            continue
        callee = types.get(node.func)
        if isinstance(callee, Method) and isinstance(callee.receiver, Instance):
            method = inference.method(callee.receiver.path, callee.name)
        elif isinstance(callee, Reference) and inference.class_definition(callee.path) is not None:
            method = inference.method(callee.path, "__init__")
        elif isinstance(callee, Reference):
            definition = inference.repository.resolve(callee.path)
            method = ("", definition) if definition is not None else None
        else:
            method = None
        if method is not None and isinstance(method[1].node, cst.FunctionDef):
            found.append(method[1])
    return found


def _draws(inference: Inference, definition: Definition) -> bool:
    """Whether a function draws from the process's stream, itself or through others. Modules have their own."""
    cache: dict[cst.CSTNode, bool] = inference.__dict__.setdefault("_process_draws", {})
    node = definition.node
    assert isinstance(node, cst.FunctionDef)
    if node not in cache:
        cache[node] = False
        is_module_method = bool(definition.owner) and inference.is_module_class(definition.owner)
        own = not is_module_method and any(
            isinstance(part, cst.Call) and _is_draw(inference, definition.file, part) for part in walk(node.body)
        )
        cache[node] = own or any(_draws(inference, f) for f in _called(inference, definition.file, node.body))
    return cache[node]


def _is_draw(inference: Inference, file: str, call: cst.Call) -> bool:
    """A random op or a shuffling loader that was given no generator."""
    if any(argument.keyword is not None and argument.keyword.value == "generator" for argument in call.args):
        return False
    bound = inference.files[file].bound.get(call)
    if isinstance(bound, BoundOp):
        return bound.op.random
    if is_distribution_draw(inference, file, call):
        return True
    callee = inference.files[file].types.get(call.func)
    if not isinstance(callee, Reference) or callee.path not in inference.framework.batch_loaders:
        return False
    return any(argument.keyword is not None and argument.keyword.value == "shuffle" for argument in call.args)
