"""The training step: a loss, its gradients, what is done to them, and the optimizer's update.

torch keeps gradients in the parameters: `zero_grad`, `backward`, `step`. JAX returns them from a function of the model,
so the statements that compute the loss become that function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple, dotted_name
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .optimizer_models import Scope
from .rngs_takers import NAME as RNGS
from .training_closures import Closures
from .training_comments import about_clearing, behind_definition, with_comments
from .training_events import Found
from .training_gradient_loops_writing import written_loop
from .training_plan import Change, Gradient, Prefix, TrainingPlan, free_name, output_of, weight_of
from .training_reading import linked_plans

_TELLING = frozenset(("backward", "step", "zero_grad", "clip_grad_norm_", "clip_grad_value_"))
_APIS = {
    "backward": "Tensor.backward", "zero": "torch.optim.Optimizer.zero_grad", "step": "torch.optim.Optimizer.step",
    "norm": "torch.nn.utils.clip_grad_norm_", "value": "torch.nn.utils.clip_grad_value_",
    "closure": "torch.optim.Optimizer.step",
}  # fmt: skip


@dataclass(frozen=True)
class TrainingStep:
    """The part of one or more training steps that stands in one block, within the plan of its function."""

    plan: TrainingPlan
    block: cst.CSTNode


def read_block(node: cst.CSTNode, context: FileContext) -> TrainingStep | None:
    """A block with statements that compute a loss, its gradients, or use them."""
    plan = training_plan(context, context.stack)
    if plan is None or node not in plan.blocks:
        return None
    return TrainingStep(plan, node)


def read_call(node: cst.Call, context: FileContext) -> Refusal | None:
    """A call that concerns gradients in a function whose training step cannot be expressed."""
    plan = training_plan(context, context.stack)
    if plan is None or not plan.problem:
        return None
    for call, kind, _ in plan.calls:
        if call is node:
            return Refusal(plan.problem, node, _APIS[kind])
    return None


@dataclass(frozen=True)
class ClosureCall:
    """A closure that is called outside of any step; its gradients are not asked for."""

    call: cst.Call


def read_closure_call(node: cst.Call, context: FileContext) -> ClosureCall | None:
    """`closure().item()`."""
    if not Closures.of(context).uses or (context.stack and isinstance(context.stack[-1], cst.Expr)):
        return None
    scope = _scope(context, context.stack)
    closure = Closures.of(context).called(node, scope) if scope is not None else None
    plan = _plan(context, closure) if closure is not None else None
    return ClosureCall(node) if plan is not None and not plan.problem else None


def write_closure_call(construct: ClosureCall, node: cst.Call, context: FileContext) -> Any:
    """`closure()[0].item()`: the loss alone."""
    return context.expression("{call}[0]", call=context.rewrite_children(construct.call))


def read_held(node: cst.Attribute, context: FileContext) -> str | None:
    """`p.grad` in a loop over parameters."""
    if node.attr.value != "grad":
        return None
    plan = training_plan(context, context.stack)
    return plan.held.get(node) if plan is not None else None


def write_held(construct: str, node: cst.Attribute, context: FileContext) -> Any:
    """The name that holds the gradient."""
    context.converted(node, op="training_step", api="Tensor.grad", rule="training_step")
    return cst.Name(construct)


def read_removed(node: cst.SimpleStatementLine, context: FileContext) -> TrainingPlan | None:
    """`p.grad.zero_()` in such a loop."""
    plan = training_plan(context, context.stack)
    return plan if plan is not None and len(node.body) == 1 and node.body[0] in plan.removed else None


def write_removed(construct: TrainingPlan, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """Nothing: gradients are new values in each step."""
    return cst.RemovalSentinel.REMOVE


def training_plan(context: FileContext, stack: Sequence[cst.CSTNode]) -> TrainingPlan | None:
    """The plan of the function in which the rewriting is."""
    if "telling" not in context.state:
        context.state["telling"] = any(
            node.attr.value in _TELLING for node in context.inference.nodes(context.scope.file).of(cst.Attribute)
        )
    if not context.state["telling"]:
        return None
    scope = _scope(context, stack)
    return _plan(context, scope) if scope is not None else None


def _plan(context: FileContext, scope: Scope) -> TrainingPlan | None:
    plans: dict[cst.FunctionDef | None, TrainingPlan | None] = context.state.setdefault("training_step", {})
    if scope.function not in plans:
        plans.update(linked_plans(context, scope))
    return plans[scope.function]


def _scope(context: FileContext, stack: Sequence[cst.CSTNode]) -> Scope | None:
    """The function in which the rewriting is; None directly in a class."""
    around = [node for node in stack if isinstance(node, (cst.FunctionDef, cst.ClassDef))]
    function = around[-1] if around else None
    if isinstance(function, cst.ClassDef):
        return None
    owner = around[-2] if len(around) > 1 else None
    enclosing = tuple(node for node in around[:-1] if isinstance(node, cst.FunctionDef))
    return Scope(context.scope.file, function, owner if isinstance(owner, cst.ClassDef) else None, enclosing)


def write_block(construct: TrainingStep, node: Any, context: FileContext) -> Any:
    """The block with its losses as functions, gradients as values and updates of the optimizer."""
    return BlockWriter(context, construct.plan).written(node)


class BlockWriter:
    """Writes one block; `held` are the comments of statements that went away."""

    def __init__(self, context: FileContext, plan: TrainingPlan) -> None:
        self.context, self.plan = context, plan
        self.held: list[cst.EmptyLine] = []
        self.body: list[Any] = []

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
            self._region(gradient, line)
            return
        prefix = self.plan.prefixes.get(line)
        if prefix is not None:
            self._prefix(prefix, line)
            return
        if line in self.plan.inside:
            return
        change = self.plan.changes.get(line)
        if change is None:
            self._emit(self._rewritten(line), ())
            return
        if change.found is not None:
            self._report(change.found)
        statements = getattr(self, f"_{change.kind}")(change, line)
        if statements:
            if isinstance(statements[-1], cst.SimpleStatementLine) and isinstance(line, cst.SimpleStatementLine):
                trailing = line.trailing_whitespace
                statements[-1] = statements[-1].with_changes(trailing_whitespace=trailing)
            self._emit(statements, line.leading_lines)
        else:
            above_gradient = change.gradient is not None
            kept = [part for part in line.leading_lines if not about_clearing(part) and not above_gradient]
            if any(part.comment is not None for part in kept):
                self.held += kept

    def _report(self, found: Found) -> None:
        self.context.converted(found.call, op="training_step", api=_APIS[found.kind], rule="training_step")
        reason = self.plan.reviews.get(found.subject)
        if found.kind in ("step", "closure") and reason is not None:
            self.context.review(found.call, reason, op="training_step", api=_APIS["step"], rule="training_step")

    def _emit(self, statements: Sequence[Any], leading: Sequence[cst.EmptyLine]) -> None:
        """Add statements, with comments held so far above the first."""
        for index, statement in enumerate(statements):
            if index == 0 and (self.held or leading):
                own = list(leading) if leading else list(statement.leading_lines)
                statement = with_comments(statement, self.held, own)
                self.held = []
            self.body.append(statement)

    def _rewritten(self, line: Any) -> list[Any]:
        """A statement that is none of ours, rewritten."""
        result = self.context.rewrite(line)
        if isinstance(result, cst.RemovalSentinel):
            return []
        parts = list(result.nodes) if isinstance(result, cst.FlattenSentinel) else [result]
        return [_without_semicolon(part) for part in parts]

    # The loss and its gradients.

    def _region(self, gradient: Gradient, anchor: Any) -> None:
        region = gradient.region
        block = region.places[-1].statements
        leading = anchor.leading_lines
        for index in region.before:
            self._emit(self._rewritten(block[index]), ())
        parameters = self._parameters(gradient)
        function = self._function_name(gradient)
        definition = self._definition(gradient, function, parameters)
        if any(isinstance(node, cst.Name) and node.value == RNGS for node in walk(definition.body)):
            # The stream counts its draws, and NNX lets only arguments change.
            parameters[RNGS] = RNGS
            definition = self._definition(gradient, function, parameters)
        if gradient.found.line is anchor:
            self._report(gradient.found)
        spaced = list(leading)
        if self.body and not any(line.comment is None for line in spaced[:1]):
            spaced.insert(0, cst.EmptyLine(indent=False))
        self._emit([definition], spaced)
        comments = [] if gradient.found.line is anchor else gradient.found.line.leading_lines
        comments = [line for line in comments if line.comment is not None] if not gradient.explicit else []
        self._emit([self._differentiated(gradient, function, parameters)], [cst.EmptyLine(indent=False), *comments])
        if gradient.pullback:
            name = f"new_{gradient.final}" if gradient.explicit else gradient.final
            values = {
                "final": cst.Name(name),
                "pull": cst.Name(gradient.pullback),
                "grads": cst.Name(gradient.variables[0]),
            }
            self._emit(self.context.statements("{final} = {pull}({grads})", **values), ())
        if gradient.explicit and gradient.found.line is anchor:
            self._emit(self._gathered(gradient), ())
        for index in region.after:
            self._emit(self._rewritten(block[index]), ())

    def _prefix(self, prefix: Prefix, anchor: Any) -> None:
        """`def fake_fn(model): ...` and `fake, fake_vjp = value_and_vjp(fake_fn, model)`."""
        region = prefix.region
        block = region.places[-1].statements
        for index in region.before:
            self._emit(self._rewritten(block[index]), ())
        parameter = prefix.model.rpartition(".")[2].strip("_")
        body = [part for line in region.statements for part in self._rewritten(line)]
        body[0] = body[0].with_changes(leading_lines=[])
        result = _one_or_tuple([cst.Name(name) for name in prefix.results])
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
        self._emit([definition], spaced)
        arguments = [
            cst.Arg(cst.Name(function)),
            cst.Arg(dotted_name(prefix.model)),
            *(cst.Arg(cst.Name(n)) for n in names[1:]),
        ]
        call = self.context.expression("helpers.value_and_vjp({arguments})", arguments=arguments)
        target = _pair(result, cst.Name(prefix.pullback))
        line = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(target)], call)])
        self._emit([line], [cst.EmptyLine(indent=False)])
        for index in region.after:
            self._emit(self._rewritten(block[index]), ())

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
        for line in gradient.region.statements:
            body += self._rewritten(line)
        if body and gradient.found.line is not gradient.region.statements[0]:
            body[0] = body[0].with_changes(leading_lines=[])
        loss: Any = self._loss(gradient)
        loss = loss.with_changes(lpar=[], rpar=[])
        results = [cst.Name(name) for name in gradient.region.results]
        value: Any = loss
        if results:
            value = cst.Tuple([cst.Element(loss), cst.Element(_one_or_tuple(results))], lpar=[], rpar=[])
        spaced = [cst.EmptyLine(indent=False)] if body and isinstance(body[-1], cst.FunctionDef) else []
        body.append(cst.SimpleStatementLine([cst.Return(value)], leading_lines=spaced))
        names = [*parameters.values(), *gradient.region.carried]
        params = [cst.Param(cst.Name(name)) for name in names]
        return cst.FunctionDef(
            cst.Name(function),
            cst.Parameters(params),
            cst.IndentedBlock([*prologue, *(line.visit(rename) for line in body)]),
        )

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
        grads = _one_or_tuple([cst.Name(prefix + name) for name in gradient.variables])
        target = self._target(gradient, grads)
        return cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(target)], call)])

    def _target(self, gradient: Gradient, grads: Any) -> Any:
        """`(loss, logits), grads`, `loss, grads`, `grads, logits` or `grads`, as the transformation returns them."""
        region = gradient.region
        results = _one_or_tuple([cst.Name(name) for name in region.results]) if region.results else None
        if not region.loss_needed:
            return grads if results is None else _pair(grads, results)
        value: Any = gradient.loss.with_changes(lpar=[], rpar=[])
        return _pair(value if results is None else _pair(value, results, parentheses=True), grads)

    def _gathered(self, gradient: Gradient) -> list[Any]:
        statements: list[Any] = []
        for name in (gradient.final,) if gradient.pullback else gradient.variables:
            template = "{old} = helpers.add_gradients({old}, {new})" if gradient.adds else "{old} = {new}"
            statements += self.context.statements(template, old=cst.Name(name), new=cst.Name(f"new_{name}"))
        return statements

    # Single lines; each gives the statements that take the line's place.

    def _drop(self, change: Change, line: Any) -> list[Any]:
        return []

    def _reset(self, change: Change, line: Any) -> list[Any]:
        return [
            part for name in change.variables for part in self.context.statements("{name} = None", name=cst.Name(name))
        ]

    def _gather(self, change: Change, line: Any) -> list[Any]:
        assert change.gradient is not None
        return self._gathered(change.gradient)

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
                model=_one_or_tuple([dotted_name(unit) for unit in change.models]),
                closure=self.context.rewrite(argument))  # fmt: skip
            return [cst.SimpleStatementLine([_assigned(target, step)])]
        if isinstance(argument, cst.Lambda):
            called = self.context.rewrite(argument.body)
        else:
            called = cst.Call(self.context.rewrite(argument))
        pair = _pair(target or cst.Name("_"), cst.Name(change.variables[0]))
        return [cst.SimpleStatementLine([_assigned(pair, called)]), *self._update(change, line)]

    def _hand_on(self, change: Change, line: Any) -> list[Any]:
        """A closure's `return loss, grads`."""
        value = self.context.rewrite(line.body[0].value)
        return [line.with_changes(body=[cst.Return(_pair(value, cst.Name(change.variables[0])))], leading_lines=[])]

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
            "model": _one_or_tuple([dotted_name(unit) for unit in change.models]),
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
        return [cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(_pair(grads, norm))], call)])]


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


