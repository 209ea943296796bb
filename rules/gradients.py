"""Where gradients stop: no-grad regions, detached arrays, frozen parameters. JAX only follows what it is asked to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import ARRAY, UNKNOWN, Array, Scalar, Type
from ..rewriter.lattice import Sequence as SequenceType
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from .differentiated import is_differentiated
from .input_gradients import plan_of
from .mixed_precision import REGIONS, is_disabled, mixes
from .name_flow import effects
from .requires_grad import INPUT_REASON, Trainable, is_listed_parameter

_STOPPING = frozenset(("torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad"))
_FOLLOWING = frozenset(("torch.enable_grad", "torch.autograd.enable_grad"))
_SWITCHES = frozenset(("torch.set_grad_enabled", "torch.autograd.set_grad_enabled"))
#: Regions that choose kernels, or watch: no number depends on them.
_INDIFFERENT = frozenset(
    """torch.nn.attention.sdpa_kernel torch.backends.cuda.sdp_kernel torch.autograd.detect_anomaly
    torch.autograd.set_detect_anomaly torch.profiler.record_function torch.autograd.profiler.record_function""".split()
)
_REFUSED = {
    "torch.autograd.grad": "it differentiates values that exist already; write the function and use jax.grad",
    "torch.autograd.backward": "backward on several tensors; add the losses and call backward() on the sum",
}
_HOOKS = frozenset(("register_hook", "register_post_accumulate_grad_hook"))
_HOOK_REASON = "hooks on gradients have no counterpart in JAX; wrap the function with jax.custom_vjp"
#: What follows `.detach()` when the value leaves for the host, where it has no gradient anyway.
_HOST = frozenset("cpu numpy item tolist".split())


@dataclass(frozen=True)
class GradientMode:
    """A region in which gradients are not followed (`stops`), or are again.

    kept: other context managers of the same statement; body: the region's block.
    """

    stops: bool
    kept: tuple[cst.WithItem, ...]
    body: cst.BaseSuite
    api: str


@dataclass(frozen=True)
class Detached:
    """An array as a constant. `in_place`: the name itself is detached."""

    array: cst.BaseExpression
    in_place: bool = False


def _mode(context: FileContext, node: cst.BaseExpression) -> tuple[str, bool] | None:
    """The path of a gradient mode and whether it stops gradients; called or not."""
    function = node.func if isinstance(node, cst.Call) else node
    path = context.direct_path(function) or ""
    if path in _STOPPING:
        enabled = literal(node.args[0].value) if isinstance(node, cst.Call) and node.args else None
        return path, not (path == "torch.inference_mode" and enabled is False)
    if path in _FOLLOWING:
        return path, False
    if path in _SWITCHES and isinstance(node, cst.Call) and node.args:
        return path, literal(node.args[0].value) is not True
    if path in _INDIFFERENT and isinstance(node, cst.Call):
        return path, False
    if path in REGIONS and isinstance(node, cst.Call) and is_disabled(node) and not mixes(context.inference):
        return path, False
    return None


def read_with(node: cst.With, context: FileContext) -> GradientMode | Refusal | None:
    """`with torch.no_grad():`."""
    modes = [(item, _mode(context, item.item)) for item in node.items]
    found = [mode for _, mode in modes if mode is not None]
    if not found:
        return None
    path, stops = found[-1]
    if path in _SWITCHES and may_be_followed(context) and _is_open(node):
        return Refusal("set_grad_enabled with a computed flag inside a function that is differentiated", node, path)
    kept = tuple(item for item, mode in modes if mode is None)
    return GradientMode(stops, kept, node.body, path)


def may_be_followed(context: FileContext) -> bool:
    """Whether a gradient may pass through the statement being rewritten: also one that its own function takes."""
    plan = plan_of(context)
    return is_differentiated(context) or (plan is not None and bool(plan.blocks))


def _is_open(node: cst.With) -> bool:
    """Whether a switch's flag is computed."""
    for item in node.items:
        if (
            isinstance(item.item, cst.Call)
            and item.item.args
            and not isinstance(literal(item.item.args[0].value), bool)
        ):
            return True
    return False


