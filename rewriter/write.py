"""The write stage: a `BoundOp` becomes an expression of the target, in the target's preferred spelling."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import libcst as cst

from .context import FileContext
from .expressions import (
    as_tuple,
    bare_argument,
    call,
    is_atom,
    keyword_argument,
    literal_node,
    operand,
    parenthesized,
)
from .gradient_paths import may_pass
from .lattice import Array, DType, Scalar, Shape
from .lattice import Sequence as SequenceType
from .lattice import Tuple as TupleType
from .ranks import argument_ranks
from .read import Argument, BoundOp, Collected, Constant, Given, Refusal, literal
from .signature import MISSING, Opaque, Passing
from .tables import CONTEXT, DROP, REFUSE, HubOp, HubParameter, Spelling, SpellingParameter, operator_operands

#: Gives the argument for a `context` parameter of a spelling, or None when there is none.
Supplier = Callable[[FileContext, BoundOp, SpellingParameter], cst.BaseExpression | None]


_POSITIONAL_KINDS = frozenset({"array", "array_or_scalar", "scalar", "int", "float", "shape"})


class CannotWrite(Exception):
    """A spelling cannot express these arguments; the text says why."""


class OpWriter:
    """Writes bound ops of one file. `suppliers` know how to fill `context` parameters such as a random key."""

    def __init__(self, context: FileContext, suppliers: tuple[Supplier, ...] = ()) -> None:
        self.context = context
        self.suppliers = suppliers

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
            node = self._node(receiver, op.op.parameters[0].name, row)
            if row.form == "property":
                return cst.Attribute(parenthesized(node), cst.Name(row.attribute))
            function: cst.BaseExpression = cst.Attribute(parenthesized(node), cst.Name(row.attribute))
        else:
            function = self._function(row)
        return self._call(function, self._arguments(row, op), op)

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

    def _value(self, argument: Argument | None, parameter: HubParameter | None = None) -> Any:
        if not isinstance(argument, Given):
            return argument.value if isinstance(argument, Constant) else MISSING
        if parameter is not None and parameter.kind == "dtype":
            name = self.context.source.hub_name("dtypes", self.context.path(argument.node) or "")
            return literal(argument.node) if name is None else name
        return literal(argument.node)

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

    def _arguments(self, row: Spelling, op: BoundOp) -> list[cst.Arg]:
        arguments: list[cst.Arg] = []
        positional = True
        for parameter in row.parameters:
            if parameter.hub in (REFUSE, DROP):
                positional = False
                continue
            if parameter.hub == CONTEXT:
                supplied = self._supply(row, op, parameter)
                if supplied is None:
                    positional = False
                    continue
                keyword = parameter.passing is Passing.KEYWORD_ONLY or not positional
                arguments.append(keyword_argument(parameter.name, supplied) if keyword else cst.Arg(supplied))
                continue
            argument = op.arguments.get(parameter.hub)
            if argument is None or self._is_default(argument, parameter, row):
                positional = positional and parameter.passing is Passing.VARIADIC
                continue
            if parameter.passing is Passing.VARIADIC:
                arguments.extend(self._variadic(argument, row))
                continue
            arguments.append(self._argument(argument, parameter, row, positional))
            if op.spelling.form == "method" and parameter.hub == op.op.parameters[0].name:
                arguments[-1] = bare_argument(arguments[-1])
            positional = positional and arguments[-1].keyword is None
        starred = [one.with_changes(value=self.context.rewrite(one.value)) for one in op.starred]
        before = (
            sum(argument.keyword is None for argument in arguments)
            if starred and starred[0].star == "*"
            else len(arguments)
        )
        return [*arguments[:before], *starred, *arguments[before:]]

    def _supply(self, row: Spelling, op: BoundOp, parameter: SpellingParameter) -> cst.BaseExpression | None:
        for supplier in self.suppliers:
            supplied = supplier(self.context, op, parameter)
            if supplied is not None:
                return supplied
        if parameter.default is MISSING:
            raise CannotWrite(f"no {parameter.name} is at hand for {row.path}; pass one in")
        return None

    def _is_default(self, argument: Argument, parameter: SpellingParameter, row: Spelling) -> bool:
        if isinstance(argument, Collected):
            return False
        if isinstance(argument, Given) or parameter.default is MISSING:
            return False
        return same_value(own_value(row, parameter.hub, argument.value), parameter.default)

    def _argument(self, argument: Argument, parameter: SpellingParameter, row: Spelling, positional: bool) -> cst.Arg:
        node = self._node(argument, parameter.hub, row)
        hub = self.context.tables.hub[row.op].parameter(parameter.hub)
        optional = parameter.default is not MISSING and (hub is None or hub.kind != "shape")
        if isinstance(argument, Given) and argument.argument is not None and argument.argument.keyword is None:
            # What the source gave by position stays so where that reads well; axes and flags are always named.
            plain = hub is not None and hub.kind in _POSITIONAL_KINDS and hub.name != "axis"
            optional = optional and not (row.form == "helper" or plain)
        by_keyword = parameter.passing is Passing.KEYWORD_ONLY or not positional or optional
        if parameter.passing is Passing.POSITIONAL_ONLY:
            if not positional:
                raise CannotWrite(f"{row.path} takes {parameter.name} by position only")
            by_keyword = False
        base = argument.argument if isinstance(argument, Given) and argument.argument is not None else cst.Arg(node)
        if by_keyword:
            made = keyword_argument(parameter.name, node)
            return base.with_changes(value=node, keyword=made.keyword, equal=made.equal)
        return base.with_changes(value=node, keyword=None, equal=cst.MaybeSentinel.DEFAULT)

    def _variadic(self, argument: Argument, row: Spelling) -> list[cst.Arg]:
        if isinstance(argument, Collected):
            only = argument.arguments[0].value if len(argument.arguments) == 1 else None
            if only is not None and row.form != "helper" and self._collects(row, "arrays") and self._is_sequence(only):
                return self._spread(self.context.rewrite(only))
            return [one.with_changes(value=self.context.rewrite(one.value)) for one in argument.arguments]
        if isinstance(argument, Constant):
            return [cst.Arg(literal_node(argument.value))]
        node = self.context.rewrite(argument.node)
        if isinstance(node, (cst.Tuple, cst.List)):
            # The lengths of a shape may also be given as one: so are those of a 0-d array.
            return self._spread(node) if node.elements or not self._collects(row, "shape") else [cst.Arg(node)]
        return [cst.Arg(node)] if row.form == "method" else self._spread(node)

    def _spread(self, node: cst.BaseExpression) -> list[cst.Arg]:
        """The items of a sequence as arguments."""
        if isinstance(node, (cst.Tuple, cst.List)):
            return [cst.Arg(element.value, star="*" if isinstance(element, cst.StarredElement) else "") for element in node.elements]  # fmt: skip
        return [cst.Arg(operand(node), star="*")]

    def _is_sequence(self, node: cst.BaseExpression) -> bool:
        value = self.context.type_of(node)
        return isinstance(value, (TupleType, SequenceType)) or isinstance(node, (cst.Tuple, cst.List))

    def _collects(self, row: Spelling, kind: str) -> bool:
        """Whether the variable number of arguments of a spelling are what the hub has one parameter of a kind for."""
        variadic = next(p.hub for p in row.parameters if p.passing is Passing.VARIADIC)
        hub = self.context.tables.hub[row.op].parameter(variadic)
        return hub is not None and hub.kind == kind

    def _node(self, argument: Argument, hub: str, row: Spelling) -> cst.BaseExpression:
        """The rewritten expression of an argument, enumerations translated."""
        if isinstance(argument, Constant):
            value = own_value(row, hub, argument.value)
            if isinstance(value, Opaque):
                return self.context.reference(value.text)
            return self._dtype(row.op, hub, value) or literal_node(value)
        if isinstance(argument, Collected):
            return self._collected(argument, hub, row)
        mapping = row.values.get(hub)
        if mapping:
            value = literal(argument.node)
            if value is MISSING:
                raise CannotWrite(f"the value of {hub} must be written as a literal")
            if value in mapping:
                return literal_node(mapping[value])
        node: cst.BaseExpression = self.context.rewrite(argument.node)
        parameter = self.context.tables.hub[row.op].parameter(hub) if row.op in self.context.tables.hub else None
        if parameter is not None and parameter.kind in ("axes", "shape"):
            own = row.parameter_for(hub)
            node = self._axes(argument.node, node, parameter.kind, own.name if own is not None else "")
            if parameter.kind == "axes":
                node = self._no_axes(argument.node, node, row.op)
        if isinstance(node, cst.GeneratorExp) and not node.lpar:
            return node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return node

    def _no_axes(self, original: cst.BaseExpression, node: cst.BaseExpression, op: str) -> cst.BaseExpression:
        """No axes at all stand for every axis in some frameworks and for none in others."""
        frameworks = (self.context.source, self.context.target)
        source_all, target_all = (op in framework.fact("empty_axes_are_all", default=()) for framework in frameworks)
        value = self.context.type_of(original)
        if not source_all or target_all:
            return node
        if isinstance(node, cst.Tuple):
            return node if node.elements else cst.Name("None")
        if isinstance(value, (SequenceType, Shape)) or value == TupleType(()):
            return cst.BooleanOperation(operand(node), cst.Or(), cst.Name("None"))
        return node

    def _axes(self, original: cst.BaseExpression, node: cst.BaseExpression, kind: str, name: str) -> cst.BaseExpression:
        """Several axes are a tuple: not every framework takes a list. A parameter called `axes` takes no single one."""
        if name == "axes" and isinstance(self.context.type_of(original), Scalar):
            return as_tuple([node])
        if kind != "axes":
            return node
        if isinstance(node, cst.List):
            elements = list(node.elements)
            if len(elements) == 1 and not isinstance(elements[0].comma, cst.Comma):
                elements[0] = elements[0].with_changes(comma=cst.Comma())
            return cst.Tuple(elements)
        value = self.context.type_of(original)
        if isinstance(value, SequenceType) and value.kind == "list":
            return cst.Call(cst.Name("tuple"), [cst.Arg(node)])
        return node

    def _dtype(self, op: str, hub: str, value: Any) -> cst.BaseExpression | None:
        """An element type that a row fixes is written as the target's object, not as a string."""
        parameter = self.context.tables.hub[op].parameter(hub) if op in self.context.tables.hub else None
        if parameter is None or parameter.kind != "dtype" or not isinstance(value, str):
            return None
        spellings = self.context.target.fact("dtypes", value)
        if not spellings:
            raise CannotWrite(f"{self.context.target.name} has no element type {value}")
        return self.context.reference(spellings[0] if isinstance(spellings, list) else spellings)

    def _collected(self, argument: Collected, hub: str, row: Spelling) -> cst.BaseExpression:
        """Variadic arguments as one value: `f(2, 3)` gives a tuple, `f(shape)` the shape itself."""
        arguments = argument.arguments
        if len(arguments) == 1 and not arguments[0].star:
            value = self.context.type_of(arguments[0].value)
            node = self.context.rewrite(arguments[0].value)
            parameter = self.context.tables.hub[row.op].parameter(hub)
            if isinstance(value, Array) and parameter is not None and parameter.kind == "arrays":
                return as_tuple([node])
            if not (isinstance(value, Scalar) and value.kind == "int"):
                return node  # type: ignore[no-any-return]
            if row.path in self.context.target.fact("takes_one_size", default=()):
                return node  # type: ignore[no-any-return]
            return as_tuple([node])
        if len(arguments) == 1:
            return self.context.rewrite(arguments[0].value)  # type: ignore[no-any-return]
        elements: list[cst.BaseElement] = [
            cst.StarredElement(self.context.rewrite(one.value))
            if one.star
            else cst.Element(self.context.rewrite(one.value))
            for one in arguments
        ]
        return cst.Tuple(elements)

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
        nodes = {name: self._node(op.arguments[name], name, row) for name in names}
        template = row.path
        for name in names:
            template = _replace_word(template, name)
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
        tree = _parse(means)
        uses: dict[str, int] = {}
        for part in ast.walk(tree):
            if isinstance(part, ast.Name):
                uses[part.id] = uses.get(part.id, 0) + 1
        for name, argument in op.arguments.items():
            if uses.get(name, 0) > 1 and isinstance(argument, Given) and not is_cheap(argument.node):
                raise CannotWrite(f"the argument {name} would be evaluated more than once; give it a name first")
            hub = op.op.parameter(name)
            if name in uses or name in settled or (hub is not None and hub.kind == "device"):
                continue  # Where an array lives changes no number.
            if hub is None or not same_value(self._value(argument), hub.default):
                raise CannotWrite(f"{op.op.name} cannot express the argument {name} here")
        return _Expansion(self, op).build(tree)

    def _is_idle(self, argument: Argument | None) -> bool:
        """Whether nothing is lost if an argument is not evaluated: a name, a literal or the framework's own function."""
        if not isinstance(argument, Given) or is_cheap(argument.node):
            return True
        path = self.context.path(argument.node.func) if isinstance(argument.node, cst.Call) else None
        return path is not None and self.context.source.owns(path)


