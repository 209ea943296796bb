"""Whether a repository freezes parameters and thaws them later: its optimizers must then hold the frozen ones too."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Array, Type
from ..rewriter.read import literal


def thaws_parameters(context: FileContext) -> bool:
    """Whether a parameter that does not require a gradient may do so later: both are set, or what is set is computed."""
    inference = context.inference
    known = inference.__dict__.get("_thaws_parameters")
    if known is None:
        flags = [literal(value) for value in _flags(inference)]
        known = inference.__dict__["_thaws_parameters"] = any(not isinstance(flag, bool) for flag in flags) or (
            len(set(flags)) == 2
        )
    return bool(known)


def _flags(inference: Inference) -> Iterator[cst.BaseExpression]:
    """What `p.requires_grad = flag` and `p.requires_grad_(flag)` set, for parameters and modules."""
    for file, found in inference.files.items():
        nodes = inference.nodes(file)
        for assign in nodes.of(cst.Assign):
            for target in assign.targets:
                match target.target:
                    case cst.Attribute(value=owner, attr=cst.Name(value="requires_grad")):
                        if _is_trained(found.types.get(owner, UNKNOWN), inference):
                            yield assign.value
        for call in nodes.of(cst.Call):
            match call.func:
                case cst.Attribute(value=owner, attr=cst.Name(value="requires_grad_")):
                    if _is_trained(found.types.get(owner, UNKNOWN), inference):
                        yield call.args[0].value if call.args else cst.Name("True")


def _is_trained(value: Type, inference: Inference) -> bool:
    return value.storage == "parameter" if isinstance(value, Array) else inference.is_module(value)
