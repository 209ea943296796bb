"""`autograd.Function`: a function with a gradient of its own, by `jax.custom_vjp`.

Where the arrays and the constants among the arguments are known, the class gets an `apply` under `jax.custom_vjp` whose
rules are its `forward` and `backward`. Else it keeps its context, in a helper class that looks at each argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array, NoneType, Reference, Type
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .name_flow import effects

_BASES = frozenset(("torch.autograd.Function", "torch.autograd.function.Function"))
#: What torch does around the rules and JAX need not do.
_DECORATORS = frozenset(
    """torch.autograd.function.once_differentiable torch.amp.custom_fwd torch.amp.custom_bwd
    torch.cuda.amp.custom_fwd torch.cuda.amp.custom_bwd torch.amp.autocast_mode.custom_fwd
    torch.amp.autocast_mode.custom_bwd torch.cuda.amp.autocast_mode.custom_fwd
    torch.cuda.amp.autocast_mode.custom_bwd""".split()
)
_REASONS = {
    "jvp": "a forward-mode rule beside backward(); write two functions, one with jax.custom_jvp",
    "vmap": "a rule for batches; JAX maps over the function's own operations, so remove it if they allow that",
}


@dataclass(frozen=True)
class CustomGradient:
    """A function and the rule of its gradient, over a context that both know.

    constants: positions of the arguments that are no arrays; outputs: names of the gradients that backward is given.
    saved: names in backward of what forward saves, with its expression there; given: attributes of the context that
    hold a constant argument. `is_plain`: everything above is known.
    """

    is_plain: bool
    names: tuple[str, ...] = ()
    constants: tuple[int, ...] = ()
    outputs: tuple[str, ...] = ()
    saved: dict[str, cst.BaseExpression] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)


class _Complicated(Exception):
    """The class does more than a plain pair of rules can say."""


def read_class(node: cst.ClassDef, context: FileContext) -> CustomGradient | Refusal | None:
    """A class whose only base is torch's `Function`."""
    paths = [context.path(base.value) for base in node.bases]
    if not any(path in _BASES for path in paths):
        return None
    methods = {part.name.value: part for part in node.body.body if isinstance(part, cst.FunctionDef)}
    for name, reason in _REASONS.items():
        if name in methods:
            return Refusal(reason, methods[name], f"torch.autograd.Function.{name}")
    if "forward" in methods and not _is_static(methods["forward"]):
        return Refusal("forward() of an instance; make it a static method that takes ctx", methods["forward"], "torch.autograd.Function")
    for part in walk(node):
        if isinstance(part, cst.Attribute) and part.attr.value == "mark_dirty":
            return Refusal("it changes its input in place; return a new array and use that", part, "ctx.mark_dirty")
    try:
        return _plain(node, methods, context)
    except _Complicated:
        return CustomGradient(False)


def _is_static(function: cst.FunctionDef) -> bool:
    return any(dotted(decorator.decorator) == "staticmethod" for decorator in function.decorators)


def _plain(node: cst.ClassDef, methods: dict[str, cst.FunctionDef], context: FileContext) -> CustomGradient:
    if set(methods) != {"forward", "backward"} or len(node.bases) != 1 or not _is_static(methods["backward"]):
        raise _Complicated
    forward, backward = methods["forward"], methods["backward"]
    names, outputs = _parameters(forward)[1:], _parameters(backward)[1:]
    results = _returned(backward, len(names))
    types = {p.name.value: context.type_of(p) for p in forward.params.params[1:]}
    constants = tuple(index for index, name in enumerate(names) if not isinstance(types[name], Array))
    if not all(isinstance(found, Array) for found in _passed(node, constants, context)):
        raise _Complicated
    if any(not _is_constant(types[names[i]]) or any(dotted(r[i]) != "None" for r in results) for i in constants):
        raise _Complicated
    saved, given = _left_by(forward, tuple(names[index] for index in constants), context)
    names_there = _uses(backward, _parameters(backward)[0], {*saved, *given})
    arrays = saved.pop("", ())
    if len(names_there) != len(arrays):
        raise _Complicated
    kept: dict[str, cst.BaseExpression] = {**dict(zip(names_there, arrays, strict=True)), **saved}
    bound = [name for line in backward.body.body for name in effects(line).binds if name not in names_there]
    if len(kept) != len(names_there) + len(saved) or {*kept, *(names[index] for index in constants)} & {*bound, *outputs}:
        raise _Complicated
    return CustomGradient(True, tuple(names), constants, tuple(outputs), kept, given)


