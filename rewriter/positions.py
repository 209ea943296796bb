"""Lines and columns of the nodes that a report names, from one pass of code generation without a metadata provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import libcst as cst
from libcst._nodes.internal import CodegenState


@dataclass(frozen=True)
class Span:
    """Lines count from 1, columns from 0."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=False)
class _RecordingState(CodegenState):
    """Generates code, noting where the wanted nodes begin and end."""

    wanted: frozenset[cst.CSTNode] = frozenset()
    spans: dict[cst.CSTNode, Span] = field(default_factory=dict)
    line: int = 1
    column: int = 0
    starts: dict[cst.CSTNode, tuple[int, int]] = field(default_factory=dict)

    def add_token(self, value: str) -> None:
        self.tokens.append(value)
        newlines = value.count("\n") or value.count("\r")
        if newlines:
            self.line += newlines
            self.column = len(value) - 1 - max(value.rfind("\n"), value.rfind("\r"))
        else:
            self.column += len(value)

    def add_indent_tokens(self) -> None:
        for token in self.indent_tokens:
            self.add_token(token)

    def before_codegen(self, node: cst.CSTNode) -> None:
        if node in self.wanted:
            self.starts[node] = (self.line, self.column)

    def after_codegen(self, node: cst.CSTNode) -> None:
        if node in self.wanted and node not in self.spans:
            line, column = self.starts[node]
            self.spans[node] = Span(line, column, self.line, self.column)

    def record_syntactic_position(self, node: cst.CSTNode, *, start_node: object = None, end_node: object = None) -> object:
        return _SyntacticSpan(self, node) if node in self.wanted else _NOTHING


class _SyntacticSpan:
    """A statement's own extent, without the comments and blank lines that belong to it."""

    def __init__(self, state: _RecordingState, node: cst.CSTNode) -> None:
        self.state, self.node = state, node

    def __enter__(self) -> None:
        self.start = (self.state.line, self.state.column)

    def __exit__(self, *_: object) -> None:
        self.state.spans[self.node] = Span(*self.start, self.state.line, self.state.column)


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


_NOTHING = _Nothing()


def find_spans(module: cst.Module, nodes: Iterable[cst.CSTNode]) -> dict[cst.CSTNode, Span]:
    """Where each of `nodes` stands in the module's source."""
    wanted = frozenset(nodes)
    if not wanted:
        return {}
    state = _RecordingState(
        default_indent=module.default_indent, default_newline=module.default_newline, wanted=wanted
    )
    module._codegen(state)
    return state.spans
