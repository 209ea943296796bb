"""In-place methods and functions: `x.add_(y)`, `x.zero_()`, `x.copy_(y)`, `x.uniform_(a, b)`, `torch.relu_(x)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import parenthesized
from ..rewriter.lattice import Array
from ..rewriter.read import Argument, BoundOp, Constant, Given, Refusal, literal, read_call
from ..rewriter.references import unknown
from ..rewriter.signature import MISSING
from .places import Place, without_wrappers

Node = cst.BaseExpression
Value = Callable[[FileContext], "Node | Refusal"]


@dataclass(frozen=True)
class MutatingCall:
    """A call that leaves a new value in `array`.

    value: that value, as the target computes it from the array's old one. stored: what to store into a place instead,
    where storing itself does the rest: `self.w[...] = source` for a copy.
    """

    node: cst.Call
    array: Node
    api: str
    rule: str
    value: Value
    stored: Value | None = None

    def direct(self, place: Place) -> bool:
        """Whether storing into the place does what the call does."""
        return self.stored is not None and (bool(place.indices) or place.kind == "variable")

    def written(self, context: FileContext) -> Node | None:
        """What to store."""
        value = self.stored(context) if self.stored is not None else None
        return None if isinstance(value, Refusal) else value


def recognize(node: cst.Call, context: FileContext) -> MutatingCall | None:
    """An array method whose name ends in one underscore, or a function of such a name."""
    function = node.func
    if not isinstance(function, (cst.Attribute, cst.Name)):
        return None
    name = function.attr.value if isinstance(function, cst.Attribute) else function.value
    if not name.endswith("_") or name.endswith("__") or name in context.source.fact("not_in_place", default=()):
        return None
    if isinstance(function, cst.Attribute) and isinstance(context.type_of(function.value), Array):
        api = f"{context.source.array_class}.{name}"
        return _method(node, name[:-1], without_wrappers(function.value, context), api, context)
    path = context.path(function)
    if path is None or not context.source.owns(path) or not node.args:
        return None
    if path == f"{context.source.fact('array_module')}.{name}" and name[:-1] in _SPECIAL:
        return _special_function(node, name[:-1], path, context)
    if path[:-1] not in context.source.by_path:
        return None
    array = without_wrappers(node.args[0].value, context)
    return MutatingCall(node, array, path, "in_place_function", lambda c: _rebound(node, path[:-1], array, path, c))


def _special_function(node: cst.Call, name: str, api: str, context: FileContext) -> MutatingCall | None:
    """`torch.zero_(x)` is `x.zero_()`."""
    first, *others = node.args
    if first.star or (first.keyword is not None and first.keyword.value != "input"):
        return None
    array = without_wrappers(first.value, context)
    special, arguments = _SPECIAL[name], _bind(node.with_changes(args=others), _SPECIAL[name].parameters)
    return MutatingCall(
        node, array, api, "in_place_function", lambda c: special.value(node, array, arguments, c)
    )


def on_array(call: MutatingCall, array: Node, context: FileContext) -> MutatingCall | None:
    """The same method called on another array; None for calls that are no methods."""
    if call.rule != "in_place_method" or not isinstance(call.node.func, cst.Attribute):
        return None
    return _method(call.node, call.node.func.attr.value[:-1], array, call.api, context)


def _method(node: cst.Call, name: str, array: Node, api: str, context: FileContext) -> MutatingCall:
    special = _SPECIAL.get(name)
    if special is not None:
        arguments = _bind(node, special.parameters)
        stored: Value | None = None
        if arguments is not None and special.stored:
            stored = lambda c: _filled(special.stored, array, arguments, c)  # noqa: E731
        return MutatingCall(
            node, array, api, "in_place_method", lambda c: special.value(node, array, arguments, c), stored
        )
    path = api[:-1]
    return MutatingCall(node, array, api, "in_place_method", lambda c: _rebound(node, path, array, api, c))


def _rebound(node: cst.Call, path: str, array: Node, api: str, context: FileContext) -> Node | Refusal:
    """The value of the same operation that makes a new array."""
    bound = read_call(context.tables, context.source.name, path, node, context.type_of)
    if bound is None:  # There may be a row for the name with its underscore.
        bound = read_call(context.tables, context.source.name, api, node, context.type_of)
    if bound is None:
        return unknown(context, node, api)
    if isinstance(bound, Refusal):
        return replace(bound, api=api)
    first = bound.op.parameters[0].name
    given = bound.arguments.get(first)
    if isinstance(given, Given) and array is not given.node:
        bound = replace(bound, arguments={**bound.arguments, first: Given(array, given.argument)})
    written = context.write(replace(bound, api=api))
    found = context.type_of(array)
    if isinstance(written, Refusal) or bound.op.result != "array[bool]" or _has_dtype(found, "bool"):
        return written
    # The array keeps its element type, whatever the operation would give.
    kept = context.rewrite(array)
    cast: Node = context.expression("{value}.astype({array}.dtype)", value=parenthesized(written), array=kept)
    return cast


def _has_dtype(found: object, dtype: str) -> bool:
    return isinstance(found, Array) and found.dtype == dtype


# Methods whose new value does not come from the method without the underscore.


@dataclass(frozen=True)
class _Special:
    """parameters: names and default texts. template: the value over `x`, the parameters and, where `random` names an op
    that draws numbers of the array's shape, the draw `u`. bounds: what that op takes besides the array, by parameter.
    stored: what storing into a place needs."""

    parameters: tuple[tuple[str, str | None], ...]
    template: str
    stored: str = ""
    random: str = ""
    bounds: Mapping[str, str] = field(default_factory=dict)
    needs_at: str = ""

    def value(
        self, node: cst.Call, array: Node, arguments: dict[str, Node] | None, context: FileContext
    ) -> Node | Refusal:
        name = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        api = f"{context.source.array_class}.{name}"
        if arguments is None:
            return Refusal(f"the arguments of {api} cannot be read; write them out", node, api)
        if self.needs_at and not context.target.fact("immutable_arrays", default=False):
            return Refusal(f"{api} has no counterpart that makes a new array; write {self.needs_at}", node, api)
        if not self.random:
            return _filled(self.template, array, arguments, context)
        bounds = {name: arguments[own] for name, own in self.bounds.items()}
        drawn = _draw(self.random, node, array, api, context, bounds)
        if isinstance(drawn, Refusal):
            return drawn
        return _filled(_simplified(self.template, arguments), array, arguments, context, u=drawn)


def _simplified(template: str, arguments: dict[str, Node]) -> str:
    """A template without steps that known arguments make idle."""
    if template != _SHIFTED:
        return template
    scaled = "{u}" if literal(arguments["std"]) == 1 else "{std} * {u}"
    return scaled if literal(arguments["mean"]) == 0 else "{mean} + " + scaled


def _filled(template: str, array: Node, arguments: dict[str, Node], context: FileContext, **more: Node) -> Node:
    template = template.replace("ARRAYS.", f"{context.target.fact('array_module')}.")
    nodes: dict[str, Node] = {"x": context.rewrite(array), **more}
    for name, value in arguments.items():
        nodes[name] = context.rewrite(value)
    used = {name: value for name, value in nodes.items() if "{" + name + "}" in template}
    result: Node = context.expression(template, **used)
    return result


def _draw(
    op: str, node: cst.Call, array: Node, api: str, context: FileContext, bounds: dict[str, Node]
) -> Node | Refusal:
    """Numbers of the array's shape and type from the target's random stream."""
    hub = context.tables.hub[op]
    spelling = next(row for rows in context.source.by_path.values() for row in rows if row.op == op)
    arguments: dict[str, Argument] = {p.name: Constant(p.default) for p in hub.parameters if p.default is not MISSING}
    for name, bound in bounds.items():
        value = literal(bound)
        arguments[name] = Given(bound) if value is MISSING else Constant(value)
    return context.write(BoundOp(hub, spelling, {**arguments, hub.parameters[0].name: Given(array)}, node, api))


def _bind(node: cst.Call, parameters: tuple[tuple[str, str | None], ...]) -> dict[str, Node] | None:
    """The arguments by name, defaults as text; None if they do not fit. A generator or `non_blocking` is no matter."""
    names = [name for name, _ in parameters]
    found: dict[str, Node] = {
        name: cst.parse_expression(default) for name, default in parameters if default is not None
    }
    position = 0
    for argument in node.args:
        if argument.star:
            return None
        if argument.keyword is None:
            if position >= len(names):
                return found if position == len(names) and literal(argument.value) in (True, False) else None
            found[names[position]] = argument.value
            position += 1
        elif argument.keyword.value in names:
            found[argument.keyword.value] = argument.value
        elif argument.keyword.value not in ("non_blocking",):
            return None
    return found if all(name in found for name in names) else None


_SHIFTED = "{mean} + {std} * {u}"
_SPECIAL = {
    "zero": _Special((), "ARRAYS.zeros_like({x})", "0"),
    "fill": _Special((("value", None),), "ARRAYS.full_like({x}, {value})", "{value}"),
    "copy": _Special((("src", None),), "{x}.at[...].set({src})", "{src}", needs_at="x[...] = source"),
    "fill_diagonal": _Special(
        (("value", None),), "ARRAYS.fill_diagonal({x}, {value}, inplace=False)",
        needs_at="np.fill_diagonal(x, value)",
    ),
    "uniform": _Special(
        (("a", "0"), ("b", "1")), "{u}", random="random_uniform_like", bounds={"low": "a", "high": "b"}
    ),
    "normal": _Special((("mean", "0"), ("std", "1")), _SHIFTED, random="random_normal_like"),
    "log_normal": _Special(
        (("mean", "1"), ("std", "2")), "ARRAYS.exp({mean} + {std} * {u})", random="random_normal_like"
    ),
    "exponential": _Special((("lambd", "1"),), "-ARRAYS.log1p(-{u}) / {lambd}", random="random_uniform_like"),
    "cauchy": _Special(
        (("median", "0"), ("sigma", "1")),
        "{median} + {sigma} * ARRAYS.tan(ARRAYS.pi * ({u} - 0.5))",
        random="random_uniform_like",
    ),
    "geometric": _Special(
        (("p", None),),
        "(ARRAYS.floor(ARRAYS.log1p(-{u}) / ARRAYS.log1p(-{p})) + 1).astype({x}.dtype)",
        random="random_uniform_like",
    ),
    "bernoulli": _Special((("p", "0.5"),), "({u} < {p}).astype({x}.dtype)", random="random_uniform_like"),
}
