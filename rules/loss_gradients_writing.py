"""Losses and gradients read from JAX and TensorFlow, written for torch, TensorFlow and JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.rule import Rule
from .loss_gradients import Clip, GradientBlock, LossGradient, Update, read_block
from .name_flow import Fate, effects, effects_of, fate
from .rngs_takers import NAME as RNGS
from .training_step import BLOCKS
from .training_tape import gradient_of, taped, update_of


class _Names(cst.CSTTransformer):
    """Replaces names or dotted names by expressions."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names

    def leave_Attribute(self, original: cst.Attribute, updated: cst.Attribute) -> cst.BaseExpression:
        text = self.names.get(dotted(original) or "")
        return updated.with_changes(attr=original.attr) if text is None else cst.parse_expression(text)

    def leave_Arg(self, original: cst.Arg, updated: cst.Arg) -> cst.Arg:
        return updated.with_changes(keyword=original.keyword)

    def leave_Name(self, original: cst.Name, updated: cst.Name) -> cst.BaseExpression:
        text = self.names.get(original.value)
        return updated if text is None else cst.parse_expression(text)


class _Writer:
    """Writes the lines of one block for one target."""

    def __init__(self, context: FileContext, found: GradientBlock) -> None:
        self.context, self.found = context, found

    def written(self, node: Any) -> Any:
        """The new block."""
        body: list[Any] = []
        for line in node.body:
            made = self._line(line)
            leading = getattr(line, "leading_lines", ())
            if (
                made
                and made[0] is not line
                and line in {*self.found.starts, *self.found.gradients, *self.found.others}
            ):
                made[0] = made[0].with_changes(leading_lines=leading)
            body += made
        return node.with_changes(body=body or [cst.SimpleStatementLine([cst.Pass()])])

    def _line(self, line: Any) -> list[Any]:
        if line in self.found.starts:
            return self.computed(self.found.starts[line])
        if line in self.found.gradients:
            self.context.converted(line, op="training_step", rule="loss_gradients")
            return self.differentiated(self.found.gradients[line])
        other = self.found.others.get(line)
        if isinstance(other, Update):
            self.context.converted(line, op="training_step", rule="loss_gradients")
            return self.updated(other)
        if isinstance(other, Clip):
            self.context.converted(line, op="clip_gradients", rule="loss_gradients")
            return self.clipped(other)
        return self.rewritten(line)

    def rewritten(self, line: Any) -> list[Any]:
        """A statement, rewritten; nothing or several may be left of it."""
        result = self.context.rewrite(line)
        if isinstance(result, cst.RemovalSentinel):
            return []
        return list(result.nodes) if isinstance(result, cst.FlattenSentinel) else [result]

    def computation(self, gradient: LossGradient) -> list[Any]:
        """The lines of the loss in the names of the code around them, and those that name its results."""
        rename = _Names(gradient.renamed)
        lines = [part.visit(rename) for line in gradient.lines for part in self.rewritten(line)]
        for target, value in gradient.results:
            if dotted(target) is None or dotted(target) != dotted(value):
                node = self.context.rewrite(value).visit(rename)
                assign = cst.Assign([cst.AssignTarget(target)], node)  # type: ignore[arg-type]
                lines.append(cst.SimpleStatementLine([assign]))
        return lines

    def loss(self, gradient: LossGradient) -> Any:
        """The expression of the loss after the computation."""
        named = next((target for target, value in gradient.results if value is gradient.loss), None)
        return named if named is not None else self.context.rewrite(gradient.loss).visit(_Names(gradient.renamed))

    def models(self, models: Any) -> list[Any]:
        """The expressions of the models."""
        return [self.context.rewrite(model) for model in models]

    computed: Any
    differentiated: Any
    updated: Any
    clipped: Any


