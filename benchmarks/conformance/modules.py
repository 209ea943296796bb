"""Every layer of torch's test database of modules, converted and compared.

`python -m benchmarks.conformance.modules [NAME ...]` writes each sample of `module_db` as a module class that builds
the layer and calls it, converts the text through the public API, carries the weights across by `transfer_weights`, and
compares outputs, gradients of inputs and parameters, and buffers, in train and in eval mode.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_modules import module_db

import ivy_convert

from .bridges import flatten, to_numpy
from .comparing import difference, gradient_difference, structure_difference
from .coverage import entry_part, exit_code, print_results
from .database import tensors_of
from .literals import Names, Unwritable
from .page import COVERAGE, write_parts
from .results import Problem, Result

HEADER = "import torch\nfrom torch import nn\n"
#: How many samples of one layer are taken in each mode.
SAMPLES = 4


@dataclass(frozen=True)
class Case:
    """One sample in one mode: a module class as text, and the tensors that its constructor and its call take.

    kind: `train` or `eval`.
    """

    kind: str
    lines: tuple[str, ...]
    built_with: tuple[torch.Tensor, ...]
    called_with: tuple[torch.Tensor, ...]

    def source(self, name: str) -> str:
        """The module class under a name."""
        return f"class {name}(nn.Module):\n" + "".join(f"    {line}\n" if line else "\n" for line in self.lines)


def entries() -> dict[str, Any]:
    """The entries of the database by name, such as `nn.Conv2d`."""
    return {info.name: info for info in module_db}


def module_results(only: list[str] | None = None, count: int = SAMPLES) -> list[Result]:
    """The result of each layer, or of those named; `count` samples in each mode, 0 for all."""
    return list(measure_modules(only, count))


def measure_modules(only: list[str] | None = None, count: int = SAMPLES) -> Iterator[Result]:
    """The same, one by one."""
    for name, info in entries().items():
        if not only or name in only or name.removeprefix("nn.") in only:
            yield measure(name, info, count)


def measure(name: str, info: Any, count: int = SAMPLES) -> Result:
    """Convert and compare the samples of one layer."""
    result = Result(name, "modules")
    cases = []
    for training in (True, False):
        for sample in _samples(info, training, count):
            try:
                cases.append(_written(name, sample, training))
            except Unwritable as error:
                result.out_of_scope = str(error)
    if cases:
        result.out_of_scope = ""
    for case, converted in zip(cases, convert([case.source("Case{}") for case in cases]), strict=True):
        outcome, reason = _judge(case, converted)
        if outcome:
            text = "" if converted.made is None else converted.code
            result.add(Problem(outcome, case.kind, "float32", "\n".join(case.lines), text, reason))
    return result


def _samples(info: Any, training: bool, count: int) -> list[Any]:
    """Samples spread over the database's list; layers among constructor arguments know how they were built."""
    torch.manual_seed(0)
    with _constructors_noted():
        found = info.module_inputs_func(
            info, device="cpu", dtype=torch.float32, requires_grad=True, training=training
        )
    if not count or len(found) <= count:
        return list(found)
    return [found[index] for index in np.linspace(0, len(found) - 1, count).round().astype(int)]


@contextlib.contextmanager
def _constructors_noted() -> Iterator[None]:
    """Modules made within keep what their constructor was given as `noted_arguments`."""
    before = {cls: cls.__init__ for cls in {info.module_cls for info in module_db}}

    def noting(cls: Any) -> Any:
        def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
            before[cls](self, *args, **kwargs)
            self.__dict__["noted_arguments"] = (args, kwargs)

        return initialise

    for cls in before:
        cls.__init__ = noting(cls)  # type: ignore[misc]
    try:
        yield
    finally:
        for cls, own in before.items():
            cls.__init__ = own  # type: ignore[misc]


class _Text(Names):
    """Names for tensors; layers as the calls that build them."""

    def text(self, value: Any) -> str:
        if isinstance(value, torch.nn.Module) and "noted_arguments" in vars(value):
            return _call(f"nn.{type(value).__name__}", *vars(value)["noted_arguments"], self)
        if isinstance(value, torch.nn.LinearCrossEntropyOptions):
            return f"nn.{value!r}"
        if callable(value) and getattr(torch.nn.functional, getattr(value, "__name__", ""), None) is value:
            return f"nn.functional.{value.__name__}"
        return super().text(value)


def _call(function: str, args: tuple[Any, ...], kwargs: dict[str, Any], names: Names) -> str:
    """A call as text; `device` and `dtype`, which the database repeats everywhere, stay away."""
    parts = [names.text(value) for value in args]
    parts += [f"{key}={names.text(value)}" for key, value in kwargs.items() if key not in ("device", "dtype")]
    return f"{function}({', '.join(parts)})"


