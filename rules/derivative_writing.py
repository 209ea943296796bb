"""Statements that are differentiated by values inside a function, written as local functions and their pullbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple
from ..rewriter.read import BoundOp
from .input_gradient_lines import is_mark
from .input_gradient_plans import Derivative
from .input_gradients import plan_of

_OP = "input_gradient"


class DerivativeWriter:
    """Writes statements of one block, those that are differentiated as functions."""

    def __init__(self, context: FileContext, lines: Sequence[Any]) -> None:
        self.context, self.lines = context, lines
        plan = plan_of(context)
        self.marked = tuple(plan.marked) if plan is not None else ()
        self.dropped = plan.dropped if plan is not None else set()

    def written(self, indices: Sequence[int], derivatives: list[Derivative]) -> list[Any]:
        """The statements at these places, with these derivatives in them, smallest first."""
        body: list[Any] = []
        behind = 0
        for index in indices:
            if index < behind:
                continue
            starting = [one for one in derivatives if one.start == index and one.end >= index]
            if starting:
                outer = starting[-1]
                inner = [one for one in derivatives[: derivatives.index(outer)] if outer.holds(one)]
                body += self._function(outer, inner, bool(body))
                behind = outer.end + 1
                continue
            for one in derivatives:
                if one.start == index and one.end < index:
                    body += self._function(one, [], bool(body))
            body += self._line(self.lines[index])
        return body

    def _line(self, line: Any) -> list[Any]:
        if is_mark(line, self.marked):
            self.context.converted(line, op=_OP, api="Tensor.requires_grad_", rule="input_gradients")
            return []
        if line in self.dropped:
            self.context.converted(line, op=_OP, api="torch.optim.Optimizer.zero_grad", rule="input_gradients")
            return []
        result = self.context.rewrite(line)
        if isinstance(result, cst.RemovalSentinel):
            return []
        return list(result.nodes) if isinstance(result, cst.FlattenSentinel) else [result]

    def _function(self, one: Derivative, inner: list[Derivative], is_spaced: bool) -> list[Any]:
        """`def u_fn(x): ...` and `u, u_vjp = jax.vjp(u_fn, x)`."""
        body = self.written(range(one.start, one.end + 1), inner)
        space = [cst.EmptyLine(indent=False)] if is_spaced else []
        if body and hasattr(body[0], "leading_lines"):
            comments = [line for line in body[0].leading_lines if line.comment is not None]
            body[0] = body[0].with_changes(leading_lines=comments)
        output: Any = cst.Name(one.outputs or "")
        is_name = isinstance(one.value, cst.Name) and one.value.value == one.outputs
        value = one.value if is_name else self.context.rewrite(one.value)
        results = [cst.Name(name) for name in one.results]
        aux: Any = results[0] if len(results) == 1 else as_tuple(results)
        given = value if not results else as_tuple([value, aux]).with_changes(lpar=[], rpar=[])
        body = [*body, cst.SimpleStatementLine([cst.Return(given)])]
        params = [cst.Param(cst.Name(name)) for name in one.inputs]
        params += [cst.Param(cst.Name(name), default=cst.Name(name)) for name in one.carried]
        definition = cst.FunctionDef(
            cst.Name(one.name), cst.Parameters(params), cst.IndentedBlock(body), leading_lines=space
        )
        if one.of_module:
            return [definition, self._of_module(one, output, aux if results else None)]
        targets = [output, cst.Name(one.pullback), *([aux] if results else [])]
        arguments = [cst.Arg(cst.Name(name)) for name in (one.name, *one.inputs)]
        transform = "helpers.vjp_with_state" if builds_stateful_layers(self.context) else "jax.vjp"
        text = f"{transform}({{arguments}}, has_aux=True)" if results else f"{transform}({{arguments}})"
        call = self.context.expression(text, arguments=arguments)
        target = as_tuple(targets).with_changes(lpar=[], rpar=[])
        taken = cst.SimpleStatementLine(
            [cst.Assign([cst.AssignTarget(target)], call)], leading_lines=[cst.EmptyLine(indent=False)]
        )
        return [definition, taken]


    def _of_module(self, one: Derivative, output: Any, aux: Any) -> Any:
        """`loss, loss_grads = nnx.value_and_grad(loss_fn)(model)`."""
        text = "flax.nnx.value_and_grad({function})({module})"
        if aux is not None:
            text, output = "flax.nnx.value_and_grad({function}, has_aux=True)({module})", as_tuple([output, aux])
        call = self.context.expression(text, function=cst.Name(one.name), module=cst.Name(one.inputs[0]))
        target = as_tuple([output, cst.Name(one.pullback)]).with_changes(lpar=[], rpar=[])
        return cst.SimpleStatementLine(
            [cst.Assign([cst.AssignTarget(target)], call)], leading_lines=[cst.EmptyLine(indent=False)]
        )


def builds_stateful_layers(context: FileContext) -> bool:
    """Whether any file of the repository builds layers that draw numbers or keep statistics as they are called."""
    known: bool | None = context.inference.__dict__.get("_builds_stateful_layers")
    if known is None:
        ops = (op for file in context.inference.files.values() for op in file.bound.values())
        names = {op.op.name for op in ops if isinstance(op, BoundOp) and op.op.is_layer}
        known = any(part in name for name in names for part in ("dropout", "batch_norm", "instance_norm"))
        context.inference.__dict__["_builds_stateful_layers"] = known
    return known