def _passed(node: cst.ClassDef, constants: tuple[int, ...], context: FileContext) -> list[Type]:
    """The types of what is passed for arrays wherever the repository calls `apply`."""
    definition = context.scope.definitions.get(node.name.value)
    if definition is None or definition.node is not node:
        raise _Complicated
    function = Reference(f"{definition.path}.apply")
    found: list[Type] = []
    for file, known in context.inference.files.items():
        for call in context.inference.nodes(file).of(cst.Call):
            if known.types.get(call.func) == function:
                if any(argument.star or argument.keyword is not None for argument in call.args):
                    raise _Complicated
                arrays = [a.value for index, a in enumerate(call.args) if index not in constants]
                found += [known.types.get(argument, UNKNOWN) for argument in arrays]
    return found


def _parameters(function: cst.FunctionDef) -> list[str]:
    """The names of a method's parameters, which must be plain ones."""
    params = function.params
    if params.kwonly_params or params.star_kwarg or isinstance(params.star_arg, cst.Param) or params.posonly_params:
        raise _Complicated
    if any(p.default is not None for p in params.params) or not isinstance(function.body, cst.IndentedBlock):
        raise _Complicated
    return [p.name.value for p in params.params]


def _is_constant(value: Type) -> bool:
    return value != UNKNOWN and not isinstance(value, (Array, NoneType))


def _returned(function: cst.FunctionDef, count: int) -> list[list[cst.BaseExpression]]:
    """What each return statement gives for each argument."""
    found = []
    for part in walk(function.body):
        if isinstance(part, (cst.FunctionDef, cst.Lambda)):
            raise _Complicated
        if isinstance(part, cst.Return):
            value = part.value
            parts = [element.value for element in value.elements] if isinstance(value, cst.Tuple) else [value]
            if len(parts) != count or any(one is None or isinstance(one, cst.StarredElement) for one in parts):
                raise _Complicated
            found.append([one for one in parts if one is not None])
    if not found or (count == 1 and not all(_is_one_gradient(one[0]) for one in found)):
        raise _Complicated
    return found


def _is_one_gradient(node: cst.BaseExpression) -> bool:
    """Whether an expression is surely one gradient and not a tuple with one in it."""
    return not isinstance(node, cst.Call) or not isinstance(node.func, cst.Name)


def _left_by(
    forward: cst.FunctionDef, constants: tuple[str, ...], context: FileContext
) -> tuple[dict[str, Any], dict[str, str]]:
    """What forward leaves in its context: saved arrays (under ''), array attributes, and constant arguments."""
    owner = forward.params.params[0].name.value
    saved: dict[str, Any] = {}
    given: dict[str, str] = {}
    mentions = sum(isinstance(part, cst.Name) and part.value == owner for part in walk(forward.body))
    lines = list(forward.body.body)
    for index, line in enumerate(lines):
        kept = kept_by(line, owner)
        if kept is None:
            continue
        mentions -= 1
        name, values = kept
        later = {bound for after in lines[index + 1 :] for bound in effects(after).binds}
        if name in saved or name in given or any(not isinstance(v, cst.Name) or v.value in later for v in values):
            raise _Complicated
        if name and values[0].value in constants:
            given[name] = values[0].value
        elif name and not isinstance(context.type_of(values[0]), Array):
            raise _Complicated
        else:
            saved[name] = values if not name else values[0]
    is_last = isinstance(lines[-1], cst.SimpleStatementLine) and isinstance(lines[-1].body[0], cst.Return)
    returns = sum(isinstance(part, cst.Return) for part in walk(forward.body))
    rebound = {name for line in lines for name in effects(line).binds}
    if mentions or not is_last or returns != 1 or any(name in rebound for name in constants):
        raise _Complicated
    return saved, given


