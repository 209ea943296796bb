"""Automatic mixed precision: regions of `torch.autocast`, and the scaling of losses that float16 needs.

JAX's counterpart of a region is the precision of matrix products and convolutions: bfloat16 inside, while parameters
and everything else stay float32. bfloat16 has float32's range, so losses need no scaling: a `GradScaler` goes, and what
it was asked to do is done directly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Instance
from ..rewriter.names import dotted
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule

#: Regions of mixed precision, with the position of their arguments `dtype` and `enabled`.
REGIONS = {
    "torch.autocast": (1, 2), "torch.amp.autocast": (1, 2), "torch.amp.autocast_mode.autocast": (1, 2),
    "torch.cuda.amp.autocast": (1, 0), "torch.cuda.amp.autocast_mode.autocast": (1, 0), "torch.cpu.amp.autocast": (1, 0),
}  # fmt: skip
_SCALERS = frozenset(
    """torch.cuda.amp.GradScaler torch.amp.GradScaler torch.cuda.amp.grad_scaler.GradScaler
    torch.amp.grad_scaler.GradScaler torch.cpu.amp.GradScaler""".split()
)
_SCALER = Instance("torch.amp.GradScaler")
_REMARK = "float32 outside of matrix products and convolutions, which take bfloat16 here; float16 is not used"
_NO_SCALER = "bfloat16 needs no loss scaling: None stands for the scaler, so that branches which ask for it see none"


@dataclass(frozen=True)
class PrecisionRegion:
    """A region; dtype and enabled as written, None where they are not."""

    dtype: cst.BaseExpression | None
    enabled: cst.BaseExpression | None
    api: str


@dataclass(frozen=True)
class Scaler:
    """A scaler being made."""

    api: str


@dataclass(frozen=True)
class ScalerLine:
    """A statement that only concerns the scaler."""


@dataclass(frozen=True)
class Unscaled:
    """`scaler.scale(loss)`: the loss; `scaler.get_scale()`: 1."""

    value: cst.BaseExpression | None


# Questions that the analysis of training steps asks.


def operand(inference: Inference, call: cst.Call) -> cst.BaseExpression:
    """What a call concerns: the loss of `scaler.scale(loss).backward()`, the optimizer of `scaler.step(optimizer)`.

    Without a scaler it is what the method is called on.
    """
    assert isinstance(call.func, cst.Attribute)
    owner = call.func.value
    if call.func.attr.value == "step" and call.args and is_scaler_call(inference, call):
        return call.args[0].value
    match owner:
        case cst.Call(func=cst.Attribute(attr=cst.Name(value="scale")), args=[cst.Arg(value=loss)]):
            return loss if is_scaler_call(inference, owner) else owner
    return owner


def is_scaler_call(inference: Inference, call: cst.Call) -> bool:
    """Whether a method of a scaler of gradients is called."""
    known: frozenset[cst.Call] | None = inference.__dict__.get("_scaler_calls")
    if known is None:
        known = inference.__dict__["_scaler_calls"] = frozenset(_scaler_calls(inference))
    return call in known


def _scaler_calls(inference: Inference) -> Iterator[cst.Call]:
    """The calls of methods on what is made as a scaler, and on what only a scaler can be.

    `scaler.step(optimizer)` beside `scaler.scale(loss)` and `scaler.update()` in one function: a value of unknown type.
    """
    for file, found in inference.files.items():
        nodes = inference.nodes(file)
        for body in (*nodes.of(cst.FunctionDef), inference.modules[file]):
            calls: dict[str, list[cst.Call]] = {}
            for node in nodes.within(body, cst.Call):
                if isinstance(node.func, cst.Attribute):
                    calls.setdefault(dotted(node.func.value) or "", []).append(node)
            for owner, those in calls.items():
                for call in those if owner else ():
                    kind = found.types.get(call.func.value, UNKNOWN)  # type: ignore[attr-defined]
                    if kind == _SCALER or (kind == UNKNOWN and _only_of_scalers(those)):
                        yield call


def _only_of_scalers(calls: list[cst.Call]) -> bool:
    """Whether the methods called on one name are, together, those of a scaler alone."""
    given = {(call.func.attr.value, bool(call.args)) for call in calls if isinstance(call.func, cst.Attribute)}
    return given >= {("step", True), ("scale", True), ("update", False)}


# Regions.


def mixes(inference: Inference) -> bool:
    """Whether the repository has a region of mixed precision that is not plainly switched off."""
    known: bool | None = inference.__dict__.get("_mixes_precision")
    if known is None:
        known = inference.__dict__["_mixes_precision"] = any(
            _is_region(call) and not is_disabled(call)
            for scope in inference.repository.scopes.values()
            for call in inference.nodes(scope.file).of(cst.Call)
        )
    return known


def _is_region(call: cst.Call) -> bool:
    return (dotted(call.func) or "").rpartition(".")[2] == "autocast"


def is_disabled(call: cst.Call) -> bool:
    """Whether a region says `enabled=False`, by keyword or at its position."""
    name = dotted(call.func) or ""
    position = 0 if ".amp." in name and ("cuda" in name or "cpu" in name) else 2
    enabled = _argument(call, "enabled", position)
    return enabled is not None and literal(enabled) is False


def _argument(call: cst.Call, name: str, position: int) -> cst.BaseExpression | None:
    for index, argument in enumerate(call.args):
        if argument.keyword is not None and argument.keyword.value == name:
            return argument.value
        if argument.keyword is None and not argument.star and index == position:
            return argument.value
    return None


def read_region(node: cst.Call, context: FileContext) -> PrecisionRegion | Refusal | None:
    """`torch.autocast("cuda", dtype=torch.float16, enabled=use_amp)`, wherever it stands."""
    path = context.direct_path(node.func) or ""
    if path not in REGIONS:
        return None
    if any(argument.star for argument in node.args):
        return Refusal("starred arguments of a region of mixed precision; write them out", node, path)
    dtype_at, enabled_at = REGIONS[path]
    return PrecisionRegion(_argument(node, "dtype", dtype_at), _argument(node, "enabled", enabled_at), path)


def write_region(construct: PrecisionRegion, node: cst.Call, context: FileContext) -> cst.Call:
    """`jax.default_matmul_precision("bfloat16")`; `None`, the default, where the region may be switched off."""
    switched = literal(construct.enabled) if construct.enabled is not None else True
    if switched is False:
        context.converted(node, op="mixed_precision", api=construct.api, rule="mixed_precision")
        return context.expression('jax.default_matmul_precision("float32")')  # type: ignore[no-any-return]
    context.review(node, _REMARK, op="mixed_precision", api=construct.api, rule="mixed_precision")
    conditions = []
    if construct.enabled is not None and switched is not True:
        conditions.append(context.rewrite(construct.enabled))
    if construct.dtype is not None and context.direct_path(construct.dtype) not in ("torch.float16", "torch.bfloat16"):
        dtype = context.rewrite(construct.dtype)
        conditions.append(context.expression("({dtype} != jax.numpy.float32)", dtype=dtype))
    if not conditions:
        return context.expression('jax.default_matmul_precision("bfloat16")')  # type: ignore[no-any-return]
    condition = conditions[0] if len(conditions) == 1 else context.expression("{a} and {b}", a=conditions[0], b=conditions[1])
    return context.expression(  # type: ignore[no-any-return]
        'jax.default_matmul_precision("bfloat16" if {condition} else None)', condition=_bare(condition)
    )


def _bare(node: Any) -> Any:
    return node.with_changes(lpar=[], rpar=[])


# Scalers.


def read_scaler(node: cst.Call, context: FileContext) -> Scaler | None:
    """`torch.amp.GradScaler("cuda")`."""
    path = context.direct_path(node.func) or ""
    return Scaler(path) if path in _SCALERS else None


def write_scaler(construct: Scaler, node: cst.Call, context: FileContext) -> cst.Name:
    """`None`."""
    context.review(node, _NO_SCALER, op="loss_scaling", api=construct.api, rule="mixed_precision")
    return cst.Name("None")


def read_use(node: cst.Call, context: FileContext) -> Unscaled | Refusal | None:
    """What a scaler is asked for."""
    if not isinstance(node.func, cst.Attribute) or not is_scaler_call(context.inference, node):
        return None
    name = node.func.attr.value
    if name == "scale" and len(node.args) == 1:
        return Unscaled(node.args[0].value)
    if name == "get_scale":
        return Unscaled(None)
    if name in ("state_dict", "is_enabled"):
        return Refusal("there is no loss scaler in the converted program; drop this", node, "torch.amp.GradScaler")
    return None


def write_use(construct: Unscaled, node: cst.Call, context: FileContext) -> Any:
    """The loss itself."""
    context.converted(node, op="loss_scaling", api="torch.amp.GradScaler", rule="mixed_precision")
    return cst.Float("1.0") if construct.value is None else context.rewrite(construct.value)


def read_line(node: cst.SimpleStatementLine, context: FileContext) -> ScalerLine | None:
    """`scaler.update()`, `scaler.unscale_(optimizer)`, and a local scaler that nothing else is done with."""
    if len(node.body) != 1:
        return None
    match node.body[0]:
        case cst.Expr(value=cst.Call(func=cst.Attribute(attr=cst.Name(value=name))) as call):
            known = name in ("update", "unscale_", "load_state_dict") and is_scaler_call(context.inference, call)
            return ScalerLine() if known else None
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.Call() as call):
            if read_scaler(call, context) is not None and _is_only_asked(name, context):
                return ScalerLine()
    return None


def _is_only_asked(name: str, context: FileContext) -> bool:
    """Whether the file does nothing with a name but call the scaler's methods."""
    nodes = context.inference.nodes(context.scope.file)
    uses = sum(node.value == name for node in nodes.of(cst.Name))
    uses -= sum(attribute.attr.value == name for attribute in nodes.of(cst.Attribute))
    asked = sum(
        isinstance(call.func, cst.Attribute)
        and isinstance(call.func.value, cst.Name)
        and call.func.value.value == name
        and call.func.attr.value in ("scale", "step", "update", "unscale_", "get_scale", "load_state_dict")
        for call in nodes.of(cst.Call)
    )
    bound = sum(
        isinstance(assign.value, cst.Call) and any(dotted(target.target) == name for target in assign.targets)
        for assign in nodes.of(cst.Assign)
    )
    return uses == asked + bound


def write_line(construct: ScalerLine, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """Nothing."""
    context.converted(node.body[0], op="loss_scaling", api="torch.amp.GradScaler", rule="mixed_precision")
    block = context.enclosing(cst.IndentedBlock)
    if block is not None and len(block.body) == 1:
        return node.with_changes(body=[cst.Pass()])
    context.comments.extend(line.comment.value for line in node.leading_lines if line.comment is not None)
    return cst.RemoveFromParent()


RULES = (
    Rule("mixed_precision", (cst.Call,), {"torch": read_region}, {"jax": write_region}, order=25),
    Rule("loss_scaler", (cst.Call,), {"torch": read_scaler}, {"jax": write_scaler}, order=25),
    Rule("loss_scaling", (cst.Call,), {"torch": read_use}, {"jax": write_use}, order=25),
    Rule("loss_scaling_line", (cst.SimpleStatementLine,), {"torch": read_line}, {"jax": write_line}, order=25),
)
