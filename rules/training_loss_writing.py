"""The loss of a training step as a function of its modules, and the line that differentiates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple, dotted_name
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from .derivative_writing import DerivativeWriter
from .input_gradients import plan_of
from .rngs_takers import NAME as RNGS
from .training_comments import with_comments
from .training_events import APIS, Found
from .training_plan import Gradient, Prefix, TrainingPlan, free_name, output_of, weight_of
from .training_regions import Region


class LossWriter:
    """Writes losses and their gradients; `held` are the comments of statements that went away."""

    def __init__(self, context: FileContext, plan: TrainingPlan) -> None:
        self.context, self.plan = context, plan
        self.held: list[cst.EmptyLine] = []
        self.body: list[Any] = []

    def emit(self, statements: Sequence[Any], leading: Sequence[cst.EmptyLine]) -> None:
        """Add statements, with comments held so far above the first."""
        for index, statement in enumerate(statements):
            if index == 0 and (self.held or leading):
                own = list(leading) if leading else list(statement.leading_lines)
                statement = with_comments(statement, self.held, own)
                self.held = []
            self.body.append(statement)

    def report(self, found: Found) -> None:
        """Note a call as converted, with what a person should look at."""
        self.context.converted(found.call, op="training_step", api=APIS[found.kind], rule="training_step")
        reason = self.plan.reviews.get(found.subject)
        if found.kind in ("step", "closure") and reason is not None:
            self.context.review(found.call, reason, op="training_step", api=APIS["step"], rule="training_step")

    def rewritten(self, line: Any) -> list[Any]:
        """A statement that is none of ours, rewritten."""
        result = self.context.rewrite(line)
        if isinstance(result, cst.RemovalSentinel):
            return []
        parts = list(result.nodes) if isinstance(result, cst.FlattenSentinel) else [result]
        return [_without_semicolon(part) for part in parts]

    def region(self, gradient: Gradient, anchor: Any) -> None:
        """The statements that compute a loss: a function of the modules, and its gradients in place of `anchor`."""
        region = gradient.region
        block = region.places[-1].statements
        leading = anchor.leading_lines
        for index in region.before:
            self.emit(self.rewritten(block[index]), ())
        parameters = self._parameters(gradient)
        function = self._function_name(gradient)
        definition = self._definition(gradient, function, parameters)
        if any(isinstance(node, cst.Name) and node.value == RNGS for node in walk(definition.body)):
            # The stream counts its draws, and NNX lets only arguments change.
            parameters[RNGS] = RNGS
            definition = self._definition(gradient, function, parameters)
        if gradient.found.line is anchor:
            self.report(gradient.found)
        spaced = list(leading)
        if self.body and not any(line.comment is None for line in spaced[:1]):
            spaced.insert(0, cst.EmptyLine(indent=False))
        self.emit([definition], spaced)
        comments = [] if gradient.found.line is anchor else gradient.found.line.leading_lines
        comments = [line for line in comments if line.comment is not None] if not gradient.explicit else []
        self.emit([self._differentiated(gradient, function, parameters)], [cst.EmptyLine(indent=False), *comments])
        if gradient.pullback:
            name = f"new_{gradient.final}" if gradient.explicit else gradient.final
            values = {
                "final": cst.Name(name),
                "pull": cst.Name(gradient.pullback),
                "grads": cst.Name(gradient.variables[0]),
            }
            self.emit(self.context.statements("{final} = {pull}({grads})", **values), ())
        if gradient.explicit and gradient.found.line is anchor:
            self.emit(self.gathered(gradient), ())
        for index in region.after:
            self.emit(self.rewritten(block[index]), ())

    def prefix(self, prefix: Prefix, anchor: Any) -> None:
        """`def fake_fn(model): ...` and `fake, fake_vjp = value_and_vjp(fake_fn, model)`."""
        region = prefix.region
        block = region.places[-1].statements
        for index in region.before:
            self.emit(self.rewritten(block[index]), ())
        parameter = prefix.model.rpartition(".")[2].strip("_")
        body = [part for line in region.statements for part in self.rewritten(line)]
        body[0] = body[0].with_changes(leading_lines=[])
        result = one_or_tuple([cst.Name(name) for name in prefix.results])
        body.append(cst.SimpleStatementLine([cst.Return(result)]))
        names = [parameter, *region.carried]
        if any(isinstance(node, cst.Name) and node.value == RNGS for line in body for node in walk(line)):
            names.append(RNGS)
        function = free_name(f"{prefix.results[0]}_fn", self._file_names())
        rename = _Substitution({prefix.model: parameter} if prefix.model != parameter else {})
        definition = cst.FunctionDef(
            cst.Name(function), cst.Parameters([cst.Param(cst.Name(name)) for name in names]),
            cst.IndentedBlock([line.visit(rename) for line in body]))  # fmt: skip
        spaced = list(anchor.leading_lines)
        if self.body and not any(line.comment is None for line in spaced[:1]):
            spaced.insert(0, cst.EmptyLine(indent=False))
        self.emit([definition], spaced)
        arguments = [
            cst.Arg(cst.Name(function)),
            cst.Arg(dotted_name(prefix.model)),
            *(cst.Arg(cst.Name(n)) for n in names[1:]),
        ]
        call = self.context.expression("helpers.value_and_vjp({arguments})", arguments=arguments)
        target = pair(result, cst.Name(prefix.pullback))
        line = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(target)], call)])
        self.emit([line], [cst.EmptyLine(indent=False)])
        for index in region.after:
            self.emit(self.rewritten(block[index]), ())

    def _file_names(self) -> set[str]:
        if "names" not in self.context.state:
            self.context.state["names"] = {
                node.value for node in walk(self.context.module) if isinstance(node, cst.Name)
            }
        names: set[str] = self.context.state["names"]
        return names

    def _parameters(self, gradient: Gradient) -> dict[str, str]:
        """The loss function's parameter for each module."""
        taken = {node.value for line in gradient.region.statements for node in walk(line) if isinstance(node, cst.Name)}
        names: dict[str, str] = {}
        for unit in (*(unit for group in gradient.groups for unit in group), *gradient.others):
            if "." not in unit:
                names[unit] = unit
                continue
            chain = {part for other in gradient.others for part in other.split(".")} | set(unit.split("."))
            names[unit] = free_name(
                unit.rpartition(".")[2].strip("_") or "model", (taken - chain) | set(names.values())
            )
        return names

    def _function_name(self, gradient: Gradient) -> str:
        taken = self._file_names()
        stem = gradient.loss.value if isinstance(gradient.loss, cst.Name) else "loss"
        for wanted in (f"{stem}_fn", f"compute_{stem}"):
            if wanted not in taken:
                return wanted
        return free_name(f"{stem}_of_batch", taken)

    def _definition(self, gradient: Gradient, function: str, parameters: Mapping[str, str]) -> cst.FunctionDef:
        renamed = {unit: name for unit, name in parameters.items() if unit != name}
        body: list[Any] = []
        prologue: list[Any] = []
        if gradient.through_self:
            view = free_name("view", self._file_names())
            kept = ", ".join(f"{unit.removeprefix('self.')}={name}" for unit, name in renamed.items())
            prologue = self.context.statements(f"{view} = helpers.with_attributes(self, {kept})")
            renamed["self"] = view
        rename = _Substitution(renamed)
        body += self._computation(gradient.region)
        if body and gradient.found.line is not gradient.region.statements[0]:
            body[0] = body[0].with_changes(leading_lines=[])
        loss: Any = self._loss(gradient)
        loss = loss.with_changes(lpar=[], rpar=[])
        results = [cst.Name(name) for name in gradient.region.results]
        value: Any = loss
        if results:
            value = cst.Tuple([cst.Element(loss), cst.Element(one_or_tuple(results))], lpar=[], rpar=[])
        spaced = [cst.EmptyLine(indent=False)] if body and isinstance(body[-1], cst.FunctionDef) else []
        body.append(cst.SimpleStatementLine([cst.Return(value)], leading_lines=spaced))
        names = [*parameters.values(), *gradient.region.carried]
        params = [cst.Param(cst.Name(name)) for name in names]
        return cst.FunctionDef(
            cst.Name(function),
            cst.Parameters(params),
            cst.IndentedBlock([*prologue, *(line.visit(rename) for line in body)]),
        )

    def _computation(self, region: Region) -> list[Any]:
        """The statements of a loss; gradients of values among them are those of functions of their own."""
        inputs = plan_of(self.context)
        lines = region.places[-1].statements
        for block, derivatives in inputs.blocks.items() if inputs is not None else ():
            if self.plan.lines.of(block) is lines:
                return DerivativeWriter(self.context, lines).written(region.inside, derivatives)
        return [part for line in region.statements for part in self.rewritten(line)]

    def _loss(self, gradient: Gradient) -> Any:
        weight = weight_of(gradient.found)
        if weight is None:
            return gradient.loss if isinstance(gradient.loss, cst.Name) else self.context.rewrite(gradient.loss)
        return self.context.expression(
            "({output} * jax.lax.stop_gradient({weight})).sum()",
            output=self.context.rewrite(output_of(gradient.found)), weight=self.context.rewrite(weight))  # fmt: skip

    def _differentiated(self, gradient: Gradient, function: str, parameters: Mapping[str, str]) -> Any:
        region = gradient.region
        options = []
        count = sum(len(group) for group in gradient.groups)
        if count > 1:
            options.append(f"argnums=({', '.join(str(index) for index in range(count))})")
        if region.results:
            options.append("has_aux=True")
        transform = "flax.nnx.value_and_grad" if region.loss_needed else "flax.nnx.grad"
        arguments = [cst.Arg(dotted_name(unit)) for unit in parameters]
        arguments += [cst.Arg(cst.Name(name)) for name in region.carried]
        call = self.context.expression(
            f"{transform}({', '.join(['{function}', *options])})({{arguments}})",
            function=cst.Name(function), arguments=arguments)  # fmt: skip
        prefix = "new_" if gradient.explicit and not gradient.pullback else ""
        grads = one_or_tuple([cst.Name(prefix + name) for name in gradient.variables])
        target = self._target(gradient, grads)
        return cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(target)], call)])

    def _target(self, gradient: Gradient, grads: Any) -> Any:
        """`(loss, logits), grads`, `loss, grads`, `grads, logits` or `grads`, as the transformation returns them."""
        region = gradient.region
        results = one_or_tuple([cst.Name(name) for name in region.results]) if region.results else None
        if not region.loss_needed:
            return grads if results is None else pair(grads, results)
        value: Any = gradient.loss.with_changes(lpar=[], rpar=[])
        return pair(value if results is None else pair(value, results, parentheses=True), grads)

    def gathered(self, gradient: Gradient) -> list[Any]:
        """New gradients put where those of the step are kept, added to what is there where several losses do so."""
        statements: list[Any] = []
        for name in (gradient.final,) if gradient.pullback else gradient.variables:
            template = "{old} = helpers.add_gradients({old}, {new})" if gradient.adds else "{old} = {new}"
            statements += self.context.statements(template, old=cst.Name(name), new=cst.Name(f"new_{name}"))
        return statements


