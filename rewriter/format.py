"""Formats what was rewritten, and only that: black's own formatter on statements whose lines grew too long."""

from __future__ import annotations

import ast
from typing import Any

import libcst as cst

from .generate import code_of


class LineFormatter:
    """Formats rewritten statements to at most `limit` columns."""

    def __init__(self, module: cst.Module, limit: int) -> None:
        self.module = cst.Module([], default_indent=module.default_indent, default_newline=module.default_newline)
        self.limit = limit

    def statement(self, node: Any, original: cst.CSTNode, indents: list[str]) -> Any:
        """The statement, broken over lines as black does it if one of its lines is too long."""
        if isinstance(node, cst.SimpleStatementLine):
            return self._simple(node, original, indents)
        if isinstance(node, cst.FunctionDef):
            return self._header(node, original, indents)
        return node

    def _width(self, indents: list[str]) -> int:
        return self.limit - sum(len(indent.expandtabs(8)) for indent in indents)

    def _simple(
        self, node: cst.SimpleStatementLine, original: cst.CSTNode, indents: list[str]
    ) -> cst.SimpleStatementLine:
        bare = node.with_changes(leading_lines=[], trailing_whitespace=cst.TrailingWhitespace())
        text = code_of(bare, self.module)
        if "\n" in text.rstrip("\n") and not _parses(text):
            bare = bare.with_changes(body=[_bracketed(small) for small in bare.body])
            node = node.with_changes(body=bare.body)
            text = code_of(bare, self.module)
        if len(node.body) > 1:
            return node  # black would put `a; b` on two lines
        width = self._width(indents)
        if self._fits(text, original, width):
            return node
        formatted = _black(text, width)
        if formatted is None:
            return node
        parsed = cst.parse_statement(formatted, config=self._config())
        assert isinstance(parsed, cst.SimpleStatementLine)
        return node.with_changes(body=parsed.body)

    def _header(self, node: cst.FunctionDef, original: cst.CSTNode, indents: list[str]) -> cst.FunctionDef:
        bare = node.with_changes(
            leading_lines=[], decorators=[], lines_after_decorators=[], body=cst.SimpleStatementSuite([cst.Pass()])
        )
        text = code_of(bare, self.module)
        width = self._width(indents)
        if self._fits(text.replace(" pass", ""), original, width):
            return node
        formatted = _black(text, width)
        if formatted is None:
            return node
        parsed = cst.parse_statement(formatted, config=self._config())
        assert isinstance(parsed, cst.FunctionDef)
        return node.with_changes(
            params=parsed.params, returns=parsed.returns, whitespace_before_params=parsed.whitespace_before_params
        )

    def _fits(self, text: str, original: cst.CSTNode, width: int) -> bool:
        """Whether no line became too long: those that were so before are their author's, as are long strings.

        Continuation lines carry their own indentation, the first line does not.
        """
        lines = text.splitlines()
        long = [line for line in lines[:1] if len(line) > width]
        if '"""' not in text and "'''" not in text:
            long += [line for line in lines[1:] if len(line) > self.limit]
        return not long or set(long) <= set(code_of(original, self.module).splitlines())

    def _config(self) -> cst.PartialParserConfig:
        return cst.PartialParserConfig(
            default_indent=self.module.default_indent, default_newline=self.module.default_newline
        )


def _black(text: str, width: int) -> str | None:
    """The statement as black writes it; None where black declines or nothing changes."""
    import black
    from black.parsing import InvalidInput
    from black.report import NothingChanged

    mode = black.Mode(line_length=max(width, 20), string_normalization=False, magic_trailing_comma=True)
    try:
        formatted = black.format_str(text, mode=mode)
    except (InvalidInput, NothingChanged):
        return None
    return None if formatted == text or "\\\n" in text else formatted


def line_limit(module_text: str, configured: int | None) -> int:
    """The project's own line length: configured, else that of the file's longest code line between 88 and 120."""
    if configured:
        return configured
    longest = max((len(line) for line in module_text.splitlines() if "http" not in line), default=88)
    return max(88, min(longest, 120))


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _bracketed(node: cst.BaseSmallStatement) -> cst.BaseSmallStatement:
    """A statement whose value, taken out of a call's brackets, runs over several lines: it gets its own."""
    value = getattr(node, "value", None)
    if not isinstance(value, cst.BaseExpression) or value.lpar:
        return node
    return node.with_changes(value=value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))
