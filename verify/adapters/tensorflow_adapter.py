"""TensorFlow with Keras 3 for the verifier."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..layer_rows import rows_of
from ..noise import NoiseStream
from ..problems import VerifyError
from ..transfer import State
from . import keras_tree
from .base import Adapter, Program, SubmoduleCall, replaced

_FILES = "modules linear containers convolution normalization activation_layers losses elementwise shape data".split()


class TensorflowAdapter(Adapter):
    """Modules are Keras layers, weights are their variables; names are attribute paths."""

    name = "tensorflow"
    forward_name = "call"
    has_gradients = True
    packages = ("tensorflow", "keras")

    def start(self, device: str, double: bool) -> str:
        """TensorFlow uses a GPU where it sees one."""
        self.double = double
        tf.config.experimental.enable_tensor_float_32_execution(False)
        if double:
            _make_double()
        if device == "cuda" and not tf.config.list_physical_devices("GPU"):
            raise VerifyError(
                "device cuda: TensorFlow sees no GPU; install a GPU build and a driver, or verify on the CPU"
            )
        if device == "tpu":
            raise VerifyError("device tpu: not known for TensorFlow; verify on the CPU")
        return "cuda" if device == "cuda" else "cpu"

    def to_numpy(self, value: Any) -> np.ndarray | None:
        """Tensors and variables; bfloat16 comes as single precision."""
        if not tf.is_tensor(value):
            return None
        array = tf.convert_to_tensor(value)
        return np.array((tf.cast(array, tf.float32) if array.dtype == tf.bfloat16 else array).numpy())

    def snapshot(self, value: Any) -> np.ndarray | None:
        """A tensor of a graph that is being built has no numbers."""
        return None if tf.is_symbolic_tensor(value) else self.to_numpy(value)

    def uncompiled(self) -> contextlib.AbstractContextManager[Any]:
        """With tf.function's graphs left out."""
        return _eager_functions()

    def dtype_name(self, value: Any) -> str | None:
        """`tf.float32` is `float32`."""
        return value.name if isinstance(value, tf.DType) else None

    def device_name(self, value: Any) -> str | None:
        """Every device is the chosen one."""
        return "cpu" if isinstance(value, tf.config.LogicalDevice) else None

    def from_numpy(self, array: np.ndarray, dtype: str | None = None) -> Any:
        """A tensor; single precision becomes double in a run in double precision."""
        tensor = tf.convert_to_tensor(self.widen(np.array(array)))
        return tf.cast(tensor, self.dtype(dtype)) if dtype else tensor

    def is_array(self, value: Any) -> bool:
        """Tensors and variables."""
        return bool(tf.is_tensor(value))

    def is_float(self, value: Any) -> bool:
        """Real floating-point tensors."""
        return bool(tf.is_tensor(value)) and bool(tf.as_dtype(value.dtype).is_floating)

    def dtype(self, name: str) -> Any:
        """`tf.float32`, or double in a run in double precision."""
        return tf.as_dtype("float64" if self.double and name == "float32" else name)

    def device(self, name: str) -> Any:
        """The first device."""
        return tf.config.list_logical_devices()[0]

    def foreign(self, qualified: str) -> Any:
        """The helper of the same name: in the converted code's own helper module, else in this package."""
        bare = qualified.rpartition(":")[2]
        copied = [module for name, module in list(sys.modules.items()) if name.rpartition(".")[2] == "ivy_helpers"]
        for module in [*copied, *(importlib.import_module(f"{keras_tree.HELPERS}.{file}") for file in _FILES)]:
            if hasattr(module, bare):
                return getattr(module, bare)
        raise LookupError(qualified)

    def is_module(self, value: Any) -> bool:
        """Keras layers and models."""
        return isinstance(value, keras.layers.Layer)

    def is_module_class(self, value: Any) -> bool:
        """Subclasses of Keras layers."""
        return isinstance(value, type) and issubclass(value, keras.layers.Layer)

    def export_state(self, module: Any) -> State:
        """Variables by attribute path; those of shared variables under every path."""
        arrays: dict[str, np.ndarray] = {}
        parameters: set[str] = set()
        tied: dict[str, str] = {}
        first: dict[int, str] = {}
        for name, variable, is_buffer in keras_tree.all_variables(module):
            if id(variable) in first:
                tied[name] = first[id(variable)]
            first.setdefault(id(variable), name)
            arrays[name] = variable.numpy()
            if not is_buffer:
                parameters.add(name)
        layers = {path: rows_of("tensorflow", layer) for path, layer in keras_tree.named_modules(module)}
        return State(
            arrays, frozenset(parameters), tied, frozenset(), {path: rows for path, rows in layers.items() if rows}
        )

    def assign(self, module: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Keeps each variable's type: in a run in double precision they were made double."""
        places = {name: variable for name, variable, _ in keras_tree.all_variables(module)}
        for name, array in arrays.items():
            places[name].assign(tf.cast(np.array(array), places[name].dtype))

    def set_training(self, module: Any, training: bool) -> None:
        """The mode of every module."""
        for _, layer in keras_tree.named_modules(module):
            layer.training = training

    def needs_a_call(self, module: Any) -> bool:
        """Keras' own layers make their weights when they first see an input."""
        return not all(layer.built for _, layer in keras_tree.named_modules(module))

    def invoke(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Keras' own layers take the mode as an argument of the call."""
        if isinstance(function, keras.layers.Layer) and not keras_tree.is_converted(function):
            kwargs = {"training": getattr(function, "training", False), **kwargs}
        return function(*args, **kwargs)

    def disable_dropout(self, module: Any) -> int:
        """Dropout layers by `p`, Keras' own by `rate`."""
        changed = 0
        for _, layer in keras_tree.named_modules(module):
            if "Dropout" in type(layer).__name__:
                for name in ("p", "rate"):
                    if hasattr(layer, name):
                        changed += getattr(layer, name) > 0
                        setattr(layer, name, 0.0)
        return changed

    @contextlib.contextmanager
    def noise(self, stream: NoiseStream) -> Iterator[None]:
        """Uniform and normal draws come from the stream."""

        precision = tf.float64 if self.double else tf.float32

        def uniform(shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = precision, **_: Any) -> Any:
            if tf.as_dtype(dtype).is_integer:
                return tf.convert_to_tensor(stream.integers(int(minval), int(maxval), tuple(shape)), dtype)
            high = 1.0 if maxval is None else maxval
            return tf.cast(stream.uniform(tuple(shape)) * (high - minval) + minval, dtype)

        def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = precision, **_: Any) -> Any:
            return tf.cast(stream.normal(tuple(shape)), dtype) * stddev + mean

        def shuffle(value: Any, *_: Any, **__: Any) -> Any:
            return tf.gather(value, stream.permutation(int(value.shape[0])))

        def of_generator(function: Any) -> Any:
            return lambda generator, *args, **kwargs: function(*args, **kwargs)

        changes = [(tf.random, "uniform", uniform), (tf.random, "normal", normal), (tf.random, "shuffle", shuffle)]
        changes += [(tf.random.Generator, f.__name__, of_generator(f)) for f in (uniform, normal)]
        with replaced(changes):
            yield

    @contextlib.contextmanager
    def watch(self, module: Any, calls: list[SubmoduleCall]) -> Iterator[None]:
        """By wrapping `call` of the classes of all submodules."""
        names = {id(layer): path for path, layer in keras_tree.named_modules(module)}
        wrapped = self.noted(names, calls)
        classes = {cls for _, layer in keras_tree.named_modules(module) for cls in type(layer).__mro__ if "call" in vars(cls)}
        with replaced([(cls, "call", wrapped(vars(cls)["call"])) for cls in classes]):
            yield

    def gradients(
        self,
        program: Program,
        module: Any,
        arrays: Sequence[Any],
        weights: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[dict[str, np.ndarray], list[np.ndarray]] | None:
        """By parameter path."""
        inputs = [tf.identity(array) for array in arrays]
        parameters = dict(keras_tree.named_parameters(module)) if module is not None else {}
        with tf.GradientTape() as tape:
            for value in inputs:
                tape.watch(value)
            outputs = program(module, inputs)
            total = tf.add_n([
                tf.reduce_sum(out * tf.cast(weights(index, tuple(out.shape)), out.dtype)) for index, out in enumerate(outputs)
            ])  # fmt: skip
        wanted = [*parameters.values(), *inputs]
        found = tape.gradient(total, wanted) if wanted else []
        filled = [
            np.zeros(tuple(value.shape)) if gradient is None else np.array(tf.convert_to_tensor(gradient).numpy())
            for value, gradient in zip(wanted, found, strict=True)
        ]
        return dict(zip(parameters, filled, strict=False)), filled[len(parameters) :]

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
        """Gradient descent whose velocity the rate multiplies."""
        parameters = [variable for _, variable in keras_tree.named_parameters(module) if variable.trainable]
        velocities: list[Any] = [None] * len(parameters)
        losses = []
        for _ in range(steps):
            before_step()
            with tf.GradientTape() as tape:
                outputs = program(module, list(arrays))
                loss = tf.add_n([
                    tf.reduce_mean(tf.square(out - tf.cast(targets(i, tuple(out.shape)), out.dtype)))
                    for i, out in enumerate(outputs)
                ])  # fmt: skip
            for index, gradient in enumerate(tape.gradient(loss, parameters)):
                if gradient is None:
                    continue
                gradient = tf.convert_to_tensor(gradient)
                old = velocities[index]
                velocities[index] = gradient if old is None else 0.9 * old + gradient
                parameters[index].assign_sub(rate * velocities[index])
            losses.append(float(loss))
        return losses

    def manual_seed(self, seed: int) -> None:
        """The global generator."""
        tf.random.set_seed(seed)


@contextlib.contextmanager
def _eager_functions() -> Iterator[None]:
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _make_double() -> None:
    """What makes single precision by default makes double: `tf.float32` itself, Keras' default, and creation functions."""
    keras.config.set_floatx("float64")
    for owner, names in ((tf, ("zeros", "ones", "eye", "constant", "convert_to_tensor", "fill", "linspace")),
                         (tf.random, ("uniform", "normal"))):  # fmt: skip
        for name in names:
            setattr(owner, name, _doubled(getattr(owner, name)))
    tf.float32 = tf.float64


def _doubled(function: Callable[..., Any]) -> Callable[..., Any]:
    def doubled(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        return tf.cast(made, tf.float64) if made.dtype == "float32" else made

    return doubled
