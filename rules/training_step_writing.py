"""The training step, written line by line: losses as functions, gradients as values, updates of the optimizer."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ..rewriter.expressions import dotted_name
from .training_comments import about_clearing, behind_definition
from .training_gradient_loops_writing import written_loop
from .training_loss_writing import LossWriter, assigned, one_or_tuple, pair
from .training_plan import Change


class BlockWriter(LossWriter):
    """Writes one block."""

    def written(self, node: Any) -> Any:
        """The new block."""
        for line in self.plan.lines.of(node):
            for name in self.plan.starts.get(line, ()):
                self.body += self.context.statements("{name} = None", name=cst.Name(name))
            self._line(line)
        if not self.body:
            self.body = [cst.SimpleStatementLine([cst.Pass()])]
        if self.held:
            self.body[-1] = behind_definition(self.body[-1], self.held)
        if isinstance(node, cst.SimpleStatementSuite):
            return cst.IndentedBlock(self.body)
        return node.with_changes(body=self.body)

    def _line(self, line: Any) -> None:
        gradient = self.plan.regions.get(line)
        if gradient is not None:
            self.region(gradient, line)
            return
        prefix = self.plan.prefixes.get(line)
        if prefix is not None:
            self.prefix(prefix, line)
            return
        if line in self.plan.inside:
            return
        change = self.plan.changes.get(line)
        if change is None:
            self.emit(self.rewritten(line), ())
            return
        if change.found is not None:
            self.report(change.found)
        statements = getattr(self, f"_{change.kind}")(change, line)
        if statements:
            if isinstance(statements[-1], cst.SimpleStatementLine) and isinstance(line, cst.SimpleStatementLine):
                trailing = line.trailing_whitespace
                statements[-1] = statements[-1].with_changes(trailing_whitespace=trailing)
            self.emit(statements, line.leading_lines)
        else:
            above_gradient = change.gradient is not None
            kept = [part for part in line.leading_lines if not about_clearing(part) and not above_gradient]
            if any(part.comment is not None for part in kept):
                self.held += kept

    # Single lines; each gives the statements that take the line's place.

    def _drop(self, change: Change, line: Any) -> list[Any]:
        return []

    def _reset(self, change: Change, line: Any) -> list[Any]:
        return [
            part for name in change.variables for part in self.context.statements("{name} = None", name=cst.Name(name))
        ]

    def _gather(self, change: Change, line: Any) -> list[Any]:
        assert change.gradient is not None
        return self.gathered(change.gradient)

    def _evaluate(self, change: Change, line: Any) -> list[Any]:
        """A step with a closure: `loss, grads = closure()`, or an optimizer that calls it again and again."""
        assert change.found is not None
        call = change.found.call
        assert isinstance(call.func, cst.Attribute)
        argument = call.args[0].value
        small = line.body[0]
        target: Any = getattr(small, "target", None) or (small.targets[0].target if isinstance(small, cst.Assign) else None)
        if change.several:
            step = self.context.expression(
                "{optimizer}.step({model}, {closure})", optimizer=self.context.rewrite(call.func.value),
                model=one_or_tuple([dotted_name(unit) for unit in change.models]),
                closure=self.context.rewrite(argument))  # fmt: skip
            return [cst.SimpleStatementLine([assigned(target, step)])]
        if isinstance(argument, cst.Lambda):
            called = self.context.rewrite(argument.body)
        else:
            called = cst.Call(self.context.rewrite(argument))
        results = pair(target or cst.Name("_"), cst.Name(change.variables[0]))
        return [cst.SimpleStatementLine([assigned(results, called)]), *self._update(change, line)]

    def _hand_on(self, change: Change, line: Any) -> list[Any]:
        """A closure's `return loss, grads`."""
        value = self.context.rewrite(line.body[0].value)
        return [line.with_changes(body=[cst.Return(pair(value, cst.Name(change.variables[0])))], leading_lines=[])]

    def _each(self, change: Change, line: Any) -> list[Any]:
        """A loop over parameters that uses their gradients."""
        assert change.loop is not None
        return written_loop(change.loop, change.variables[0], line, self.context)

    def _update(self, change: Change, line: Any) -> list[Any]:
        assert change.found is not None
        call = change.found.call
        assert isinstance(call.func, cst.Attribute)
        values = {
            "optimizer": self.context.rewrite(change.found.operand),
            "model": one_or_tuple([dotted_name(unit) for unit in change.models]),
            "grads": cst.Name(change.variables[0]),
        }
        template = "{optimizer}.update({model}, {grads})"
        if change.guarded:
            template = f"if {{grads}} is not None:\n    {template}\n"
        return self.context.statements(template, **values)

    def _clip(self, change: Change, line: Any) -> list[Any]:
        assert change.found is not None
        kept = [a for a in change.found.call.args[1:] if not (a.keyword is not None and a.keyword.value == "foreach")]
        arguments = [self.context.rewrite(argument) for argument in kept]
        grads = cst.Name(change.variables[0])
        if change.found.kind == "value":
            call = self.context.expression("helpers.clip_grad_value({grads}, {rest})", grads=grads, rest=arguments)
            return [cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(grads)], call)])]
        call = self.context.expression("helpers.clip_grad_norm({grads}, {rest})", grads=grads, rest=arguments)
        small = line.body[0]
        norm: Any = small.targets[0].target if isinstance(small, cst.Assign) else cst.Name("_")
        return [cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(pair(grads, norm))], call)])]