def _written(name: str, sample: Any, training: bool) -> Case:
    """Raises Unwritable."""
    built, called = sample.constructor_input, sample.forward_input
    constants = list(tensors_of((built.args, built.kwargs)))
    inputs = list(tensors_of((called.args, called.kwargs)))
    names = _Text(constants)
    parameters = "".join(f", {name}: torch.Tensor" for name in names.parameters)
    lines = [
        f"def __init__(self{parameters}):",
        "    super().__init__()",
        f"    self.layer = {_call(name, built.args, built.kwargs, names)}",
        "",
    ]
    names = _Text(inputs)
    lines += [
        f"def forward(self, {', '.join(names.parameters)}):",
        f"    return {_call('self.layer', called.args, called.kwargs, names)}",
    ]
    return Case("train" if training else "eval", tuple(lines), tuple(constants), tuple(inputs))


@dataclass(frozen=True)
class Converted:
    """What became of one definition.

    made: the class or function before and after; None if it was refused or the conversion failed. code: the whole
    converted text. before, after: all names of both texts.
    """

    made: tuple[Any, Any] | None
    code: str = ""
    refusal: str = ""
    failure: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


def convert(sources: list[str], above: str = "", name: str = "Case{}") -> list[Converted]:
    """Convert definitions, each a text with a place for its number, in one source; each by itself if that fails."""
    code, owners = HEADER + above, {}
    for index, source in enumerate(sources):
        first = code.count("\n")
        code += "\n\n" + source.format(index)
        owners.update(dict.fromkeys(range(first, code.count("\n") + 1), index))
    before: dict[str, Any] = {"__name__": "before"}
    after: dict[str, Any] = {"__name__": "after"}
    try:
        result = ivy_convert.convert_source(code, "torch", "jax", "cases.py")
        exec(compile(code, "cases.py", "exec"), before)
        exec(compile(result.code, "cases_converted.py", "exec"), after)
    except Exception as error:
        if len(sources) == 1:
            return [Converted(None, code, failure=f"{type(error).__name__}: {error}")]
        return [converted for source in sources for converted in convert([source], above, name)]
    refusals: dict[int, str] = {}
    for site in (*result.report.unsupported, *(site for site in result.report.review if site.rule != "rngs")):
        refusals.setdefault(owners.get(site.line, -1), site.reason)
    found = []
    for index in range(len(sources)):
        own = name.format(index)
        made = None if index in refusals else (before[own], after[own])
        found.append(Converted(made, result.code, refusals.get(index, ""), "", before, after))
    return found


@dataclass(frozen=True)
class Run:
    """What one side gave: outputs, gradients of inputs, and by name gradients of parameters and arrays afterwards."""

    outputs: list[Any]
    input_gradients: dict[str, torch.Tensor]
    parameter_gradients: dict[str, torch.Tensor]
    arrays: dict[str, torch.Tensor]


def _judge(case: Case, converted: Converted) -> tuple[str, str]:
    """Outcome and reason; no outcome where torch itself refuses the sample."""
    if converted.failure:
        return "crashed", f"the conversion failed: {converted.failure}"
    if converted.made is None:
        return "refused", converted.refusal
    try:
        torch.manual_seed(0)
        module = converted.made[0](*(_plain(tensor) for tensor in case.built_with)).train(case.kind == "train")
        _dry_run(module, case)
        expected = _torch_run(copy.deepcopy(module), case)
    except Exception:
        return "", ""
    try:
        actual = jax_run(converted.made[1], module, case)
    except Exception as error:
        return "crashed", f"{type(error).__name__}: {error}".splitlines()[0][:300]
    found = _difference(expected, actual, None)
    if found:
        with contextlib.suppress(Exception):
            found = _difference(expected, actual, _torch_run(copy.deepcopy(module).double(), case, double=True))
    return ("wrong", found) if found else ("agree", "")


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().clone()
    # Some entries mix double precision into samples of single precision, which torch refuses.
    return tensor.float() if tensor.dtype == torch.float64 else tensor


def _dry_run(module: torch.nn.Module, case: Case) -> None:
    """Layers that learn their sizes at the first call need one before their weights can be carried across."""
    if any(isinstance(p, torch.nn.UninitializedParameter) for p in module.parameters()):
        module(*(_plain(tensor) for tensor in case.called_with))


def _difference(expected: Run, actual: Run, exact: Run | None) -> str:
    found = structure_difference(expected.outputs, actual.outputs) or difference(
        expected.outputs, actual.outputs, exact and exact.outputs
    )
    if found:
        return found
    found = gradient_difference(
        expected.input_gradients, actual.input_gradients, exact.input_gradients if exact is not None else None
    )
    if found:
        return found
    for what in ("parameter_gradients", "arrays"):
        one, other = getattr(expected, what), getattr(actual, what)
        for name, value in one.items():
            if name not in other:
                return f"{what}: no {name}"
            found = difference(value, other[name], exact and getattr(exact, what)[name])
            if found:
                return f"{what}: {name}: {found}"
    return ""


