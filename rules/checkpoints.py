"""Checkpoint files: `torch.save` and `torch.load` become helpers that write and read .safetensors files, never code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import closed_like
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule

_FUNCTIONS = {"torch.save": "save", "torch.load": "load", "safetensors.torch.save_file": "save",
              "safetensors.torch.load_file": "load"}  # fmt: skip
_PARAMETERS = {"save": ("obj", "path"), "load": ("path",)}
#: torch's name of the file, and what only concerns pickles, devices and memory maps.
_RENAMED = {"f": "path", "filename": "path", "tensors": "obj"}
_DROPPED = frozenset(
    "map_location pickle_module pickle_protocol weights_only mmap _use_new_zipfile_serialization encoding device".split()
)
_DOWNLOADS = frozenset(
    "torch.hub.load_state_dict_from_url torch.hub.load torch.utils.model_zoo.load_url torch.hub.load_url".split()
)
_METADATA = "metadata of a .safetensors file: put it into the dictionary that is saved"
_WHOLE_MODULE = "a whole module in a checkpoint is a pickle of its class; save its state_dict() instead"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint written or read: `helper` is `save` or `load`."""

    helper: str
    arguments: tuple[cst.Arg, ...]
    api: str


def read_checkpoint(node: cst.Call, context: FileContext) -> Checkpoint | Refusal | None:
    """`torch.save(obj, path)` and `torch.load(path, map_location=device)`."""
    path = context.direct_path(node.func) or ""
    if path in _DOWNLOADS:
        reason = "downloads weights for torch; convert the file with `ivy-convert weights` and read it with load()"
        return Refusal(reason, node, path)
    helper = _FUNCTIONS.get(path)
    if helper is None:
        return None
    names = _PARAMETERS[helper]
    kept: list[cst.Arg] = []
    for index, argument in enumerate(node.args):
        if argument.star:
            return Refusal(f"the arguments of {path} cannot be read; write them out", node, path)
        if argument.keyword is None:
            if index == 2 and path == "safetensors.torch.save_file":
                return Refusal(_METADATA, node, path)
            kept.extend([argument] if index < len(names) else [])
            continue
        if argument.keyword.value == "metadata":
            return Refusal(_METADATA, node, path)
        name = _RENAMED.get(argument.keyword.value, argument.keyword.value)
        if name in names:
            kept.append(argument.with_changes(keyword=cst.Name(name)))
        elif name not in _DROPPED:
            return Refusal(f"the argument {name} of {path} is not known", node, path)
    written = [value for argument in kept if helper == "save" for value in _saved(argument.value)]
    if any(context.inference.is_module(context.type_of(value)) for value in written):
        return Refusal(_WHOLE_MODULE, node, path)
    return Checkpoint(helper, tuple(kept), path)


def _saved(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The values in a literal dictionary, list or tuple that is saved, at any depth; else the expression itself."""
    match node:
        case cst.Dict(elements=elements) | cst.List(elements=elements) | cst.Tuple(elements=elements):
            for element in elements:
                yield from _saved(element.value)
        case _:
            yield node


def write_checkpoint(construct: Checkpoint, node: cst.Call, context: FileContext) -> Any:
    """The helper of the same name."""
    context.converted(node, op=construct.helper, api=construct.api, rule="checkpoints")
    arguments = [context.rewrite(argument) for argument in construct.arguments]
    return node.with_changes(func=context.helper(construct.helper), args=closed_like(node, arguments))


RULES = (Rule("checkpoint", (cst.Call,), {"torch": read_checkpoint}, {"jax": write_checkpoint}, order=25),)
