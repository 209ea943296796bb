"""`if __name__ == "__main__":` blocks that draw: a script has a stream of its own, as a function that seeds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.names import dotted
from ..rewriter.nodes import children
from ..rewriter.read import BoundOp, literal
from ..rewriter.rule import Rule
from .rngs import SCRIPT
from .rngs_takers import NAME
from .seeding import seeds_anywhere, seeds_here


@dataclass(frozen=True)
class Script:
    """What a file does when it is run. is_seeded: the block makes its stream itself, from a seed."""

    body: cst.IndentedBlock
    is_seeded: bool


def read_script(node: cst.If, context: FileContext) -> Script | None:
    """A block at the top level that draws, in a file that has no other use for the name of the stream."""
    if len(context.stack) != 1 + sum(isinstance(outer, cst.Module) for outer in context.stack) or not _is_main(node.test):
        return None
    body = node.body
    if not isinstance(body, cst.IndentedBlock) or not _draws(body, context):
        return None
    if seeds_here(context, body):
        return Script(body, True)
    if seeds_anywhere(context) or NAME in context.scope.definitions or NAME in context.scope.imports:
        return None
    return None if context.mentions(context.module, NAME) else Script(body, False)


def _is_main(test: cst.BaseExpression) -> bool:
    """`__name__ == "__main__"`."""
    if not isinstance(test, cst.Comparison) or len(test.comparisons) != 1:
        return False
    comparison = test.comparisons[0]
    return (
        isinstance(comparison.operator, cst.Equal)
        and dotted(test.left) == "__name__"
        and literal(comparison.comparator) == "__main__"
    )


def _draws(node: cst.CSTNode, context: FileContext) -> bool:
    """Whether code draws outside of functions and classes."""
    bound = context.bound(node)
    if isinstance(bound, BoundOp) and bound.op.random:
        return True
    if isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
        return False
    return any(_draws(child, context) for child in children(node))


def write_script(construct: Script, node: cst.If, context: FileContext) -> Any:
    """The block with `rngs = nnx.Rngs(0)` in front, from which it draws and builds its modules."""
    context.state[SCRIPT] = True
    block = context.rewrite_children(node)
    context.state[SCRIPT] = False
    if construct.is_seeded:
        return block
    made = context.statements("rngs = flax.nnx.Rngs(0)")
    return block.with_changes(body=block.body.with_changes(body=[*made, *block.body.body]))


RULES = (Rule("script_streams", (cst.If,), {"torch": read_script}, {"jax": write_script}, order=10),)
