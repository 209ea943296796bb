"""Devices: JAX places arrays by itself, so moves disappear and questions about accelerators go to its backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array, Device, DType, Method, Unknown
from ..rewriter.names import dotted
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule

_EXPRESSIONS = {
    "torch.device": "jax.devices()[0]",
    "torch.cuda.is_available": 'jax.default_backend() == "gpu"',
    "torch.backends.mps.is_available": 'jax.default_backend() == "METAL"',
    "torch.backends.mps.is_built": 'jax.default_backend() == "METAL"',
    "torch.xpu.is_available": 'jax.default_backend() == "xpu"',
    "torch.cuda.device_count": "jax.device_count()",
    "torch.cuda.current_device": "jax.devices()[0]",
    "torch.get_default_dtype": "jax.numpy.zeros(()).dtype",
}
#: Calls without a counterpart that change no number: memory, kernels' choice, debugging, thread counts.
_DROPPED = frozenset(
    """torch.cuda.empty_cache torch.cuda.synchronize torch.cuda.set_device torch.cuda.reset_peak_memory_stats
    torch.set_num_threads torch.set_num_interop_threads torch.autograd.set_detect_anomaly torch.mps.empty_cache
    torch.set_float32_matmul_precision torch.use_deterministic_algorithms torch.cuda.ipc_collect
    torch.multiprocessing.set_start_method torch.multiprocessing.set_sharing_strategy torch.set_printoptions
    torch.autograd.detect_anomaly torch.mps.synchronize""".split()
)


@dataclass(frozen=True)
class DeviceQuestion:
    """Which device there is, or whether there is one of a kind. `answer` is a template of the target's expression."""

    answer: str
    api: str


@dataclass(frozen=True)
class DroppedStatement:
    """A statement that only concerns devices, or that says `x = x` after its move has gone."""

    api: str


@dataclass(frozen=True)
class UnknownMove:
    """A move to a device of something whose type is not known: whatever it is, only its place would change."""

    moved: cst.BaseExpression


@dataclass(frozen=True)
class UnknownCast:
    """`value.to(device, dtype=...)` of a value that takes part in arithmetic and so is an array."""

    array: cst.BaseExpression
    dtype: cst.BaseExpression


@dataclass(frozen=True)
class OpenCast:
    """`x.to(...)` of an array with arguments of which nothing is known."""

    array: cst.BaseExpression


def read_cast(node: cst.Call, context: FileContext) -> UnknownCast | Refusal | None:
    """`.to(...)` with an element type where nothing is known of the receiver: a module or an array."""
    function = node.func
    if not isinstance(function, cst.Attribute) or function.attr.value != "to":
        return None
    receiver = context.type_of(function.value)
    if not isinstance(receiver, (Unknown, Method)) or context.inference.defines_method("to", node):
        return None
    given = {argument.keyword.value: argument.value for argument in node.args if argument.keyword is not None}
    plain = [argument.value for argument in node.args if argument.keyword is None and not argument.star]
    dtype = given.get("dtype") or next((value for value in plain if isinstance(context.type_of(value), DType)), None)
    if dtype is None:
        return None
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, (cst.BinaryOperation, cst.AugAssign, cst.Comparison)):
        return UnknownCast(function.value, dtype)
    name = cst.Module([]).code_for_node(function.value)
    reason = f"if {name} is an array, .to() means something else in {context.target.name}; annotate its type so that it can be converted"
    return Refusal(reason, node, "Tensor.to")


