"""What becomes of a function that trains: gradients, and what takes the place of each line."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from ..rewriter.nodes import children
from .training_events import Found, Lines
from .training_regions import Region

EVENT_NAMES = {
    "backward": "backward()", "zero": "zero_grad()", "step": "the optimizer's step()", "norm": "clip_grad_norm_",
    "value": "clip_grad_value_", "closure": "the optimizer's step(closure)",
}  # fmt: skip


@dataclass(frozen=True)
class Gradient:
    """One computation of a loss and its gradients.

    models: the modules differentiated; others: modules that only have to pass through; variable: the names that hold
    the gradients, one for each group of models; adds: whether they are added to those before; explicit: whether a
    statement at the place of `backward()` is needed. Where the forward pass was run earlier (`Prefix`), the models are
    its results, and `pullback` turns their gradients into the ones called `final`. through_self: methods
    of `self` are called that reach the models.
    """

    found: Found
    region: Region
    loss: cst.BaseExpression
    groups: tuple[tuple[str, ...], ...]
    others: tuple[str, ...]
    variables: tuple[str, ...]
    adds: bool
    explicit: bool
    pullback: str = ""
    final: str = ""
    through_self: bool = False


@dataclass(frozen=True)
class Prefix:
    """The first part of a forward pass, which other steps separate from its loss; `results` are what the loss reads."""

    region: Region
    model: str
    results: tuple[str, ...]
    pullback: str


@dataclass(frozen=True)
class GradientLoop:
    """A loop over the parameters of `model` that uses gradients.

    parameter: the name of each in the loop; name: what holds its gradient; clearing: statements that clear it, which go
    away; changes: the one statement that gives it another value, if that is all the loop does.
    """

    model: str
    parameter: str
    name: str
    clearing: tuple[cst.CSTNode, ...]
    changes: tuple[cst.CSTNode, ...]


@dataclass(frozen=True)
class Change:
    """What becomes of one line: `drop`, `reset`, `gather`, `update`, `clip`, `evaluate` or, with no call, `hand_on`, `each`.

    several: whether a closure is evaluated more than once.
    """

    kind: str
    found: Found | None
    models: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    gradient: Gradient | None = None
    guarded: bool = False
    several: bool = False
    loop: GradientLoop | None = None


@dataclass
class TrainingPlan:
    """All that changes in one function. If `problem` is set, nothing does, and the calls are left with this reason.

    held: the names that hold gradients, by the `p.grad` that they stand for; removed: statements in loops that go away.
    adds_to_entry: a closure's gradients are added to those before its call; clean_steps: steps with closures that meet
    no gradients; several: a closure is evaluated more than once in a step, here or where this one is used.
    """

    calls: list[tuple[cst.Call, str, str]]
    lines: Lines
    problem: str = ""
    regions: dict[cst.CSTNode, Gradient] = field(default_factory=dict)
    prefixes: dict[cst.CSTNode, Prefix] = field(default_factory=dict)
    inside: set[cst.CSTNode] = field(default_factory=set)
    changes: dict[cst.CSTNode, Change] = field(default_factory=dict)
    starts: dict[cst.CSTNode, list[str]] = field(default_factory=dict)
    blocks: set[cst.CSTNode] = field(default_factory=set)
    reviews: dict[str, str] = field(default_factory=dict)
    held: dict[cst.CSTNode, str] = field(default_factory=dict)
    removed: set[cst.CSTNode] = field(default_factory=set)
    adds_to_entry: bool = False
    several: bool = False
    clean_steps: set[cst.Call] = field(default_factory=set)

    def refuse(self, problem: str) -> None:
        """Change nothing, for this reason."""
        self.problem = problem
        for part in (self.regions, self.prefixes, self.changes, self.blocks, self.held, self.removed):
            part.clear()


def statement_call(node: cst.CSTNode) -> cst.Call | None:
    """The call that a statement consists of, or whose result it assigns."""
    if isinstance(node, (cst.Expr, cst.Assign, cst.AnnAssign)) and isinstance(node.value, cst.Call):
        return node.value
    return None


def output_of(found: Found) -> cst.BaseExpression:
    """What `backward()` is called on."""
    assert isinstance(found.call.func, cst.Attribute)
    return found.operand


def weight_of(found: Found) -> cst.BaseExpression | None:
    """The argument of `output.backward(gradient)`: by what each entry of the output counts."""
    for argument in found.call.args:
        if argument.keyword is None or argument.keyword.value == "gradient":
            is_none = isinstance(argument.value, cst.Name) and argument.value.value == "None"
            return None if is_none else argument.value
    return None


def loss_of(found: Found) -> cst.BaseExpression:
    """The number whose gradients a backward call computes: `(output * gradient).sum()` where it is given one."""
    output, weight = output_of(found), weight_of(found)
    if weight is None:
        return output
    product = cst.BinaryOperation(output, cst.Multiply(), weight, lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.Call(cst.Attribute(product, cst.Name("sum")))


def calls_inside_out(node: cst.CSTNode) -> list[cst.Call]:
    """All calls, those in arguments before those that they are arguments of."""
    found = [call for child in children(node) for call in calls_inside_out(child)]
    return [*found, node] if isinstance(node, cst.Call) else found


def free_name(wanted: str, taken: set[str]) -> str:
    """`wanted`, or with underscores behind where the name is taken."""
    while wanted in taken:
        wanted += "_"
    return wanted
