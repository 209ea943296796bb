"""Which `backward()` calls a step may take its gradients from: a small data-flow analysis over one function.

For each optimizer the state at a point is a set of tokens: the backward calls whose gradients may be in the sum there,
`CLEAN` where the gradients may have been reset, `ENTRY` where they may be those with which the function was entered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import libcst as cst

CLEAN = "clean"
ENTRY = "entry"
Token = object
State = dict[str, frozenset[Token]]


@dataclass(frozen=True)
class Event:
    """Something that happens to gradients at one statement.

    kind: `backward`, `zero`, `step` or `use` (clipping and other reads); optimizers: the keys that it concerns.
    """

    kind: str
    node: cst.CSTNode
    optimizers: tuple[str, ...]


@dataclass
class GradientFlow:
    """The result: the state in which each event's statement was met, and the states at the function's ends."""

    incoming: dict[cst.CSTNode, State] = field(default_factory=dict)
    exits: list[State] = field(default_factory=list)

    def sites(self, node: cst.CSTNode, optimizer: str) -> frozenset[Token]:
        """The backward calls whose gradients may already be in the sum where `node` runs."""
        tokens = self.incoming.get(node, {}).get(optimizer, frozenset())
        return tokens - {CLEAN, ENTRY}

    def may_be_empty(self, node: cst.CSTNode, optimizer: str) -> bool:
        """Whether there may be no gradients where `node` runs."""
        return bool(self.incoming.get(node, {}).get(optimizer, frozenset()) & {CLEAN, ENTRY})


def analyze(
    body: Sequence[cst.CSTNode],
    events: Mapping[cst.CSTNode, Event],
    optimizers: Sequence[str],
    *,
    opened: Collection[cst.CSTNode] = (),
    loops_run: bool = False,
) -> GradientFlow:
    """Follow the gradients of `optimizers` through a function's body.

    events: by small statement; opened: `if` statements whose condition always holds.
    """
    walker = _Walker(events, opened, loops_run)
    end = walker.block(body, {name: frozenset([ENTRY]) for name in optimizers})
    if end is not None:
        walker.result.exits.append(end)
    return walker.result


class _Walker:
    def __init__(
        self, events: Mapping[cst.CSTNode, Event], opened: Collection[cst.CSTNode], loops_run: bool
    ) -> None:
        self.events = events
        self.opened = opened
        self.loops_run = loops_run
        self.result = GradientFlow()
        self.breaks: list[list[State]] = []
        self.continues: list[list[State]] = []

    def block(self, statements: Sequence[cst.CSTNode], state: State | None) -> State | None:
        for statement in statements:
            if state is None:
                return None
            state = self.statement(statement, state)
        return state

    def statement(self, node: cst.CSTNode, state: State) -> State | None:
        event = self.events.get(node)
        if event is not None:
            return self._apply(event, state)
        match node:
            case cst.SimpleStatementLine() | cst.IndentedBlock() | cst.SimpleStatementSuite():
                return self.block(node.body, state)
            case cst.Else() | cst.Finally() | cst.With():
                return self.statement(node.body, state)
            case cst.If() if node in self.opened:
                return self.statement(node.body, state)
            case cst.If():
                other = self.statement(node.orelse, state) if node.orelse is not None else state
                return joined([self.statement(node.body, state), other])
            case cst.For() | cst.While():
                return self._loop(node, state)
            case cst.Try() | cst.TryStar():
                return self._try(node, state)
            case cst.Match():
                return joined([state, *(self.statement(case.body, state) for case in node.cases)])
            case cst.Return() | cst.Raise():
                self.result.exits.append(state)
                return None
            case cst.Break() | cst.Continue():
                stack = self.breaks if isinstance(node, cst.Break) else self.continues
                if stack:
                    stack[-1].append(state)
                return None
        return state

    def _apply(self, event: Event, state: State) -> State:
        known = self.result.incoming.get(event.node)
        self.result.incoming[event.node] = joined([known, state]) or state
        after = dict(state)
        for optimizer in event.optimizers:
            if event.kind == "zero":
                after[optimizer] = frozenset([CLEAN])
            elif event.kind == "backward":
                after[optimizer] = (state[optimizer] - {CLEAN, ENTRY}) | {event.node}
        return after

    def _loop(self, node: cst.For | cst.While, state: State) -> State | None:
        head: State | None = state
        ends: list[State | None] = []
        while True:
            self.breaks.append([])
            self.continues.append([])
            assert head is not None
            end = self.statement(node.body, head)
            again = joined([end, *self.continues.pop()])
            broken = self.breaks.pop()
            ends = [again, *broken]
            wider = joined([head, again])
            if wider == head:
                break
            head = wider
        after = joined(ends if self.loops_run and any(end is not None for end in ends) else [head, *ends])
        if node.orelse is not None and after is not None:
            after = self.statement(node.orelse, after)
        return after

    def _try(self, node: cst.Try | cst.TryStar, state: State) -> State | None:
        main = self.statement(node.body, state)
        handlers = [self.statement(handler.body, joined([state, main]) or state) for handler in node.handlers]
        if node.orelse is not None and main is not None:
            main = self.statement(node.orelse, main)
        after = joined([main, *handlers])
        if node.finalbody is not None and after is not None:
            after = self.statement(node.finalbody, after)
        return after


def joined(states: Sequence[State | None]) -> State | None:
    """What may hold where several paths meet; None where none arrives."""
    reached = [state for state in states if state is not None]
    if not reached:
        return None
    names = {name for state in reached for name in state}
    return {name: frozenset().union(*(state.get(name, frozenset()) for state in reached)) for name in names}
