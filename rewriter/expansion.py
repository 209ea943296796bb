"""Ops in terms of others: the expression of a row's `means`, built with an op's arguments in their places."""

from __future__ import annotations

import ast
import functools
from typing import TYPE_CHECKING, Any

import libcst as cst

from .expressions import is_atom
from .read import Argument, BoundOp, Constant, Given, Refusal
from .signature import Passing
from .tables import HubOp, Spelling
from .write_arguments import CannotWrite

if TYPE_CHECKING:
    from .write import OpWriter


class Expansion:
    """Turns the expression of a `means` into nodes."""

    def __init__(self, writer: OpWriter, op: BoundOp) -> None:
        self.writer = writer
        self.op = op

    def build(self, tree: ast.expr) -> cst.BaseExpression:
        simplified = self._simplify(tree)
        if simplified is not None:
            return self.build(simplified)
        match tree:
            case ast.Name(id=name) if name in self.op.arguments:
                return self.writer.argument_node(self.op.arguments[name], name, self.op.spelling)
            case ast.Call(func=ast.Name(id=name)) if name in self.writer.context.tables.hub:
                return self._nested(tree, self.writer.context.tables.hub[name])
        return self._generic(tree)

    def _simplify(self, tree: ast.expr) -> ast.expr | None:
        """`1 * x`, `x * 1` and `x + 0` from defaults are not written."""
        if not isinstance(tree, ast.BinOp):
            return None
        left, right = self._constant(tree.left), self._constant(tree.right)
        if isinstance(tree.op, ast.Mult):
            return (
                tree.right
                if left in (1,) and left is not True
                else tree.left
                if right in (1,) and right is not True
                else None
            )
        if isinstance(tree.op, (ast.Add, ast.Sub)) and right == 0 and right is not False:
            return tree.left
        return None

    def _constant(self, tree: ast.expr) -> Any:
        if isinstance(tree, ast.Name):
            argument = self.op.arguments.get(tree.id)
            if isinstance(argument, Constant):
                return argument.value
        return None

    def _generic(self, tree: ast.expr) -> cst.BaseExpression:
        """Any other expression: its direct parts are built, the rest is kept as written."""
        nodes: dict[str, Any] = {}
        outer = self

        class Holes(ast.NodeTransformer):
            def visit_Name(self, node: ast.Name) -> ast.expr:
                return outer._hole(node, nodes) if node.id in outer.op.arguments else node

            def visit_Call(self, node: ast.Call) -> ast.AST:
                if isinstance(node.func, ast.Name) and node.func.id in outer.writer.context.tables.hub:
                    return outer._hole(node, nodes)
                return self.generic_visit(node)

            def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
                if outer._simplify(node) is not None:
                    return outer._hole(node, nodes)
                return self.generic_visit(node)

        text = ast.unparse(Holes().visit(ast.parse(ast.unparse(tree), mode="eval").body))
        for name in nodes:
            text = replace_word(text, name)
        result: cst.BaseExpression = self.writer.context.expression(text, **nodes)
        if not is_atom(result) and isinstance(
            result, (cst.BinaryOperation, cst.UnaryOperation, cst.Comparison, cst.IfExp)
        ):
            return result.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return result

    def _hole(self, tree: ast.expr, nodes: dict[str, Any]) -> ast.Name:
        name = f"part{len(nodes)}_"
        nodes[name] = self.build(tree)
        return ast.Name(name, ast.Load())

    def _nested(self, tree: ast.expr, hub: HubOp) -> cst.BaseExpression:
        """A call of another hub op inside `means`."""
        assert isinstance(tree, ast.Call)
        arguments: dict[str, Argument] = {}
        positional = [p for p in hub.parameters if p.passing is not Passing.KEYWORD_ONLY]
        pairs = [(p.name, value) for p, value in zip(positional, tree.args, strict=False)]
        pairs += [(keyword.arg or "", keyword.value) for keyword in tree.keywords]
        made: dict[cst.CSTNode, cst.BaseExpression] = {}
        for name, value in pairs:
            if isinstance(value, ast.Name) and value.id in self.op.arguments:
                arguments[name] = self.op.arguments[value.id]
                continue
            try:
                arguments[name] = Constant(ast.literal_eval(value))
            except ValueError:
                node = self.build(value)
                made[node] = node
                arguments[name] = Given(node)
        for parameter in hub.parameters:
            arguments.setdefault(parameter.name, Constant(parameter.default))
        spelling = Spelling(hub.name, self.op.spelling.framework, "means", hub.name)
        known = self.writer.context.engine
        assert known is not None
        known.memo.update(made)  # type: ignore[attr-defined]
        result = self.writer.write(BoundOp(hub, spelling, arguments, self.op.node, self.op.api))
        if isinstance(result, Refusal):
            raise CannotWrite(result.reason)
        return result.with_changes(lpar=[], rpar=[]) if isinstance(result, cst.Call) else result


@functools.cache
def parse(text: str) -> ast.expr:
    """The tree of a `means`."""
    return ast.parse(text, mode="eval").body


def replace_word(text: str, name: str) -> str:
    """`name` as a placeholder wherever it stands as a name of its own."""
    tree = ast.parse(text, mode="eval")
    spots = sorted(
        (node.col_offset for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name), reverse=True
    )
    for start in spots:
        text = text[:start] + "{" + name + "}" + text[start + len(name) :]
    return text
