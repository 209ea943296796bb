"""Losses, their gradients and updates as JAX and TensorFlow code writes them: a function differentiated, or a tape.

Read block by block. What is recognised stands in one block: the loss and its gradients; updates and clipping may
stand deeper. Gradients used in any other way are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from .optimizers_spokes import variable_owners

_TRANSFORMS = {"flax.nnx.value_and_grad": True, "flax.nnx.grad": False}
_CLIPS = {"helpers.clip_grad_norm": "norm", "helpers.clip_grad_value": "value"}


@dataclass(frozen=True)
class LossGradient:
    """One loss and its gradients.

    start: the statement that holds the computation (a function or a tape's block); at: the one that takes gradients.
    lines: the computation; loss: its result; models: the modules differentiated, as named outside; renamed: names of
    parameters inside, with what they stand for; results: targets outside with the expressions inside that they get.
    """

    start: cst.CSTNode
    at: cst.CSTNode
    lines: tuple[Any, ...]
    loss: cst.BaseExpression
    models: tuple[cst.BaseExpression, ...]
    grads: str
    renamed: dict[str, str]
    results: tuple[tuple[cst.BaseExpression, cst.BaseExpression], ...] = ()


@dataclass(frozen=True)
class Update:
    """An optimizer's step with gradients."""

    optimizer: cst.BaseExpression
    models: tuple[cst.BaseExpression, ...]
    grads: str


@dataclass(frozen=True)
class Clip:
    """Gradients made smaller; kind: `norm` or `value`; norm: the name that gets the norm before."""

    kind: str
    grads: str
    limit: tuple[cst.Arg, ...]
    norm: cst.BaseExpression | None


@dataclass(frozen=True)
class GradientBlock:
    """What a block holds of these; optimizers and models of a function by the name of the gradients."""

    starts: dict[cst.CSTNode, LossGradient] = field(default_factory=dict)
    gradients: dict[cst.CSTNode, LossGradient] = field(default_factory=dict)
    others: dict[cst.CSTNode, Update | Clip] = field(default_factory=dict)
    optimizers: dict[str, cst.BaseExpression] = field(default_factory=dict)
    models: dict[str, tuple[cst.BaseExpression, ...]] = field(default_factory=dict)


def read_block(node: Any, context: FileContext) -> GradientBlock | Refusal | None:
    """A block with a differentiated loss, or with an update or clipping of gradients."""
    function = context.enclosing(cst.FunctionDef)
    scope: Any = function.body if function is not None else context.module
    cache = context.state.setdefault("loss_gradients", {})
    if scope not in cache:
        cache[scope] = _scan(scope, context)
    found: GradientBlock | Refusal | None = cache[scope]
    if found is None or isinstance(found, Refusal):
        return found if found is not None and node is scope else None
    own = set(node.body)
    if not own & {*found.starts, *found.others}:
        return None
    return found


def _scan(scope: cst.CSTNode, context: FileContext) -> GradientBlock | Refusal | None:
    found = GradientBlock()
    for block in [part for part in walk(scope) if isinstance(part, (cst.IndentedBlock, cst.Module))]:
        reader = _jax_gradients if context.source.name == "jax" else _tape_gradients
        for gradient in reader(block.body, context):
            found.starts[gradient.start] = found.gradients[gradient.at] = gradient
            found.models[gradient.grads] = gradient.models
    if not found.starts:
        return None
    for line in walk(scope):
        if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
            other = _update(line.body[0], context) or _clip(line.body[0], context)
            if other is not None and other.grads in found.models:
                found.others[line] = other
                if isinstance(other, Update):
                    found.optimizers.setdefault(other.grads, other.optimizer)
    return _problem(scope, found) or found


def _problem(scope: cst.CSTNode, found: GradientBlock) -> Refusal | None:
    """Gradients that something else uses, or that no optimizer takes."""
    ours = {part for line in (*found.gradients, *found.others) for part in walk(line)}
    for node in walk(scope):
        if isinstance(node, cst.Name) and node.value in found.models and node not in ours:
            return Refusal(
                f"the gradients {node.value} are used by themselves; only an optimizer's step is known", node
            )
    for gradient in found.starts.values():
        if gradient.grads not in found.optimizers:
            return Refusal("gradients that no optimizer takes in the same function", gradient.at)
    return None


def _assigned_call(line: cst.CSTNode) -> tuple[cst.BaseExpression, cst.Call] | None:
    """`target = call(...)` as a line of its own."""
    match line:
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=target)], value=cst.Call() as call)]
        ):
            return target, call
    return None


# JAX.


def _jax_gradients(lines: Sequence[Any], context: FileContext) -> Iterator[LossGradient]:
    functions = {line.name.value: line for line in lines if isinstance(line, cst.FunctionDef)}
    for line in lines:
        assigned = _assigned_call(line)
        if assigned is None or not isinstance(assigned[1].func, cst.Call):
            continue
        transform = assigned[1].func
        path = context.direct_path(transform.func) or ""
        name = transform.args[0].value if transform.args else None
        if path in _TRANSFORMS and isinstance(name, cst.Name) and name.value in functions:
            found = _differentiated(functions[name.value], line, assigned, transform, _TRANSFORMS[path])
            if found is not None:
                yield found


