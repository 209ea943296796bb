"""Datasets, samplers and loaders of `torch.utils.data`: helper classes of the same names; Grain reads ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..rewriter.context import FileContext
from ..rewriter.expressions import append_argument, closed_like, keyword_argument
from ..rewriter.read import Refusal, literal
from ..rewriter.rule import Rule
from ..rewriter.signature import MISSING
from .rngs import rngs_source

_PACKAGE = "torch.utils.data."
#: Where torch also keeps these names.
_MODULES = (f"{_PACKAGE}dataset.", f"{_PACKAGE}dataloader.", f"{_PACKAGE}sampler.", f"{_PACKAGE}distributed.",
            f"{_PACKAGE}_utils.collate.", _PACKAGE)  # fmt: skip
_HELPERS = frozenset(
    """Dataset IterableDataset TensorDataset Subset ConcatDataset StackDataset ChainDataset random_split DataLoader
    default_collate default_convert Sampler SequentialSampler RandomSampler SubsetRandomSampler WeightedRandomSampler
    BatchSampler DistributedSampler get_worker_info""".split()
)
#: What draws random orders, and at which position it takes a generator.
_GENERATOR_AT = {"random_split": 2, "RandomSampler": 3, "SubsetRandomSampler": 1, "WeightedRandomSampler": 3}
_LOADER_ARGUMENTS = """dataset batch_size shuffle sampler batch_sampler num_workers collate_fn pin_memory drop_last
timeout worker_init_fn multiprocessing_context generator""".split()
#: Of torch's worker processes and page-locked memory.
_DROPPED = frozenset(
    "pin_memory timeout multiprocessing_context prefetch_factor persistent_workers pin_memory_device in_order".split()
)
_THREADS = "worker_init_fn is called in threads of this process: generators that it seeds are everybody's"
_BY_POSITION = 9  # As many arguments of the helper's DataLoader stand where torch's do.


@dataclass(frozen=True)
class DataCall:
    """A dataset, sampler or loader under construction, or a function on them.

    draws: its order is random. starts_workers: a function is to run in each worker process.
    """

    name: str
    arguments: tuple[cst.Arg, ...]
    draws: bool
    starts_workers: bool = False


@dataclass(frozen=True)
class DataName:
    """One of the classes or functions, mentioned: a base, an annotation, an argument."""

    name: str


@dataclass(frozen=True)
class WorkerQuestion:
    """Which worker process this is."""


def data_name(context: FileContext, node: cst.BaseExpression) -> str | None:
    """The name of `torch.utils.data` that an expression refers to, wherever torch keeps it."""
    path = context.direct_path(node) or ""
    if not path.startswith(_PACKAGE):
        return None
    module = next(module for module in _MODULES if path.startswith(module))
    return path.removeprefix(module)


def read_call(node: cst.Call, context: FileContext) -> DataCall | WorkerQuestion | Refusal | None:
    """`DataLoader(dataset, batch_size=32, shuffle=True)`."""
    name = data_name(context, node.func)
    if name == "get_worker_info":
        return WorkerQuestion()
    if name not in _HELPERS:
        return None
    if name == "DataLoader":
        return _read_loader(node)
    position = _GENERATOR_AT.get(name)
    given = any(a.star or (a.keyword is not None and a.keyword.value == "generator") for a in node.args)
    return DataCall(name, tuple(node.args), position is not None and not given and len(node.args) <= position)


def _read_loader(node: cst.Call) -> DataCall | Refusal:
    """The loader's arguments without those about worker processes."""
    kept: list[cst.Arg] = []
    given: dict[str, cst.BaseExpression] = {}
    for index, argument in enumerate(node.args):
        if argument.star == "**":
            kept.append(argument)
            continue
        if argument.star or (argument.keyword is None and index >= len(_LOADER_ARGUMENTS)):
            return Refusal("the arguments of DataLoader cannot be read; write them out", node, f"{_PACKAGE}DataLoader")
        name = argument.keyword.value if argument.keyword is not None else _LOADER_ARGUMENTS[index]
        if name not in _LOADER_ARGUMENTS and name not in _DROPPED:
            return Refusal(f"the argument {name} of DataLoader is not known", node, f"{_PACKAGE}DataLoader")
        given[name] = argument.value
        if argument.keyword is None and index >= _BY_POSITION:
            argument = argument.with_changes(keyword=cst.Name(name), equal=keyword_argument(name, argument.value).equal)
        if name not in _DROPPED or argument.keyword is None:
            kept.append(argument)
    shuffle = literal(given["shuffle"]) if "shuffle" in given else False
    draws = (shuffle is MISSING or bool(shuffle)) and "generator" not in given
    starts = literal(given.get("worker_init_fn", cst.Name("None"))) is not None
    return DataCall("DataLoader", tuple(kept), draws, starts)


def write_call(construct: DataCall | WorkerQuestion, node: cst.Call, context: FileContext) -> Any:
    """The helper of the same name; where there is a generator at hand, random orders come from it."""
    if isinstance(construct, WorkerQuestion):
        context.converted(node, op="get_worker_info", api=f"{_PACKAGE}get_worker_info", rule="data_loading")
        try:
            return node.with_changes(func=context.helper("get_worker_info"))
        except KeyError:  # The target's loader has no workers.
            return cst.Name("None")
    api = f"{_PACKAGE}{construct.name}"
    context.converted(node, op="data_loading", api=api, rule="data_loading")
    if construct.starts_workers:
        context.review(node, _THREADS, api=api, rule="data_loading")
    arguments = [context.rewrite(argument) for argument in construct.arguments]
    call = node.with_changes(func=context.helper(construct.name), args=closed_like(node, arguments))
    source = rngs_source(context) if construct.draws else None
    return call if source is None else append_argument(call, keyword_argument("generator", source))


def read_name(node: cst.Attribute | cst.Name, context: FileContext) -> DataName | None:
    """`class Corpus(Dataset)`, `-> DataLoader`, `isinstance(sampler, DistributedSampler)`."""
    name = data_name(context, node)
    return DataName(name) if name in _HELPERS else None


def write_name(construct: DataName, node: cst.CSTNode, context: FileContext) -> Any:
    """The helper of the same name."""
    context.converted(node, op="data_loading", api=f"{_PACKAGE}{construct.name}", rule="data_loading")
    return context.helper(construct.name)


RULES = (
    Rule("data_loading", (cst.Call,), {"torch": read_call}, {"jax": write_call}, order=25),
    Rule("data_class", (cst.Attribute, cst.Name), {"torch": read_name}, {"jax": write_name}, order=25),
)