class TorchWriter(_Writer):
    """`optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`."""

    def computed(self, gradient: LossGradient) -> list[Any]:
        """The lines themselves."""
        return self.computation(gradient)

    def differentiated(self, gradient: LossGradient) -> list[Any]:
        """Gradients cleared and computed."""
        optimizer = self.context.rewrite(self.found.optimizers[gradient.grads])
        return [
            *self.context.statements("{optimizer}.zero_grad()", optimizer=optimizer),
            *self.context.statements("{loss}.backward()", loss=self.loss(gradient)),
        ]

    def updated(self, update: Update) -> list[Any]:
        """The step."""
        return self.context.statements("{optimizer}.step()", optimizer=self.context.rewrite(update.optimizer))

    def clipped(self, clip: Clip) -> list[Any]:
        """`torch.nn.utils.clip_grad_norm_(model.parameters(), limit)`."""
        models = self.models(self.found.models[clip.grads])
        each = [cst.Call(cst.Attribute(model, cst.Name("parameters"))) for model in models]
        parameters = each[0] if len(each) == 1 else cst.List([cst.StarredElement(one) for one in each])
        limit = [self.context.rewrite(argument) for argument in clip.limit]
        call = self.context.expression(
            f"torch.nn.utils.clip_grad_{clip.kind}_({{parameters}}, {{limit}})", parameters=parameters, limit=limit)  # fmt: skip
        norm: Any = clip.norm
        small: Any = cst.Expr(call) if norm is None else cst.Assign([cst.AssignTarget(norm)], call)
        return [cst.SimpleStatementLine([small])]


class _FunctionalClip(_Writer):
    """Clipping where gradients are values."""

    def clipped(self, clip: Clip) -> list[Any]:
        """`grads, norm = clip_grad_norm(grads, limit)`."""
        limit = [self.context.rewrite(argument) for argument in clip.limit]
        call = self.context.expression(
            f"helpers.clip_grad_{clip.kind}({{grads}}, {{limit}})", grads=cst.Name(clip.grads), limit=limit)  # fmt: skip
        target: Any = cst.Name(clip.grads)
        if clip.kind == "norm":
            norm = clip.norm if clip.norm is not None else cst.Name("_")
            target = as_tuple([target, norm]).with_changes(lpar=[], rpar=[])
        return [cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(target)], call)])]


class TensorflowWriter(_FunctionalClip):
    """A gradient tape."""

    def computed(self, gradient: LossGradient) -> list[Any]:
        """The lines under the tape."""
        lines = self.computation(gradient)
        if lines:
            lines[0] = lines[0].with_changes(leading_lines=[])
        if not isinstance(self.loss(gradient), cst.Name):
            lines += self.context.statements("loss = {value}", value=self.loss(gradient))
        return [taped(self.context, lines)]

    def differentiated(self, gradient: LossGradient) -> list[Any]:
        """`grads = tape.gradient(loss, model.trainable_variables)`."""
        loss = self.loss(gradient)
        loss = loss if isinstance(loss, cst.Name) else cst.Name("loss")
        return [gradient_of(self.context, gradient.grads, loss, self.models(gradient.models))]

    def updated(self, update: Update) -> list[Any]:
        """`optimizer.apply_gradients(...)`."""
        optimizer = self.context.rewrite(update.optimizer)
        return [update_of(self.context, optimizer, update.grads, self.models(update.models))]


