"""The seed of the process's generator: a local stream for what follows in the same scope, and for functions that draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import Reference
from ..rewriter.lifting import is_cheap
from ..rewriter.nodes import walk
from ..rewriter.read import BoundOp
from ..rewriter.rule import Rule
from .distribution_draws import is_distribution_draw
from .evident_modules import is_evident_construction
from .process_draws import calls_process_draws
from .rngs_takers import layer_takes_rngs, mapped_maker, takes_rngs


@dataclass(frozen=True)
class Seeding:
    """The seed of the process's generator is set.

    is_local: the draws and modules that follow are in this scope. is_shared: functions that it calls draw too.
    """

    seed: cst.BaseExpression
    is_local: bool
    is_shared: bool = False


def is_seeding(context: FileContext, node: cst.CSTNode) -> bool:
    """Whether a node is a call that seeds the source framework's generator."""
    return isinstance(node, cst.Call) and context.path(node.func) in context.source.fact("seed_functions", default=())


def is_seeding_statement(context: FileContext, node: cst.CSTNode) -> bool:
    """Whether a statement does nothing but seed the source framework's generator."""
    if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1 or not isinstance(node.body[0], cst.Expr):
        return False
    return is_seeding(context, node.body[0].value)


def needs_randomness(context: FileContext, call: cst.Call) -> bool:
    """Whether a call draws random numbers, builds a module, or calls a function that takes `rngs`."""
    bound = context.bound(call)
    if isinstance(bound, BoundOp):
        return bound.op.random or layer_takes_rngs(context, bound.spelling.path)
    if is_distribution_draw(context.inference, context.scope.file, call):
        return True
    if is_evident_construction(context.inference, call) or mapped_maker(context, call) is not None:
        return True
    return takes_rngs(context, context.type_of(call.func))


def seeds_here(context: FileContext, body: cst.CSTNode) -> bool:
    """Whether a scope's own statements seed the generator and then use it.

    Seeding on a condition, or behind the first use, does not count: a local generator would not always be there.
    """
    key = ("seeds", id(body))
    known = context.state.get(str(key))
    if known is None:
        seeded = False
        known = False
        for statement in getattr(body, "body", ()):
            if any(isinstance(node, cst.Call) and needs_randomness(context, node) for node in walk(statement)):
                known = seeded
                break
            seeded = seeded or is_seeding_statement(context, statement)
        context.state[str(key)] = known
    return bool(known)


def module_seeds(context: FileContext) -> bool:
    """Whether the file's top level seeds the generator."""
    known = context.state.get("module_seeds")
    if known is None:
        lines = [line for line in context.module.body if isinstance(line, cst.SimpleStatementLine)]
        known = context.state["module_seeds"] = any(
            is_seeding(context, small.value) for line in lines for small in line.body if isinstance(small, cst.Expr)
        )
    return bool(known)


def seeds_anywhere(context: FileContext) -> bool:
    """Whether some code of the repository seeds the generator, also for others."""
    known: bool | None = context.inference.__dict__.get("_seeds_anywhere")
    if known is None:
        functions = context.source.fact("seed_functions", default=())
        values = (value for file in context.inference.files.values() for value in file.types.values())
        known = any(isinstance(value, Reference) and value.path in functions for value in values)
        context.inference.__dict__["_seeds_anywhere"] = known
    return known


def read_seeding(node: cst.SimpleStatementLine, context: FileContext) -> Seeding | None:
    """`torch.manual_seed(s)` as a statement of its own."""
    if not is_seeding_statement(context, node):
        return None
    call = node.body[0].value  # type: ignore[union-attr,attr-defined]
    assert isinstance(call, cst.Call)
    function = context.enclosing(cst.FunctionDef)
    local = seeds_here(context, function.body) if function is not None else True
    body = function.body if function is not None else context.module
    shared = local and calls_process_draws(context, body)
    return Seeding(call.args[0].value if call.args else cst.Integer("0"), local, shared)


def write_seeding(construct: Seeding, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """`rngs = nnx.Rngs(seed)`, or a new seed for the process's stream; CUDA's extra seeds are dropped."""
    expression = node.body[0]
    assert isinstance(expression, cst.Expr) and isinstance(expression.value, cst.Call)
    path = context.path(expression.value.func) or ""
    context.converted(expression.value, op="seed", api=path, rule="rngs")
    if ".cuda" in path or ".mps" in path:
        return cst.RemovalSentinel.REMOVE
    seed = context.rewrite(construct.seed)
    template = "rngs = flax.nnx.Rngs({seed})" if construct.is_local else "helpers.manual_seed({seed})"
    if construct.is_shared:
        once = "{seed}" if is_cheap(construct.seed) else "helpers.initial_seed()"
        template = "helpers.manual_seed({seed})\nrngs = flax.nnx.Rngs(" + once + ")"
    statements = context.statements(template, seed=seed)
    statements[0] = statements[0].with_changes(leading_lines=node.leading_lines)
    statements[-1] = statements[-1].with_changes(trailing_whitespace=node.trailing_whitespace)
    return statements[0] if len(statements) == 1 else cst.FlattenSentinel(statements)


RULES = (
    Rule(
        "seeding",
        (cst.SimpleStatementLine,),
        dict.fromkeys(("torch", "tensorflow"), read_seeding),
        {"jax": write_seeding},
        order=20,
    ),
)
