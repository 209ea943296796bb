"""Devices for torch and TensorFlow as targets, and as JAX and TensorFlow code asks for them."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import literal
from ..rewriter.rule import Rule
from . import devices
from .devices import DeviceQuestion, read_move, read_question, write_move
from .devices import read_statement as read_device_statement
from .devices import write_statement as write_device_statement

DEVICE, AVAILABLE, COUNT = "torch.device", "torch.cuda.is_available", "torch.cuda.device_count"
_ANSWERS = {
    "tensorflow": {
        DEVICE: "tensorflow.config.list_logical_devices()[0]",
        AVAILABLE: 'bool(tensorflow.config.list_physical_devices("GPU"))',
        COUNT: 'len(tensorflow.config.list_physical_devices("GPU"))',
        "torch.cuda.current_device": "tensorflow.config.list_logical_devices()[0]",
        "torch.backends.mps.is_available": "False",
        "torch.backends.mps.is_built": "False",
        "torch.xpu.is_available": "False",
        "torch.get_default_dtype": "tensorflow.float32",
    },
    "torch": {
        DEVICE: 'torch.device("cuda" if torch.cuda.is_available() else "cpu")',
        AVAILABLE: "torch.cuda.is_available()",
        COUNT: "torch.cuda.device_count()",
    },
}
_JAX = {DEVICE: "jax.devices()[0]", AVAILABLE: 'jax.default_backend() == "gpu"', COUNT: "jax.device_count()"}


def write_question(construct: DeviceQuestion, node: cst.BaseExpression, context: FileContext) -> Any:
    """The target's answer."""
    answer = _ANSWERS[context.target.name].get(construct.api)
    if answer is None:
        return None
    context.converted(node, op="device", api=construct.api, rule="devices")
    return context.expression(answer)


def _question(api: str) -> DeviceQuestion:
    return DeviceQuestion(_JAX[api], api)


def read_first_device(node: cst.Subscript, context: FileContext) -> DeviceQuestion | None:
    """`jax.devices()[0]`, `tf.config.list_logical_devices()[0]`."""
    if not isinstance(node.value, cst.Call):
        return None
    path = context.direct_path(node.value.func)
    return _question(DEVICE) if path in ("jax.devices", "tensorflow.config.list_logical_devices") else None


def read_backend(node: cst.Comparison, context: FileContext) -> DeviceQuestion | None:
    """`jax.default_backend() == "gpu"`."""
    if not isinstance(node.left, cst.Call) or context.direct_path(node.left.func) != "jax.default_backend":
        return None
    other = node.comparisons[0]
    is_gpu = isinstance(other.operator, cst.Equal) and literal(other.comparator) in ("gpu", "cuda")
    return _question(AVAILABLE) if is_gpu else None


def read_listing(node: cst.Call, context: FileContext) -> DeviceQuestion | None:
    """`bool(tf.config.list_physical_devices("GPU"))`, `len(...)` of it, `jax.device_count()`."""
    if context.direct_path(node.func) == "jax.device_count":
        return _question(COUNT)
    if not isinstance(node.func, cst.Name) or node.func.value not in ("bool", "len") or len(node.args) != 1:
        return None
    inner = node.args[0].value
    if not isinstance(inner, cst.Call) or context.direct_path(inner.func) != "tensorflow.config.list_physical_devices":
        return None
    asks = [literal(argument.value) for argument in inner.args]
    return _question(AVAILABLE if node.func.value == "bool" else COUNT) if asks == ["GPU"] else None


_BOTH = {"tensorflow": write_question, "torch": write_question}
_ALL = {"tensorflow": write_question, "torch": write_question, "jax": devices.write_question}
_CALL, _LINE = (cst.Call,), (cst.SimpleStatementLine,)
RULES = (
    Rule("plain_device", _CALL, {"torch": read_question}, _BOTH, order=30),
    Rule("first_device", (cst.Subscript,), dict.fromkeys(("jax", "tensorflow"), read_first_device), _ALL, order=30),
    Rule("backend", (cst.Comparison,), {"jax": read_backend}, _BOTH, order=30),
    Rule("device_listing", _CALL, dict.fromkeys(("jax", "tensorflow"), read_listing), _ALL, order=30),
    Rule("plain_move", _CALL, {"torch": read_move}, {"tensorflow": write_move}, order=30),
    Rule(
        "plain_device_line", _LINE, {"torch": read_device_statement}, {"tensorflow": write_device_statement}, order=30
    ),
)
