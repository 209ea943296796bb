"""The statements of a function that compute, clear, change and apply gradients."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array, Foreign, Instance, Type
from ..rewriter.names import dotted
from .mixed_precision import operand
from .name_flow import Place
from .optimizer_models import SCHEDULERS, OptimizerModels, Scope, is_optimizer, own_nodes

CLIPPING = {
    "torch.nn.utils.clip_grad_norm_": "norm", "torch.nn.utils.clip_grad_norm": "norm",
    "torch.nn.utils.clip_grad.clip_grad_norm_": "norm", "torch.nn.utils.clip_grad_value_": "value",
    "torch.nn.utils.clip_grad.clip_grad_value_": "value",
}  # fmt: skip

#: What each kind of call is called in reports.
APIS = {
    "backward": "Tensor.backward", "zero": "torch.optim.Optimizer.zero_grad", "step": "torch.optim.Optimizer.step",
    "norm": "torch.nn.utils.clip_grad_norm_", "value": "torch.nn.utils.clip_grad_value_",
    "closure": "torch.optim.Optimizer.step",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """One call that concerns gradients.

    kind: `backward`, `zero`, `step`, `closure` (a step that is given one), `norm` or `value`; subject: the optimizer or
    module, as text; line: its statement; operand: the loss or optimizer, without a scaler around it.
    """

    kind: str
    call: cst.Call
    subject: str
    line: cst.SimpleStatementLine
    places: tuple[Place, ...]
    operand: cst.BaseExpression

    @property
    def small(self) -> cst.BaseSmallStatement:
        """The statement of the original tree."""
        return self.line.body[0]


class Lines:
    """The blocks of one function; a line with several statements counts as several lines.

    The statements are those of the original tree, semicolons included. Those of `opened`, `if` statements whose
    condition always holds, stand in the block around them.
    """

    def __init__(self, opened: Collection[cst.CSTNode] = ()) -> None:
        self.opened = opened
        self._split: dict[cst.CSTNode, tuple[cst.CSTNode, ...]] = {}

    def of(self, block: cst.CSTNode) -> tuple[cst.CSTNode, ...]:
        """The statements of a block, one to a line."""
        known = self._split.get(block)
        if known is None:
            lines: list[cst.CSTNode] = []
            for statement in block.body:  # type: ignore[attr-defined]
                if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) > 1:
                    lines += _single_lines(statement)
                elif isinstance(statement, cst.BaseSmallStatement):
                    lines.append(cst.SimpleStatementLine([statement]))
                elif statement in self.opened:
                    lines += self.of(statement.body)
                else:
                    lines.append(statement)
            known = self._split[block] = tuple(lines)
        return known

    def blocks_with(self, touched: set[cst.CSTNode]) -> set[cst.CSTNode]:
        """The blocks that hold any of these lines."""
        return {block for block, lines in self._split.items() if any(line in touched for line in lines)}


def _single_lines(line: cst.SimpleStatementLine) -> list[cst.SimpleStatementLine]:
    """`a; b` as two lines; comments stay with the first and the last."""
    lines = [cst.SimpleStatementLine([small]) for small in line.body]
    lines[0] = lines[0].with_changes(leading_lines=line.leading_lines)
    lines[-1] = lines[-1].with_changes(trailing_whitespace=line.trailing_whitespace)
    return lines


def placed_lines(
    block: cst.CSTNode, lines: Lines, owner: cst.CSTNode | None = None, outer: tuple[Place, ...] = ()
) -> Iterator[tuple[tuple[Place, ...], cst.CSTNode]]:
    """Every statement of a function with the blocks around it; nested functions and classes are not entered."""
    statements = lines.of(block)
    for index, statement in enumerate(statements):
        places = (*outer, Place(owner, statements, index))
        yield places, statement
        if not isinstance(statement, (cst.FunctionDef, cst.ClassDef, cst.SimpleStatementLine)):
            for inner in blocks_of(statement):
                yield from placed_lines(inner, lines, statement, places)


def blocks_of(statement: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The blocks directly inside a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        part = getattr(statement, name, None)
        if isinstance(part, (cst.IndentedBlock, cst.SimpleStatementSuite)):
            yield part
        elif isinstance(part, cst.CSTNode):
            yield from blocks_of(part)
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield from blocks_of(part)


class EventReader:
    """Recognises the calls of one function that concern gradients."""

    def __init__(self, context: FileContext, scope: Scope) -> None:
        self.context = context
        self.scope = scope
        self.models = OptimizerModels.of(context.inference)
        self.body: cst.CSTNode = scope.function.body if scope.function is not None else context.module
        self.known = self.models.telling(scope)
        self._zeroed = {
            dotted(node.func.value)
            for node in own_nodes(self.body)
            if isinstance(node, cst.Call)
            and isinstance(node.func, cst.Attribute)
            and node.func.attr.value == "zero_grad"
        }

    def kind(self, call: cst.Call) -> tuple[str, str] | None:
        """The kind and subject of a call, or None if it does not concern gradients."""
        clipping = CLIPPING.get(self.context.path(call.func) or "")
        if clipping is not None:
            return clipping, ""
        if not isinstance(call.func, cst.Attribute):
            return None
        receiver, name = call.func.value, call.func.attr.value
        if name in ("step", "backward"):
            receiver = operand(self.context.inference, call)
        value = self.context.type_of(receiver)
        subject = dotted(receiver) or ""
        if (
            name == "backward"
            and self._may_be_array(value)
            and not self.context.inference.defines_method("backward", call)
        ):
            return "backward", subject
        if name == "backward" and isinstance(value, Array):
            return "backward", subject
        if name == "step" and self._is_optimizer(value, subject):
            return "closure" if call.args and receiver is call.func.value else "step", subject
        if name == "zero_grad" and (subject or is_optimizer(value)) and not self._is_own(value, "zero_grad"):
            return "zero", subject
        return None

    def _is_own(self, value: Type, method: str) -> bool:
        return isinstance(value, Instance) and self.context.inference.method(value.path, method) is not None

    def _may_be_array(self, value: Type) -> bool:
        return isinstance(value, Array) or (value == UNKNOWN and not isinstance(value, Foreign))

    def _is_optimizer(self, value: Type, subject: str) -> bool:
        if is_optimizer(value):
            return True
        if value != UNKNOWN or not subject:
            return False
        return (
            subject in self._zeroed
            or "optim" in subject.lower()
            or subject.lower().rpartition(".")[2].startswith("opt")
        )

    def calls(self) -> list[tuple[cst.Call, str, str]]:
        """Every such call of the function, wherever it stands."""
        found = []
        for node in own_nodes(self.body):
            if isinstance(node, cst.Call):
                known = self.kind(node)
                if known is not None:
                    found.append((node, *known))
        return found


def is_scheduler(value: Type) -> bool:
    """Whether a type is a learning rate schedule of the framework."""
    return isinstance(value, Instance) and value.path.startswith(SCHEDULERS)