def write_with(construct: GradientMode, node: cst.With, context: FileContext) -> Any:
    """The statements without the region; values that leave it are constants where a gradient would pass."""
    context.converted(node.items[0], op="gradient_mode", api=construct.api, rule="gradients")
    block = context.rewrite(construct.body)
    if construct.kept:
        items = [context.rewrite(item) for item in construct.kept]
        items[-1] = items[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return node.with_changes(items=items, body=block)
    lines = [
        line if not isinstance(line, cst.BaseSmallStatement) else cst.SimpleStatementLine([line])
        for line in block.body
    ]
    comment = construct.body.header.comment if isinstance(construct.body, cst.IndentedBlock) else None
    leading = list(node.leading_lines)
    if comment is not None:
        leading.append(cst.EmptyLine(comment=comment))
    if lines and hasattr(lines[0], "leading_lines"):
        lines[0] = lines[0].with_changes(leading_lines=[*leading, *lines[0].leading_lines])
    if construct.stops and may_be_followed(context):
        lines += _constants(context, construct.body)
    if isinstance(block, cst.IndentedBlock) and block.footer and lines:
        lines = _with_footer(lines, block.footer)
    return cst.FlattenSentinel(lines)


def _with_footer(lines: list[Any], footer: Sequence[cst.EmptyLine]) -> list[Any]:
    """Comments at the end of the block stay behind its last statement where there is a block to hold them."""
    last = lines[-1]
    body = getattr(last, "body", None)
    if isinstance(body, cst.IndentedBlock):
        lines[-1] = last.with_changes(body=body.with_changes(footer=[*body.footer, *footer]))
    return lines


def _constants(context: FileContext, body: cst.BaseSuite) -> list[Any]:
    """`x = jax.lax.stop_gradient(x)` for what the region assigns."""
    lines: list[Any] = []
    names: dict[str, None] = {}
    for statement in body.body:
        for name in sorted(effects(statement).binds):
            names[name] = None
    for name in names:
        if not _never_array(_type_of_name(context, body, name)):
            stopped = stop_gradient(context, cst.Name(name), _type_of_name(context, body, name))
            lines += context.statements("{name} = {stopped}", name=cst.Name(name), stopped=stopped)
    return lines


def stop_gradient(context: FileContext, array: Any, known: Type = ARRAY) -> Any:
    """The array, or every array in a value of unknown type, as a constant in the target's words."""
    if context.target.name == "jax":
        return context.expression("jax.lax.stop_gradient({array})", array=_bare(array))
    if isinstance(known, Array):
        return context.expression("tensorflow.stop_gradient({array})", array=_bare(array))
    return context.expression("tensorflow.nest.map_structure(tensorflow.stop_gradient, {array})", array=_bare(array))


def _type_of_name(context: FileContext, body: cst.CSTNode, name: str) -> Type:
    found: Type = UNKNOWN
    for node in walk(body):
        if isinstance(node, cst.Name) and node.value == name:
            known = context.type_of(node)
            found = known if known != UNKNOWN else found
    return found


def _never_array(value: Type) -> bool:
    return isinstance(value, Scalar) or (isinstance(value, SequenceType) and _never_array(value.item))


def read_decorator(node: cst.Decorator, context: FileContext) -> GradientMode | None:
    """`@torch.no_grad()`."""
    mode = _mode(context, node.decorator)
    if mode is None:
        return None
    return GradientMode(mode[1], (), cst.IndentedBlock([]), mode[0])


def write_decorator(construct: GradientMode, node: cst.Decorator, context: FileContext) -> Any:
    """Nothing; what the function returns is a constant where a gradient would pass (see `write_return`)."""
    context.converted(node, op="gradient_mode", api=construct.api, rule="gradients")
    return cst.RemovalSentinel.REMOVE


def read_return(node: cst.Return, context: FileContext) -> Detached | None:
    """The result of a function without gradients that is called where gradients are followed."""
    function = context.enclosing((cst.FunctionDef, cst.Lambda))
    if node.value is None or not isinstance(function, cst.FunctionDef):
        return None
    modes = [_mode(context, decorator.decorator) for decorator in function.decorators]
    if not any(mode is not None and mode[1] for mode in modes) or not is_differentiated(context):
        return None
    return None if _never_array(context.type_of(node.value)) else Detached(node.value)


def write_return(construct: Detached, node: cst.Return, context: FileContext) -> Any:
    """`return jax.lax.stop_gradient(value)`."""
    value = stop_gradient(context, context.rewrite(construct.array), context.type_of(construct.array))
    return node.with_changes(value=value)


def _bare(value: Any) -> Any:
    """A tuple as an argument needs its parentheses."""
    if isinstance(value, cst.Tuple) and not value.lpar:
        return value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return value


def read_call(node: cst.Call, context: FileContext) -> Detached | Trainable | Refusal | None:
    """`x.detach()`, `p.requires_grad_(False)` and calls without a counterpart."""
    path = context.direct_path(node.func) or ""
    if path in _REFUSED:
        return Refusal(_REFUSED[path], node, path)
    if not isinstance(node.func, cst.Attribute):
        return None
    name, receiver = node.func.attr.value, node.func.value
    value = context.type_of(receiver)
    if name in _HOOKS and not context.inference.defines_method(name, node):
        return Refusal(_HOOK_REASON, node, f"Tensor.{name}")
    if name == "detach" and not node.args and (isinstance(value, Array) or value == UNKNOWN):
        return None if context.inference.defines_method("detach", node) and value == UNKNOWN else Detached(receiver)
    listed = name == "requires_grad_" and is_listed_parameter(receiver, context)
    if name == "requires_grad_" and (isinstance(value, Array) or listed):
        flag = node.args[0].value if node.args else cst.Name("True")
        if listed or (isinstance(value, Array) and value.storage == "parameter"):
            return Trainable(receiver, flag)
        if literal(flag) is False:
            return Detached(receiver)
        return Refusal(INPUT_REASON, node, "Tensor.requires_grad_")
    return None


def write_call(construct: Any, node: cst.Call, context: FileContext) -> Any:
    """`jax.lax.stop_gradient(x)`, just `x` on its way to the host, or the helper that freezes."""
    if isinstance(construct, Trainable):
        context.converted(node, op="requires_grad", api="Tensor.requires_grad_", rule="gradients")
        return context.expression(
            "helpers.requires_grad_({target}, {flag})",
            target=context.rewrite(construct.target),
            flag=context.rewrite(construct.flag or cst.Name("True")))  # fmt: skip
    context.converted(node, op="stop_gradient", api="Tensor.detach", rule="gradients")
    array = context.rewrite(construct.array)
    if _goes_to_host(context):
        return array
    return stop_gradient(context, array)


def _goes_to_host(context: FileContext) -> bool:
    """Whether the value is converted at once: `x.detach().cpu().numpy()`."""
    node = context.stack[-1]
    for outer in context.stack[-3:-1]:
        call = outer.func if isinstance(outer, cst.Call) else outer
        if isinstance(call, cst.Attribute) and call.value is node and call.attr.value in _HOST:
            return True
    return False


def read_statement(node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """`torch.set_grad_enabled(False)`, `h.detach_()`, `p.requires_grad = False`."""
    if len(node.body) != 1:
        return None
    small = node.body[0]
    if isinstance(small, cst.Expr) and isinstance(small.value, cst.Call):
        mode = _mode(context, small.value)
        if mode is not None and mode[0] in _SWITCHES:
            return GradientMode(mode[1], (), cst.IndentedBlock([]), mode[0])
        function = small.value.func
        if isinstance(function, cst.Attribute) and function.attr.value == "detach_" and dotted(function.value):
            return Detached(function.value, in_place=True)
    if isinstance(small, cst.Assign) and len(small.targets) == 1:
        target = small.targets[0].target
        if isinstance(target, cst.Attribute) and target.attr.value == "requires_grad":
            return _assigned_flag(target, small, context)
    return None


def _assigned_flag(target: cst.Attribute, small: cst.Assign, context: FileContext) -> Any:
    value = context.type_of(target.value)
    if isinstance(value, Array) and value.storage != "parameter" and value.storage != "buffer":
        return None if literal(small.value) is False else Refusal(INPUT_REASON, small, "Tensor.requires_grad")
    return Trainable(target.value, small.value)


def write_statement(construct: Any, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """The statement's counterpart, or nothing."""
    if isinstance(construct, GradientMode):
        context.converted(node.body[0], op="gradient_mode", api=construct.api, rule="gradients")
        return cst.RemovalSentinel.REMOVE
    if isinstance(construct, Detached):
        context.converted(node.body[0], op="stop_gradient", api="Tensor.detach_", rule="gradients")
        target = context.rewrite(construct.array)
        value = stop_gradient(context, target)
        return node.with_changes(body=[cst.Assign([cst.AssignTarget(target)], value)])
    context.converted(node.body[0], op="requires_grad", api="Tensor.requires_grad", rule="gradients")
    call = context.expression(
        "helpers.requires_grad_({target}, {flag})",
        target=context.rewrite(construct.target), flag=context.rewrite(construct.flag or cst.Name("True")))  # fmt: skip
    return node.with_changes(body=[cst.Expr(call)])


RULES = (
    Rule("no_grad", (cst.With,), {"torch": read_with}, dict.fromkeys(("jax", "tensorflow", "numpy"), write_with), order=20),
    Rule(
        "no_grad_function",
        (cst.Decorator,),
        {"torch": read_decorator},
        dict.fromkeys(("jax", "tensorflow", "numpy"), write_decorator),
        order=20,
    ),
    Rule(
        "no_grad_result",
        (cst.Return,),
        {"torch": read_return},
        dict.fromkeys(("jax", "tensorflow", "numpy"), write_return),
        order=20,
    ),
    Rule("detach", (cst.Call,), {"torch": read_call}, dict.fromkeys(("jax", "tensorflow"), write_call), order=25),
    Rule(
        "gradient_statement",
        (cst.SimpleStatementLine,),
        {"torch": read_statement},
        dict.fromkeys(("jax", "tensorflow"), write_statement),
        order=15,
    ),
)
