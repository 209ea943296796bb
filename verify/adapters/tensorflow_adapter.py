"""TensorFlow with Keras 3 for the verifier."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

from ..layer_rows import rows_of
from ..problems import VerifyError
from ..transfer import State
from ..values import array_leaves
from .base import Adapter, Program, SubmoduleCall, replaced


class TensorflowAdapter(Adapter):
    """Modules are Keras layers and models and `tf.Module`s; names are attribute paths.

    Keras makes variables at the first call: a module is called once in evaluation mode before its weights are set.
    """

    name = "tensorflow"
    forward_name = "call"
    has_gradients = True
    packages = ("tensorflow", "keras")
    makes_weights_at_call = True

    def start(self, device: str, double: bool) -> str:
        """Chooses Keras's default precision too."""
        self.double = double
        kind = {"cuda": "GPU", "tpu": "TPU"}.get(device, "CPU")
        if not tf.config.list_physical_devices(kind):
            raise VerifyError(
                f"device {device}: TensorFlow lists no {kind}. Install the build for it on a machine that has one, "
                "or verify on the CPU"
            )
        if kind == "CPU":
            tf.config.set_visible_devices([], "GPU")
        tf.config.experimental.enable_tensor_float_32_execution(False)
        keras.backend.set_floatx("float64" if double else "float32")
        return device

    def to_numpy(self, value: Any) -> np.ndarray | None:
        """Tensors and variables; bfloat16 comes as single precision."""
        if not self.is_array(value):
            return None
        value = tf.convert_to_tensor(value)
        return np.asarray(tf.cast(value, tf.float32) if value.dtype == tf.bfloat16 else value)

    def dtype_name(self, value: Any) -> str | None:
        """`tf.float32` is `float32`."""
        return str(value.name) if isinstance(value, tf.DType) else None

    def batches(self, value: Any) -> list[Any] | None:
        """The first batches of a `tf.data.Dataset`."""
        return list(value.take(8)) if isinstance(value, tf.data.Dataset) else None

    def from_numpy(self, array: np.ndarray, dtype: str | None = None) -> Any:
        """A tensor."""
        tensor = tf.convert_to_tensor(self.widen(array))
        return tf.cast(tensor, self.dtype(dtype)) if dtype else tensor

    def is_array(self, value: Any) -> bool:
        """Tensors, variables of TensorFlow and of Keras."""
        return isinstance(value, (tf.Tensor, tf.Variable, keras.Variable))

    def dtype(self, name: str) -> Any:
        """`float32` is `tf.float32`, or double in a run in double precision."""
        return tf.float64 if self.double and name == "float32" else tf.as_dtype(name)

    def device(self, name: str) -> Any:
        """TensorFlow places by itself."""
        return "/CPU:0" if name == "cpu" else "/GPU:0"

    def is_module(self, value: Any) -> bool:
        """Keras layers (models are layers) and tf.Module."""
        return isinstance(value, (keras.layers.Layer, tf.Module)) and not isinstance(value, keras.Variable)

    def is_module_class(self, value: Any) -> bool:
        """Subclasses of those."""
        return isinstance(value, type) and issubclass(value, (keras.layers.Layer, tf.Module))

    def export_state(self, module: Any) -> State:
        """Variables by attribute path."""
        arrays: dict[str, np.ndarray] = {}
        parameters: set[str] = set()
        tied: dict[str, str] = {}
        first: dict[int, str] = {}
        for name, variable in _variables(module):
            if id(variable) in first:
                tied[name] = first[id(variable)]
            first.setdefault(id(variable), name)
            arrays[name] = np.array(self.to_numpy(variable))
            if variable.trainable:
                parameters.add(name)
        layers = {path: rows_of("tensorflow", layer) for path, layer in _submodules(module)}
        known = {path: rows for path, rows in layers.items() if rows}
        return State(arrays, frozenset(parameters), tied, frozenset(), known)

    def assign(self, module: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Into the variables that are there."""
        variables = dict(_variables(module))
        for name, array in arrays.items():
            variables[name].assign(tf.cast(np.array(array), variables[name].dtype))

    def set_training(self, module: Any, training: bool) -> None:
        """Keras takes the mode at each call; `invoke` passes it."""
        self.training = training

    def invoke(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A layer's call with the mode that was set."""
        if isinstance(function, keras.layers.Layer):
            kwargs = {"training": self.training, **kwargs}
        return function(*args, **kwargs)

    def disable_dropout(self, module: Any) -> None:
        """Dropout layers by `rate`, recurrent and attention layers by `dropout`."""
        for _, layer in _submodules(module):
            for attribute in ("rate", "dropout", "recurrent_dropout"):
                if isinstance(getattr(layer, attribute, None), float):
                    setattr(layer, attribute, 0.0)

    @contextlib.contextmanager
    def optimizer_steps(self, count: list[int]) -> Iterator[None]:
        """Keras's optimizers."""
        apply = keras.optimizers.Optimizer.apply

        def counted(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            result = apply(optimizer, *args, **kwargs)
            count.append(1)
            return result

        with replaced([(keras.optimizers.Optimizer, "apply", counted)]):
            yield

    @contextlib.contextmanager
    def watch(self, module: Any, calls: list[SubmoduleCall]) -> Iterator[None]:
        """By wrapping `call` of every submodule's class."""
        names = {id(layer): path for path, layer in reversed(list(_submodules(module)))}
        running: list[str] = []

        def leaves(value: Any) -> tuple[np.ndarray, ...]:
            return tuple(np.array(self.to_numpy(leaf)) for leaf in array_leaves(value, self.is_array))

        def wrapped(method: Any) -> Any:
            def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
                name = names.get(id(layer))
                if name is None or (running and running[-1] == name):
                    return method(layer, *args, **kwargs)
                inputs, caller = leaves((args, kwargs)), running[-1] if running else ""
                running.append(name)
                try:
                    output = method(layer, *args, **kwargs)
                finally:
                    running.pop()
                calls.append(SubmoduleCall(name, caller, inputs, leaves(output)))
                return output

            return call

        classes = {cls for _, layer in _submodules(module) for cls in type(layer).__mro__ if "call" in vars(cls)}
        with replaced([(cls, "call", wrapped(vars(cls)["call"])) for cls in classes]):
            yield

    def gradients(
        self,
        program: Program,
        module: Any,
        arrays: Sequence[Any],
        weights: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[dict[str, np.ndarray], list[np.ndarray]] | None:
        """Through a tape; zeros for what the outputs do not depend on."""
        variables = {} if module is None else {n: v for n, v in _variables(module) if v.trainable}
        sources = [*(_raw(variable) for variable in variables.values()), *arrays]
        with tf.GradientTape() as tape:
            tape.watch(list(arrays))
            outputs = program(module, arrays)
            parts = [
                tf.reduce_sum(out * tf.cast(weights(i, tuple(out.shape)), out.dtype)) for i, out in enumerate(outputs)
            ]
            total = tf.add_n(parts) if parts else None
        if total is None:
            return None
        found = tape.gradient(total, sources)
        if all(gradient is None for gradient in found):
            return None
        filled = [np.zeros(tuple(s.shape)) if g is None else _dense(g) for s, g in zip(sources, found, strict=True)]
        return dict(zip(variables, filled)), filled[len(variables) :]

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
        """SGD with momentum by hand: Keras's own folds the learning rate into the momentum."""
        variables = list({id(v): _raw(v) for _, v in _variables(module) if v.trainable}.values())
        moments = [tf.zeros_like(variable) for variable in variables]
        losses = []
        for _ in range(steps):
            before_step()
            with tf.GradientTape() as tape:
                outputs = program(module, arrays)
                parts = [
                    tf.reduce_mean(tf.square(out - tf.cast(targets(i, tuple(out.shape)), out.dtype)))
                    for i, out in enumerate(outputs)
                ]
                loss = tf.add_n(parts)
            found = tape.gradient(loss, variables)
            for index, (variable, gradient) in enumerate(zip(variables, found)):
                if gradient is not None:
                    moments[index] = 0.9 * moments[index] + tf.convert_to_tensor(gradient)
                    variable.assign_sub(rate * moments[index])
            losses.append(float(loss))
        return losses

    def manual_seed(self, seed: int) -> None:
        """Of Python, NumPy and TensorFlow."""
        keras.utils.set_random_seed(seed)


def _raw(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _dense(gradient: Any) -> np.ndarray:
    return np.asarray(tf.convert_to_tensor(gradient))


def _children(owner: Any) -> Iterator[tuple[str, Any]]:
    for name, value in vars(owner).items():
        if name.startswith("__"):
            continue
        if isinstance(value, (list, tuple)) and not name.startswith("_"):
            yield from ((f"{name}.{index}", item) for index, item in enumerate(value))
        elif isinstance(value, dict) and not name.startswith("_"):
            yield from ((f"{name}.{key}", item) for key, item in value.items())
        else:
            # Keras keeps a layer's own weights behind properties: `_kernel` is `kernel`
            yield name.lstrip("_"), value


def _submodules(module: Any, prefix: str = "", above: tuple[int, ...] = ()) -> Iterator[tuple[str, Any]]:
    yield prefix, module
    for name, value in _children(module):
        if isinstance(value, (keras.layers.Layer, tf.Module)) and id(value) not in above and not _is_variable(value):
            path = f"{prefix}.{name}" if prefix else name
            yield from _submodules(value, path, (*above, id(module)))


def _is_variable(value: Any) -> bool:
    return isinstance(value, (tf.Variable, keras.Variable))


def _variables(module: Any) -> Iterator[tuple[str, Any]]:
    """Variables by path, without the counters of random streams."""
    for path, layer in _submodules(module):
        for name, value in _children(layer):
            if _is_variable(value) and "seed" not in value.name:
                yield f"{path}.{name}" if path else name, value