class _Substitution(cst.CSTTransformer):
    """Replaces `self.model` by the parameter of the loss function."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def leave_Attribute(self, original: cst.Attribute, updated: cst.Attribute) -> cst.BaseExpression:
        name = self.names.get(dotted(original) or "")
        return updated if name is None else cst.Name(name)

    def leave_Name(self, original: cst.Name, updated: cst.Name) -> cst.BaseExpression:
        return cst.Name(self.names["self"]) if updated.value == "self" and "self" in self.names else updated


def assigned(target: Any, value: Any) -> Any:
    """`target = value`, or the value alone."""
    return cst.Expr(value) if target is None else cst.Assign([cst.AssignTarget(target)], value)


def pair(first: Any, second: Any, *, parentheses: bool = False) -> cst.Tuple:
    """`first, second`."""
    made = as_tuple([first, second])
    return made if parentheses else made.with_changes(lpar=[], rpar=[])


def one_or_tuple(names: Sequence[Any]) -> Any:
    """One expression as it is, several as a tuple."""
    return names[0] if len(names) == 1 else as_tuple(names)


def _without_semicolon(line: Any) -> Any:
    """A line whose only statement ended with a semicolon, now that nothing follows."""
    if isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[-1].semicolon, cst.Semicolon):
        last = line.body[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        return line.with_changes(body=[*line.body[:-1], last])
    return line
