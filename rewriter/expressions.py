"""Building LibCST expressions: literals, dotted names, arguments, and templates with parentheses where needed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import libcst as cst

_EMPTY = cst.Module([])
_ATOMS = (
    cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.SimpleString, cst.FormattedString, cst.Integer, cst.Float,
    cst.Imaginary, cst.Ellipsis, cst.List, cst.Dict, cst.Set, cst.ListComp, cst.SetComp, cst.DictComp,
)  # fmt: skip
_NO_EQUAL_SPACE = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def dotted_name(path: str) -> cst.Name | cst.Attribute:
    """`a.b.c` as nested attributes."""
    first, *rest = path.split(".")
    node: cst.Name | cst.Attribute = cst.Name(first)
    for part in rest:
        node = cst.Attribute(node, cst.Name(part))
    return node


def literal_node(value: Any) -> cst.BaseExpression:
    """The source of a plain value, as `repr` writes it but with double-quoted strings."""
    if isinstance(value, str):
        text = repr(value)
        if '"' not in text and "\\" not in text:
            text = f'"{text[1:-1]}"'
        return cst.SimpleString(text)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return cst.parse_expression(f'float("{value}")')
    return cst.parse_expression(repr(value))


def keyword_argument(name: str, value: cst.BaseExpression) -> cst.Arg:
    """`name=value`."""
    return cst.Arg(value, cst.Name(name), equal=_NO_EQUAL_SPACE)


def is_atom(node: cst.BaseExpression) -> bool:
    """Whether an expression can stand before a dot or beside any operator without parentheses."""
    return isinstance(node, _ATOMS) or bool(node.lpar)


def parenthesized(node: cst.BaseExpression) -> cst.BaseExpression:
    """The expression in parentheses, unless it needs none anywhere."""
    if isinstance(node, (cst.Integer, cst.Float)) and not node.lpar:
        return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return node if is_atom(node) else node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def operand(node: cst.BaseExpression) -> cst.BaseExpression:
    """The expression as an operand of an arithmetic operator."""
    return node if is_atom(node) else node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def call(function: cst.BaseExpression, arguments: Sequence[cst.Arg]) -> cst.Call:
    """A plain call with normal commas."""
    return cst.Call(parenthesized(function), normal_commas(arguments))


def normal_commas(arguments: Sequence[cst.Arg]) -> list[cst.Arg]:
    """Arguments whose commas fit their new places; comments and line breaks behind a comma are kept."""
    result = list(arguments)
    for index, argument in enumerate(arguments):
        comma = argument.comma
        if not isinstance(comma, cst.Comma):
            continue
        last = index == len(arguments) - 1
        multi_line = isinstance(comma.whitespace_after, cst.ParenthesizedWhitespace)
        before = arguments[index - 1].comma if index else None
        if multi_line and index == len(arguments) - 2 and _is_appended(arguments[-1], comma, before):
            result[index:] = _moved_closing(argument, arguments[-1], before)
        elif (last and not multi_line) or (not last and not multi_line and not comma.whitespace_after.value):  # type: ignore[attr-defined]
            result[index] = argument.with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return result


def _is_appended(last: cst.Arg, comma: cst.Comma, before: object) -> bool:
    """Whether the comma in front of a call's last argument was the one before its closing parenthesis."""
    if isinstance(last.comma, cst.Comma) or isinstance(last.whitespace_after_arg, cst.ParenthesizedWhitespace):
        return False
    between = before.whitespace_after if isinstance(before, cst.Comma) else None
    if not isinstance(between, cst.ParenthesizedWhitespace):
        return last.keyword is not None
    closing = comma.whitespace_after
    assert isinstance(closing, cst.ParenthesizedWhitespace)
    return (between.indent, between.last_line.value) != (closing.indent, closing.last_line.value)


