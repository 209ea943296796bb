"""The arguments of what is written: in the target's order and words, by name or by position, layout kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from .context import FileContext
from .expressions import as_tuple, bare_argument, keyword_argument, literal_node, operand
from .lattice import Array, Scalar, Shape
from .lattice import Sequence as SequenceType
from .lattice import Tuple as TupleType
from .read import Argument, BoundOp, Collected, Constant, Given, literal
from .signature import MISSING, Opaque, Passing
from .tables import CONTEXT, DROP, REFUSE, HubParameter, Spelling, SpellingParameter

#: Gives the argument for a `context` parameter of a spelling, or None when there is none.
Supplier = Callable[[FileContext, BoundOp, SpellingParameter], cst.BaseExpression | None]

_POSITIONAL_KINDS = frozenset({"array", "array_or_scalar", "scalar", "int", "float", "shape"})


class CannotWrite(Exception):
    """A spelling cannot express these arguments; the text says why."""


class ArgumentWriter:
    """Writes the arguments of bound ops. `suppliers` know how to fill `context` parameters such as a random key."""

    def __init__(self, context: FileContext, suppliers: tuple[Supplier, ...] = ()) -> None:
        self.context = context
        self.suppliers = suppliers

    def arguments(self, row: Spelling, op: BoundOp) -> list[cst.Arg]:
        """All arguments of a call in a spelling, in its order: by position where the source gave them so, else named."""
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
        node = self.argument_node(argument, parameter.hub, row)
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

    def argument_node(self, argument: Argument, hub: str, row: Spelling) -> cst.BaseExpression:
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

    def _value(self, argument: Argument | None, parameter: HubParameter | None = None) -> Any:
        if not isinstance(argument, Given):
            return argument.value if isinstance(argument, Constant) else MISSING
        if parameter is not None and parameter.kind == "dtype":
            name = self.context.source.hub_name("dtypes", self.context.path(argument.node) or "")
            return literal(argument.node) if name is None else name
        return literal(argument.node)


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
