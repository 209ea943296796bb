"""JAX with Flax NNX for the verifier."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from ..layer_rows import rows_of
from ..noise import NoiseStream
from ..problems import VerifyError
from ..transfer import State
from .base import Adapter, Program, SubmoduleCall, replaced, with_rngs
from .jax_noise import noise_replacements

HELPERS = Path(__file__).resolve().parents[2] / "api_maps" / "jax" / "helpers"
# Layer classes that hold a probability under another name than Dropout's.
_DROPOUT_ATTRIBUTES = ("p", "rate")
_INNER_DROPOUT = ("MultiheadAttention", "MultiHeadAttention", "RNN", "LSTM", "GRU")


class JaxAdapter(Adapter):
    """Modules are `flax.nnx.Module`, weights are their variables; names are attribute paths."""

    name = "jax"
    forward_name = "__call__"
    has_gradients = True
    packages = ("jax", "flax", "optax")
    seed = 0

    def start(self, device: str, double: bool) -> str:
        """The parent has set JAX_PLATFORMS; here the platform is looked for."""
        self.double = double
        jax.config.update("jax_default_matmul_precision", "highest")
        jax.config.update("jax_enable_x64", double)
        try:
            return str(jax.devices()[0].platform)
        except RuntimeError as error:
            looked_for, extra = os.environ.get("JAX_PLATFORMS", device), "cuda13" if device == "cuda" else device
            raise VerifyError(
                f"device {device}: JAX finds no platform {looked_for!r}. Install jax[{extra}] on a machine that has "
                f"one, or verify on the CPU ({str(error).splitlines()[0]})"
            ) from error

    def to_numpy(self, value: Any) -> np.ndarray | None:
        """Arrays and NNX variables; bfloat16 comes as single precision."""
        if isinstance(value, nnx.Variable):
            value = value[...]
        if not isinstance(value, jax.Array):
            return None
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return None
        array = np.asarray(value)
        return array.astype(np.float32) if array.dtype == jnp.bfloat16 else array

    def snapshot(self, value: Any) -> np.ndarray | None:
        """A traced array has no numbers."""
        held = value.get_value() if isinstance(value, nnx.Variable) else value
        return None if isinstance(held, jax.core.Tracer) else self.to_numpy(value)

    def dtype_name(self, value: Any) -> str | None:
        """`jnp.float32` and `np.dtype("float32")` are `float32`."""
        if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
            return np.dtype(value).name
        return np.dtype(value.dtype).name if type(value).__name__ == "_ScalarMeta" else None

    def device_name(self, value: Any) -> str | None:
        """Every device is the chosen one."""
        return "cpu" if isinstance(value, jax.Device) else None

    def from_numpy(self, array: np.ndarray, dtype: str | None = None) -> Any:
        """64-bit integers become 32-bit ones unless the run is in double precision."""
        return jnp.asarray(self.widen(array), self.dtype(dtype) if dtype else None)

    def is_array(self, value: Any) -> bool:
        """Arrays and NNX variables that hold one."""
        if isinstance(value, nnx.Variable):
            held = value.get_value()
            return isinstance(held, jax.Array) and not jnp.issubdtype(held.dtype, jax.dtypes.prng_key)
        return isinstance(value, jax.Array)

    def is_float(self, value: Any) -> bool:
        """Floating-point arrays."""
        return self.is_array(value) and bool(jnp.issubdtype(value.dtype, jnp.floating))

    def dtype(self, name: str) -> Any:
        """The scalar type of that name, as user code spells it."""
        names = {"bool": "bool_", "float32": "float64" if self.double else "float32"}
        return getattr(jnp, names.get(name, name))

    def device(self, name: str) -> Any:
        """The first device."""
        return jax.devices()[0]

    def foreign(self, qualified: str) -> Any:
        """The helper of the same name: in the converted code's own helper module, else in this package."""
        bare = qualified.rpartition(":")[2]
        for module in [*_copied_helpers(), *_packaged_helper(bare)]:
            if hasattr(module, bare):
                return getattr(module, bare)
        raise LookupError(f"{qualified} has no counterpart in the converted code")

    def is_module(self, value: Any) -> bool:
        """Instances of nnx.Module."""
        return isinstance(value, nnx.Module)

    def is_module_class(self, value: Any) -> bool:
        """Subclasses of nnx.Module."""
        return isinstance(value, type) and issubclass(value, nnx.Module)

    def construct(self, cls: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Adds `rngs` where the constructor takes it."""
        return cls(*args, **{**kwargs, **self.extra_arguments(cls)})

    def extra_arguments(self, function: Any) -> dict[str, Any]:
        """`rngs` where the function takes it."""
        return with_rngs(function, lambda: nnx.Rngs(self.seed))

    def export_state(self, module: Any) -> State:
        """Variables and plain array attributes by attribute path; those of shared variables under every path."""
        arrays: dict[str, np.ndarray] = {}
        parameters: set[str] = set()
        tied: dict[str, str] = {}
        first: dict[int, str] = {}
        for name, value in _leaves(module):
            array = self.to_numpy(value)
            if array is None:
                continue
            if id(value) in first:
                tied[name] = first[id(value)]
            first.setdefault(id(value), name)
            arrays[name] = array
            if isinstance(value, nnx.Param):
                parameters.add(name)
        optional = frozenset(name for name, value in _leaves(module) if not isinstance(value, nnx.Variable))
        layers = {path: rows_of("jax", layer) for path, layer in _submodules(module)}
        known = {path: rows for path, rows in layers.items() if rows}
        return State(arrays, frozenset(parameters), tied, optional, known)

    def assign(self, module: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps each variable's dtype, but for double precision in a run in double precision."""
        places = dict(_leaves(module))
        for name, array in arrays.items():
            variable = places[name]
            dtype = variable.dtype
            if self.double and dtype == jnp.float32:
                dtype = jnp.float64
            value = jnp.asarray(np.array(array), dtype)
            if isinstance(variable, nnx.Variable):
                variable.set_value(value)
                continue
            path, _, attribute = name.rpartition(".")
            setattr(dict(_submodules(module))[path], attribute, value)

    def set_training(self, module: Any, training: bool) -> None:
        """`train()` or `eval()` of NNX."""
        module.train() if training else module.eval()

    def disable_dropout(self, module: Any) -> int:
        """Dropout layers by `p` or `rate`, attention and recurrent layers by `dropout`."""
        changed = 0
        for _, layer in _submodules(module):
            names = [cls.__name__ for cls in type(layer).__mro__]
            attributes = _DROPOUT_ATTRIBUTES if any("Dropout" in name for name in names) else ()
            if any(name in _INNER_DROPOUT for name in names):
                attributes = ("dropout", "dropout_rate")
            for attribute in attributes:
                if isinstance(getattr(layer, attribute, None), float):
                    changed += getattr(layer, attribute) > 0
                    setattr(layer, attribute, 0.0)
        return changed

    def uncompiled(self) -> contextlib.AbstractContextManager[Any]:
        """Without `jax.jit`; loops of `jax.lax` are Python's then."""
        return jax.disable_jit()

    def compiled(self, run: Callable[[Any, Sequence[Any]], Any], module: Any) -> Callable[[Sequence[Any]], Any]:
        """By `nnx.jit`; line by line where the module cannot be compiled."""
        jitted = nnx.jit(run)
        chosen: list[Callable[[Any, Sequence[Any]], Any]] = []

        def call(arrays: Sequence[Any]) -> Any:
            if chosen:
                return chosen[0](module, arrays)
            try:
                outputs = jitted(module, arrays)
            except Exception:  # tracing can fail in as many ways as there is code
                chosen.append(run)
                return run(module, arrays)
            chosen.append(jitted)
            return outputs

        return call

    def wait(self, value: Any) -> None:
        """JAX computes in the background."""
        jax.block_until_ready(value)

    def manual_seed(self, seed: int) -> None:
        """The seed of the streams that constructors and functions are given."""
        self.seed = seed

    @contextlib.contextmanager
    def noise(self, stream: NoiseStream) -> Iterator[None]:
        """jax.random's functions."""
        with replaced(noise_replacements(stream)):
            yield

    @contextlib.contextmanager
    def optimizer_steps(self, count: list[int]) -> Iterator[None]:
        """NNX's optimizer."""
        update = nnx.Optimizer.update

        def counted(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            update(optimizer, *args, **kwargs)
            count.append(1)

        with replaced([(nnx.Optimizer, "update", counted)]):
            yield

    @contextlib.contextmanager
    def watch(self, module: Any, calls: list[SubmoduleCall]) -> Iterator[None]:
        """By wrapping `__call__` of the classes of all submodules."""
        names = {id(layer): path for path, layer in reversed(list(_submodules(module)))}
        wrapped = self.noted(names, calls)
        classes = {cls for _, layer in _submodules(module) for cls in type(layer).__mro__ if "__call__" in vars(cls)}
        with replaced([(cls, "__call__", wrapped(vars(cls)["__call__"])) for cls in classes if cls is not type]):
            yield

    def gradients(
        self,
        program: Program,
        module: Any,
        arrays: Sequence[Any],
        weights: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[dict[str, np.ndarray], list[np.ndarray]] | None:
        """By parameter path; the module itself is left as it was."""
        graph, parameters, rest = (None, {}, None) if module is None else nnx.split(module, nnx.Param, ...)

        def objective(parameters: Any, inputs: list[Any]) -> Any:
            live = None if graph is None else nnx.merge(graph, parameters, rest, copy=True)
            outputs = program(live, inputs)
            return sum(jnp.sum(out * weights(index, out.shape)) for index, out in enumerate(outputs))

        gradient = jax.grad(objective, argnums=(0, 1))
        try:
            found, inputs = jax.jit(gradient)(parameters, list(arrays))
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):
            # A program whose shapes or branches depend on the data runs only as it is.
            found, inputs = gradient(parameters, list(arrays))
        by_name: dict[str, np.ndarray] = {}
        if graph is not None:
            gradients = nnx.merge(graph, found, rest)
            by_name = {n: np.asarray(v[...]) for n, v in _leaves(gradients) if isinstance(v, nnx.Param)}
        return by_name, [np.asarray(gradient) for gradient in inputs]

    def train(
        self,
        program: Program,
        module: Any,
        arrays: Sequence[Any],
        targets: Callable[[int, tuple[int, ...]], np.ndarray],
        steps: int,
        rate: float,
        before_step: Callable[[], None],
    ) -> list[float]:
        """optax.sgd in one compiled step; step by step where the program cannot be compiled."""
        graph, parameters, rest = nnx.split(module, nnx.Param, ...)
        optimizer = optax.sgd(rate, momentum=0.9)

        def objective(parameters: Any, rest: Any) -> Any:
            live = nnx.merge(graph, parameters, rest, copy=True)
            outputs = program(live, list(arrays))
            loss = sum(jnp.mean(jnp.square(out - targets(i, out.shape))) for i, out in enumerate(outputs))
            return loss, nnx.split(live, nnx.Param, ...)[2]

        def step(parameters: Any, rest: Any, moments: Any) -> Any:
            (loss, rest), gradients = jax.value_and_grad(objective, has_aux=True)(parameters, rest)
            updates, moments = optimizer.update(gradients, moments, parameters)
            return loss, optax.apply_updates(parameters, updates), rest, moments

        moments, losses, run = optimizer.init(parameters), [], jax.jit(step)
        for _ in range(steps):
            before_step()
            try:
                loss, parameters, rest, moments = run(parameters, rest, moments)
            except jax.errors.JAXTypeError:
                run = step
                before_step()
                loss, parameters, rest, moments = run(parameters, rest, moments)
            losses.append(float(loss))
        nnx.update(module, parameters, rest)
        return losses


def _children(module: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if not name.startswith("_pytree__") and not isinstance(value, (nnx.Rngs, nnx.RngStream)):
            yield name, value


def _submodules(module: Any, prefix: str = "", above: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The module and all below it, by path; a shared one under every path."""
    yield prefix, module
    for name, value in _children(module):
        if isinstance(value, nnx.Module) and id(value) not in above:
            path = f"{prefix}.{name}" if prefix else name
            yield from _submodules(value, path, (*above, id(module)))


def _leaves(module: Any) -> Iterator[tuple[str, Any]]:
    """Variables (without those of random streams) and plain arrays, by path."""
    for path, layer in _submodules(module):
        for name, value in _children(layer):
            if isinstance(value, (nnx.Variable, jax.Array)) and not isinstance(value, nnx.RngState):
                yield f"{path}.{name}" if path else name, value


def _copied_helpers() -> list[Any]:
    return [module for name, module in list(sys.modules.items()) if name.rpartition(".")[2] == "ivy_helpers"]


def _packaged_helper(name: str) -> list[Any]:
    """The helper file of this package that defines the name; the others are not imported."""
    defined = re.compile(rf"^(class|def) {re.escape(name)}\b", re.MULTILINE)
    files = sorted(HELPERS.glob("*.py"))
    home = next((file.stem for file in files if defined.search(file.read_text("utf-8"))), None)
    return [] if home is None else [importlib.import_module(f"ivy_convert.api_maps.jax.helpers.{home}")]