class JaxWriter(_FunctionalClip):
    """A function of the model, differentiated."""

    def computed(self, gradient: LossGradient) -> list[Any]:
        """`def loss_fn(model): ...`."""
        lines = self.computation(gradient)
        loss = self.loss(gradient)
        results = self._results(gradient)
        value: Any = loss
        if results:
            value = as_tuple([loss, self._one_or_tuple(results)]).with_changes(lpar=[], rpar=[])
        lines.append(cst.SimpleStatementLine([cst.Return(value)]))
        lines[0] = lines[0].with_changes(leading_lines=[])
        names = self._parameters(gradient, lines)
        inner = _Names({text: name for name, text in names.items() if name != text})
        parameters = [cst.Param(cst.Name(name)) for name in names]
        body = cst.IndentedBlock([line.visit(inner) for line in lines])
        return [cst.FunctionDef(cst.Name(self._function(gradient)), cst.Parameters(parameters), body)]

    def differentiated(self, gradient: LossGradient) -> list[Any]:
        """`(loss, aux), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model)`."""
        results = self._results(gradient)
        loss = self.loss(gradient)
        target: Any = loss if isinstance(loss, cst.Name) else cst.Name("loss")
        if results:
            target = as_tuple([target, self._one_or_tuple(results)])
        target = as_tuple([target, cst.Name(gradient.grads)]).with_changes(lpar=[], rpar=[])
        lines = self.computation(gradient)
        arguments = [cst.Arg(cst.parse_expression(text)) for text in self._parameters(gradient, lines).values()]
        options = ["{function}"]
        if len(gradient.models) > 1:
            options.append(f"argnums=({', '.join(str(index) for index in range(len(gradient.models)))})")
        if results:
            options.append("has_aux=True")
        call = self.context.expression(
            f"flax.nnx.value_and_grad({', '.join(options)})({{arguments}})",
            function=cst.Name(self._function(gradient)), arguments=arguments)  # fmt: skip
        return [cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(target)], call)])]

    def updated(self, update: Update) -> list[Any]:
        """`optimizer.update(model, grads)`."""
        models = self.models(update.models)
        return self.context.statements(
            "{optimizer}.update({models}, {grads})", optimizer=self.context.rewrite(update.optimizer),
            models=self._one_or_tuple(models), grads=cst.Name(update.grads))  # fmt: skip

    def _one_or_tuple(self, nodes: list[Any]) -> Any:
        return nodes[0] if len(nodes) == 1 else as_tuple(nodes)

    def _function(self, gradient: LossGradient) -> str:
        taken = {node.value for node in walk(self.context.module) if isinstance(node, cst.Name)}
        stem = gradient.loss.value if isinstance(gradient.loss, cst.Name) else "loss"
        name = f"{stem}_fn"
        while name in taken:
            name += "_"
        return name

    def _results(self, gradient: LossGradient) -> list[Any]:
        """Names other than the loss that the computation binds and the rest of the function reads."""
        function = self.context.enclosing(cst.FunctionDef)
        scope: Any = function.body if function is not None else self.context.module
        inside = {part for line in gradient.lines for part in walk(line)}
        read = {node.value for node in walk(scope) if isinstance(node, cst.Name) and node not in inside}
        bound = sorted(effects_of(gradient.lines).binds & read)
        return [cst.Name(name) for name in bound if name != getattr(gradient.loss, "value", "")]

    def _parameters(self, gradient: LossGradient, lines: list[Any]) -> dict[str, str]:
        """The loss function's parameters: the models, names that the lines go on with, and the random stream."""
        names = {
            (dotted(model) or "model").rpartition(".")[2].strip("_") or "model": dotted(model) or ""
            for model in gradient.models
        }
        binds = effects_of(gradient.lines).binds
        for name in sorted(binds):
            if fate(gradient.lines, name) is Fate.READ:
                names[name] = name
        if any(RNGS in effects(line).reads for line in lines):
            names[RNGS] = RNGS
        return names


def write_torch(construct: GradientBlock, node: Any, context: FileContext) -> Any:
    """torch's statements."""
    return TorchWriter(context, construct).written(node)


def write_tensorflow(construct: GradientBlock, node: Any, context: FileContext) -> Any:
    """A tape."""
    return TensorflowWriter(context, construct).written(node)


def write_jax(construct: GradientBlock, node: Any, context: FileContext) -> Any:
    """A differentiated function."""
    return JaxWriter(context, construct).written(node)


_WRITE = {"torch": write_torch, "tensorflow": write_tensorflow, "jax": write_jax}
RULES = (Rule("loss_gradients", BLOCKS, dict.fromkeys(("jax", "tensorflow"), read_block), _WRITE, order=20),)