def _moved_closing(argument: cst.Arg, new: cst.Arg, before: object) -> list[cst.Arg]:
    """The argument whose comma ended its line before the closing parenthesis, and a new last one behind it."""
    assert isinstance(argument.comma, cst.Comma)
    closing = argument.comma.whitespace_after
    assert isinstance(closing, cst.ParenthesizedWhitespace)
    spacing: cst.BaseParenthesizableWhitespace = closing.with_changes(
        indent=True, last_line=_deeper(closing.last_line)
    )
    if isinstance(before, cst.Comma) and isinstance(before.whitespace_after, cst.ParenthesizedWhitespace):
        spacing = before.whitespace_after.with_changes(first_line=closing.first_line, empty_lines=[])
    return [
        argument.with_changes(comma=cst.Comma(whitespace_after=spacing)),
        new.with_changes(comma=cst.Comma(whitespace_after=closing.with_changes(first_line=cst.TrailingWhitespace()))),
    ]


def closed_like(call: cst.Call, arguments: Sequence[cst.Arg]) -> list[cst.Arg]:
    """What is left of a call's arguments; what stood before the closing parenthesis stays there."""
    result = list(arguments)
    if result and call.args:
        last, comma = call.args[-1], call.args[-1].comma
        own = result[-1].comma.whitespace_after if isinstance(result[-1].comma, cst.Comma) else None
        if isinstance(own, cst.ParenthesizedWhitespace) and own.first_line.comment is not None:
            closing = comma.whitespace_after if isinstance(comma, cst.Comma) else last.whitespace_after_arg
            after = own.with_changes(last_line=getattr(closing, "last_line", own.last_line), empty_lines=[],
                                     indent=getattr(closing, "indent", own.indent))  # fmt: skip
            comma = cst.Comma(whitespace_after=after)
        result[-1] = result[-1].with_changes(comma=comma, whitespace_after_arg=last.whitespace_after_arg)
    return result


def _deeper(indent: cst.SimpleWhitespace) -> cst.SimpleWhitespace:
    return indent.with_changes(value=indent.value + "    ")


def append_argument(call: cst.Call, argument: cst.Arg) -> cst.Call:
    """A call with one more argument at the end, keeping its layout."""
    if not call.args:
        return call.with_changes(args=[argument])
    last = call.args[-1]
    if isinstance(last.value, cst.GeneratorExp) and not last.value.lpar:
        last = last.with_changes(value=parenthesized(last.value))
    if isinstance(last.comma, cst.Comma):
        return call.with_changes(args=normal_commas([*call.args[:-1], last, argument]))
    tail = last.whitespace_after_arg
    last = last.with_changes(
        comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")), whitespace_after_arg=cst.SimpleWhitespace("")
    )
    return call.with_changes(args=[*call.args[:-1], last, argument.with_changes(whitespace_after_arg=tail)])


def bare_argument(argument: cst.Arg) -> cst.Arg:
    """A receiver that became an argument no longer needs the parentheses before its dot."""
    node = argument.value
    if len(node.lpar) != 1 or not isinstance(node, (cst.BinaryOperation, cst.UnaryOperation, cst.Comparison)):
        return argument
    if any(isinstance(part.whitespace_after, cst.ParenthesizedWhitespace) for part in node.lpar):
        return argument
    if len(_EMPTY.code_for_node(node).splitlines()) > 1:
        return argument
    return argument.with_changes(value=node.with_changes(lpar=[], rpar=[]))


def as_tuple(values: Sequence[cst.BaseExpression]) -> cst.Tuple:
    """`(a, b)` or `(a,)`."""
    elements = [cst.Element(value) for value in values]
    if len(elements) == 1:
        elements = [elements[0].with_changes(comma=cst.Comma())]
    return cst.Tuple(elements)


@functools.cache
def _parse_template(template: str) -> cst.BaseExpression:
    return cst.parse_expression(template)


@functools.cache
def _parse_statements(template: str) -> tuple[cst.BaseStatement, ...]:
    return tuple(cst.parse_module(template).body)  # type: ignore[arg-type]


Resolver = Callable[[str], cst.BaseExpression | None]

_PLACEHOLDER = "ivy_placeholder_"