def kept_by(line: cst.CSTNode, owner: str) -> tuple[str, list[Any]] | None:
    """`ctx.save_for_backward(x, y)` gives '' and its arguments, `ctx.name = value` the name and the value."""
    match line:
        case cst.SimpleStatementLine(
            body=[cst.Expr(value=cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value=method)), args=args))]
        ) if name == owner and method == "save_for_backward":
            return "", [argument.value if not argument.star else None for argument in args]
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Attribute(value=cst.Name(value=name), attr=attr))], value=value)]
        ) if name == owner:
            return attr.value, [value]
    return None


def _uses(backward: cst.FunctionDef, owner: str, attributes: set[str]) -> list[str]:
    """The names that backward gives the saved arrays; it may only read known attributes of the context otherwise."""
    names: list[str] = []
    mentions = sum(isinstance(part, cst.Name) and part.value == owner for part in walk(backward.body))
    for line in backward.body.body:
        found = unpacked(line, owner)
        if found is not None:
            if names:
                raise _Complicated
            names = found
            mentions -= 1
    reads = [part for part in walk(backward.body) if isinstance(part, cst.Attribute) and dotted(part.value) == owner]
    if mentions != sum(part.attr.value in attributes and bool(part.attr.value) for part in reads):
        raise _Complicated
    return names


def unpacked(line: cst.CSTNode, owner: str) -> list[str] | None:
    """The names of `x, y = ctx.saved_tensors`."""
    match line:
        case cst.SimpleStatementLine(
            body=[cst.Assign(targets=[cst.AssignTarget(target=cst.Tuple(elements=elements))], value=value)]
        ) if dotted(value) == f"{owner}.saved_tensors":
            return [dotted(element.value) or "" for element in elements]
    return None


@dataclass(frozen=True)
class Application:
    """A call of `Class.apply`; `variables`: positions of arguments that a module owns."""

    variables: tuple[int, ...]


def read_call(node: cst.Call, context: FileContext) -> Application | None:
    """A custom function of a module's arrays: `jax.custom_vjp` would take a variable for a structure of its own."""
    function = context.type_of(node.func)
    owner, _, name = function.path.rpartition(".") if isinstance(function, Reference) else ("", "", "")
    if name != "apply" or not context.inference.is_custom_function(owner):
        return None
    types = [context.type_of(argument.value) for argument in node.args]
    variables = tuple(index for index, found in enumerate(types) if isinstance(found, Array) and found.storage)
    return Application(variables) if variables else None


def write_call(construct: Application, node: cst.Call, context: FileContext) -> cst.Call:
    """`Class.apply(self.weight[...])`."""
    context.converted(node, op="custom_gradient", api="torch.autograd.Function.apply", rule="custom_gradients")
    call: cst.Call = context.rewrite_children(node)
    arguments = [
        a.with_changes(value=context.expression("{value}[...]", value=a.value)) if index in construct.variables else a
        for index, a in enumerate(call.args)
    ]
    return call.with_changes(args=arguments)


def read_decorator(node: cst.Decorator, context: FileContext) -> bool | Refusal | None:
    """`@once_differentiable`, `@custom_fwd`, called or not."""
    call = node.decorator if isinstance(node.decorator, cst.Call) else None
    path = context.direct_path(call.func if call is not None else node.decorator)
    if path not in _DECORATORS:
        return None
    if call is not None and any(a.keyword is not None and a.keyword.value == "cast_inputs" for a in call.args):
        return Refusal("it casts the inputs under autocast; cast them where the function is called", node, path or "")
    return True


def write_decorator(construct: bool, node: cst.Decorator, context: FileContext) -> Any:
    """Nothing."""
    context.converted(node, op="custom_gradient", api="torch.autograd.function", rule="custom_gradients")
    return cst.RemovalSentinel.REMOVE


RULES = (
    Rule("custom_gradient_calls", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=40),
    Rule("custom_gradient_decorators", (cst.Decorator,), {"torch": read_decorator}, {"jax": write_decorator}, order=20),
)
