"""Module classes: bases, constructor, forward method and mode flag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.lattice import UNKNOWN, Instance, Reference
from ..rewriter.read import Refusal
from ..rewriter.rule import Rule
from .definition_nodes import is_module_class_node
from .rngs import add_rngs_parameter
from .rngs_takers import WITHOUT_CONSTRUCTOR, class_takes_rngs

_MODE = "deterministic"


@dataclass(frozen=True)
class ModuleClass:
    """A class of modules. `direct`: its module base is the framework's own base class, without a constructor to run."""

    node: cst.ClassDef
    direct: bool


@dataclass(frozen=True)
class ModuleMethod:
    """A method of a module class. kind: `constructor` or `forward`."""

    node: cst.FunctionDef
    kind: str


@dataclass(frozen=True)
class TrainingFlag:
    """A read of a module's mode, `self.training`; `negated` when the source asks for the opposite."""

    module: cst.BaseExpression
    negated: bool


@dataclass(frozen=True)
class ForwardCall:
    """A call of a module's forward method by name; `module` is the object, `super()` included."""

    module: cst.BaseExpression


def _method_owner(context: FileContext) -> cst.ClassDef | None:
    """The class whose body directly holds the function being rewritten."""
    owner = context.stack[-3] if len(context.stack) > 2 else None
    return owner if isinstance(owner, cst.ClassDef) else None


def read_class(node: cst.ClassDef, context: FileContext) -> ModuleClass | None:
    """A class with torch.nn.Module, a layer or another module class among its bases."""
    if not is_module_class_node(context, node):
        return None
    return ModuleClass(node, _is_direct(node, context))


def _is_direct(node: cst.ClassDef, context: FileContext) -> bool:
    """Whether the constructor that a class inherits is the one of the source framework's plain module class."""
    inference = context.inference
    for base in node.bases:
        expression = base.value.value if isinstance(base.value, cst.Subscript) else base.value
        path = context.path(expression) or ""
        if path in inference.framework.plain_module_bases:
            return True
        own = inference.class_definition(path) is not None and not inference.is_module_class(path)
        if path not in WITHOUT_CONSTRUCTOR and not (own and inference.method(path, "__init__") is None):
            return False
    return False


def write_class(construct: ModuleClass, node: cst.ClassDef, context: FileContext) -> Any:
    """The class with its constructor completed once its methods have said what they need."""
    if any(keyword.keyword is not None for keyword in node.keywords):
        return Refusal("a metaclass on a module class has no counterpart in Flax NNX; remove it", node)
    updated = context.rewrite_children(node)
    context.converted(node.name, op="module_class", rule="module_class")
    _review_own_resets(node, context)
    prelude: list[cst.BaseStatement] = []
    if node in context.state.get("reads_mode", set()):
        prelude += context.statements(f"self.{_MODE} = False")
    if node in context.state.get("keeps_rngs", set()):
        prelude += context.statements("self.rngs = rngs")
    has_constructor = any(
        isinstance(statement, cst.FunctionDef) and statement.name.value == "__init__"
        for statement in updated.body.body
    )
    if not isinstance(updated.body, cst.IndentedBlock):
        updated = _with_block(updated)
    if has_constructor:
        return _with_prelude(updated, prelude) if prelude else updated
    if construct.direct:
        return _add_constructor(context, updated, "def __init__(self, *, rngs: flax.nnx.Rngs):\n    pass\n", prelude)
    if prelude:
        inherited = _takes_rngs_from_base(context, node)
        passed = "rngs=rngs, " if inherited else ""
        text = f"def __init__(self, *args, rngs: flax.nnx.Rngs, **kwargs):\n    super().__init__(*args, {passed}**kwargs)\n"
        return _add_constructor(context, updated, text, prelude)
    return updated


