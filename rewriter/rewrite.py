"""Rewrites one file's tree, bottom-up: rules first, then the tables, then plain references."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import libcst as cst

from .context import FileContext
from .evidence import OTHER_ATTRIBUTES
from .format import LineFormatter
from .lattice import ARRAY, UNKNOWN, Array, Instance, Method, Type
from .lifting import with_lifted
from .nodes import child_fields, is_node
from .read import BoundOp, Refusal, read_call
from .references import family_reason, unknown, write_reference
from .rule import Rule
from .source import MARK, SKIP
from .tables import HELPERS
from .write import OpWriter
from .write_arguments import Supplier


class Rewriter:
    """`visit` gives the rewritten form of a node and remembers it."""

    def __init__(
        self,
        context: FileContext,
        rules: Mapping[type[cst.CSTNode], tuple[Rule, ...]],
        suppliers: tuple[Supplier, ...],
        formatter: LineFormatter,
    ) -> None:
        self.context = context
        self.rules = rules
        self.writer = OpWriter(context, suppliers)
        self.formatter = formatter
        self.memo: dict[cst.CSTNode, Any] = {}
        self._targets: set[cst.CSTNode] = set()
        context.engine = self
        # A framework without helpers in its rows did not write the helper module that a file imports.
        has_helpers = context.inference.helpers_are_source and any(
            path.startswith(f"{HELPERS}.") for path in context.source.by_path
        )
        self._roots = frozenset((*context.source.roots, *([HELPERS] if has_helpers else ())))

    def visit(self, node: cst.CSTNode) -> Any:
        """The rewritten node: the same object where nothing changes."""
        known = self.memo.get(node)
        if known is not None:
            return known
        if self._is_skipped(node):
            result: Any = node
        else:
            self.context.stack.append(node)
            result = self._target(node) if node in self._targets else self._rewrite(node)
            self.context.stack.pop()
        self.memo[node] = result
        return result

    def _target(self, node: cst.CSTNode) -> Any:
        """What is assigned to or deleted: an expression in its place must allow that too."""
        state = self.context.snapshot()
        result = self._rewrite(node)
        if isinstance(result, _ASSIGNABLE):
            return result
        self.context.restore(state)
        text = _text(node)
        self._refuse(Refusal(f"{text} cannot be assigned to in {self.context.target.name}", node, text), node, "tables")
        return self.children(node)

    def _rewrite(self, node: cst.CSTNode) -> Any:
        part = _part(type(node))
        if part == "import":
            return node
        if part == "statement":
            return self._statement(node)  # type: ignore[arg-type]
        if node in self.context.claimed:
            return self.children(node)
        handled = self._apply_rules(node)
        if handled is not None:
            return handled
        if part == "expression":
            return self._expression(node)  # type: ignore[arg-type]
        return self.children(node)

    def _apply_rules(self, node: cst.CSTNode) -> Any | None:
        source = self.context.source.name
        for rule in self.rules.get(type(node), ()):
            construct = rule.read[source](node, self.context)
            if construct is None:
                continue
            if isinstance(construct, Refusal):
                return self._refuse(construct, node, rule.name)
            state = self.context.snapshot()
            written = rule.write[self.context.target.name](construct, node, self.context)
            if isinstance(written, Refusal):
                self.context.restore(state)
                return self._refuse(written, node, rule.name)
            if written is not None:
                return written
        return None

    def _refuse(self, refusal: Refusal, node: cst.CSTNode, rule: str) -> cst.CSTNode:
        self.context.unsupported(refusal.node, refusal.reason, api=refusal.api, rule=rule)
        return node

    # Statements.

    def _statement(self, node: cst.SimpleStatementLine | cst.BaseCompoundStatement) -> Any:
        outer, self.context.comments = self.context.comments, []
        outer_lifted, self.context.lifted = self.context.lifted, []
        handled = self._apply_rules(node) if node not in self.context.claimed else None
        result = handled if handled is not None else self.children(node)
        comments, self.context.comments = self.context.comments, outer
        lifted, self.context.lifted = self.context.lifted, outer_lifted
        if lifted and not isinstance(result, cst.RemovalSentinel):
            result = with_lifted(result, lifted)
        if result is node and not comments:
            return node
        if isinstance(result, cst.FlattenSentinel):
            parts = [self.formatter.statement(part, node, self._depth()) for part in result.nodes]
            if parts and comments:
                parts[0] = _with_comments(parts[0], comments)
            return cst.FlattenSentinel(parts)
        if isinstance(result, cst.RemovalSentinel):
            if comments:
                self.context.comments.extend(comments)
            return result
        if result is not node:
            result = self.formatter.statement(result, node, self._depth())
        return _with_comments(result, comments) if comments else result

    def _depth(self) -> list[str]:
        """The indentation of the statement being rewritten, block by block."""
        default = self.context.module.default_indent
        blocks = [node for node in self.context.stack[:-1] if isinstance(node, cst.IndentedBlock)]
        return [block.indent if block.indent is not None else default for block in blocks]

    def _is_skipped(self, node: cst.CSTNode) -> bool:
        if type(node) is cst.SimpleStatementLine:
            comment = node.trailing_whitespace.comment
            return comment is not None and comment.value.startswith(SKIP)
        if type(node) is cst.FunctionDef or type(node) is cst.ClassDef:
            header = node.body.header if isinstance(node.body, cst.IndentedBlock) else None
            comments = [header.comment] if header is not None else []
            comments += [line.comment for line in node.leading_lines[-1:]]
            return any(comment is not None and comment.value.startswith(SKIP) for comment in comments)
        return False

    # Nodes in general.

    def children(self, node: cst.CSTNode) -> Any:
        """The node with rewritten children; itself when none changed."""
        changes: dict[str, Any] = {}
        if type(node) in _WITH_TARGETS:
            self._targets.update(_targets(node.target))  # type: ignore[attr-defined]
        for name in _visited_fields(type(node)):
            value = getattr(node, name)
            if is_node(value):
                new = self.visit(value)
                if new is not value:
                    changes[name] = new
            elif value.__class__ in (list, tuple) and value:
                items = self._items(value)
                if items is not None:
                    changes[name] = items
        if not changes:
            return node
        return _rebuilt(node, changes)

    def _items(self, values: Any) -> list[Any] | None:
        result: list[Any] = []
        changed = False
        for value in values:
            new = self.visit(value) if is_node(value) else value
            if new is value:
                result.append(new)
                continue
            changed = True
            if isinstance(new, cst.FlattenSentinel):
                result.extend(new.nodes)
            elif not isinstance(new, cst.RemovalSentinel):
                result.append(new)
        return result if changed else None

    # Expressions.

    def _expression(self, node: cst.Call | cst.Attribute | cst.Name) -> Any:
        bound = self.context.bound(node)
        if isinstance(bound, BoundOp):
            return self._write_op(node, bound)
        if isinstance(bound, Refusal):
            return self._refuse(bound, node, "tables")
        if type(node) is cst.Call:
            return self._unread_call(node)
        if type(node) is cst.Attribute and isinstance(self.context.type_of(node.value), Array):
            name = f"{self.context.source.array_class}.{node.attr.value}"
            reason = family_reason(self.context, name)
            if reason:
                return self._refuse(Refusal(reason, node, name), node, "tables")
        if type(node) is cst.Attribute and self._is_target(node):
            value = self.visit(node.value)
            return node if value is node.value else node.with_changes(value=value)
        path = self.context.direct_path(node)
        if path is not None and path.partition(".")[0] in self._roots:
            written = self._reference(node, path)
            return self.children(node) if written is None else written
        return self.children(node) if type(node) is cst.Attribute else node

    def _is_target(self, node: cst.Attribute) -> bool:
        parent = self.context.stack[-2] if len(self.context.stack) > 1 else None
        return isinstance(parent, cst.AssignTarget)

    def _write_op(self, node: cst.CSTNode, bound: BoundOp) -> Any:
        state = self.context.snapshot()
        written = self.writer.write(bound)
        if isinstance(written, Refusal):
            self.context.restore(state)
            return self._refuse(written, node, "tables")
        if written is node or (isinstance(node, cst.Call) and written.deep_equals(node)):
            return node
        self.context.converted(node, op=bound.op.name, api=bound.api, rule="tables")
        return self._without_parentheses(node, written)

    def _without_parentheses(self, node: Any, written: Any) -> Any:
        """An operator that took a call's place needs its parentheses only inside a larger expression."""
        is_operator = isinstance(written, (cst.BinaryOperation, cst.Comparison)) and "\n" not in _text(written)
        if is_operator and self.context.stands_alone(node):
            return written.with_changes(lpar=[], rpar=[])
        return written

    def _reference(self, node: cst.BaseExpression, path: str) -> Any:
        written = write_reference(self.context, node, path)
        if isinstance(written, Refusal):
            return self._refuse(written, node, "reference")
        return written

    def _unread_call(self, node: cst.Call) -> Any:
        """A call that no row binds: a function of the framework is refused, anything else keeps its form."""
        callee = self.context.type_of(node.func)
        path = self.context.direct_path(node.func)
        if path is not None and path.partition(".")[0] in self._roots:
            return self._refuse(unknown(self.context, node, path), node, "tables")
        if isinstance(callee, Method):
            missing = self._missing_method(node, callee)
            if missing is not None:
                return self._refuse(missing, node, "tables")
        if isinstance(callee, Method) and isinstance(callee.receiver, Array):
            if callee.name in OTHER_ATTRIBUTES:  # a list or a dictionary after all, whatever its type was taken for
                return self.children(node)
            name = f"{self.context.source.array_class}.{callee.name}"
            return self._refuse(unknown(self.context, node, name), node, "tables")
        if isinstance(callee, Method) and callee.receiver == UNKNOWN and self._might_be_array(node, callee.name):
            return self._method_of_unknown(node, callee.name)
        return self.children(node)

    def _method_of_unknown(self, node: cst.Call, name: str) -> cst.CSTNode:
        """A method call that would be written otherwise if its receiver, of unknown type, were an array."""
        receiver = _text(node.func.value)  # type: ignore[attr-defined]
        reason = f"if {receiver} is an array, .{name}() means something else in {self.context.target.name}"
        api = f"{self.context.source.array_class}.{name}"
        if self.context.inference.defines_method(name, node):
            # Most likely the repository's own method, which keeps its form.
            self.context.review(node, f"{reason}; annotate its type if it is one", api=api, rule="types")
            return self.children(node)
        return self._refuse(Refusal(f"{reason}; annotate its type so that it can be converted", node, api), node, "types")

    def _missing_method(self, node: cst.Call, callee: Method) -> Refusal | None:
        """A method of modules that nothing in the target corresponds to, unless the repository defines one of its name."""
        reason = self.context.source.fact("missing_methods", callee.name)
        if reason is None:
            return None
        inference, receiver = self.context.inference, callee.receiver
        if isinstance(receiver, Instance):
            path = receiver.path
            own = inference.is_module_class(path) and not inference.method(path, callee.name)
            return Refusal(reason, node, f"{path}.{callee.name}") if self.context.source.owns(path) or own else None
        possible = receiver == UNKNOWN and not inference.defines_method(callee.name)
        return Refusal(reason, node, callee.name) if possible else None

    def _might_be_array(self, node: cst.Call, name: str) -> bool:
        """Whether a method call on a value of unknown type would be written otherwise if it were an array."""
        path = f"{self.context.source.array_class}.{name}"
        if path not in self.context.source.by_path:
            return False
        receiver = getattr(node.func, "value", None)

        def type_of(part: cst.CSTNode) -> Type:
            return ARRAY if part is receiver else self.context.type_of(part)

        bound = read_call(self.context.tables, self.context.source.name, path, node, type_of)
        if isinstance(bound, Refusal) and bound.undecided:
            return True
        if not isinstance(bound, BoundOp):
            evidence = self.context.inference.evidence
            telling = self.context.source.fact("array_methods_of_others_too", default=())
            return name in evidence.unique_attributes or name in evidence.unique_calls or name in telling
        target = self.context.target
        same = read_call(self.context.tables, target.name, f"{target.array_class}.{name}", node, type_of)
        if isinstance(same, BoundOp) and (same.op, same.arguments) == (bound.op, bound.arguments):
            return False
        state = self.context.snapshot()
        written = self.writer.write(bound)
        if isinstance(written, Refusal) or not written.deep_equals(self.children(node)):
            self.context.restore(state)
            return True
        return False


