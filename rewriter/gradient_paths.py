"""Whether a gradient can pass through an expression: where it cannot, a spelling with another gradient is as good.

Both ways count: what the expression is made of may have no gradient to receive (integers, constants, detached
arrays), and what becomes of it may have none to give (comparisons, indices, tests, rounding).
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from .context import FileContext
from .lattice import Array, Scalar, Shape
from .local_values import bindings, parents_in
from .nodes import walk
from .read import Argument, BoundOp, Collected, Constant, Given, literal
from .signature import MISSING

#: Operations that give floats, but whose derivative is zero wherever there is one.
_FLAT = frozenset(
    """stop_gradient floor ceil round trunc sign zeros_like ones_like empty_like full_like new_zeros new_ones new_empty
    new_full""".split()
)
_EXACT = frozenset(("int", "bool"))
#: Kinds of parameters that hold no arrays with gradients.
_NEVER_ARRAYS = frozenset("int bool str shape axes dtype device key".split())
#: How many names are followed to their values or to their uses.
_MOST_STEPS = 6


def may_pass(op: BoundOp, context: FileContext) -> bool:
    """Whether a gradient may pass through an operation. Changes in place are taken to let it pass, but of integers."""
    function = op.node.func if isinstance(op.node, cst.Call) else None
    if isinstance(function, cst.Attribute) and function.attr.value.endswith("_"):
        changed = context.type_of(function.value)
        return not (isinstance(changed, Array) and changed.dtype in _EXACT)
    if _is_in_free_region(context):
        return False
    if _arguments_are_constant(op, context, _MOST_STEPS):
        return False
    return _is_followed(op.node, context, frozenset())


def _is_in_free_region(context: FileContext) -> bool:
    """Whether the source follows no gradients here."""
    free = context.source.fact("gradient_free_regions", default=())
    marks: list[cst.BaseExpression] = []
    for node in context.stack:
        if isinstance(node, cst.With):
            marks += [item.item for item in node.items]
        elif isinstance(node, cst.FunctionDef):  # a function inside may be called from elsewhere
            marks = [decorator.decorator for decorator in node.decorators]
    return any(context.direct_path(mark.func if isinstance(mark, cst.Call) else mark) in free for mark in marks)


def is_constant(node: cst.BaseExpression, context: FileContext, steps: int = _MOST_STEPS) -> bool:
    """Whether the value of an expression has no gradient to receive."""
    type_ = context.type_of(node)
    if literal(node) is not MISSING or isinstance(type_, (Scalar, Shape)):
        return True
    if isinstance(type_, Array) and type_.dtype in _EXACT:
        return True
    if steps == 0:
        return False
    bound = context.bound(node)
    if isinstance(bound, BoundOp):
        flat = bound.op.name in _FLAT and not _asks_for_gradients(bound, context)
        return flat or _arguments_are_constant(bound, context, steps)
    match node:
        case cst.Name(value=name):
            found = bindings(name, context)
            if not isinstance(found, tuple) or _is_asked_for_gradients(name, context) or _is_changed(name, context):
                return False
            return all(one.value is not None and is_constant(one.value, context, steps - 1) for one in found)
        case cst.BinaryOperation(left=left, right=right):
            return is_constant(left, context, steps) and is_constant(right, context, steps)
        case cst.UnaryOperation(expression=inner) | cst.Subscript(value=inner):
            return is_constant(inner, context, steps)
        case cst.Tuple(elements=elements) | cst.List(elements=elements):
            return all(is_constant(element.value, context, steps) for element in elements)
        case cst.IfExp(body=first, orelse=second):
            return is_constant(first, context, steps) and is_constant(second, context, steps)
    return False


def _is_asked_for_gradients(name: str, context: FileContext) -> bool:
    """Whether the function asks for the gradient of what a name holds: `x.requires_grad_()`."""
    requests = context.source.fact("gradient_requests", default=())
    function = context.enclosing(cst.FunctionDef)
    return any(
        node.attr.value in requests and isinstance(node.value, cst.Name) and node.value.value == name
        for node in context.within(function, cst.Attribute)
    )


def _is_changed(name: str, context: FileContext) -> bool:
    """Whether the function may change what a name holds in place, also through another name for a part of it."""
    changed = _changed_names(context)
    if name in changed:
        return True
    for other in changed:
        found = bindings(other, context)
        if isinstance(found, tuple) and any(one.value is not None and context.mentions(one.value, name) for one in found):
            return True
    return False


def _changed_names(context: FileContext) -> frozenset[str]:
    """The names through which the function being rewritten changes arrays in place."""
    function = context.enclosing(cst.FunctionDef)
    known: dict[cst.CSTNode, frozenset[str]] = context.state.setdefault("changed_names", {})
    if function not in known:
        nodes = context.within(function, cst.AssignTarget, cst.AugAssign, cst.Expr, cst.Call)
        known[function] = frozenset(name for node in nodes for name in _changes(node))
    return known[function]


def _changes(node: cst.CSTNode) -> Iterator[str]:
    """The names whose arrays one node changes in place: stores, `x += y`, `x.add_(y)`, `out=x`, `relu_(x)`."""
    changed: list[cst.BaseExpression] = []
    match node:
        case cst.AssignTarget(target=target):
            targets = [element.value for element in target.elements] if isinstance(target, cst.Tuple) else [target]
            changed = [one for one in targets if not isinstance(one, cst.Name)]
        case cst.AugAssign(target=target):
            changed = [target]
        case cst.Expr(value=cst.Call(args=arguments)):  # called for what it does to something
            changed = [one.value for one in arguments]
        case cst.Call(func=function, args=arguments):
            changed = [one.value for one in arguments if one.keyword is not None and one.keyword.value == "out"]
            name = function.attr.value if isinstance(function, cst.Attribute) else getattr(function, "value", "")
            if isinstance(name, str) and name.endswith("_"):
                changed += [function.value] if isinstance(function, cst.Attribute) else []
                changed += [one.value for one in arguments[:1]]
    for expression in changed:
        for part in walk(expression):
            if isinstance(part, cst.Name):
                yield part.value


def _asks_for_gradients(op: BoundOp, context: FileContext) -> bool:
    """Whether a call makes an array that gradients are taken for: `zeros(3, requires_grad=True)`."""
    requests = context.source.fact("gradient_requests", default=())
    return isinstance(op.node, cst.Call) and any(
        argument.keyword is not None and argument.keyword.value in requests and literal(argument.value) is not False
        for argument in op.node.args
    )


def _arguments_are_constant(op: BoundOp, context: FileContext, steps: int) -> bool:
    """Whether no argument that can hold an array has a gradient to receive."""
    if op.starred or op.op.is_layer or _asks_for_gradients(op, context):
        return False
    kinds = {parameter.name: parameter.kind for parameter in op.op.parameters}
    return all(
        is_constant(node, context, steps)
        for name, argument in op.arguments.items()
        if kinds.get(name, "any") not in _NEVER_ARRAYS
        for node in _nodes(argument)
    )


def _nodes(argument: Argument) -> list[cst.BaseExpression]:
    match argument:
        case Given(node=node):
            return [node]
        case Collected(arguments=arguments):
            return [one.value for one in arguments]
        case Constant():
            return []
    return []


def _is_followed(node: cst.CSTNode, context: FileContext, seen: frozenset[str]) -> bool:
    """Whether a gradient may come back to a value from what is done with it."""
    parents = parents_in(context)
    while True:
        parent = parents.get(node)
        match parent:
            case None:
                return True
            case cst.Arg() | cst.Attribute(value=_):
                pass
            case cst.Comparison() | cst.ComparisonTarget() | cst.Assert() | cst.FormattedStringExpression():
                return False
            case cst.Index() | cst.Slice():
                return False  # only integers and truth values are indices
            case cst.If(test=test) | cst.While(test=test) if test is node:
                return False
            case cst.IfExp(test=test) if test is node:
                return False
            case cst.UnaryOperation(operator=cst.Not()):
                return False
            case cst.BinaryOperation() | cst.UnaryOperation() | cst.Subscript() | cst.IfExp() | cst.BooleanOperation():
                pass
            case cst.Call():
                if not _hands_on(parent, context):
                    return _leaves(parent, context)
            case cst.AugAssign(target=cst.Name() as target):
                return target is not node and _is_target_followed(target, parent, context, seen)
            case cst.Assign(targets=[cst.AssignTarget(target=target)]):
                return _is_target_followed(target, parent, context, seen)
            case _:
                return True
        if _is_exact(parent, context) or _is_flat(parent, context):
            return False
        node = parent


def _hands_on(call: cst.Call, context: FileContext) -> bool:
    """Whether the tables know what a call gives."""
    return isinstance(context.bound(call), BoundOp)


def _leaves(call: cst.Call, context: FileContext) -> bool:
    """Whether a gradient may come back from a call that the tables do not know: not from numbers of Python."""
    builtin = isinstance(call.func, cst.Name) and call.func.value in ("int", "bool", "float", "len", "str", "print")
    return not (builtin and len(call.args) == 1)


def _is_exact(node: cst.CSTNode, context: FileContext) -> bool:
    type_ = context.type_of(node)
    if isinstance(type_, Array):
        return type_.dtype in _EXACT
    return isinstance(type_, (Scalar, Shape))


def _is_flat(node: cst.CSTNode, context: FileContext) -> bool:
    bound = context.bound(node)
    return isinstance(bound, BoundOp) and bound.op.name in _FLAT


def _is_target_followed(
    target: cst.BaseExpression, statement: cst.CSTNode, context: FileContext, seen: frozenset[str]
) -> bool:
    """Whether a gradient may come back from the uses of a local name."""
    if isinstance(target, cst.Tuple):
        return any(_is_target_followed(element.value, statement, context, seen) for element in target.elements)
    if _is_exact(target, context):
        return False
    if not isinstance(target, cst.Name):
        return True
    name = target.value
    if name in seen:
        return False
    if len(seen) >= _MOST_STEPS:
        return True
    parents = parents_in(context)
    function: cst.CSTNode | None = statement
    while function is not None and not isinstance(function, cst.FunctionDef):
        if isinstance(function, (cst.ClassDef, cst.Lambda)):
            return True
        function = parents.get(function)
    if function is None or _leaves_function(name, function, context):
        return True
    for use in context.within(function.body, cst.Name):
        if use.value == name and not _names_something_else(use, parents):
            if _is_followed(use, context, seen | {name}):
                return True
    return False


def _leaves_function(name: str, function: cst.CSTNode, context: FileContext) -> bool:
    """Whether a name is declared to belong to another scope."""
    declarations = context.within(function, cst.Global, cst.Nonlocal)
    return any(item.name.value == name for node in declarations for item in node.names)  # type: ignore[attr-defined]


def _names_something_else(use: cst.Name, parents: dict[cst.CSTNode, cst.CSTNode]) -> bool:
    """Whether a name is bound here, or is only that of an attribute or a keyword."""
    match parents.get(use):
        case cst.AssignTarget() | cst.Param():
            return True
        case cst.Attribute(attr=attr):
            return attr is use
        case cst.Arg(keyword=keyword):
            return keyword is use
    return False
