"""Generator objects: `torch.Generator` becomes `nnx.Rngs`, a call of which gives a fresh key.

Draws with `generator=` take their key from it (rules/rngs.py); the process's own generator is a stream of the same
interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import RandomKey
from ..rewriter.names import dotted
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .seeding import is_seeding

_CLASS = "torch.Generator"
_MERGED = "generators_seeded_below"
#: Functions on the process's generator, and methods of a generator, with the helper for both.
_FUNCTIONS = {
    "torch.get_rng_state": "generator_state", "torch.random.get_rng_state": "generator_state",
    "torch.set_rng_state": "set_generator_state", "torch.random.set_rng_state": "set_generator_state",
    "torch.initial_seed": "initial_seed", "torch.random.initial_seed": "initial_seed",
}  # fmt: skip
_METHODS = {"get_state": "generator_state", "set_state": "set_generator_state", "initial_seed": "initial_seed"}


@dataclass(frozen=True)
class NewGenerator:
    """A generator under construction; seed is None where it keeps its first seed."""

    seed: cst.BaseExpression | None


@dataclass(frozen=True)
class Reseeding:
    """A new seed for a generator, or for that of the process (None); the value is the generator."""

    generator: cst.BaseExpression | None
    seed: cst.BaseExpression


@dataclass(frozen=True)
class StateUse:
    """The state or the seed of a generator (None: of the process) is read or set by a helper."""

    helper: str
    generator: cst.BaseExpression | None
    arguments: tuple[cst.Arg, ...]


@dataclass(frozen=True)
class SeededBelow:
    """`g = torch.Generator()` directly above `g.manual_seed(seed)`; `trailing` ends the line that is left."""

    seed: cst.BaseExpression
    trailing: cst.TrailingWhitespace


def read_call(node: cst.Call, context: FileContext) -> NewGenerator | Reseeding | StateUse | Refusal | None:
    """A generator's construction and methods, and the functions on the process's generator."""
    path = context.direct_path(node.func)
    if path == _CLASS:
        return NewGenerator(None)
    if path in _FUNCTIONS:
        return StateUse(_FUNCTIONS[path], None, tuple(node.args))
    if is_seeding(context, node) and len(node.args) == 1:
        return Reseeding(None, node.args[0].value)
    if not isinstance(node.func, cst.Attribute) or not isinstance(context.type_of(node.func.value), RandomKey):
        return None
    receiver, name = node.func.value, node.func.attr.value
    if name == "manual_seed" and len(node.args) == 1:
        made = isinstance(receiver, cst.Call) and context.direct_path(receiver.func) == _CLASS
        return NewGenerator(node.args[0].value) if made else Reseeding(receiver, node.args[0].value)
    if name in _METHODS:
        return StateUse(_METHODS[name], receiver, tuple(node.args))
    return Refusal(f"{_CLASS}.{name} has no counterpart of the same kind in JAX", node, f"{_CLASS}.{name}")


def write_call(construct: Any, node: cst.Call, context: FileContext) -> Any:
    """`nnx.Rngs(seed)`, or the helper."""
    context.converted(node, op=type(construct).__name__, api=_CLASS, rule="generators")
    match construct:
        case NewGenerator(seed=None):
            return context.expression("flax.nnx.Rngs(0)")
        case NewGenerator(seed=cst.BaseExpression() as seed):
            return context.expression("flax.nnx.Rngs({seed})", seed=context.rewrite(seed))
        case Reseeding(generator=None, seed=seed):
            is_statement = isinstance(context.stack[-2] if len(context.stack) > 1 else None, cst.Expr)
            helper = "manual_seed" if is_statement else "seeded_stream"
            return context.expression(f"helpers.{helper}({{seed}})", seed=context.rewrite(seed))
        case Reseeding(generator=cst.BaseExpression() as generator, seed=seed):
            nodes = {"generator": context.rewrite(generator), "seed": context.rewrite(seed)}
            return context.expression("helpers.reseed({generator}, {seed})", **nodes)
    arguments = [context.rewrite(argument) for argument in construct.arguments]
    if construct.generator is not None:
        arguments.append(cst.Arg(context.rewrite(construct.generator)))
    return context.expression(f"helpers.{construct.helper}({{arguments}})", arguments=arguments)


def read_statement(node: cst.SimpleStatementLine, context: FileContext) -> SeededBelow | NewGenerator | None:
    """The two statements that make a generator and seed it: the first takes the seed, the second goes."""
    if node in context.state.get(_MERGED, ()):
        return NewGenerator(None)
    target = _made_here(node, context)
    if target is None or len(context.stack) < 2:
        return None
    siblings = list(getattr(context.stack[-2], "body", ()))
    below = siblings[siblings.index(node) + 1 :][:1] if node in siblings else []
    seed = _seed_of(below[0], target) if below else None
    if seed is None:
        return None
    ends = [line.trailing_whitespace for line in (node, below[0]) if line.trailing_whitespace.comment is not None]
    if len(ends) == 2:
        return None
    context.state.setdefault(_MERGED, set()).add(below[0])
    return SeededBelow(seed, ends[0] if ends else node.trailing_whitespace)


def _made_here(node: cst.SimpleStatementLine, context: FileContext) -> str | None:
    """The name that a statement gives to a new generator, and nothing else."""
    match node.body:
        case [cst.Assign(targets=[cst.AssignTarget(target=target)], value=cst.Call(func=function))]:
            return dotted(target) if context.direct_path(function) == _CLASS else None
    return None


def _seed_of(node: cst.CSTNode, name: str) -> cst.BaseExpression | None:
    """The seed in `name.manual_seed(seed)` as a statement of its own, without comments."""
    match node:
        case cst.SimpleStatementLine(
            body=[cst.Expr(value=cst.Call(func=function, args=[argument]))]
        ) if dotted(function) == f"{name}.manual_seed" and not any(line.comment for line in node.leading_lines):
            return argument.value
    return None


def write_statement(
    construct: SeededBelow | NewGenerator, node: cst.SimpleStatementLine, context: FileContext
) -> Any:
    """`g = nnx.Rngs(seed)`; nothing for the seeding below it."""
    assign = node.body[0]
    if isinstance(construct, NewGenerator):
        return cst.RemovalSentinel.REMOVE
    assert isinstance(assign, cst.Assign)
    context.converted(assign.value, op="NewGenerator", api=_CLASS, rule="generators")
    made = context.expression("flax.nnx.Rngs({seed})", seed=context.rewrite(construct.seed))
    target = assign.targets[0].with_changes(target=context.rewrite(assign.targets[0].target))
    body = [assign.with_changes(targets=[target], value=made)]
    return node.with_changes(body=body, trailing_whitespace=construct.trailing)


RULES = (
    Rule("generator", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=25),
    Rule("generator_seeded", (cst.SimpleStatementLine,), {"torch": read_statement}, {"jax": write_statement}, order=25),
)
