"""PyTorch for the verifier."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader

from ..layer_rows import rows_of
from ..noise import NoiseStream
from ..problems import VerifyError
from ..transfer import State
from ..values import array_leaves
from .base import Adapter, Program, SubmoduleCall, replaced
from .torch_noise import noise_replacements

RECORDED_BATCHES = 8


class TorchAdapter(Adapter):
    """Modules are `torch.nn.Module`, weights are the named parameters and buffers."""

    name = "torch"
    forward_name = "forward"
    has_gradients = True
    packages = ("torch", "torchvision", "torchaudio")
    chosen = "cpu"

    def start(self, device: str, double: bool) -> str:
        """`tpu` is the converted side's: the original stays on the CPU unless torch_xla is there."""
        self.double = double
        if device == "cuda" and not torch.cuda.is_available():
            raise VerifyError(
                "device cuda: torch.cuda.is_available() is False. Install a CUDA build of torch and a driver, "
                "or verify on the CPU"
            )
        self.chosen = "cuda" if device == "cuda" else "cpu"
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        if double:
            torch.set_default_dtype(torch.float64)
        return self.chosen

    def to_numpy(self, value: Any) -> np.ndarray | None:
        """bfloat16 comes as single precision: NumPy has none."""
        if not isinstance(value, torch.Tensor):
            return None
        value = value.detach().cpu().resolve_conj().resolve_neg()
        if value.layout != torch.strided:
            value = value.to_dense()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()

    def snapshot(self, value: Any) -> np.ndarray | None:
        """A tensor inside `vmap` or another transformation of torch.func has no numbers of its own."""
        if isinstance(value, torch.Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(value):
            return None
        return self.to_numpy(value)

    def dtype_name(self, value: Any) -> str | None:
        """`torch.float32` is `float32`."""
        return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else None

    def device_name(self, value: Any) -> str | None:
        """Every device is the chosen one."""
        return "cpu" if isinstance(value, torch.device) else None

    def batches(self, value: Any) -> list[Any] | None:
        """Reading a loader draws from the global generator, whose state is put back."""
        if not isinstance(value, DataLoader):
            return None
        with torch.random.fork_rng(devices=[]):
            return list(itertools.islice(iter(value), RECORDED_BATCHES))

    def from_numpy(self, array: np.ndarray, dtype: str | None = None) -> Any:
        """A tensor of its own memory on the chosen device."""
        tensor = torch.tensor(self.widen(array), device=self.chosen)
        return tensor.to(self.dtype(dtype)) if dtype else tensor

    def is_array(self, value: Any) -> bool:
        """Tensors and parameters."""
        return isinstance(value, torch.Tensor)

    def is_float(self, value: Any) -> bool:
        """Real floating-point tensors."""
        return isinstance(value, torch.Tensor) and value.is_floating_point()

    def dtype(self, name: str) -> Any:
        """`float32` is `torch.float32`, or double in a run in double precision."""
        return torch.float64 if self.double and name == "float32" else getattr(torch, name)

    def device(self, name: str) -> Any:
        """The chosen device."""
        return torch.device(self.chosen)

    def foreign(self, qualified: str) -> Any:
        """A helper carries torch's class name; a torch function its bare name."""
        bare = qualified.rpartition(":")[2]
        for home in (nn, nn.functional, torch):
            if hasattr(home, bare):
                return getattr(home, bare)
        raise LookupError(qualified)

    def is_module(self, value: Any) -> bool:
        """Instances of nn.Module."""
        return isinstance(value, nn.Module)

    def is_module_class(self, value: Any) -> bool:
        """Subclasses of nn.Module."""
        return isinstance(value, type) and issubclass(value, nn.Module)

    def construct(self, cls: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Modules go to the chosen device."""
        made = cls(*args, **kwargs)
        return made.to(self.chosen) if isinstance(made, nn.Module) else made

    def export_state(self, module: Any) -> State:
        """All names, those of tied parameters too; buffers that are not saved are optional."""
        arrays: dict[str, np.ndarray] = {}
        tied: dict[str, str] = {}
        first: dict[int, str] = {}
        parameters = dict(module.named_parameters(remove_duplicate=False))
        for name, tensor in [*parameters.items(), *module.named_buffers(remove_duplicate=False)]:
            if id(tensor) in first:
                tied[name] = first[id(tensor)]
            else:
                first[id(tensor)] = name
            arrays[name] = np.array(self.to_numpy(tensor))
        saved = module.state_dict(keep_vars=True).keys()
        layers = {path: rows_of("torch", layer) for path, layer in module.named_modules()}
        optional = frozenset(name for name in arrays if name not in saved)
        known = {path: rows for path, rows in layers.items() if rows}
        return State(arrays, frozenset(parameters), tied, optional, known)

    def assign(self, module: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Copies into the tensors that are there."""
        tensors = dict(module.named_parameters(remove_duplicate=False))
        tensors.update(module.named_buffers(remove_duplicate=False))
        with torch.no_grad():
            for name, array in arrays.items():
                tensors[name].copy_(torch.from_numpy(np.array(array)))

    def set_training(self, module: Any, training: bool) -> None:
        """`train()` or `eval()`."""
        module.train(training)

    def disable_dropout(self, module: Any) -> int:
        """Dropout layers by `p`, attention and recurrent layers by `dropout`."""
        changed = 0
        for layer in module.modules():
            if isinstance(layer, nn.modules.dropout._DropoutNd):
                changed += layer.p > 0
                layer.p = 0.0
            elif isinstance(layer, (nn.MultiheadAttention, nn.RNNBase)):
                changed += layer.dropout > 0
                layer.dropout = 0.0
        return changed

    def compiled(self, run: Callable[[Any, Sequence[Any]], Any], module: Any) -> Callable[[Sequence[Any]], Any]:
        """As it is, without gradients."""
        return torch.no_grad()(lambda arrays: run(module, arrays))

    def wait(self, value: Any) -> None:
        """A GPU computes in the background."""
        if self.chosen == "cuda":
            torch.cuda.synchronize()

    @contextlib.contextmanager
    def noise(self, stream: NoiseStream) -> Iterator[None]:
        """Functions and tensor methods that draw; dropout functions through their mask."""
        with replaced(noise_replacements(stream)):
            yield

    @contextlib.contextmanager
    def optimizer_steps(self, count: list[int]) -> Iterator[None]:
        """Through torch's own hook for all optimizers."""
        handle = register_optimizer_step_post_hook(lambda *_: count.append(1))
        try:
            yield
        finally:
            handle.remove()

    @contextlib.contextmanager
    def watch(self, module: Any, calls: list[SubmoduleCall]) -> Iterator[None]:
        """Through forward hooks."""
        running: list[tuple[str, tuple[np.ndarray, ...]]] = []

        def leaves(value: Any) -> tuple[np.ndarray, ...]:
            found = [self.snapshot(leaf) for leaf in array_leaves(value, self.is_array)]
            return tuple(np.array(leaf) for leaf in found if leaf is not None)

        def hooks(name: str) -> list[Any]:
            def enter(layer: Any, args: Any, kwargs: Any) -> None:
                running.append((name, leaves((args, kwargs))))

            def leave(layer: Any, args: Any, kwargs: Any, output: Any) -> None:
                inputs = running.pop()[1]
                calls.append(SubmoduleCall(name, running[-1][0] if running else "", inputs, leaves(output)))

            layer = module.get_submodule(name)
            return [
                layer.register_forward_pre_hook(enter, with_kwargs=True),
                layer.register_forward_hook(leave, with_kwargs=True),
            ]

        handles = [handle for name, _ in module.named_modules() for handle in hooks(name)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def gradients(
        self,
        program: Program,
        module: Any,
        arrays: Sequence[Any],
        weights: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[dict[str, np.ndarray], list[np.ndarray]] | None:
        """None where no output depends on a parameter or input by differentiable operations."""
        leaves = [array.detach().clone().requires_grad_() for array in arrays]
        # a tied parameter under every name, so that a tie that the other side lost is seen
        named = () if module is None else module.named_parameters(remove_duplicate=False)
        parameters = {name: parameter for name, parameter in named if parameter.requires_grad}
        # a clone, since a program may change its input in place and a leaf forbids that
        outputs = program(module, [leaf.clone() for leaf in leaves])
        if not any(out.requires_grad for out in outputs):
            return None
        kept = [
            (out * torch.as_tensor(weights(index, tuple(out.shape)), dtype=out.dtype, device=out.device)).sum()
            for index, out in enumerate(outputs)
        ]
        wanted = [*parameters.values(), *leaves]
        found = torch.autograd.grad(torch.stack(kept).sum(), wanted, allow_unused=True) if wanted else ()
        filled = [
            np.zeros(tuple(leaf.shape)) if gradient is None else np.array(self.to_numpy(gradient))
            for leaf, gradient in zip(wanted, found, strict=True)
        ]
        return dict(zip(parameters, filled)), filled[len(parameters) :]

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
        """torch.optim.SGD."""
        optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=rate, momentum=0.9)
        losses = []
        for _ in range(steps):
            before_step()
            optimizer.zero_grad()
            outputs = program(module, [array.clone() for array in arrays])
            parts = [
                (out - torch.as_tensor(targets(index, tuple(out.shape)), dtype=out.dtype, device=out.device))
                .square()
                .mean()
                for index, out in enumerate(outputs)
            ]
            loss = torch.stack(parts).sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def manual_seed(self, seed: int) -> None:
        """The global generator."""
        torch.manual_seed(seed)
