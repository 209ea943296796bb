"""The device of an array: in JAX a question to the backend, since traced arrays have none, and mostly not needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Array, Device
from ..rewriter.nodes import children, walk
from ..rewriter.read import literal
from ..rewriter.rule import Rule

_DEVICE = "jax.devices()[0]"
_QUESTION = "helpers.device_of({value})"
#: Names of device types: torch's -> the target's backends.
_BACKENDS = {"cuda": "gpu", "cpu": "cpu", "mps": "METAL", "xpu": "xpu", "xla": "tpu"}
_STATE = "device_reads"
_OF_ARRAYS = frozenset(("device", "dtype", "shape", "to"))


@dataclass(frozen=True)
class DeviceRead:
    """`x.device`, `x.device.type` or `x.is_cuda`, or a comparison of a device's type: the answer in the target."""

    answer: str
    api: str
    differs: str = ""


def read_attribute(node: cst.Attribute, context: FileContext) -> DeviceRead | None:
    """An array's device, its type and whether it is on a GPU."""
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, cst.AssignTarget):
        return None
    value, name = context.type_of(node.value), node.attr.value
    if name == "device" and isinstance(value, Array):
        return DeviceRead(_DEVICE, "Tensor.device")
    if name == "device" and _like_array(node.value, context):
        return DeviceRead(_QUESTION, "Tensor.device")
    if isinstance(value, Array) and name == "is_cuda":
        return DeviceRead('jax.default_backend() == "gpu"', "Tensor.is_cuda")
    if isinstance(value, Device) and name == "type":
        return DeviceRead("jax.default_backend()", "torch.device.type", 'JAX says "gpu" where torch says "cuda"')
    return None


def _like_array(node: cst.BaseExpression, context: FileContext) -> bool:
    """Whether nothing is asked of a name of unknown type that an array does not have.

    The options of a command line, say, have other attributes than a device too.
    """
    function = context.enclosing(cst.FunctionDef)
    if not isinstance(node, cst.Name) or function is None or context.type_of(node) != UNKNOWN:
        return False
    if context.path(node) is not None:
        return False  # an annotation or a value at the top of a file: the framework itself, or another module
    known = context.inference.framework.array_attributes | _OF_ARRAYS
    return all(
        attribute.attr.value in known or f"{context.source.array_class}.{attribute.attr.value}" in context.source.by_path
        for attribute in walk(function)
        if isinstance(attribute, cst.Attribute)
        and isinstance(attribute.value, cst.Name)
        and attribute.value.value == node.value
    )


def read_comparison(node: cst.Comparison, context: FileContext) -> DeviceRead | None:
    """`x.device.type == "cuda"`."""
    if len(node.comparisons) != 1 or not isinstance(node.left, cst.Attribute) or node.left.attr.value != "type":
        return None
    part = node.comparisons[0]
    operator = (
        "==" if isinstance(part.operator, cst.Equal) else "!=" if isinstance(part.operator, cst.NotEqual) else ""
    )
    backend = _BACKENDS.get(value) if isinstance(value := literal(part.comparator), str) else None
    if not operator or backend is None or not isinstance(context.type_of(node.left.value), Device):
        return None
    return DeviceRead(f'jax.default_backend() {operator} "{backend}"', "torch.device.type")


def write_read(construct: DeviceRead, node: cst.BaseExpression, context: FileContext) -> cst.BaseExpression:
    """The question to the backend."""
    context.state[_STATE] = True
    if construct.differs:
        context.review(node, construct.differs, op="device", api=construct.api, rule="device_reads")
    else:
        context.converted(node, op="device", api=construct.api, rule="device_reads")
    parts = {"value": context.rewrite(node.value)} if isinstance(node, cst.Attribute) else {}
    result: cst.BaseExpression = context.expression(construct.answer, **parts)
    if isinstance(result, cst.Comparison):
        parent = context.stack[-2] if len(context.stack) > 1 else None
        alone = isinstance(parent, (cst.Arg, cst.If, cst.Assign, cst.IfExp, cst.Return, cst.BooleanOperation))
        parentheses = ([], []) if alone else ([cst.LeftParen()], [cst.RightParen()])
        return result.with_changes(lpar=node.lpar or parentheses[0], rpar=node.rpar or parentheses[1])
    return result


def drop_unused(context: FileContext, module: cst.Module) -> cst.Module:
    """Without the local names that were only there to say where arrays should be made."""
    if not context.state.get(_STATE):
        return module
    around: set[cst.CSTNode] = set()
    return module.visit(_Unused(around)) if _holds_device_names(module, around) else module


def _holds_device_names(node: cst.CSTNode, around: set[cst.CSTNode]) -> bool:
    """Whether a device is bound to a name below a statement; notes all statements and blocks around such places."""
    if type(node) is cst.SimpleStatementLine:
        found = any(type(small) is cst.Assign and _device_names(small) for small in node.body)
    else:
        found = max([_holds_device_names(child, around) for child in children(node)], default=False)
    if found:
        around.add(node)
    return found


class _Unused(cst.CSTTransformer):
    """Removes `device = jax.devices()[0]`, alone or as part of a tuple, where the function never reads the name.

    around: the nodes to be gone through; the others are left as they are, without a visit that would rebuild them.
    """

    def __init__(self, around: set[cst.CSTNode]) -> None:
        self.around = around

    def on_visit(self, node: cst.CSTNode) -> bool:
        return node in self.around and type(node) is not cst.SimpleStatementLine

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        if original_node not in self.around:
            return updated_node
        read = _counts(updated_node.body)
        written = [
            name for node in walk(updated_node.body) if type(node) is cst.Assign for name in _device_names(node)
        ]
        dead = {name for name in written if read.get(name, 0) == written.count(name) and "locals" not in read}
        return updated_node.with_changes(body=updated_node.body.visit(_Removal(dead))) if dead else updated_node


