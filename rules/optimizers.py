"""Optimizers: `torch.optim` to Optax inside an `nnx.Optimizer`, or inside parameter groups over Variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import as_tuple, keyword_argument, literal_node
from ..rewriter.infer import Inference
from ..rewriter.lattice import UNKNOWN, Type
from ..rewriter.names import dotted
from ..rewriter.nodes import walk
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from .optimizer_models import OPTIMIZERS, SCHEDULERS, SEVERAL_EVALUATIONS, OptimizerModels, Scope, is_optimizer
from .thawed_parameters import thaws_parameters

#: The arguments of each optimizer behind the parameters, in order, with torch's defaults where these are written out.
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "SGD": {"lr": 1e-3, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False},
    "Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False},
    "AdamW": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2, "amsgrad": False},
    "RMSprop": {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0, "centered": False},
    "Adagrad": {"lr": 1e-2, "lr_decay": 0, "weight_decay": 0, "initial_accumulator_value": 0, "eps": 1e-10},
    "Adadelta": {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0},
    "Adamax": {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0},
    "NAdam": {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "momentum_decay": 4e-3,
              "decoupled_weight_decay": False},
    "RAdam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "decoupled_weight_decay": False},
    "Rprop": {"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50)},
    "ASGD": {"lr": 1e-2, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0},
    "Adafactor": {"lr": 1e-2, "beta2_decay": -0.8, "eps": (None, 1e-3), "d": 1.0, "weight_decay": 0.0},
    "Muon": {"lr": 1e-3, "weight_decay": 0.1, "momentum": 0.95, "nesterov": True,
             "ns_coefficients": (3.4445, -4.775, 2.0315), "eps": 1e-7, "ns_steps": 5, "adjust_lr_fn": None},
    "LBFGS": {"lr": 1, "max_iter": 20, "max_eval": None, "tolerance_grad": 1e-7, "tolerance_change": 1e-9,
              "history_size": 100, "line_search_fn": None},
}  # fmt: skip
_IMPLEMENTATION = frozenset("foreach fused capturable differentiable".split())
_REASONS = {
    "SparseAdam": "JAX has no sparse gradients; use Adam",
}


@dataclass(frozen=True)
class Optimizer:
    """An optimizer under construction.

    kind: the source's class name; modules: the modules whose parameters it takes, or None where `parameters` is some
    other collection; given: hyperparameters that were written, by torch's names.
    """

    kind: str
    parameters: cst.BaseExpression
    modules: tuple[cst.BaseExpression, ...] | None
    given: Mapping[str, cst.BaseExpression]


def read_optimizer(node: cst.Call, context: FileContext) -> Optimizer | Refusal | None:
    """`torch.optim.AdamW(model.parameters(), lr=...)`."""
    path = context.direct_path(node.func) or ""
    kind = path.rpartition(".")[2]
    if not path.startswith(OPTIMIZERS) or path.startswith(SCHEDULERS) or not kind[:1].isupper():
        return None
    if kind not in ARGUMENTS:
        return Refusal(_REASONS.get(kind, f"{kind} has no counterpart with the same steps in Optax"), node, path)
    names = ["params", *ARGUMENTS[kind]]
    given: dict[str, cst.BaseExpression] = {}
    for index, argument in enumerate(node.args):
        if argument.star or (index >= len(names) and argument.keyword is None):
            return Refusal(f"the arguments of {kind} cannot be read; write them out", node, path)
        name = argument.keyword.value if argument.keyword is not None else names[index]
        if name in _IMPLEMENTATION:
            continue
        if name not in (*names, "maximize", "decoupled_weight_decay"):
            return Refusal(f"the argument {name} of {kind} is not known", node, path)
        given[name] = argument.value
    if literal(given.get("decoupled_weight_decay", cst.Name("False"))) is True and kind == "Adam":
        kind = "AdamW"
        given["weight_decay"] = given.get("weight_decay", cst.Integer("0"))
        del given["decoupled_weight_decay"]
    if "params" not in given:
        return Refusal(f"{kind} without parameters", node, path)
    parameters = given.pop("params")
    return Optimizer(kind, parameters, _whole_modules(context, parameters), given)


def _whole_modules(context: FileContext, node: cst.BaseExpression) -> tuple[cst.BaseExpression, ...] | None:
    """The modules that an optimizer steps as a whole; none where parameters that are frozen at first join later."""
    return None if thaws_parameters(context) else _modules(context, node)


def _modules(context: FileContext, node: cst.BaseExpression, depth: int = 0) -> tuple[cst.BaseExpression, ...] | None:
    """The whole modules whose parameters an expression lists, frozen ones left out or not; None for anything else."""
    match node:
        case cst.Call(func=cst.Attribute(value=module, attr=cst.Name(value="parameters")), args=[]):
            return (module,) if _is_outermost(context, module) else None
        case cst.Call(func=cst.Name(value="list" | "tuple" | "iter"), args=[cst.Arg(value=inner)]):
            return _modules(context, inner, depth)
        case cst.Call(func=cst.Name(value="filter"), args=[cst.Arg(value=test), cst.Arg(value=inner)]):
            asks = isinstance(test, cst.Lambda) and _asks_requires_grad(test.body)
            return _modules(context, inner, depth) if asks else None
        case cst.ListComp() | cst.GeneratorExp():
            return _filtered(context, node, depth)
        case cst.BinaryOperation(operator=cst.Add(), left=left, right=right):
            return _joined([_modules(context, left, depth), _modules(context, right, depth)])
        case cst.Call() if (context.path(node.func) or dotted(node.func)) in ("itertools.chain", "chain"):
            return _joined([_modules(context, argument.value, depth) for argument in node.args if not argument.star])
        case cst.List(elements=elements) if elements and all(isinstance(e, cst.StarredElement) for e in elements):
            return _joined([_modules(context, element.value, depth) for element in elements])
        case cst.Name(value=name) if depth < 3:
            function = context.enclosing(cst.FunctionDef)
            body = function.body if function is not None else context.module
            values = [
                assign.value for assign in walk(body)
                if isinstance(assign, cst.Assign) and any(dotted(t.target) == name for t in assign.targets)
            ]  # fmt: skip
            grown = any(isinstance(part, cst.Attribute) and dotted(part.value) == name for part in walk(body)) or any(
                isinstance(part, cst.AugAssign) and dotted(part.target) == name for part in walk(body)
            )
            return _modules(context, values[0], depth + 1) if len(values) == 1 and not grown else None
    return None


def _is_outermost(context: FileContext, module: cst.BaseExpression) -> bool:
    """Whether an expression names a module that is not reached through another."""
    function = context.enclosing(cst.FunctionDef)
    models = OptimizerModels.of(context.inference)
    known = models.telling(Scope(context.scope.file, function))
    root = models.module_root(context.scope.file, module, known)
    return root is None or root == dotted(module)


def _filtered(
    context: FileContext, node: cst.ListComp | cst.GeneratorExp, depth: int
) -> tuple[cst.BaseExpression, ...] | None:
    """`[p for p in model.parameters() if p.requires_grad]`."""
    loop = node.for_in
    plain = loop.inner_for_in is None and dotted(node.elt) is not None and dotted(node.elt) == dotted(loop.target)
    if not plain or any(not _asks_requires_grad(condition.test) for condition in loop.ifs):
        return None
    return _modules(context, loop.iter, depth)


def _asks_requires_grad(test: cst.BaseExpression) -> bool:
    return isinstance(test, cst.Attribute) and test.attr.value == "requires_grad"


def _joined(parts: list[tuple[cst.BaseExpression, ...] | None]) -> tuple[cst.BaseExpression, ...] | None:
    if not parts or any(part is None for part in parts):
        return None
    return tuple(module for part in parts if part is not None for module in part)


def write_optimizer(construct: Optimizer, node: cst.Call, context: FileContext) -> Any:
    """`nnx.Optimizer(model, optax.adamw(...), wrt=nnx.Param)` or `ParameterGroups(adamw, groups, lr=...)`."""
    context.converted(node, op="optimizer", api=f"{OPTIMIZERS}{construct.kind}", rule="optimizers")
    values = {name: context.rewrite(value) for name, value in construct.given.items()}
    if f"{OPTIMIZERS}{construct.kind}" == SEVERAL_EVALUATIONS:
        arguments = [cst.Arg(context.rewrite(construct.parameters))]
        arguments += [keyword_argument(name, value) for name, value in values.items()]
        return context.expression("helpers.LBFGS({arguments})", arguments=arguments)
    if construct.modules is None:
        return _with_groups(construct, values, node, context)
    modules = [context.rewrite(module) for module in construct.modules]
    transformation = _transformation(construct, values, context)
    return context.expression(
        "flax.nnx.Optimizer({model}, {transformation}, wrt=flax.nnx.Param)",
        model=modules[0] if len(modules) == 1 else as_tuple(modules), transformation=transformation)  # fmt: skip


def _with_groups(construct: Optimizer, values: Mapping[str, Any], node: cst.Call, context: FileContext) -> cst.Call:
    """`ParameterGroups(adamw, groups, lr=...)`, laid out as the original call."""
    kind = cst.Arg(context.helper(construct.kind.lower()))
    arguments = []
    for original in node.args:
        if original.value is construct.parameters:
            arguments += [
                kind.with_changes(comma=original.comma),
                context.rewrite(original).with_changes(keyword=None),
            ]
            continue
        name = next((name for name, value in construct.given.items() if value is original.value), None)
        if name is not None:
            arguments.append(keyword_argument(name, values[name]).with_changes(
                comma=original.comma, whitespace_after_arg=original.whitespace_after_arg))  # fmt: skip
    if arguments and isinstance(arguments[-1].comma, cst.Comma) and node.args[-1].comma is not arguments[-1].comma:
        arguments[-1] = arguments[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    if isinstance(node.args[0].comma, cst.MaybeSentinel):
        arguments[0] = arguments[0].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return node.with_changes(func=context.helper("ParameterGroups"), args=arguments)


def _transformation(construct: Optimizer, values: Mapping[str, Any], context: FileContext) -> Any:
    """The Optax transformation: Optax's own where it takes torch's steps exactly, else a helper."""
    values = {name: value for name, value in values.items() if not _is_default(construct, name)}
    lr = construct.given.get("lr")
    rate = values.get("lr", literal_node(ARGUMENTS[construct.kind]["lr"])) if lr is None else context.rewrite(lr)
    if isinstance(rate, cst.Integer):
        rate = cst.Float(f"{rate.value}.0")
    changing = rates_change(context.inference)
    native = _native(construct, values)
    decay = values.get("weight_decay") if construct.kind != "AdamW" else None
    if native is not None and not (changing and decay is not None):
        function, arguments = native
        if changing:
            inner = [keyword_argument("learning_rate", rate), *arguments]
            return context.expression(f"optax.inject_hyperparams({function})({{arguments}})", arguments=inner)
        made = context.expression(f"{function}({{arguments}})", arguments=[cst.Arg(rate), *arguments])
        if decay is None:
            return made
        return context.expression("optax.chain(optax.add_decayed_weights({decay}), {made})", decay=decay, made=made)
    arguments = [keyword_argument(name, value) for name, value in values.items() if name != "lr"]
    name = f"helpers.{construct.kind.lower()}"
    if changing:
        inner = [keyword_argument("lr", rate), *arguments]
        return context.expression(f"optax.inject_hyperparams({name})({{arguments}})", arguments=inner)
    return context.expression(f"{name}({{arguments}})", arguments=[cst.Arg(rate), *arguments])


def _is_default(construct: Optimizer, name: str) -> bool:
    """Whether a written hyperparameter only repeats torch's default."""
    value = literal(construct.given[name])
    default = ARGUMENTS[construct.kind].get(name, False)
    return isinstance(value, (int, float, tuple, bool)) and value == default