def _review_own_resets(node: cst.ClassDef, context: FileContext) -> None:
    """A layer's class that says how its weights are drawn: the source's layers ask it as they are made."""
    definition = context.scope.definitions.get(node.name.value)
    if definition is None or definition.node is not node:
        return
    plain = (*context.inference.framework.plain_module_bases, *WITHOUT_CONSTRUCTOR)
    layers = [path for path in context.inference.ancestors(definition.path) if context.source.owns(path)]
    for statement in node.body.body:
        own = isinstance(statement, cst.FunctionDef) and statement.name.value == "reset_parameters"
        if own and layers and layers[0] not in plain:
            reason = f"{layers[0]} calls reset_parameters() as it is made, what it became does not; call it in __init__"
            context.review(statement, reason, rule="module_class")


def _takes_rngs_from_base(context: FileContext, node: cst.ClassDef) -> bool:
    paths = [context.path(base.value) for base in node.bases]
    return any(path is not None and class_takes_rngs(context.inference, path) for path in paths)


def _with_block(node: cst.ClassDef) -> cst.ClassDef:
    """`class A(nn.Module): pass` with a block that statements can be added to."""
    assert isinstance(node.body, cst.SimpleStatementSuite)
    small = [part for part in node.body.body if not isinstance(part, cst.Pass)]
    lines = [cst.SimpleStatementLine(small)] if small else []
    return node.with_changes(body=cst.IndentedBlock(lines))


def _with_prelude(node: cst.ClassDef, prelude: list[cst.BaseStatement]) -> cst.ClassDef:
    """Put statements at the start of the constructor, behind its docstring."""
    body = []
    for statement in node.body.body:
        if isinstance(statement, cst.FunctionDef) and statement.name.value == "__init__":
            first = [*statement.params.posonly_params, *statement.params.params][:1]
            own = first[0].name.value if first else "self"
            lines = prelude if own == "self" else [line.visit(_Rename("self", own)) for line in prelude]
            inner = list(statement.body.body)
            if isinstance(statement.body, cst.SimpleStatementSuite):
                inner = [cst.SimpleStatementLine([small]) for small in inner]  # type: ignore[list-item]
            at = 1 if inner and _is_docstring(inner[0]) else 0
            at += 1 if len(inner) > at and _calls_constructor(inner[at]) else 0
            rest = [line for line in inner[at:] if not _is_pass(line)]
            statement = statement.with_changes(body=_block(statement, [*inner[:at], *lines, *rest]))
        body.append(statement)
    return node.with_changes(body=node.body.with_changes(body=body))


def _block(function: cst.FunctionDef, body: list[Any]) -> cst.IndentedBlock:
    if isinstance(function.body, cst.IndentedBlock):
        return function.body.with_changes(body=body)
    return cst.IndentedBlock(body)


class _Rename(cst.CSTTransformer):
    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self.old, self.new = old, new

    def leave_Name(self, original: cst.Name, updated: cst.Name) -> cst.Name:
        return updated.with_changes(value=self.new) if updated.value == self.old else updated


