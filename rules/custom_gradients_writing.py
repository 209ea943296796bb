"""Functions with gradients of their own, written as a class with `apply` under `jax.custom_vjp` and its two rules."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.rule import Rule
from .custom_gradients import CustomGradient, kept_by, read_class, unpacked


def write_class(construct: CustomGradient, node: cst.ClassDef, context: FileContext) -> Any:
    """The class with `apply` and its two rules, or over the helper class."""
    context.converted(node.name, op="custom_gradient", api="torch.autograd.Function", rule="custom_gradients")
    if not construct.is_plain:
        return context.rewrite_children(node)
    context.claim(*(part for base in node.bases for part in walk(base)))
    converted = context.rewrite_children(node)
    body: list[Any] = []
    for part in converted.body.body:
        if isinstance(part, cst.FunctionDef) and part.name.value == "forward":
            body += [_apply(construct, node, part, context), _forward(construct, part)]
        elif isinstance(part, cst.FunctionDef):
            body.append(_backward(construct, part))
        else:
            body.append(part)
    name = node.name.value
    rules = cst.parse_statement(f"{name}.apply.defvjp({name}.forward, {name}.backward)")
    blank = [cst.EmptyLine(indent=False)] * (2 if len(context.stack) == 2 else 1)
    plain = converted.with_changes(
        bases=[], lpar=cst.MaybeSentinel.DEFAULT, rpar=cst.MaybeSentinel.DEFAULT, body=converted.body.with_changes(body=body)
    )
    return cst.FlattenSentinel([plain, rules.with_changes(leading_lines=blank)])


def _apply(construct: CustomGradient, node: cst.ClassDef, forward: cst.FunctionDef, context: FileContext) -> Any:
    """`def apply(x, bits)` under `jax.custom_vjp`."""
    if construct.constants:
        partial = cst.Name(context.imports.bind_from("functools", "partial"))
        positions = as_tuple([cst.Integer(str(index)) for index in construct.constants])
        decorator = context.expression(
            "{partial}(jax.custom_vjp, nondiff_argnums={positions})", partial=partial, positions=positions
        )
    else:
        decorator = context.reference("jax.custom_vjp")
    arguments = ", ".join(construct.names)
    call = cst.parse_statement(f"return {node.name.value}.forward({arguments})[0]")
    return cst.FunctionDef(
        cst.Name("apply"), cst.Parameters(list(forward.params.params[1:])), cst.IndentedBlock([call]),
        decorators=[cst.Decorator(cst.Name("staticmethod")), cst.Decorator(decorator)],
        returns=forward.returns, leading_lines=forward.leading_lines)  # fmt: skip


def _forward(construct: CustomGradient, function: cst.FunctionDef) -> cst.FunctionDef:
    """Without the context: what it would hold is returned behind the result."""
    owner = function.params.params[0].name.value
    lines = _without([line for line in function.body.body if kept_by(line, owner) is None], function)
    last: Any = lines[-1]
    result = last.body[0].value
    if isinstance(result, cst.Tuple) and not result.lpar:
        result = result.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    residuals = as_tuple(list(construct.saved.values())) if construct.saved else cst.Name("None")
    pair = as_tuple([result, residuals]).with_changes(lpar=[], rpar=[])
    lines[-1] = last.with_changes(body=[last.body[0].with_changes(value=pair)])
    leading = function.leading_lines or [cst.EmptyLine(indent=False)]
    return _rule(function, list(function.params.params[1:]), lines).with_changes(leading_lines=leading, returns=None)


def _backward(construct: CustomGradient, function: cst.FunctionDef) -> cst.FunctionDef:
    """Constant arguments, what forward left, and the gradients: a tuple where there are several."""
    owner = function.params.params[0].name.value
    taken = {part.value for part in walk(function) if isinstance(part, cst.Name)}
    residuals = "residuals" if construct.saved else "_"
    names = [construct.names[index] for index in construct.constants] + [residuals]
    opening = [f"{_tuple(construct.saved)} = residuals"] if construct.saved else []
    if len(construct.outputs) > 1:
        given = next(name for name in ("grads", "grad_outputs", "output_grads") if name not in taken)
        names.append(given)
        opening.append(f"{', '.join(construct.outputs)} = {given}")
    else:
        names += construct.outputs
    lines = _without([line for line in function.body.body if unpacked(line, owner) is None], function)
    renamed = _Rules(owner, construct)
    lines = [line for line in (line.visit(renamed) for line in lines) if not _is_nothing(line)]
    at = 1 if _is_docstring(lines[0]) else 0
    lines[at:at] = [cst.parse_statement(line) for line in opening]
    return _rule(function, [cst.Param(cst.Name(name)) for name in names], lines).with_changes(returns=None)


def _without(lines: list[Any], function: cst.FunctionDef) -> list[Any]:
    """The lines that are left, with the comments above the first of them."""
    first = function.body.body[0]
    if lines and first not in lines and hasattr(first, "leading_lines"):
        lines[0] = lines[0].with_changes(leading_lines=first.leading_lines)
    return lines


def _tuple(names: Any) -> str:
    listed = list(names)
    return f"({listed[0]},)" if len(listed) == 1 else ", ".join(listed)


def _rule(function: cst.FunctionDef, params: list[Any], lines: list[Any]) -> cst.FunctionDef:
    last = params[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return function.with_changes(
        params=cst.Parameters([*params[:-1], last]), body=function.body.with_changes(body=lines)
    )


def _is_docstring(line: Any) -> bool:
    return isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], cst.Expr) and isinstance(
        line.body[0].value, (cst.SimpleString, cst.ConcatenatedString)
    )  # fmt: skip


def _is_nothing(line: Any) -> bool:
    """`bits = bits`, left of `bits = ctx.bits`."""
    match line:
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=target))], value=cst.Name(value=value))]
        ):
            return target == value
    return False


class _Rules(cst.CSTTransformer):
    """Attributes of the context become names; gradients of constant arguments are not returned."""

    def __init__(self, owner: str, construct: CustomGradient) -> None:
        super().__init__()
        self.owner, self.construct = owner, construct

    def leave_Attribute(self, original: cst.Attribute, updated: cst.Attribute) -> cst.BaseExpression:
        if dotted(original.value) != self.owner:
            return updated
        return cst.Name(self.construct.given.get(original.attr.value, original.attr.value))

    def leave_Return(self, original: cst.Return, updated: cst.Return) -> cst.Return:
        value: Any = updated.value
        several = isinstance(value, cst.Tuple) and len(self.construct.names) > 1
        parts = [element.value for element in value.elements] if several else [value]
        kept = [part for index, part in enumerate(parts) if index not in self.construct.constants]
        if several and len(kept) == len(parts):
            return updated
        made = as_tuple(kept)
        return updated.with_changes(value=made if len(kept) == 1 else made.with_changes(lpar=[], rpar=[]))


RULES = (Rule("custom_gradients", (cst.ClassDef,), {"torch": read_class}, {"jax": write_class}, order=20),)