def _native(construct: Optimizer, values: Mapping[str, Any]) -> tuple[str, list[cst.Arg]] | None:
    """Optax's function and its arguments behind the learning rate; None if it does not take torch's steps."""
    names = set(values) - {"lr", "weight_decay"}
    match construct.kind:
        case "SGD" if names <= {"momentum", "nesterov"}:
            if "nesterov" in names and literal(construct.given["nesterov"]) is not True:
                return None
            return "optax.sgd", [keyword_argument(n, values[n]) for n in ("momentum", "nesterov") if n in values]
        case "Adam" | "AdamW" if names <= {"betas", "eps"}:
            arguments = _betas(values["betas"]) if "betas" in values else []
            if arguments is None:
                return None
            arguments += [keyword_argument("eps", values["eps"])] if "eps" in values else []
            if construct.kind == "AdamW":
                arguments.append(keyword_argument("weight_decay", values.get("weight_decay", cst.Float("0.01"))))
            return f"optax.{construct.kind.lower()}", arguments
        case "RMSprop" if names <= {"alpha", "eps", "centered"}:
            arguments = [keyword_argument("decay", values.get("alpha", cst.Float("0.99")))]
            arguments += [keyword_argument(n, values[n]) for n in ("eps", "centered") if n in values]
            return "optax.rmsprop", [*arguments, keyword_argument("eps_in_sqrt", cst.Name("False"))]
    return None


