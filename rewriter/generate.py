"""The text of a tree: LibCST's own code generation, without the context managers that only its metadata needs."""

from __future__ import annotations

import libcst as cst
from libcst._nodes.internal import CodegenState


class _NoPosition:
    """Stands for the context manager that would record where a node begins and ends."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


NO_POSITION = _NoPosition()


class _PlainState(CodegenState):
    def record_syntactic_position(  # type: ignore[override]
        self, node: cst.CSTNode, *, start_node: object = None, end_node: object = None
    ) -> _NoPosition:
        return NO_POSITION


def code_of(node: cst.CSTNode, module: cst.Module) -> str:
    """The text of a node, or of the module itself, with the module's indentation and newlines."""
    state = _PlainState(default_indent=module.default_indent, default_newline=module.default_newline)
    node._codegen(state)
    return "".join(state.tokens)