class _Substitution(cst.CSTTransformer):
    """Replaces placeholder names by nodes and dotted paths by references."""

    def __init__(self, nodes: Mapping[str, Any], resolve: Resolver) -> None:
        super().__init__()
        self.nodes = nodes
        self.reference = resolve

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        return True

    def leave_Attribute(self, original: cst.Attribute, updated: cst.Attribute) -> cst.BaseExpression:
        path = _dotted(original)
        if path is not None:
            resolved = self.reference(path)
            if resolved is not None:
                return resolved
        return updated.with_changes(value=parenthesized(updated.value))

    def leave_Name(self, original: cst.Name, updated: cst.Name) -> cst.BaseExpression:
        if original.value.startswith(_PLACEHOLDER):
            node = self.nodes[original.value[len(_PLACEHOLDER) :]]
            if isinstance(node, (list, tuple)):
                return updated  # Arguments: `leave_Arg` puts them in.
            return dotted_name(node) if isinstance(node, str) else node
        return updated

    def leave_Arg(self, original: cst.Arg, updated: cst.Arg) -> cst.Arg | cst.FlattenSentinel[cst.Arg]:
        """A placeholder for a sequence of arguments stands alone in its place: `f({x}, {arguments})`."""
        value = updated.value
        if isinstance(original.value, cst.Name) and original.value.value.startswith(_PLACEHOLDER):
            node = self.nodes[original.value.value[len(_PLACEHOLDER) :]]
            if isinstance(node, (list, tuple)):
                return cst.FlattenSentinel(
                    [argument.with_changes(comma=cst.MaybeSentinel.DEFAULT) for argument in node]
                )
        if _is_placeholder(original.value):
            updated = bare_argument(updated)
        if isinstance(value, cst.GeneratorExp) and not value.lpar:
            return updated.with_changes(value=value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))
        return updated

    def leave_BinaryOperation(self, original: cst.BinaryOperation, updated: cst.BinaryOperation) -> cst.BaseExpression:
        left = operand(updated.left) if _is_placeholder(original.left) else updated.left
        right = operand(updated.right) if _is_placeholder(original.right) else updated.right
        return updated.with_changes(left=left, right=right)

    def leave_UnaryOperation(self, original: cst.UnaryOperation, updated: cst.UnaryOperation) -> cst.BaseExpression:
        return updated.with_changes(expression=operand(updated.expression))

    def leave_Comparison(self, original: cst.Comparison, updated: cst.Comparison) -> cst.BaseExpression:
        parts = [part.with_changes(comparator=operand(part.comparator)) for part in updated.comparisons]
        return updated.with_changes(left=operand(updated.left), comparisons=parts)

    def leave_Subscript(self, original: cst.Subscript, updated: cst.Subscript) -> cst.BaseExpression:
        return updated.with_changes(value=parenthesized(updated.value))

    def leave_Call(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        return updated.with_changes(func=parenthesized(updated.func))


def _is_placeholder(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value.startswith(_PLACEHOLDER)


def _dotted(node: cst.CSTNode) -> str | None:
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name) or node.value.startswith(_PLACEHOLDER):
        return None
    return ".".join([node.value, *reversed(parts)])


def _with_placeholders(template: str, names: Sequence[str]) -> str:
    for name in names:
        template = template.replace("{" + name + "}", _PLACEHOLDER + name)
    return template


def fill_expression(template: str, nodes: Mapping[str, Any], resolve: Resolver) -> cst.BaseExpression:
    """`"framework.where({mask}, {value}, {x})"` with nodes in place of the braces.

    nodes: expressions, names as strings, or lists of `Arg` for a placeholder in argument position.
    resolve: turns a dotted path such as `framework.where` into the node to write, or None to leave it.
    """
    tree = _parse_template(_with_placeholders(template, tuple(nodes)))
    result = tree.deep_clone().visit(_Substitution(nodes, resolve))
    assert isinstance(result, cst.BaseExpression)
    return result


def fill_statements(template: str, nodes: Mapping[str, Any], resolve: Resolver) -> list[cst.BaseStatement]:
    """Like `fill_expression` for one or more statements."""
    parsed = _parse_statements(_with_placeholders(template, tuple(nodes)))
    transformer = _Substitution(nodes, resolve)
    return [statement.deep_clone().visit(transformer) for statement in parsed]  # type: ignore[misc]