def _betas(value: cst.BaseExpression) -> list[cst.Arg] | None:
    """`b1=..., b2=...` from a pair."""
    if isinstance(value, (cst.Tuple, cst.List)) and len(value.elements) == 2:
        first, second = (element.value for element in value.elements)
    elif isinstance(value, (cst.Name, cst.Attribute)):
        first, second = (
            cst.Subscript(value, [cst.SubscriptElement(cst.Index(cst.Integer(index)))]) for index in ("0", "1")
        )
    else:
        return None
    return [keyword_argument("b1", first), keyword_argument("b2", second)]


#: Names of schedules, which code converted before imports from its helpers.
_SCHEDULES = frozenset(
    """StepLR MultiStepLR ExponentialLR CosineAnnealingLR LambdaLR MultiplicativeLR OneCycleLR CyclicLR ReduceLROnPlateau
    CosineAnnealingWarmRestarts LinearLR ConstantLR PolynomialLR SequentialLR ChainedScheduler""".split()
)


def rates_change(inference: Inference) -> bool:
    """Whether the repository schedules learning rates, touches parameter groups or takes them from a checkpoint."""
    known = inference.__dict__.get("_rates_change")
    if known is None:
        known = inference.__dict__["_rates_change"] = any(
            any(node.attr.value in ("param_groups", "lr_scheduler") or _loads_state(node, inference.files[file].types)
                for node in inference.nodes(file).of(cst.Attribute))
            or any(n.value == "lr_scheduler" or n.value in _SCHEDULES for n in inference.nodes(file).of(cst.Name))
            for file in inference.modules
        )  # fmt: skip
    return bool(known)


