"""Learning rate schedules: classes of the same names that set the optimizer's injected rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .optimizer_models import SCHEDULERS

#: Names under which torch has had the base class.
_BASES = ("_LRScheduler", "LRScheduler")


@dataclass(frozen=True)
class Schedule:
    """A schedule under construction, or its class (`arguments` is None)."""

    kind: str
    arguments: tuple[cst.Arg, ...] | None


def read_schedule(node: cst.Call, context: FileContext) -> Schedule | None:
    """`torch.optim.lr_scheduler.StepLR(optimizer, 30)`."""
    path = context.direct_path(node.func) or ""
    if not path.startswith(SCHEDULERS):
        return None
    kept = tuple(a for a in node.args if not (a.keyword is not None and a.keyword.value == "verbose"))
    return Schedule(path.removeprefix(SCHEDULERS), kept)


def read_class(node: cst.Attribute | cst.Name, context: FileContext) -> Schedule | None:
    """The class itself, as in annotations and `isinstance`."""
    name = node.attr.value if isinstance(node, cst.Attribute) else node.value
    path = context.direct_path(node) or "" if name.lstrip("_")[:1].isupper() else ""
    if not path.startswith(SCHEDULERS):
        return None
    kind = path.removeprefix(SCHEDULERS)
    return Schedule("LRScheduler" if kind in _BASES else kind, None)


def write_schedule(construct: Schedule, node: cst.CSTNode, context: FileContext) -> Any:
    """The helper of the same name."""
    try:
        function = context.helper(construct.kind)
    except KeyError:
        return Refusal(f"the schedule {construct.kind} has no counterpart yet", node, f"{SCHEDULERS}{construct.kind}")
    context.converted(node, op="schedule", api=f"{SCHEDULERS}{construct.kind}", rule="schedulers")
    if construct.arguments is None:
        return function
    assert isinstance(node, cst.Call)
    arguments = [context.rewrite(argument) for argument in construct.arguments]
    if len(arguments) == len(node.args):
        return node.with_changes(func=function, args=arguments)
    return context.expression("{function}({arguments})", function=function, arguments=arguments)


RULES = (
    Rule("schedule", (cst.Call,), {"torch": read_schedule}, {"jax": write_schedule}, order=20),
    Rule("schedule_class", (cst.Attribute, cst.Name), {"torch": read_class}, {"jax": write_schedule}, order=20),
)
