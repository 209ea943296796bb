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
    torch.fx.wrap torch.jit._overload_method torch.jit._overload torch._dynamo.disable torch._dynamo.allow_in_graph""".split()
)

#: What notes types for a compiler: the position of the value itself.
_VALUES = {"torch.jit.annotate": 1, "torch.jit.Attribute": 0}
_ANNOTATIONS = frozenset(("torch.jit.Final",))


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


@dataclass(frozen=True)
class CompilerNote:
    """What is written for a compiler's sake around a value or an annotation: only that is left."""

    kept: cst.BaseExpression
    api: str


def read_note(node: cst.Call | cst.Subscript, context: FileContext) -> CompilerNote | None:
    """`torch.jit.annotate(List[int], [])`, `torch.jit.Attribute(x, int)`, `torch.jit.Final[int]`."""
    path = context.direct_path(node.func if isinstance(node, cst.Call) else node.value) or ""
    if isinstance(node, cst.Subscript):
        index = node.slice[0].slice if path in _ANNOTATIONS and len(node.slice) == 1 else None
        return CompilerNote(index.value, path) if isinstance(index, cst.Index) else None
    position = _VALUES.get(path, len(node.args))
    plain = all(argument.keyword is None and not argument.star for argument in node.args)
    return CompilerNote(node.args[position].value, path) if plain and position < len(node.args) else None


def write_note(construct: CompilerNote, node: cst.Call | cst.Subscript, context: FileContext) -> cst.BaseExpression:
    """The value or the annotation itself."""
    context.converted(node, op="compile", api=construct.api, rule="compiled")
    kept: cst.BaseExpression = context.rewrite(construct.kept)
    return kept


_NOTE_TARGETS = dict.fromkeys(("jax", "numpy", "tensorflow"), write_note)
RULES = (
    Rule("compiled", (cst.Decorator,), {"torch": read_decorator}, {"jax": write_decorator}, order=30),
    Rule("compiler_note", (cst.Call, cst.Subscript), {"torch": read_note}, _NOTE_TARGETS, order=30),
)