def _is_docstring(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or not statement.body:
        return False
    first = statement.body[0]
    return isinstance(first, cst.Expr) and isinstance(first.value, (cst.SimpleString, cst.ConcatenatedString))


def _calls_constructor(statement: cst.CSTNode) -> bool:
    """Whether a statement is a call of a base class's constructor."""
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
        return False
    call = statement.body[0].value
    return isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.func.attr.value == "__init__"


def _is_pass(statement: cst.CSTNode) -> bool:
    return (
        isinstance(statement, cst.SimpleStatementLine)
        and len(statement.body) == 1
        and isinstance(statement.body[0], cst.Pass)
        and not statement.leading_lines
        and statement.trailing_whitespace.comment is None
    )


def _add_constructor(
    context: FileContext, node: cst.ClassDef, text: str, prelude: list[cst.BaseStatement]
) -> cst.ClassDef:
    """Insert a constructor before the first method."""
    (function,) = context.statements(text)
    assert isinstance(function, cst.FunctionDef)
    inner = [line for line in function.body.body if not (prelude and _is_pass(line))]
    function = function.with_changes(body=function.body.with_changes(body=[*prelude, *inner]))
    body = [statement for statement in node.body.body if not _is_pass(statement)]
    at = next((i for i, statement in enumerate(body) if isinstance(statement, cst.FunctionDef)), len(body))
    blank = cst.EmptyLine(indent=False)
    if at > 0:
        function = function.with_changes(leading_lines=[blank])
    if at < len(body):
        lines = list(body[at].leading_lines)  # type: ignore[union-attr]
        if not lines or lines[0].comment is not None:
            body[at] = body[at].with_changes(leading_lines=[blank, *lines])
    body.insert(at, function)
    return node.with_changes(body=node.body.with_changes(body=body))


def read_method(node: cst.FunctionDef, context: FileContext) -> ModuleMethod | Refusal | None:
    """`__init__` and `forward` of a module class."""
    owner = _method_owner(context)
    if owner is None or not is_module_class_node(context, owner):
        return None
    name = node.name.value
    if name == "__init__":
        return ModuleMethod(node, "constructor")
    if name in context.inference.framework.forward_methods:
        if name != "__call__" and any(
            isinstance(s, cst.FunctionDef) and s.name.value == "__call__" for s in owner.body.body
        ):
            return Refusal("the class defines both forward and __call__; keep one of them", node)
        return ModuleMethod(node, "forward")
    if name == "__new__":
        return Refusal("__new__ decides which object a module class makes; write a function that chooses and calls it", node)
    return None


def write_method(construct: ModuleMethod, node: cst.FunctionDef, context: FileContext) -> cst.FunctionDef:
    """A constructor with `rngs`, or `__call__`."""
    function = context.rewrite_children(node)
    context.converted(node.name, op=construct.kind, rule="module_class")
    if construct.kind == "forward":
        return function.with_changes(name=cst.Name("__call__"))
    return add_rngs_parameter(context, function)


def read_flag(node: cst.CSTNode, context: FileContext) -> TrainingFlag | Refusal | None:
    """`self.training` and `not self.training`."""
    negated = isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not)
    attribute = node.expression if negated else node  # type: ignore[attr-defined]
    if not isinstance(attribute, cst.Attribute) or attribute.attr.value != "training":
        return None
    owner = context.type_of(attribute.value)
    if not isinstance(owner, Instance) or not context.inference.is_module(owner):
        return None
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign)):
        return Refusal("setting .training directly; call train() or eval()", attribute)
    return TrainingFlag(attribute.value, negated)


def write_flag(construct: TrainingFlag, node: cst.BaseExpression, context: FileContext) -> cst.BaseExpression:
    """`not self.deterministic`, the flag that nnx's own `train()` and `eval()` set."""
    owner = context.enclosing(cst.ClassDef)
    if not _is_own(construct.module, owner, context):
        return _mode_of_other(construct, node, context)
    context.state.setdefault("reads_mode", set()).add(owner)
    context.converted(node, op="training_mode", rule="module_class")
    flag = cst.Attribute(context.rewrite(construct.module), cst.Name(_MODE))
    if construct.negated:
        return flag.with_changes(lpar=node.lpar, rpar=node.rpar)
    parent = context.stack[-2] if len(context.stack) > 1 else None
    opposite = cst.UnaryOperation(cst.Not(), flag)
    is_argument = isinstance(parent, cst.Call) and parent.func is not node
    if is_argument or isinstance(
        parent, (cst.Arg, cst.If, cst.Assign, cst.Return, cst.BooleanOperation, cst.IfExp, cst.While)
    ):
        return opposite.with_changes(lpar=node.lpar, rpar=node.rpar)
    return opposite.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _is_own(module: cst.BaseExpression, owner: cst.ClassDef | None, context: FileContext) -> bool:
    """Whether a module is the object itself whose class is being rewritten."""
    value = context.type_of(module)
    return (
        owner is not None and isinstance(module, cst.Name) and isinstance(value, Instance)
        and value.path.rpartition(".")[2] == owner.name.value and is_module_class_node(context, owner)
    )  # fmt: skip