def _assigned(target: Any, value: Any) -> Any:
    return cst.Expr(value) if target is None else cst.Assign([cst.AssignTarget(target)], value)


def _pair(first: Any, second: Any, *, parentheses: bool = False) -> cst.Tuple:
    pair = as_tuple([first, second])
    return pair if parentheses else pair.with_changes(lpar=[], rpar=[])


def _one_or_tuple(names: Sequence[Any]) -> Any:
    return names[0] if len(names) == 1 else as_tuple(names)


def _without_semicolon(line: Any) -> Any:
    """A line whose only statement ended with a semicolon, now that nothing follows."""
    if isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[-1].semicolon, cst.Semicolon):
        last = line.body[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        return line.with_changes(body=[*line.body[:-1], last])
    return line


BLOCKS = (cst.IndentedBlock, cst.SimpleStatementSuite, cst.Module)
RULES = (
    Rule("training_step", BLOCKS, {"torch": read_block}, {"jax": write_block}, order=20),
    Rule("held_gradient", (cst.Attribute,), {"torch": read_held}, {"jax": write_held}, order=2),
    Rule("cleared_gradient", (cst.SimpleStatementLine,), {"torch": read_removed}, {"jax": write_removed}, order=2),
    Rule("closure_call", (cst.Call,), {"torch": read_closure_call}, {"jax": write_closure_call}, order=4),
    Rule("training_call", (cst.Call,), {"torch": read_call}, {"jax": lambda *_: None}, order=5),
)