def _differentiated(
    function: cst.FunctionDef, line: Any, assigned: tuple[Any, cst.Call], transform: cst.Call, has_value: bool
) -> LossGradient | None:
    """The pieces of `(loss, aux), grads = value_and_grad(loss_fn, has_aux=True)(model)`."""
    target, call = assigned
    options = {a.keyword.value: a.value for a in transform.args[1:] if a.keyword is not None}
    has_aux = "has_aux" in options
    last = function.body.body[-1]
    match last:
        case cst.SimpleStatementLine(body=[cst.Return(value=cst.BaseExpression() as value)]):
            pass
        case _:
            return None
    if set(options) - {"has_aux", "argnums"} or any(a.keyword or a.star for a in call.args):
        return None
    argnums = options.get("argnums")
    count = len(argnums.elements) if isinstance(argnums, cst.Tuple) else 1
    names = [p.name.value for p in function.params.params]
    passed = [dotted(argument.value) for argument in call.args]
    if count > 1 or len(names) != len(passed) or None in passed:
        return None
    loss, aux = _parts(value) if has_aux else (value, None)
    outer, grads = _parts(target) if has_value or has_aux else (None, target)
    if not has_value and has_aux:
        outer, grads = grads, outer
    if not isinstance(grads, cst.Name):
        return None
    results = _results(outer, loss, aux, has_value, has_aux)
    renamed = {name: str(text) for name, text in zip(names, passed, strict=True) if name != text}
    models = (call.args[0].value,)
    return LossGradient(function, line, tuple(function.body.body[:-1]), loss, models, grads.value, renamed, results)


def _parts(node: Any) -> tuple[Any, Any]:
    if isinstance(node, cst.Tuple) and len(node.elements) == 2:
        return node.elements[0].value, node.elements[1].value
    return None, None


def _results(outer: Any, loss: Any, aux: Any, has_value: bool, has_aux: bool) -> tuple[tuple[Any, Any], ...]:
    """What the names outside get, by the expressions inside."""
    if outer is None:
        return ()
    if not has_aux:
        return ((outer, loss),)
    value, rest = _parts(outer) if has_value else (None, outer)
    pairs = [(value, loss)] if value is not None else []
    if isinstance(rest, cst.Tuple) and isinstance(aux, cst.Tuple) and len(rest.elements) == len(aux.elements):
        pairs += [(a.value, b.value) for a, b in zip(rest.elements, aux.elements, strict=True)]
    else:
        pairs.append((rest, aux))
    return tuple(pairs)


# TensorFlow.


def _tape_gradients(lines: Sequence[Any], context: FileContext) -> Iterator[LossGradient]:
    tapes: dict[str, cst.With] = {}
    for line in lines:
        if isinstance(line, cst.With) and len(line.items) == 1:
            item = line.items[0]
            opened = (
                isinstance(item.item, cst.Call) and context.direct_path(item.item.func) == "tensorflow.GradientTape"
            )
            if opened and item.asname is not None and isinstance(item.asname.name, cst.Name):
                tapes[item.asname.name.value] = line
        assigned = _assigned_call(line)
        if assigned is None or not isinstance(assigned[0], cst.Name) or len(assigned[1].args) != 2:
            continue
        owner, _, method = (dotted(assigned[1].func) or "").rpartition(".")
        models = variable_owners(assigned[1].args[1].value)
        if method == "gradient" and owner in tapes and models is not None:
            start = tapes[owner]
            yield LossGradient(
                start, line, tuple(start.body.body), assigned[1].args[0].value, models, assigned[0].value, {}
            )


# Updates and clipping.


def _update(small: cst.CSTNode, context: FileContext) -> Update | None:
    """`optimizer.update(model, grads)`, `optimizer.apply_gradients(zip(grads, model.trainable_variables))`."""
    match small:
        case cst.Expr(
            value=cst.Call(func=cst.Attribute(value=owner, attr=cst.Name(value="update")), args=[first, second])
        ):
            if context.source.name == "jax" and isinstance(second.value, cst.Name):
                models = first.value
                each = tuple(e.value for e in models.elements) if isinstance(models, cst.Tuple) else (models,)
                return Update(owner, each, second.value.value)
        case cst.Expr(
            value=cst.Call(
                func=cst.Attribute(value=owner, attr=cst.Name(value="apply_gradients")),
                args=[cst.Arg(value=cst.Call(func=cst.Name(value="zip"), args=[grads, variables]))],
            )
        ):
            owners = variable_owners(variables.value)
            if isinstance(grads.value, cst.Name) and owners is not None:
                return Update(owner, owners, grads.value.value)
    return None


def _clip(small: cst.CSTNode, context: FileContext) -> Clip | None:
    """`grads, norm = clip_grad_norm(grads, 1.0)`."""
    match small:
        case cst.Assign(targets=[cst.AssignTarget(target=target)], value=cst.Call() as call) if call.args:
            kind = _CLIPS.get(context.direct_path(call.func) or "")
            first = call.args[0].value
            if kind is None or not isinstance(first, cst.Name):
                return None
            grads, norm = _parts(target) if kind == "norm" else (target, None)
            if dotted(grads) == first.value if grads is not None else False:
                kept = None if norm is None or dotted(norm) == "_" else norm
                return Clip(kind, first.value, tuple(call.args[1:]), kept)
    return None