def _loads_state(node: cst.Attribute, types: Mapping[cst.CSTNode, Type]) -> bool:
    """`optimizer.load_state_dict`, which brings the hyperparameters that were saved."""
    return node.attr.value == "load_state_dict" and is_optimizer(types.get(node.value, UNKNOWN))


@dataclass(frozen=True)
class OptimizerAnnotation:
    """The class of optimizers in an annotation."""

    path: str


def read_annotation(node: cst.Attribute | cst.Name, context: FileContext) -> OptimizerAnnotation | None:
    """`optimizer: torch.optim.Optimizer`."""
    name = node.attr.value if isinstance(node, cst.Attribute) else node.value
    if not name[:1].isupper() or context.enclosing(cst.Annotation) is None:
        return None
    path = context.direct_path(node) or ""
    if not path.startswith(OPTIMIZERS) or path.startswith(SCHEDULERS):
        return None
    return OptimizerAnnotation(path)


def write_annotation(construct: OptimizerAnnotation, node: cst.CSTNode, context: FileContext) -> Any:
    """`nnx.Optimizer`, or the helper's class where every optimizer of the repository has groups."""
    context.converted(node, op="optimizer", api=construct.path, rule="optimizers")
    if construct.path == SEVERAL_EVALUATIONS:
        return context.expression("helpers.LBFGS")
    return context.expression("helpers.ParameterGroups" if only_groups(context) else "flax.nnx.Optimizer")


def only_groups(context: FileContext) -> bool:
    """Whether the optimizers that the repository builds all have groups of parameters."""
    known = context.inference.__dict__.get("_only_groups")
    if known is None:
        found = [
            _whole_modules(context, node.args[0].value) is None
            for file, module in context.inference.modules.items()
            for node in walk(module)
            if isinstance(node, cst.Call) and node.args
            and is_optimizer(context.inference.files[file].types.get(node, UNKNOWN))
            and not node.args[0].keyword and "Optimizer" not in str(dotted(node.func))
            and str(dotted(node.func)).rpartition(".")[2] in ARGUMENTS
        ]  # fmt: skip
        known = context.inference.__dict__["_only_groups"] = bool(found) and all(found)
    return bool(known)


RULES = (
    Rule("optimizer", (cst.Call,), {"torch": read_optimizer}, {"jax": write_optimizer}, order=20),
    Rule(
        "optimizer_annotation",
        (cst.Attribute, cst.Name),
        {"torch": read_annotation},
        {"jax": write_annotation},
        order=20,
    ),
)