def write_cast(construct: UnknownCast, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`value.astype(dtype)`."""
    context.converted(node, op="astype", api="Tensor.to", rule="devices")
    result: cst.BaseExpression = context.expression(
        "{array}.astype({dtype})", array=context.rewrite(construct.array), dtype=context.rewrite(construct.dtype))  # fmt: skip
    return result


def read_open_cast(node: cst.Call, context: FileContext) -> OpenCast | None:
    """`x.to(where)` of an array where nothing says whether that is an element type, an array or a device."""
    function = node.func
    if not isinstance(function, cst.Attribute) or function.attr.value != "to":
        return None
    if not isinstance(context.type_of(function.value), Array) or not isinstance(context.bound(node), Refusal):
        return None
    return OpenCast(function.value)


def write_open_cast(construct: OpenCast, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """`to(x, where)`: a helper looks at what it is given."""
    call = context.rewrite_children(node)
    assert isinstance(call.func, cst.Attribute)
    context.converted(node, op="astype", api="Tensor.to", rule="devices")
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")) if call.args else cst.MaybeSentinel.DEFAULT
    return call.with_changes(func=context.reference("helpers.to"), args=[cst.Arg(call.func.value, comma=comma), *call.args])


def read_move(node: cst.Call, context: FileContext) -> UnknownMove | None:
    """`batch.to(device)` where nothing is known of `batch`."""
    function = node.func
    if not isinstance(function, cst.Attribute) or context.type_of(function.value) != UNKNOWN:
        return None
    if context.inference.defines_method(function.attr.value, node):
        return None
    positional = [argument for argument in node.args if argument.keyword is None or argument.keyword.value == "device"]
    options = [argument for argument in node.args if argument not in positional]
    if any(option.keyword is None or option.keyword.value != "non_blocking" for option in options):
        return None
    if function.attr.value == "to" and len(positional) == 1:
        return UnknownMove(function.value) if isinstance(context.type_of(positional[0].value), Device) else None
    return UnknownMove(function.value) if function.attr.value == "cuda" and not positional else None


def write_move(construct: UnknownMove, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """The thing itself."""
    context.converted(node, op="to_device", rule="devices")
    moved: cst.BaseExpression = context.rewrite(construct.moved)
    return moved


def read_question(node: cst.Call, context: FileContext) -> DeviceQuestion | None:
    """`torch.device(...)`, `torch.cuda.is_available()` and their like."""
    path = context.direct_path(node.func)
    if path is None or path not in _EXPRESSIONS:
        return None
    return DeviceQuestion(_EXPRESSIONS[path], path)


def write_question(construct: DeviceQuestion, node: cst.Call, context: FileContext) -> cst.BaseExpression:
    """JAX's answer, in parentheses where it is a comparison inside a larger expression."""
    context.converted(node, op="device", api=construct.api, rule="devices")
    result: cst.BaseExpression = context.expression(construct.answer)
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(result, cst.Comparison) and not isinstance(
        parent, (cst.Arg, cst.If, cst.Assign, cst.IfExp, cst.Return)
    ):
        return result.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return result


def read_statement(node: cst.SimpleStatementLine, context: FileContext) -> DroppedStatement | None:
    """Statements whose whole purpose is a device: `torch.cuda.empty_cache()`, `torch.backends.cudnn.benchmark = True`."""
    if len(node.body) != 1:
        return None
    small = node.body[0]
    if isinstance(small, cst.Expr) and isinstance(small.value, cst.Call):
        path = context.direct_path(small.value.func) or ""
        if path in _DROPPED:
            return DroppedStatement(path)
        return _moved_module(small.value, context)
    if isinstance(small, cst.Assign) and len(small.targets) == 1:
        target = small.targets[0].target
        if isinstance(target, cst.Attribute):
            text = dotted(target) or ""
            root = context.direct_path(target) or ""
            if text and root.startswith(("torch.backends.", "torch.autograd.")):
                return DroppedStatement(root)
        return _self_assignment(small, context)
    return None


def _moved_module(call: cst.Call, context: FileContext) -> DroppedStatement | None:
    """`model.to(device)` as a statement of its own."""
    function = call.func
    if not isinstance(function, cst.Attribute) or function.attr.value not in ("to", "cuda", "cpu"):
        return None
    if not isinstance(context.rewrite(call), (cst.Name, cst.Attribute)):
        return None
    return DroppedStatement(f"torch.nn.Module.{function.attr.value}")


def _self_assignment(node: cst.Assign, context: FileContext) -> DroppedStatement | None:
    """`x = x.to(device)` or `x, y = x.to(device), y.to(device)`: nothing is left of it."""
    target = node.targets[0].target
    if not isinstance(target, (cst.Name, cst.Tuple, cst.Attribute)) or target.deep_equals(node.value):
        return None
    if not context.within(node.value, cst.Call):
        return None
    written = context.rewrite(node.value)
    return DroppedStatement("Tensor.to") if _same(target, written) else None


def _same(target: cst.BaseExpression, written: Any) -> bool:
    if isinstance(target, cst.Tuple) and isinstance(written, cst.Tuple):
        if len(target.elements) != len(written.elements):
            return False
        return all(_same(a.value, b.value) for a, b in zip(target.elements, written.elements, strict=True))
    return isinstance(written, cst.BaseExpression) and dotted(target) is not None and dotted(target) == dotted(written)


def write_statement(construct: DroppedStatement, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """Nothing."""
    context.converted(node, op="device", api=construct.api, rule="devices")
    return cst.RemovalSentinel.REMOVE


RULES = (
    Rule("device_cast", (cst.Call,), {"torch": read_cast}, {"jax": write_cast}, order=30),
    Rule("device_open_cast", (cst.Call,), {"torch": read_open_cast}, {"jax": write_open_cast}, order=30),
    Rule("device_move", (cst.Call,), {"torch": read_move}, {"jax": write_move}, order=30),
    Rule("device_question", (cst.Call,), {"torch": read_question}, {"jax": write_question}, order=30),
    Rule(
        "device_statement", (cst.SimpleStatementLine,), {"torch": read_statement}, {"jax": write_statement}, order=30
    ),
)
