"""torch's view of a module tree for `flax.nnx`: dotted names, registration order, state dictionaries, freezing.

Order is that in which the attributes were set, as in torch. (`nnx.merge` and `nnx.clone` sort attributes by name.)
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class FrozenParam(nnx.Variable):
    """A parameter that is not trained: `nnx.Param` filters (optimizers, `nnx.grad`) pass it over."""


def requires_grad_(target: nnx.Module | nnx.Variable, flag: bool = True):
    """Freeze (`False`) or thaw a parameter, or all parameters of a module; returns `target`.

    The kind of each Variable changes in place between `nnx.Param` and `FrozenParam`, so whoever holds it sees the
    change. Freeze before `nnx.Optimizer(model, ..., wrt=nnx.Param)` is built: it fixes the set of parameters then.
    """
    for variable in [target] if isinstance(target, nnx.Variable) else parameters(target):
        if isinstance(variable, (nnx.Param, FrozenParam)):
            variable.__class__ = nnx.Param if flag else FrozenParam
    return target


def requires_grad(variable: nnx.Variable) -> bool:
    """Whether a Variable is a parameter that is being trained."""
    return isinstance(variable, nnx.Param)


def members(module: nnx.Module) -> Iterator[tuple[str, Any]]:
    """The Variables and modules among the attributes of `module`, in the order in which they were set."""
    attributes = vars(module)
    # NNX's transformations set the attributes anew, sorted by name; it is this mapping that keeps their order.
    names = dict.fromkeys((*getattr(module, "_pytree__nodes", ()), *attributes))
    for name in names:
        value = attributes.get(name)
        if isinstance(value, (nnx.Variable, nnx.Module)) and not name.startswith("_pytree__"):
            yield name, value


def own_variables(module: nnx.Module, is_buffer: bool) -> Iterator[tuple[str, nnx.Variable]]:
    """The parameters, or the buffers, that `module` itself holds (random states and intermediates are neither)."""
    for name, value in members(module):
        if not isinstance(value, nnx.Variable) or isinstance(value, (nnx.RngState, nnx.Intermediate)):
            continue
        if isinstance(value, (nnx.Param, FrozenParam)) != is_buffer:
            yield name, value


def named_children(module: nnx.Module) -> Iterator[tuple[str, nnx.Module]]:
    """The modules directly inside `module` with their names, each once."""
    seen: set[int] = set()
    for name, value in members(module):
        if isinstance(value, nnx.Module) and id(value) not in seen:
            seen.add(id(value))
            yield name, value


def children(module: nnx.Module) -> Iterator[nnx.Module]:
    """The modules directly inside `module`, each once."""
    return (child for _, child in named_children(module))


def named_modules(
    module: nnx.Module, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
) -> Iterator[tuple[str, nnx.Module]]:
    """`module` (named '' or `prefix`) and every module inside it with its dotted name, parents first, each once."""
    memo = set() if memo is None else memo
    if remove_duplicate:
        if id(module) in memo:
            return
        memo.add(id(module))
    yield prefix, module
    for name, value in members(module):
        if isinstance(value, nnx.Module):
            yield from named_modules(value, memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


def modules(module: nnx.Module) -> Iterator[nnx.Module]:
    """`module` and every module inside it, parents first, each once."""
    return (inner for _, inner in named_modules(module))


def named_variables(
    module: nnx.Module, is_buffer: bool, prefix: str, recurse: bool, remove_duplicate: bool
) -> Iterator[tuple[str, nnx.Variable]]:
    """Parameters or buffers with their dotted names."""
    seen: set[int] = set()
    found = named_modules(module, prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, module)]
    for path, inner in found:
        if hasattr(inner, "awaiting_first_call"):
            raise RuntimeError(f"{path or 'the module'} has no weights yet: call the model once on an example before")
        for name, variable in own_variables(inner, is_buffer):
            if remove_duplicate:
                if id(variable) in seen:
                    continue
                seen.add(id(variable))
            yield f"{path}.{name}" if path else name, variable


def named_parameters(
    module: nnx.Module, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
) -> Iterator[tuple[str, nnx.Variable]]:
    """Every parameter with its dotted name; one that is shared only under its first name."""
    return named_variables(module, False, prefix, recurse, remove_duplicate)


def parameters(module: nnx.Module, recurse: bool = True) -> Iterator[nnx.Variable]:
    """Every parameter, a shared one once."""
    return (variable for _, variable in named_parameters(module, recurse=recurse))


def named_buffers(
    module: nnx.Module, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
) -> Iterator[tuple[str, nnx.Variable]]:
    """Every buffer (a Variable that is no parameter) with its dotted name."""
    return named_variables(module, True, prefix, recurse, remove_duplicate)


def buffers(module: nnx.Module, recurse: bool = True) -> Iterator[nnx.Variable]:
    """Every buffer, a shared one once."""
    return (variable for _, variable in named_buffers(module, recurse=recurse))


def apply(module: nnx.Module, function: Callable[[nnx.Module], Any]) -> nnx.Module:
    """Call `function` on every module inside, children before parents, then on `module`, which is returned."""
    for child in children(module):
        apply(child, function)
    function(module)
    return module


def count_parameters(module: nnx.Module, trainable_only: bool = False) -> int:
    """The number of entries in all parameters, or in those that are trained."""
    return sum(p.size for p in parameters(module) if requires_grad(p) or not trainable_only)


def get_submodule(module: nnx.Module, target: str) -> nnx.Module:
    """The module with the dotted name `target`; '' is `module` itself."""
    for name in filter(None, target.split(".")):
        inner = vars(module).get(name)
        if not isinstance(inner, nnx.Module):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}` that is a module")
        module = inner
    return module


def state_variables(module: nnx.Module, prefix: str = "") -> Iterator[tuple[str, nnx.Variable]]:
    """What a state dictionary holds: parameters, then buffers, then children; a shared one under every name."""
    for name, variable in own_variables(module, False):
        yield prefix + name, variable
    for name, variable in own_variables(module, True):
        if variable.get_metadata().get("persistent", True):
            yield prefix + name, variable
    for name, value in members(module):
        if isinstance(value, nnx.Module):
            yield from state_variables(value, f"{prefix}{name}.")


def state_dict(module: nnx.Module, prefix: str = "") -> dict[str, jax.Array]:
    """All parameters and persistent buffers as they are now, by dotted name.

    A buffer made with `nnx.Variable(value, persistent=False)` is left out.
    """
    return {name: jnp.asarray(variable.get_value()) for name, variable in state_variables(module, prefix)}


class IncompatibleKeys(NamedTuple):
    """Names that the module has and the state lacks, and the reverse."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load_state_dict(module: nnx.Module, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
    """Write `state` (dotted name to array) into the parameters and buffers of `module`, in their dtypes.

    Raises RuntimeError for shapes that differ and, if `strict`, for missing and unexpected names.
    """
    own = dict(state_variables(module))
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    errors = []
    if strict and missing:
        errors.append(f"Missing key(s) in state_dict: {quoted(missing)}. ")
    if strict and unexpected:
        errors.append(f"Unexpected key(s) in state_dict: {quoted(unexpected)}. ")
    for name, variable in own.items():
        if name in state and tuple(np.shape(state[name])) != tuple(variable.shape):
            errors.append(
                f"size mismatch for {name}: copying a param with shape {tuple(np.shape(state[name]))} from "
                f"checkpoint, the shape in current model is {tuple(variable.shape)}."
            )
    if errors:
        details = "\n\t".join(errors)
        raise RuntimeError(f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{details}")
    for name, variable in own.items():
        if name in state:
            variable[...] = jnp.asarray(plain_array(state[name]), variable.dtype)
    return IncompatibleKeys(missing, unexpected)


def quoted(names: list[str]) -> str:
    """Names in quotation marks, separated by commas."""
    return ", ".join(f'"{name}"' for name in names)


def plain_array(value: Any) -> jax.Array | np.ndarray:
    """The array in a Variable; anything else as numpy sees it, but JAX arrays as they are."""
    if isinstance(value, nnx.Variable):
        value = value.get_value()
    return value if isinstance(value, jax.Array) else np.asarray(value)
