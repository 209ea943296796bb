"""Compilers around functions: `@torch.compile` and `@torch.jit.script` change no number, and JAX compiles from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.rule import Rule

_COMPILERS = frozenset(("torch.compile", "torch.jit.script", "torch.jit.script_if_tracing"))
#: What tells a compiler to keep away from a function.
_EXCEPTIONS = frozenset(
    """torch.jit.ignore torch.jit.unused torch.jit.export torch.compiler.disable torch.compiler.allow_in_graph
    torch._dynamo.disable torch._dynamo.allow_in_graph""".split()
)


@dataclass(frozen=True)
class CompiledFunction:
    """A function that is compiled on its own, or kept from being compiled."""

    api: str
    compiles: bool


def read_decorator(node: cst.Decorator, context: FileContext) -> CompiledFunction | None:
    """`@torch.compile`, called or not, and what says the opposite."""
    function = node.decorator.func if isinstance(node.decorator, cst.Call) else node.decorator
    path = context.direct_path(function) or ""
    if path in _COMPILERS or path in _EXCEPTIONS:
        return CompiledFunction(path, path in _COMPILERS)
    return None


def write_decorator(construct: CompiledFunction, node: cst.Decorator, context: FileContext) -> Any:
    """Nothing: arguments that are no arrays would have to be declared static for jax.jit."""
    if construct.compiles:
        reason = "runs uncompiled; put jax.jit or nnx.jit around the outermost step"
        context.review(node, reason, op="compile", api=construct.api, rule="compiled")
    else:
        context.converted(node, op="compile", api=construct.api, rule="compiled")
    return cst.RemovalSentinel.REMOVE


RULES = (Rule("compiled", (cst.Decorator,), {"torch": read_decorator}, {"jax": write_decorator}, order=30),)
