"""What becomes of a function that takes gradients with respect to values in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst


class NoDerivative(Exception):
    """Why a gradient cannot be written as that of a function."""


@dataclass(frozen=True)
class Take:
    """One place that takes a gradient.

    outputs: the name that is differentiated, or None where `value` is an expression of its own; cotangent: what it is
    multiplied with, None for ones. follows: whether a gradient may flow through the result. holds: for `backward()`,
    the names whose `.grad` it fills. of_module: the one input is a module, whose parameters the gradients belong to.
    """

    call: cst.Call
    index: int
    inputs: tuple[str, ...]
    outputs: str | None
    value: cst.BaseExpression
    cotangent: cst.BaseExpression | None
    follows: bool
    reviewed: bool = False
    holds: bool = False
    of_module: bool = False


@dataclass
class Derivative:
    """A function of `inputs` made of the statements from `start` to `end` (`end` < `start`: of none).

    takes: the places that use its pullback; results: further names that are needed behind it; carried: names that
    the statements read before they bind them.
    """

    inputs: tuple[str, ...]
    outputs: str | None
    value: cst.BaseExpression
    start: int
    end: int
    takes: list[Take]
    name: str = ""
    pullback: str = ""
    results: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()

    @property
    def of_module(self) -> bool:
        """Whether the function is one of a module's parameters."""
        return any(take.of_module for take in self.takes)

    def holds(self, other: Derivative) -> bool:
        """Whether another one lies inside."""
        return self.start <= other.start and max(other.end, other.start - 1) <= self.end


@dataclass
class FunctionPlan:
    """The derivatives of one function: by block, and by the call that takes them; or why there are none."""

    blocks: dict[cst.CSTNode, list[Derivative]] = field(default_factory=dict)
    takes: dict[cst.CSTNode, tuple[Derivative, Take]] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    problems: dict[cst.CSTNode, str] = field(default_factory=dict)
    dropped: set[cst.CSTNode] = field(default_factory=set)
