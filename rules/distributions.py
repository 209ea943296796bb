"""`torch.distributions`: helper classes of the same names, whose draws are given a random key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import append_argument, closed_like, keyword_argument
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from .distribution_draws import KNOWN, ROOT, is_distribution, is_distribution_draw
from .rngs import draw_key

#: Checks of arguments, and how many values a transform remembers for its inverse: the helpers always keep one.
_DROPPED = frozenset(("validate_args", "cache_size"))
_METHODS = frozenset("sample_n rsample_n expand enumerate_support".split())


@dataclass(frozen=True)
class DistributionName:
    """A class or function of torch.distributions; `call` where it is called."""

    name: str
    path: str
    call: cst.Call | None = None


def _name(path: str | None, node: cst.CSTNode) -> DistributionName | Refusal | None:
    if path is None or not path.startswith(ROOT):
        return None
    name = path.rpartition(".")[2]
    if not (name[:1].isupper() or name == "kl_divergence"):
        return None
    if name not in KNOWN:
        return Refusal(f"{name} of torch.distributions has no counterpart yet; write its log_prob and draws out", node, path)
    return DistributionName(name, path)


def read_name(node: cst.BaseExpression, context: FileContext) -> DistributionName | Refusal | None:
    """`torch.distributions.Normal`, mentioned."""
    return _name(context.direct_path(node), node)


def write_name(construct: DistributionName, node: cst.BaseExpression, context: FileContext) -> Any:
    """The helper of the same name."""
    context.converted(node, op="distribution", api=construct.path, rule="distributions")
    return context.helper(construct.name)


def read_call(node: cst.Call, context: FileContext) -> Any:
    """A distribution that is made, drawn from, or asked for what only torch's have."""
    if is_distribution_draw(context.inference, context.scope.file, node):
        return node
    found = _name(context.direct_path(node.func), node)
    if isinstance(found, DistributionName):
        return DistributionName(found.name, found.path, node)
    if found is None and isinstance(node.func, cst.Attribute) and node.func.attr.value in _METHODS:
        if is_distribution(context.type_of(node.func.value)) and node.func.attr.value != "enumerate_support":
            reason = f"distributions have no {node.func.attr.value}() here; build one of the shape, or sample((n,))"
            return Refusal(reason, node, f"{ROOT}Distribution.{node.func.attr.value}")
    return found


def write_call(construct: cst.Call | DistributionName, node: cst.Call, context: FileContext) -> Any:
    """The same call without argument checks, or with a key."""
    if isinstance(construct, cst.Call):
        call = context.rewrite_children(node)
        context.converted(node, op="distribution_draw", api=f"{ROOT}Distribution.sample", rule="distributions")
        return append_argument(call, keyword_argument("key", draw_key(context, node)))
    context.converted(node, op="distribution", api=construct.path, rule="distributions")
    kept = [a for a in node.args if a.keyword is None or a.keyword.value not in _DROPPED]
    arguments = closed_like(node, [context.rewrite(argument) for argument in kept])
    return node.with_changes(func=context.helper(construct.name), args=arguments)


def read_class(node: cst.ClassDef, context: FileContext) -> Refusal | None:
    """A distribution of the repository's own: its draws would have to take keys."""
    for base in node.bases:
        path = context.path(base.value) or ""
        if path.startswith(ROOT):
            reason = "a distribution of its own; let sample() and rsample() take a key and derive from the helper class"
            return Refusal(reason, node.name, path)
    return None


def read_validation(node: cst.SimpleStatementLine, context: FileContext) -> str | None:
    """`Distribution.set_default_validate_args(False)`."""
    match node:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.Call(func=function, args=[flag]))]):
            path = context.path(function) or ""
            if path.startswith(ROOT) and path.endswith(".set_default_validate_args") and literal(flag.value) is False:
                return path
    return None


def write_validation(construct: str, node: cst.SimpleStatementLine, context: FileContext) -> Any:
    """Nothing: arguments are not checked."""
    context.converted(node.body[0], op="distribution", api=construct, rule="distributions")
    return cst.RemovalSentinel.REMOVE


RULES = (
    Rule("distributions", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=30),
    Rule("distribution_names", (cst.Name, cst.Attribute), {"torch": read_name}, {"jax": write_name}, order=30),
    Rule("distribution_classes", (cst.ClassDef,), {"torch": read_class}, {"jax": lambda *_: None}, order=10),
    Rule("distribution_checks", (cst.SimpleStatementLine,), {"torch": read_validation}, {"jax": write_validation}, order=10),
)
