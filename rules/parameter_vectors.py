"""`torch.nn.utils.parameters_to_vector` and `vector_to_parameters`."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.rule import Rule

_NAMES = ("parameters_to_vector", "vector_to_parameters")
_PATHS = {f"torch.nn.utils.{module}{name}": name for name in _NAMES for module in ("", "convert_parameters.")}


@dataclass(frozen=True)
class VectorCall:
    """Parameters made a vector, or written from one."""

    helper: str


def read_vector(node: cst.Call, context: FileContext) -> VectorCall | None:
    """`parameters_to_vector(model.parameters())`."""
    helper = _PATHS.get(context.direct_path(node.func) or "")
    return VectorCall(helper) if helper is not None else None


def write_vector(construct: VectorCall, node: cst.Call, context: FileContext) -> cst.Call:
    """The helper of the same name and arguments."""
    context.converted(node, op=construct.helper, api=f"torch.nn.utils.{construct.helper}", rule="parameter_vectors")
    arguments = [context.rewrite(argument) for argument in node.args]
    return node.with_changes(func=context.helper(construct.helper), args=arguments)


RULES = (Rule("parameter_vectors", (cst.Call,), {"torch": read_vector}, {"jax": write_vector}, order=25),)
