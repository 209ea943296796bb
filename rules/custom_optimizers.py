"""Optimizers of the repository's own, `class Lion(torch.optim.Optimizer)`: left whole, since they change parameters in place."""

from __future__ import annotations

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Instance, Reference, Type
from ..rewriter.read import Refusal
from ..rewriter.references import family_reason
from ..rewriter.rule import Rule

_BASE = "torch.optim.Optimizer"
OWN_OPTIMIZER = "write its update as an optax.GradientTransformation and step it by nnx.Optimizer"


def read(node: cst.ClassDef, context: FileContext) -> Refusal | None:
    """A class that derives from an optimizer of the source framework, also through other classes."""
    inference = context.inference
    paths = [path for path in (context.path(base.value) for base in node.bases) if path is not None]
    ancestors = [ancestor for path in paths for ancestor in inference.ancestors(path)]
    if not any(_is_optimizer(path, context) for path in ancestors):
        return None
    return Refusal(family_reason(context, _BASE) or f"{_BASE} as a base class", node.name, _BASE)


def read_construction(node: cst.Call, context: FileContext) -> Refusal | None:
    """`Lion(model.parameters(), lr=1e-3)`."""
    value = context.type_of(node)
    if not isinstance(value, Instance) or not is_own_optimizer(context, value) or context.type_of(node.func) != Reference(value.path):
        return None
    name = value.path.rpartition(".")[2]
    return Refusal(f"{name} is an optimizer written for {context.source.name}; {OWN_OPTIMIZER}", node, _BASE)


def is_own_optimizer(context: FileContext, value: Type) -> bool:
    """Whether a value is an optimizer whose class the repository defines."""
    if not isinstance(value, Instance) or context.inference.class_definition(value.path) is None:
        return False
    return any(_is_optimizer(path, context) for path in context.inference.ancestors(value.path))


def _is_optimizer(path: str, context: FileContext) -> bool:
    parents = context.source.fact("class_parents", default={})
    return path == _BASE or parents.get(f"{path.rpartition('.')[0]}.*") == _BASE


RULES = (
    Rule("custom_optimizers", (cst.ClassDef,), {"torch": read}, {"jax": lambda *_: None}, order=5),
    Rule("custom_optimizer_made", (cst.Call,), {"torch": read_construction}, {"jax": lambda *_: None}, order=5),
)