class _Expansion:
    """Turns the expression of a `means` into nodes."""

    def __init__(self, writer: OpWriter, op: BoundOp) -> None:
        self.writer = writer
        self.op = op

    def build(self, tree: ast.expr) -> cst.BaseExpression:
        simplified = self._simplify(tree)
        if simplified is not None:
            return self.build(simplified)
        match tree:
            case ast.Name(id=name) if name in self.op.arguments:
                return self.writer._node(self.op.arguments[name], name, self.op.spelling)
            case ast.Call(func=ast.Name(id=name)) if name in self.writer.context.tables.hub:
                return self._nested(tree, self.writer.context.tables.hub[name])
        return self._generic(tree)

    def _simplify(self, tree: ast.expr) -> ast.expr | None:
        """`1 * x`, `x * 1` and `x + 0` from defaults are not written."""
        if not isinstance(tree, ast.BinOp):
            return None
        left, right = self._constant(tree.left), self._constant(tree.right)
        if isinstance(tree.op, ast.Mult):
            return (
                tree.right
                if left in (1,) and left is not True
                else tree.left
                if right in (1,) and right is not True
                else None
            )
        if isinstance(tree.op, (ast.Add, ast.Sub)) and right == 0 and right is not False:
            return tree.left
        return None

    def _constant(self, tree: ast.expr) -> Any:
        if isinstance(tree, ast.Name):
            argument = self.op.arguments.get(tree.id)
            if isinstance(argument, Constant):
                return argument.value
        return None

    def _generic(self, tree: ast.expr) -> cst.BaseExpression:
        """Any other expression: its direct parts are built, the rest is kept as written."""
        nodes: dict[str, Any] = {}
        outer = self

        class Holes(ast.NodeTransformer):
            def visit_Name(self, node: ast.Name) -> ast.expr:
                return outer._hole(node, nodes) if node.id in outer.op.arguments else node

            def visit_Call(self, node: ast.Call) -> ast.AST:
                if isinstance(node.func, ast.Name) and node.func.id in outer.writer.context.tables.hub:
                    return outer._hole(node, nodes)
                return self.generic_visit(node)

            def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
                if outer._simplify(node) is not None:
                    return outer._hole(node, nodes)
                return self.generic_visit(node)

        text = ast.unparse(Holes().visit(ast.parse(ast.unparse(tree), mode="eval").body))
        for name in nodes:
            text = _replace_word(text, name)
        result: cst.BaseExpression = self.writer.context.expression(text, **nodes)
        if not is_atom(result) and isinstance(
            result, (cst.BinaryOperation, cst.UnaryOperation, cst.Comparison, cst.IfExp)
        ):
            return result.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return result

    def _hole(self, tree: ast.expr, nodes: dict[str, Any]) -> ast.Name:
        name = f"part{len(nodes)}_"
        nodes[name] = self.build(tree)
        return ast.Name(name, ast.Load())

    def _nested(self, tree: ast.expr, hub: HubOp) -> cst.BaseExpression:
        """A call of another hub op inside `means`."""
        assert isinstance(tree, ast.Call)
        arguments: dict[str, Argument] = {}
        positional = [p for p in hub.parameters if p.passing is not Passing.KEYWORD_ONLY]
        pairs = [(p.name, value) for p, value in zip(positional, tree.args, strict=False)]
        pairs += [(keyword.arg or "", keyword.value) for keyword in tree.keywords]
        made: dict[cst.CSTNode, cst.BaseExpression] = {}
        for name, value in pairs:
            if isinstance(value, ast.Name) and value.id in self.op.arguments:
                arguments[name] = self.op.arguments[value.id]
                continue
            try:
                arguments[name] = Constant(ast.literal_eval(value))
            except ValueError:
                node = self.build(value)
                made[node] = node
                arguments[name] = Given(node)
        for parameter in hub.parameters:
            arguments.setdefault(parameter.name, Constant(parameter.default))
        spelling = Spelling(hub.name, self.op.spelling.framework, "means", hub.name)
        known = self.writer.context.engine
        assert known is not None
        known.memo.update(made)  # type: ignore[attr-defined]
        result = self.writer.write(BoundOp(hub, spelling, arguments, self.op.node, self.op.api))
        if isinstance(result, Refusal):
            raise CannotWrite(result.reason)
        return result.with_changes(lpar=[], rpar=[]) if isinstance(result, cst.Call) else result


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


@functools.cache
def _parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _replace_word(text: str, name: str) -> str:
    """`name` as a placeholder wherever it stands as a name of its own."""
    tree = ast.parse(text, mode="eval")
    spots = sorted(
        (node.col_offset for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name), reverse=True
    )
    for start in spots:
        text = text[:start] + "{" + name + "}" + text[start + len(name) :]
    return text


def is_cheap(node: cst.BaseExpression) -> bool:
    """Whether evaluating an expression twice costs and changes nothing: names, attributes, literals."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name) or literal(node) is not MISSING


def own_value(row: Spelling, hub: str, value: Any) -> Any:
    """A hub enumeration value in the framework's own words."""
    mapping = row.values.get(hub)
    if not mapping:
        return value
    try:
        return mapping.get(value, value)
    except TypeError:
        return value


def same_value(first: Any, second: Any) -> bool:
    """Equality of defaults as values: 0 and 0.0 are the same, 0 and False are not; tuples equal lists."""
    if first is MISSING or second is MISSING:
        return False
    if isinstance(first, bool) != isinstance(second, bool):
        return False
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return list(first) == list(second)
    return bool(first == second)
