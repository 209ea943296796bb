"""The write stage: a `BoundOp` becomes an expression of the target, in the target's preferred spelling."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import libcst as cst

from .expansion import Expansion, parse, replace_word
from .expressions import call, parenthesized
from .gradient_paths import may_pass
from .lattice import Array, DType, Scalar
from .lifting import is_cheap, named_value
from .ranks import argument_ranks
from .read import Argument, BoundOp, Constant, Given, Refusal
from .tables import CONTEXT, DROP, REFUSE, Spelling, operator_operands
from .write_arguments import ArgumentWriter, CannotWrite, same_value


class OpWriter(ArgumentWriter):
    """Writes bound ops of one file."""

    def write(self, op: BoundOp) -> cst.BaseExpression | Refusal:
        """The target's expression, or the reason why there is none."""
        rows = self.context.tables.writers(self.context.target.name, op.op.name)
        op = self._of_scalar(op)
        reasons: list[str] = []
        for row in self._preferred(rows, op):
            if row.form == "unsupported":
                reasons.append(row.reason)
                continue
            try:
                node = self._spell(row, op)
            except CannotWrite as cannot:
                reasons.append(str(cannot))
                continue
            if row.review:
                self.context.review(op.node, row.review, op=op.op.name, api=op.api)
            return node
        if op.op.means and not op.starred:
            try:
                return self._expand(op.op.means, op)
            except CannotWrite as cannot:
                reasons.append(str(cannot))
        if not reasons:
            family = self.context.target.fact("missing_families", "layers") if op.op.is_layer else None
            reasons.append(family or f"{self.context.target.name} has no row for {op.op.name}")
        return Refusal(f"{op.api}: {reasons[0]}", op.node, op.api)

    def _preferred(self, rows: tuple[Spelling, ...], op: BoundOp) -> list[Spelling]:
        """Methods stay methods and operators stay operators where the target has both; what holds for few goes first."""

        def order(row: Spelling) -> int:
            if row.kinds or row.ranks or row.matches:
                return 0
            return 1 if row.form == op.spelling.form and row.form in ("method", "operator", "property") else 2

        return sorted(rows, key=order)

    def _of_scalar(self, op: BoundOp) -> BoundOp:
        """An array without axes has no axis to name: where the target takes several axes, it gets none."""
        takes_none = op.op.name in self.context.target.fact("takes_no_axes", default=())
        if not takes_none or not isinstance(op.arguments.get("axis"), Given):
            return op
        first = op.arguments.get(op.op.parameters[0].name)
        if argument_ranks(first, self.context.type_of) != {0}:
            return op
        return replace(op, arguments={**op.arguments, "axis": Constant(())})

    def _spell(self, row: Spelling, op: BoundOp) -> cst.BaseExpression:
        if op.starred and not hands_on(op, row):
            raise CannotWrite("the arguments behind * or ** cannot be read; write them out")
        for name, value in row.where.items():
            if op.starred:
                raise CannotWrite("the arguments behind * or ** cannot be read; write them out")
            allowed = value if isinstance(value, list) else [value]
            actual = self._value(op.arguments.get(name), op.op.parameter(name))
            if not any(same_value(actual, option) for option in allowed):
                raise CannotWrite(f"{row.path} holds only for {name}={value}")
        for name, pattern in row.matches.items():
            text = self._value(op.arguments.get(name))
            if not isinstance(text, str) or not re.fullmatch(pattern, text):
                raise CannotWrite(f"{row.path} holds only for a text {name} that matches {pattern}")
        for name, kinds in row.kinds.items():
            if not self._kinds(op.arguments.get(name)) & kinds:
                raise CannotWrite(f"{row.path} holds only where {name} is known to be {' or '.join(sorted(kinds))}")
        for name in row.with_axes:
            if not self._has_axes(op.arguments.get(name)):
                raise CannotWrite(f"{row.path} holds only where {name} is known to have axes")
        for name, ranks in row.ranks.items():
            if not argument_ranks(op.arguments.get(name), self.context.type_of) & ranks:
                axes = " or ".join(map(str, sorted(ranks)))
                raise CannotWrite(f"{row.path} holds only where {name} is known to have {axes} axes")
        if not row.gradients and may_pass(op, self.context):
            raise CannotWrite(f"{row.path} has another gradient")
        if row.form == "means":
            idle = {name for name in row.ignores if self._is_idle(op.arguments.get(name))}
            return self._expand(row.path, op, frozenset({*row.where, *idle}))
        if row.form == "operator":
            return self._operator(row, op)
        self._check_expressible(row, op)
        receiver: Argument | None = None
        if row.form in ("method", "property"):
            receiver = op.arguments[op.op.parameters[0].name]
            node = self.argument_node(receiver, op.op.parameters[0].name, row)
            if row.form == "property":
                return cst.Attribute(parenthesized(node), cst.Name(row.attribute))
            function: cst.BaseExpression = cst.Attribute(parenthesized(node), cst.Name(row.attribute))
        else:
            function = self._function(row)
        return self._call(function, self.arguments(row, op), op)

    def _function(self, row: Spelling) -> cst.BaseExpression:
        try:
            return self.context.reference(row.path)
        except KeyError as error:
            raise CannotWrite(str(error.args[0])) from None

    def _kinds(self, argument: Argument | None) -> frozenset[str | None]:
        """The kind of element type of an array or number, where it is known; that of an array also as `array[int]`."""
        if isinstance(argument, Constant):
            return frozenset({type(argument.value).__name__})
        found = self.context.type_of(argument.node) if isinstance(argument, Given) else None
        if isinstance(found, Array):
            return frozenset({found.dtype, f"array[{found.dtype}]"})
        return frozenset({found.kind} if isinstance(found, (Scalar, DType)) else ())

    def _has_axes(self, argument: Argument | None) -> bool:
        """Whether an argument is certainly an array with axes, not a single number."""
        found = self.context.type_of(argument.node) if isinstance(argument, Given) else None
        return isinstance(found, Array) and bool(found.rank)

    def _check_expressible(self, row: Spelling, op: BoundOp) -> None:
        """Every argument that differs from the hub's default needs a parameter of the row."""
        mentioned = {parameter.hub for parameter in row.parameters}
        if CONTEXT in mentioned:  # What supplies a random key also reads where the source says it should come from.
            mentioned.update(parameter.name for parameter in op.op.parameters if parameter.kind == "key")
        if row.form in ("method", "property"):
            mentioned.add(op.op.parameters[0].name)
        for name, argument in op.arguments.items():
            if name in mentioned or name in row.where:
                continue
            hub = op.op.parameter(name)
            if hub is None or not same_value(self._value(argument), hub.default):
                raise CannotWrite(f"{row.path} cannot express the argument {name}")

    def _operator(self, row: Spelling, op: BoundOp) -> cst.BaseExpression:
        names = operator_operands(row.path)
        for name, argument in op.arguments.items():
            hub = op.op.parameter(name)
            if name not in names and (hub is None or not same_value(self._value(argument), hub.default)):
                raise CannotWrite(f"the operator cannot express the argument {name}")
        if (
            isinstance(op.node, (cst.BinaryOperation, cst.UnaryOperation, cst.Comparison))
            and op.spelling.path == row.path
        ):
            return op.node
        nodes = {name: self.argument_node(op.arguments[name], name, row) for name in names}
        template = row.path
        for name in names:
            template = replace_word(template, name)
        result: cst.BaseExpression = self.context.expression(template, **nodes)
        return result.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])

    def _call(self, function: cst.BaseExpression, arguments: list[cst.Arg], op: BoundOp) -> cst.BaseExpression:
        """A call that keeps the line breaks and comments of the original call."""
        made = call(function, arguments)
        if isinstance(op.node, cst.Call):
            return made.with_changes(
                lpar=op.node.lpar,
                rpar=op.node.rpar,
                whitespace_before_args=op.node.whitespace_before_args if arguments else cst.SimpleWhitespace(""),
            )
        return made

    def _expand(self, means: str, op: BoundOp, settled: frozenset[str] = frozenset()) -> cst.BaseExpression:
        """An op in terms of others: a hub expression, or one over the target's qualified names.

        settled: arguments whose values the expression has been chosen for.
        """
        tree = parse(means)
        uses: dict[str, int] = {}
        for part in ast.walk(tree):
            if isinstance(part, ast.Name):
                uses[part.id] = uses.get(part.id, 0) + 1
        for name, argument in op.arguments.items():
            hub = op.op.parameter(name)
            if name in uses or name in settled or (hub is not None and hub.kind == "device"):
                continue  # Where an array lives changes no number.
            if hub is None or not same_value(self._value(argument), hub.default):
                raise CannotWrite(f"{op.op.name} cannot express the argument {name} here")
        for name, argument in op.arguments.items():
            if uses.get(name, 0) > 1 and isinstance(argument, Given) and not is_cheap(argument.node):
                named = named_value(argument.node, op.node, "value", self.context)
                if named is None:
                    raise CannotWrite(f"the argument {name} would be evaluated more than once; give it a name first")
                op = replace(op, arguments={**op.arguments, name: Given(named)})
        return Expansion(self, op).build(tree)

    def _is_idle(self, argument: Argument | None) -> bool:
        """Whether nothing is lost if an argument is not evaluated: a name, a literal or the framework's own function."""
        if not isinstance(argument, Given) or is_cheap(argument.node):
            return True
        path = self.context.path(argument.node.func) if isinstance(argument.node, cst.Call) else None
        return path is not None and self.context.source.owns(path)


def hands_on(op: BoundOp, row: Spelling) -> bool:
    """Whether a row takes unread `*args` and `**keywords` just as the source does: same names, order and defaults."""
    if row.form not in ("function", "helper", "method") or row.form == "method" != op.spelling.form:
        return False
    theirs = [p for p in row.parameters if p.hub != CONTEXT]
    ours = [p for p in op.spelling.parameters if p.hub not in (DROP, REFUSE)]
    if any(argument.star == "*" for argument in op.starred):
        shared = min(len(ours), len(theirs))
        if any(a.hub != b.hub for a, b in zip(ours[:shared], theirs[:shared], strict=True)):
            return False
    for parameter in ours:
        if parameter.hub in op.arguments:
            continue
        counterpart = row.parameter_for(parameter.hub)
        if counterpart is None or counterpart.name != parameter.name:
            return False
        same = counterpart.default is parameter.default or same_value(counterpart.default, parameter.default)
        if not same or row.values.get(parameter.hub) != op.spelling.values.get(parameter.hub):
            return False
    return True