def _mode_of_other(construct: TrainingFlag, node: cst.BaseExpression, context: FileContext) -> cst.BaseExpression:
    """`is_training(model)`: not every module keeps its mode, so a helper looks at its parts too."""
    parent = context.stack[-2] if len(context.stack) > 1 else None
    if isinstance(parent, cst.Assign):  # kept for a later train(mode)
        context.converted(node, op="training_mode", rule="module_class")
    else:
        reason = "a module without dropout or batch normalisation keeps no mode and is taken to be training"
        context.review(node, reason, op="training_mode", rule="module_class")
    template = "not helpers.is_training({module})" if construct.negated else "helpers.is_training({module})"
    return context.expression(template, module=context.rewrite(construct.module))  # type: ignore[no-any-return]


def read_forward_call(node: cst.Call, context: FileContext) -> ForwardCall | None:
    """`self.forward(x)`, `model.forward(x)`, `super().forward(x)` and `Base.forward(self, x)`."""
    function = node.func
    if (
        not isinstance(function, cst.Attribute)
        or function.attr.value not in context.inference.framework.forward_methods
    ):
        return None
    owner = context.type_of(function.value)
    if isinstance(owner, Instance) and context.inference.is_module(owner):
        return ForwardCall(function.value)
    if isinstance(owner, Reference) and context.inference.is_module_class(owner.path):
        return ForwardCall(function.value)
    if owner == UNKNOWN and not is_super(function.value) and not others_forward(context):
        return ForwardCall(function.value)
    if is_super(function.value):
        enclosing = context.enclosing(cst.ClassDef)
        if enclosing is not None and is_module_class_node(context, enclosing):
            return ForwardCall(function.value)
    return None


def others_forward(context: FileContext) -> bool:
    """Whether the repository has a class that is no module but whose objects have a forward method."""
    known = context.inference.__dict__.get("_others_forward")
    if known is None:
        names = context.inference.framework.forward_methods
        known = context.inference.__dict__["_others_forward"] = any(
            isinstance(definition.node, cst.ClassDef)
            and not context.inference.is_module_class(definition.path)
            and any(_is_method(statement, names) for statement in definition.node.body.body)
            for scope in context.inference.repository.scopes.values()
            for definition in scope.definitions.values()
        )
    return bool(known)


def _is_method(statement: cst.CSTNode, names: tuple[str, ...]) -> bool:
    """Whether a statement defines a method of one of these names; a static one is an autograd function's."""
    return (
        isinstance(statement, cst.FunctionDef)
        and statement.name.value in names
        and not any(getattr(one.decorator, "value", "") == "staticmethod" for one in statement.decorators)
    )


def is_super(node: cst.BaseExpression) -> bool:
    """`super()` or `super(Class, self)`."""
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "super"


def write_forward_call(construct: ForwardCall, node: cst.Call, context: FileContext) -> cst.Call:
    """A plain call of the module; through `super()` or a class its `__call__`."""
    arguments = [context.rewrite(argument) for argument in node.args]
    module = context.rewrite(construct.module)
    context.converted(node, op="forward_call", rule="module_class")
    by_name = is_super(construct.module) or isinstance(context.type_of(construct.module), Reference)
    function = cst.Attribute(module, cst.Name("__call__")) if by_name else module
    return node.with_changes(func=function, args=arguments)


RULES = (
    Rule(
        "module_class",
        (cst.ClassDef,),
        dict.fromkeys(("torch", "tensorflow"), read_class),
        {"jax": write_class},
        order=40,
    ),
    Rule(
        "module_method",
        (cst.FunctionDef,),
        dict.fromkeys(("torch", "tensorflow"), read_method),
        {"jax": write_method},
        order=40,
    ),
    Rule(
        "training_flag",
        (cst.Attribute, cst.UnaryOperation),
        dict.fromkeys(("torch", "tensorflow"), read_flag),
        {"jax": write_flag},
        order=40,
    ),
    Rule(
        "forward_call",
        (cst.Call,),
        dict.fromkeys(("torch", "tensorflow"), read_forward_call),
        {"jax": write_forward_call},
        order=40,
    ),
)
