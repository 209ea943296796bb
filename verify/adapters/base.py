"""The adapter's interface, with what all frameworks share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..noise import NoiseStream
from ..transfer import State
from ..values import accepts_keyword, array_leaves

# A program under test as a function of its module and its float inputs; gives its float outputs in order.
Program = Callable[[Any, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True)
class SubmoduleCall:
    """What one call of a submodule took and gave; `caller` is the submodule whose code made the call."""

    name: str
    caller: str
    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]


class Adapter:
    """Defaults are those of a framework without modules and gradients (NumPy)."""

    name = "numpy"
    forward_name = "__call__"
    has_gradients = False
    # Modules that live in the framework's own package are no subjects.
    packages: tuple[str, ...] = ("numpy",)
    double = False

    def start(self, device: str, double: bool) -> str:
        """Choose the device and precision before anything of the user's is imported; returns the device's name.

        Raises VerifyError, naming what was looked for, where there is no such device.
        """
        self.double = double
        return "cpu"

    # --- values -------------------------------------------------------------------------------------------

    def to_numpy(self, value: Any) -> np.ndarray | None:
        """A framework array as NumPy array, None for anything else."""
        return value if isinstance(value, np.ndarray) else None

    def snapshot(self, value: Any) -> np.ndarray | None:
        """The numbers of an array as they are now; None where it has none yet, inside a transformation."""
        return self.to_numpy(value)

    def dtype_name(self, value: Any) -> str | None:
        """The name of a dtype, None for anything else."""
        return None

    def device_name(self, value: Any) -> str | None:
        """`cpu` for a device, None for anything else."""
        return None

    def batches(self, value: Any) -> list[Any] | None:
        """The first batches of a data loader, None for anything else."""
        return None

    def from_numpy(self, array: np.ndarray, dtype: str | None = None) -> Any:
        """An array on the chosen device; single precision becomes double in a run in double precision."""
        return self.widen(array)

    def widen(self, array: np.ndarray) -> np.ndarray:
        """Single precision as double in a run in double precision."""
        return array.astype(np.float64) if self.double and array.dtype == np.float32 else array

    def is_array(self, value: Any) -> bool:
        """Whether the value is an array of this framework."""
        return isinstance(value, np.ndarray)

    def is_float(self, value: Any) -> bool:
        """Whether the value is an array of floating-point numbers of this framework."""
        array = self.to_numpy(value) if self.is_array(value) else None
        return array is not None and np.issubdtype(array.dtype, np.floating)

    def dtype(self, name: str) -> Any:
        """The framework's dtype of that name."""
        return np.dtype(name)

    def device(self, name: str) -> Any:
        """The chosen device, as user code spells it."""
        return name

    def foreign(self, qualified: str) -> Any:
        """This framework's counterpart of a class or function of the original's framework, by its bare name.

        Raises LookupError where there is none.
        """
        raise LookupError(qualified)

    # --- modules ------------------------------------------------------------------------------------------

    def is_module(self, value: Any) -> bool:
        """Whether the value is a module instance."""
        return False

    def is_module_class(self, value: Any) -> bool:
        """Whether the value is a module class."""
        return False

    def construct(self, cls: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Make an object; adds what the framework's constructors need besides (`rngs`)."""
        return cls(*args, **kwargs)

    def needs_a_call(self, module: Any) -> bool:
        """Whether a module lacks weights before it is called once."""
        return False

    def extra_arguments(self, function: Any) -> dict[str, Any]:
        """Keyword arguments that a converted function takes besides the original's."""
        return {}

    def export_state(self, module: Any) -> State:
        """All parameters and buffers."""
        return State({})

    def assign(self, module: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Set parameters and buffers in place."""

    def set_training(self, module: Any, training: bool) -> None:
        """Switch to training or evaluation mode."""

    def disable_dropout(self, module: Any) -> int:
        """Set the dropout probability of every layer to zero; returns how many were not."""
        return 0

    def invoke(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call a module, a method or a function."""
        return function(*args, **kwargs)

    # --- running ------------------------------------------------------------------------------------------

    def uncompiled(self) -> contextlib.AbstractContextManager[Any]:
        """While it holds, compiled functions run line by line."""
        return contextlib.nullcontext()

    def compiled(self, run: Callable[[Any, Sequence[Any]], Any], module: Any) -> Callable[[Sequence[Any]], Any]:
        """`run(module, arrays)` as a function of the arrays, the way the framework's users run what they call often."""
        return lambda arrays: run(module, arrays)

    def wait(self, value: Any) -> None:
        """Until arrays that are computed in the background are there."""

    @contextlib.contextmanager
    def noise(self, stream: NoiseStream) -> Iterator[None]:
        """Replace the framework's random draws by the stream's."""
        yield

    @contextlib.contextmanager
    def optimizer_steps(self, count: list[int]) -> Iterator[None]:
        """Append to `count` at each step that an optimizer of user code takes, where the framework can tell."""
        yield

    @contextlib.contextmanager
    def watch(self, module: Any, calls: list[SubmoduleCall]) -> Iterator[None]:
        """Record the calls of all submodules in the order in which they end."""
        yield

    def noted(
        self, names: Mapping[int, str], calls: list[SubmoduleCall]
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Wraps the method that runs a layer, so that calls of the layers in `names`, by id, are noted in `calls`."""
        running: list[str] = []

        def leaves(value: Any) -> tuple[np.ndarray, ...]:
            found = [self.snapshot(leaf) for leaf in array_leaves(value, self.is_array)]
            return tuple(np.array(leaf) for leaf in found if leaf is not None)

        def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
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

        return wrapped

    def gradients(
        self,
        program: Program,
        module: Any,
        arrays: Sequence[Any],
        weights: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[dict[str, np.ndarray], list[np.ndarray]] | None:
        """Gradients of the weighted sum of the outputs: by parameter name, and by input. None: no gradient."""
        return None

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
        """Steps of gradient descent with momentum .9 on the squared distance to the targets; the loss of each."""
        raise NotImplementedError

    def manual_seed(self, seed: int) -> None:
        """Seed the framework's global generator, where it has one."""


@contextlib.contextmanager
def replaced(changes: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Set attributes, and set them back at the end: `(owner, name, value)`."""
    missing = object()
    before = [(owner, name, vars(owner).get(name, missing)) for owner, name, _ in changes]
    for owner, name, value in changes:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in reversed(before):
            if value is missing:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def with_rngs(function: Any, make: Callable[[], Any]) -> dict[str, Any]:
    """`{"rngs": ...}` for a function or class that takes it."""
    return {"rngs": make()} if accepts_keyword(function, "rngs") else {}