_BINDING_FIELDS = {
    (cst.Param, "name"), (cst.FunctionDef, "name"), (cst.ClassDef, "name"), (cst.Arg, "keyword"), (cst.Attribute, "attr"),
    (cst.NameItem, "name"), (cst.AsName, "name"), (cst.ImportAlias, "name"), (cst.MatchKeywordElement, "key"),
    (cst.MatchAs, "name"), (cst.MatchStar, "name"),
}  # fmt: skip


_WITH_TARGETS = (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.For, cst.CompFor, cst.Del)
_ASSIGNABLE = (cst.Name, cst.Attribute, cst.Subscript, cst.Tuple, cst.List, cst.BaseSmallStatement)


def _targets(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The names, attributes and items that a target consists of."""
    if isinstance(node, (cst.Tuple, cst.List)):
        for element in node.elements:
            yield from _targets(element.value)
    else:
        yield node


@functools.cache
def _part(kind: type[cst.CSTNode]) -> str:
    """How a class of nodes is rewritten; asking abstract classes for each node would be slow."""
    if issubclass(kind, (cst.Import, cst.ImportFrom)):
        return "import"
    if issubclass(kind, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
        return "statement"
    return "expression" if issubclass(kind, (cst.Call, cst.Attribute, cst.Name)) else ""


@functools.cache
def _visited_fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The fields with code that can change: not the names that a node binds."""
    return tuple(name for name in child_fields(kind) if (kind, name) not in _BINDING_FIELDS)


def _rebuilt(node: cst.CSTNode, changes: dict[str, Any]) -> Any:
    if isinstance(node, cst.SimpleStatementLine) and "body" in changes:
        if not changes["body"]:
            return cst.RemovalSentinel.REMOVE
        body = changes["body"]
        if not isinstance(body[-1].semicolon, cst.MaybeSentinel):
            body[-1] = body[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        if len(node.body) == 1 and len(body) > 1:
            lines = [cst.SimpleStatementLine([part]) for part in body]
            lines[0] = lines[0].with_changes(leading_lines=node.leading_lines)
            lines[-1] = lines[-1].with_changes(trailing_whitespace=node.trailing_whitespace)
            return cst.FlattenSentinel(lines)
    elif isinstance(node, (cst.IndentedBlock, cst.SimpleStatementSuite)) and "body" in changes and not changes["body"]:
        empty = cst.SimpleStatementLine([cst.Pass()])
        changes["body"] = [empty] if isinstance(node, cst.IndentedBlock) else [cst.Pass()]
    return node.with_changes(**changes)


def _with_comments(node: Any, reasons: list[str]) -> Any:
    """The statement with a comment line for each reason, unless it already stands there."""
    lines = list(getattr(node, "leading_lines", ()))
    present = {line.comment.value for line in lines if line.comment is not None}
    for reason in reasons:
        text = MARK + " ".join(reason.split())
        if text not in present:
            lines.append(cst.EmptyLine(comment=cst.Comment(text)))
    return node.with_changes(leading_lines=lines) if hasattr(node, "leading_lines") else node


def _text(node: cst.CSTNode) -> str:
    text = cst.Module([]).code_for_node(node)
    return text if len(text) < 40 else text[:37] + "..."
