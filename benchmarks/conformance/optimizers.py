"""Every optimizer of torch's test database, converted and compared.

`python -m benchmarks.conformance.optimizers [NAME ...]` writes each configuration of `optim_db` as a training loop over
a small model, converts the text through the public API, takes ten steps on both sides from the same weights, and
compares all parameters and the loss after each step. The first configuration is also written with parameter groups,
with a closure, and with each flag that only chooses an implementation.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_optimizers import optim_db

import ivy_convert

from .bridges import to_numpy
from .comparing import difference
from .coverage import entry_part, exit_code, print_results
from .literals import literal
from .modules import Converted, convert
from .page import COVERAGE, write_parts
from .results import Problem, Result

STEPS = 10
_MODEL = '''
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 6, bias={bias})
        self.second = nn.Linear(6, 3, bias={bias})

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))
'''
_CONVEX_MODEL = '''
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 3)

    def forward(self, x):
        return self.first(x)
'''
_SPARSE_MODEL = '''
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Embedding(5, 6, sparse=True)
        self.second = nn.Embedding(5, 6, sparse=True)

    def forward(self, x):
        return torch.tanh(self.first(x)) * self.second(x)
'''
_LOOP = '''
def train_{{}}(model: Net, inputs: torch.Tensor, targets: torch.Tensor, record):
    optimizer = torch.optim.{constructor}
    for x, y in zip(inputs, targets):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        record(model, loss)
'''
_CLOSURE_LOOP = '''
def train_{{}}(model: Net, inputs: torch.Tensor, targets: torch.Tensor, record):
    optimizer = torch.optim.{constructor}
    for x, y in zip(inputs, targets):
        def closure():
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            return loss

        loss = optimizer.step(closure)
        record(model, loss)
'''
_WHOLE = "model.parameters()"
_GROUPS = '[{{"params": model.first.parameters(), "lr": 0.02}}, {{"params": model.second.parameters()}}]'


@dataclass(frozen=True)
class Form:
    """One configuration in one form. kind: `loop`, `groups`, `closure` or the name of a flag."""

    kind: str
    source: str


def entries() -> dict[str, Any]:
    """The entries of the database by name, such as `AdamW`."""
    return {info.name: info for info in optim_db}


def optimizer_results(only: list[str] | None = None) -> list[Result]:
    """The result of each optimizer, or of those named."""
    return list(measure_optimizers(only))


def measure_optimizers(only: list[str] | None = None) -> Iterator[Result]:
    """The same, one by one."""
    for name, info in entries().items():
        if not only or name in only:
            yield measure(name, info)


def measure(name: str, info: Any, count: int = 0) -> Result:
    """Convert and compare the first `count` forms of one optimizer, 0 for all."""
    result = Result(name, "optimizers")
    forms = _forms(name, info)[: count or None]
    model = _model(name, info)
    for form, converted in zip(forms, convert([form.source for form in forms], model, "train_{}"), strict=True):
        outcome, reason = _judge(converted, same_batch=name == "LBFGS")
        text = "" if converted.made is None else converted.code
        result.add(Problem(outcome, form.kind, "float32", form.source.strip(), text, reason))
    return result


def _model(name: str, info: Any) -> str:
    """The model's class: of embeddings for sparse gradients, of matrices alone where torch asks for that."""
    if info.only_supports_sparse_grads:
        return _SPARSE_MODEL
    if name == "LBFGS":
        # Its steps magnify rounding: through a hidden layer torch in single and in double precision part soon.
        return _CONVEX_MODEL
    try:
        info.optim_cls([torch.zeros(3, requires_grad=True)])
    except ValueError:
        return _MODEL.format(bias=False)
    return _MODEL.format(bias=True)


def _forms(name: str, info: Any) -> list[Form]:
    configurations = [given.kwargs for given in info.optim_inputs_func(device="cpu")]
    several_steps = name == "LBFGS"
    kind, loop = ("closure", _CLOSURE_LOOP) if several_steps else ("loop", _LOOP)
    found = [Form(kind, loop.format(constructor=_call(name, _WHOLE, given))) for given in configurations]
    if several_steps:
        return found
    first = configurations[0]
    found.append(Form("groups", loop.format(constructor=_call(name, _GROUPS, first))))
    found.append(Form("closure", _CLOSURE_LOOP.format(constructor=_call(name, _WHOLE, first))))
    for flag in ("foreach", "capturable", "differentiable", "fused"):
        if flag in inspect.signature(info.optim_cls).parameters:
            # torch takes the others for granted only on an accelerator; all of them give the same numbers.
            found.append(Form(flag, loop.format(constructor=_call(name, _WHOLE, {**first, flag: flag == "foreach"}))))
    return found


