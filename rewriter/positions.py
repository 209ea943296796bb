"""Lines and columns of the nodes that a report names, from one pass of code generation without a metadata provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import libcst as cst
from libcst._nodes.internal import CodegenState

from .generate import NO_POSITION


@dataclass(frozen=True)
class Span:
    """Lines count from 1, columns from 0."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=False)
class _RecordingState(CodegenState):
    """Generates code, noting at which token the wanted nodes begin and end."""

    wanted: frozenset[int] = frozenset()  # by identity, since asking a node for its hash runs Python code
    starts: dict[cst.CSTNode, int] = field(default_factory=dict)
    extents: dict[cst.CSTNode, tuple[int, int]] = field(default_factory=dict)

    def before_codegen(self, node: cst.CSTNode) -> None:
        if id(node) in self.wanted:
            self.starts[node] = len(self.tokens)

    def after_codegen(self, node: cst.CSTNode) -> None:
        if id(node) in self.wanted and node not in self.extents:
            self.extents[node] = (self.starts[node], len(self.tokens))

    def record_syntactic_position(  # type: ignore[override]
        self, node: cst.CSTNode, *, start_node: object = None, end_node: object = None
    ) -> object:
        return _SyntacticExtent(self, node) if id(node) in self.wanted else NO_POSITION


class _SyntacticExtent:
    """A statement's own extent, without the comments and blank lines that belong to it."""

    def __init__(self, state: _RecordingState, node: cst.CSTNode) -> None:
        self.state, self.node = state, node

    def __enter__(self) -> None:
        self.start = len(self.state.tokens)

    def __exit__(self, *_: object) -> None:
        self.state.extents[self.node] = (self.start, len(self.state.tokens))


def find_spans(module: cst.Module, nodes: Iterable[cst.CSTNode]) -> dict[cst.CSTNode, Span]:
    """Where each of `nodes` stands in the module's source."""
    wanted = {id(node) for node in nodes}
    if not wanted:
        return {}
    state = _RecordingState(
        default_indent=module.default_indent, default_newline=module.default_newline, wanted=frozenset(wanted)
    )
    module._codegen(state)
    places = _places(state.tokens, {index for extent in state.extents.values() for index in extent})
    return {node: Span(*places[start], *places[end]) for node, (start, end) in state.extents.items()}


def _places(tokens: list[str], wanted: set[int]) -> dict[int, tuple[int, int]]:
    """Line and column in front of the tokens at the wanted indices."""
    places: dict[int, tuple[int, int]] = {}
    line, column, done = 1, 0, 0
    for index in sorted(wanted):
        text = "".join(tokens[done:index])
        newlines = text.count("\n") + text.count("\r") - text.count("\r\n")
        if newlines:
            line += newlines
            column = len(text) - 1 - max(text.rfind("\n"), text.rfind("\r"))
        else:
            column += len(text)
        places[index] = (line, column)
        done = index
    return places