def _is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def weights_for(outputs: list[Any]) -> list[np.ndarray]:
    """Numbers without symmetry that outputs are multiplied with before they are summed."""
    generator = np.random.default_rng(0)
    return [generator.uniform(0.5, 1.5, np.shape(output)).astype(np.float32) for output in outputs]


def _torch_run(module: torch.nn.Module, case: Case, double: bool = False) -> Run:
    inputs = [
        _plain(t).to(torch.float64 if double and t.is_floating_point() else t.dtype).requires_grad_(t.requires_grad)
        for t in case.called_with
    ]
    outputs = flatten(module(*inputs))
    followed = [output for output in outputs if _is_float(output) and output.requires_grad]
    gradients: dict[str, torch.Tensor] = {}
    parameters = dict(module.named_parameters())
    if followed:
        total: Any = 0.0
        for output, weight in zip(followed, weights_for(followed), strict=True):
            total = total + (output * torch.from_numpy(weight).to(output.dtype)).sum()
        wanted = [tensor for tensor in inputs if tensor.requires_grad]
        found = torch.autograd.grad(total, [*wanted, *parameters.values()], allow_unused=True)
        filled = [
            torch.zeros_like(tensor) if gradient is None else gradient
            for tensor, gradient in zip([*wanted, *parameters.values()], found, strict=True)
        ]
        gradients = {f"input {index}": gradient for index, gradient in enumerate(filled[: len(wanted)])}
        by_name = dict(zip(parameters, filled[len(wanted) :], strict=True))
    else:
        by_name = {}
    state = {name: value.detach() for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}
    return Run([_detached(output) for output in outputs], gradients, by_name, state)


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, torch.Tensor) else value


def jax_run(cls: Any, module: torch.nn.Module, case: Case) -> Run:
    """The converted class on the same numbers, with the weights of `module`."""
    import inspect

    import jax.numpy as jnp
    from flax import nnx

    given = {"rngs": nnx.Rngs(0)} if "rngs" in inspect.signature(cls.__init__).parameters else {}
    live = cls(*(jnp.asarray(to_numpy(tensor)) for tensor in case.built_with), **given)
    live.train() if case.kind == "train" else live.eval()
    arrays = [jnp.asarray(to_numpy(tensor)) for tensor in case.called_with]
    if any(type(layer).__name__.startswith("Lazy") for layer in module.modules()) or _is_lazy(live):
        live(*arrays)
    ivy_convert.transfer_weights(module, live)
    followed = [index for index, tensor in enumerate(case.called_with) if tensor.requires_grad]
    input_gradients, parameter_gradients = _jax_gradients(live, arrays, followed, module)
    outputs = [_to_torch(output) for output in flatten(live(*arrays))]
    afterwards = copy.deepcopy(module)
    ivy_convert.transfer_weights(live, afterwards)
    return Run(outputs, input_gradients, parameter_gradients, dict(afterwards.state_dict()))


def _is_lazy(module: Any) -> bool:
    return "Lazy" in type(getattr(module, "layer", None)).__name__


def _jax_gradients(
    live: Any, arrays: list[Any], followed: list[int], module: torch.nn.Module
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Gradients of the weighted sum of all outputs: of the inputs that are followed, and of parameters by name."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    graph, parameters, rest = nnx.split(live, nnx.Param, ...)

    def objective(parameters: Any, inputs: list[Any]) -> Any:
        given = list(arrays)
        for index, value in zip(followed, inputs, strict=True):
            given[index] = value
        outputs = flatten(nnx.merge(graph, parameters, rest, copy=True)(*given))
        floats = [out for out in outputs if hasattr(out, "dtype") and jnp.issubdtype(out.dtype, jnp.floating)]
        return sum((jnp.sum(out * w) for out, w in zip(floats, weights_for(floats), strict=True)), jnp.zeros(()))

    found, inputs = jax.grad(objective, argnums=(0, 1))(parameters, [arrays[index] for index in followed])
    gradients = copy.deepcopy(module)
    ivy_convert.transfer_weights(nnx.merge(graph, found, rest, copy=True), gradients)
    by_name = {name: value.detach() for name, value in gradients.named_parameters()}
    return {f"input {index}": _to_torch(gradient) for index, gradient in enumerate(inputs)}, by_name


def _to_torch(value: Any) -> Any:
    return torch.from_numpy(np.array(value)) if hasattr(value, "dtype") else value


def main() -> int:
    """Print a line for each layer that is not supported, and the totals."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conformance.modules", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="layers such as Conv2d (default: all)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"0 for all (default: {SAMPLES})")
    parser.add_argument("--verbose", action="store_true", help="show the source of each problem")
    parser.add_argument("--write", action="store_true", help=f"write the part of docs/{COVERAGE.name}")
    arguments = parser.parse_args()
    found = print_results(measure_modules(arguments.names, arguments.samples), arguments.verbose)
    if arguments.write and not arguments.names:
        write_parts(COVERAGE, entry_part("JAX: modules", "module", found))
    return exit_code(found)


if __name__ == "__main__":
    sys.exit(main())