def _call(name: str, parameters: str, given: dict[str, Any]) -> str:
    options = "".join(f", {key}={_text(value)}" for key, value in given.items())
    return f"{name}({parameters}{options})"


def _text(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"torch.tensor({value.item():.6g})"
    if isinstance(value, tuple):
        return repr(value)
    return literal(value)


def _judge(converted: Converted, same_batch: bool) -> tuple[str, str]:
    if converted.failure:
        return "crashed", f"the conversion failed: {converted.failure}"
    if converted.made is None:
        return "refused", converted.refusal
    torch.manual_seed(0)
    model = converted.before["Net"]()
    inputs, targets = _batches(model)
    if same_batch:
        # L-BFGS takes the curvature from one step to the next: over changing batches torch in single and in double
        # precision are far apart after two steps.
        inputs, targets = (batches[:1].expand(batches.shape).contiguous() for batches in (inputs, targets))
    expected = _torch_steps(converted.made[0], copy.deepcopy(model), inputs, targets)
    try:
        actual = _jax_steps(converted, model, inputs, targets)
    except Exception as error:
        return "crashed", f"{type(error).__name__}: {error}".splitlines()[0][:300]
    if found := _difference(expected, actual, None):
        exact = _torch_steps(converted.made[0], copy.deepcopy(model).double(), inputs, targets)
        found = _difference(expected, actual, exact)
    return ("wrong", found) if found else ("agree", "")


def _batches(model: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs `[step, batch, ...]` and targets `[step, batch, feature]`."""
    if isinstance(model.first, torch.nn.Embedding):
        return torch.randint(0, 5, (STEPS, 8)), torch.randn(STEPS, 8, 6)
    return torch.randn(STEPS, 8, 4), torch.randn(STEPS, 8, 3)


State = dict[str, torch.Tensor]


def _difference(expected: list[State], actual: list[State], exact: list[State] | None) -> str:
    if len(expected) != len(actual):
        return f"{len(expected)} steps became {len(actual)}"
    for step, (one, other) in enumerate(zip(expected, actual, strict=True)):
        for name, value in one.items():
            found = difference(value, other[name], exact and exact[step][name])
            if found:
                return f"step {step + 1}: {name}: {found}"
    return ""


def _torch_steps(train: Any, model: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> list[State]:
    found: list[State] = []
    if next(model.parameters()).dtype == torch.float64:
        inputs = inputs.double() if inputs.is_floating_point() else inputs
        targets = targets.double()

    def record(model: torch.nn.Module, loss: torch.Tensor) -> None:
        found.append({name: value.detach().clone() for name, value in model.named_parameters()})
        found[-1]["loss"] = loss.detach().clone()

    train(model, inputs, targets, record)
    return found


def _jax_steps(converted: Converted, model: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> Any:
    import jax.numpy as jnp
    from flax import nnx

    assert converted.made is not None
    found: list[State] = []
    live = converted.after["Net"](rngs=nnx.Rngs(0))
    ivy_convert.transfer_weights(model, live)

    def record(live: Any, loss: Any) -> None:
        holder = copy.deepcopy(model)
        ivy_convert.transfer_weights(live, holder)
        found.append({name: value.detach() for name, value in holder.named_parameters()})
        found[-1]["loss"] = torch.from_numpy(np.array(loss))

    converted.made[1](live, jnp.asarray(to_numpy(inputs)), jnp.asarray(to_numpy(targets)), record)
    return found


def main() -> int:
    """Print a line for each optimizer that is not supported, and the totals."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.conformance.optimizers", description=__doc__.split("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="optimizers such as AdamW (default: all)")
    parser.add_argument("--verbose", action="store_true", help="show the source of each problem")
    parser.add_argument("--write", action="store_true", help=f"write the part of docs/{COVERAGE.name}")
    arguments = parser.parse_args()
    found = print_results(measure_optimizers(arguments.names), arguments.verbose)
    if arguments.write and not arguments.names:
        write_parts(COVERAGE, entry_part("JAX: optimizers", "optimizer", found))
    return exit_code(found)


if __name__ == "__main__":
    sys.exit(main())