class _Removal(cst.CSTTransformer):
    """Removes the device part of assignments to these names."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        return False

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> Any:
        if len(updated_node.body) != 1 or not isinstance(updated_node.body[0], cst.Assign):
            return updated_node
        assign = updated_node.body[0]
        if not self.names.intersection(_device_names(assign)):
            return updated_node
        left = _without(assign, self.names)
        return cst.RemoveFromParent() if left is None else updated_node.with_changes(body=[left])

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        body = list(updated_node.body)
        if not body:
            return updated_node.with_changes(body=[cst.SimpleStatementLine([cst.Pass()])])
        first = body[0]
        above = original_node.body[0].leading_lines  # type: ignore[attr-defined]
        if len(body) < len(original_node.body) and not (above and above[0].comment is None):
            lines = list(first.leading_lines)  # type: ignore[attr-defined]
            while lines and lines[0].comment is None:
                lines.pop(0)
            body[0] = first.with_changes(leading_lines=lines)
        return updated_node.with_changes(body=body)


def _pairs(node: cst.Assign) -> list[tuple[int, int]]:
    """Positions of targets and of the devices that they are given, in `a, device = x, jax.devices()[0]`."""
    target, value = node.targets[0].target, node.value
    if len(node.targets) != 1 or not isinstance(target, cst.Tuple) or not isinstance(value, cst.Tuple):
        return []
    found = []
    for index, element in enumerate(value.elements):
        from_end = len(value.elements) - index
        if not _is_device(element.value) or isinstance(element, cst.StarredElement):
            continue
        if not any(
            isinstance(e, cst.StarredElement) for e in (*value.elements[:index], *target.elements[: index + 1])
        ):
            found.append((index, index))
        elif from_end <= len(target.elements) and not any(
            isinstance(e, cst.StarredElement) for e in (*value.elements[index:], *target.elements[-from_end:])
        ):
            found.append((len(target.elements) - from_end, index))
    return [
        (at, index)
        for at, index in found
        if at < len(target.elements) and isinstance(target.elements[at].value, cst.Name)
    ]


def _device_names(node: cst.Assign) -> list[str]:
    target = node.targets[0].target
    if len(node.targets) == 1 and isinstance(target, cst.Name) and _is_device(node.value):
        return [target.value]
    return [target.elements[at].value.value for at, _ in _pairs(node)]  # type: ignore[union-attr,attr-defined]


def _is_device(node: cst.CSTNode) -> bool:
    if not (isinstance(node, cst.Subscript) and isinstance(node.value, cst.Call) and not node.value.args):
        return False
    return cst.Module([]).code_for_node(node.with_changes(lpar=[], rpar=[])) == _DEVICE


def _without(node: cst.Assign, names: set[str]) -> cst.Assign | None:
    """The assignment without its devices; None when nothing is left."""
    target, value = node.targets[0].target, node.value
    if isinstance(target, cst.Name):
        return None
    assert isinstance(target, cst.Tuple) and isinstance(value, cst.Tuple)
    gone = [(at, index) for at, index in _pairs(node) if target.elements[at].value.value in names]  # type: ignore[attr-defined]
    targets = [element for at, element in enumerate(target.elements) if at not in {pair[0] for pair in gone}]
    values = [element for at, element in enumerate(value.elements) if at not in {pair[1] for pair in gone}]
    if not targets or not values:
        return None
    left = node.targets[0].with_changes(target=_row(target, targets, values, values=False))
    return node.with_changes(targets=[left], value=_row(value, values, targets, values=True))


def _row(node: cst.Tuple, elements: list[cst.BaseElement], others: list[cst.BaseElement], *, values: bool) -> Any:
    """The tuple of the elements left; a lone one without tuple where the other side allows it."""
    lone = len(elements) == 1
    if lone and values and isinstance(elements[0], cst.StarredElement):
        return elements[0].value
    if lone and len(others) == 1 and not any(isinstance(e, cst.StarredElement) for e in (*elements, *others)):
        return elements[0].value
    last = cst.Comma() if lone else cst.MaybeSentinel.DEFAULT
    return node.with_changes(elements=[*elements[:-1], elements[-1].with_changes(comma=last)])


def _counts(node: cst.CSTNode) -> dict[str, int]:
    """How often each name stands below a node, as a name and not as an attribute, keyword or parameter."""
    counts: dict[str, int] = {}
    stack = [node]
    while stack:
        current = stack.pop()
        if type(current) is cst.Name:
            counts[current.value] = counts.get(current.value, 0) + 1
        elif isinstance(current, (cst.Attribute, cst.Arg)):
            stack.append(current.value)
        elif isinstance(current, (cst.Global, cst.Nonlocal)):
            counts.update({item.name.value: 1 << 20 for item in current.names})
        else:
            stack.extend(children(current))
    return counts


RULES = (
    Rule("device_attribute", (cst.Attribute,), {"torch": read_attribute}, {"jax": write_read}, order=30,
         finish={"jax": drop_unused}),
    Rule("device_comparison", (cst.Comparison,), {"torch": read_comparison}, {"jax": write_read}, order=30),
)  # fmt: skip
