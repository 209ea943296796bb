"""The training step for TensorFlow: torch's plan of a function, written with a gradient tape.

A tape records whatever runs inside it, so the statements that compute the loss stay where they are, one level deeper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import dotted_name
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .training_plan import Change, Gradient, weight_of
from .training_step import BLOCKS, TrainingStep, read_block, read_call, read_closure_call, write_closure_call
from .training_step_writing import BlockWriter

LOSS = "loss"


def variables_of(models: Sequence[Any]) -> Any:
    """`model.trainable_variables`, or a list of several models' variables."""
    each: list[Any] = [cst.Attribute(model, cst.Name("trainable_variables")) for model in models]
    if len(each) == 1:
        return each[0]
    return cst.List([cst.StarredElement(one) for one in each])


def taped(context: FileContext, body: Sequence[Any], persistent: bool = False) -> Any:
    """`with tf.GradientTape() as tape:` around statements."""
    options = "persistent=True" if persistent else ""
    block: Any = context.statements(f"with tensorflow.GradientTape({options}) as tape:\n    pass\n")[0]
    return block.with_changes(body=block.body.with_changes(body=list(body)))


def gradient_of(context: FileContext, target: str, loss: Any, models: Sequence[Any]) -> Any:
    """`grads = tape.gradient(loss, model.trainable_variables)`."""
    (line,) = context.statements(
        "{target} = tape.gradient({loss}, {variables})",
        target=cst.Name(target), loss=loss, variables=variables_of(models))  # fmt: skip
    return line


def update_of(context: FileContext, optimizer: Any, grads: str, models: Sequence[Any]) -> Any:
    """`optimizer.apply_gradients(zip(grads, model.trainable_variables))`."""
    (line,) = context.statements(
        "{optimizer}.apply_gradients(zip({grads}, {variables}))",
        optimizer=optimizer, grads=cst.Name(grads), variables=variables_of(models))  # fmt: skip
    return line


class TapeWriter(BlockWriter):
    """Writes one block of a function with torch's training steps."""

    def region(self, gradient: Gradient, anchor: Any) -> None:
        region = gradient.region
        block = region.places[-1].statements
        for index in region.before:
            self.emit(self.rewritten(block[index]), ())
        body = [part for line in region.statements for part in self.rewritten(line)]
        loss: Any = gradient.loss
        if not isinstance(loss, cst.Name):
            body += self.context.statements("{loss} = {value}", loss=cst.Name(LOSS), value=self.context.rewrite(loss))
            loss = cst.Name(LOSS)
        if body and gradient.found.line is not anchor:
            body[0] = body[0].with_changes(leading_lines=[])
        if gradient.found.line is anchor:
            self.report(gradient.found)
        self.emit([taped(self.context, body, len(gradient.variables) > 1)], anchor.leading_lines)
        prefix = "new_" if gradient.explicit else ""
        comments = [] if gradient.found.line is anchor else gradient.found.line.leading_lines
        comments = [line for line in comments if line.comment is not None] if not gradient.explicit else []
        for variable, group in zip(gradient.variables, gradient.groups, strict=True):
            models = [dotted_name(unit) for unit in group]
            self.emit([gradient_of(self.context, prefix + variable, loss, models)], comments)
            comments = []
        if gradient.explicit and gradient.found.line is anchor:
            self.emit(self.gathered(gradient), ())
        for index in region.after:
            self.emit(self.rewritten(block[index]), ())

    def _update(self, change: Change, line: Any) -> list[Any]:
        assert change.found is not None
        call = change.found.call
        assert isinstance(call.func, cst.Attribute)
        models = [dotted_name(unit) for unit in change.models]
        step = update_of(self.context, self.context.rewrite(change.found.operand), change.variables[0], models)
        if not change.guarded:
            return [step]
        name = cst.Name(change.variables[0])
        guard: Any = self.context.statements("if {grads} is not None:\n    pass\n", grads=name)[0]
        return [guard.with_changes(body=guard.body.with_changes(body=[step]))]


def write_block(construct: TrainingStep, node: Any, context: FileContext) -> Any:
    """The block with its losses under a tape."""
    if construct.plan.prefixes:
        call = construct.plan.calls[0][0]
        return Refusal("a forward pass shared by two steps; run the model once under each tape", call)
    if any(change.loop is not None for change in construct.plan.changes.values()):
        return Refusal("a loop over parameters and their gradients", construct.plan.calls[0][0])
    weighted = [gradient.found.call for gradient in construct.plan.regions.values() if weight_of(gradient.found)]
    if weighted:
        return Refusal("backward() with an argument", weighted[0])
    if construct.plan.several:
        reason = "an optimizer that evaluates its closure several times in a step"
        return Refusal(reason, construct.plan.calls[0][0])
    return TapeWriter(context, construct.plan).written(node)


RULES = (
    Rule("training_tape", BLOCKS, {"torch": read_block}, {"tensorflow": write_block}, order=20),
    Rule(
        "training_tape_closure_call",
        (cst.Call,),
        {"torch": read_closure_call},
        {"tensorflow": write_closure_call},
        order=4,
    ),
    Rule("training_tape_call", (cst.Call,), {"torch": read_call}, {"tensorflow": lambda *_: None}, order=5),
)
