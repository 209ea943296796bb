"""Calls whose intermediate values are computed again for the gradient instead of being kept, also of modules."""

import functools
from collections.abc import Callable, Iterable, Sequence
from types import CellType, FunctionType, MethodType
from typing import Any

import jax
import numpy as np
from flax import nnx


def captured(function: Any) -> tuple[Any, ...]:
    """What a callable carries with it: the object of a method, arguments of a partial, variables around a function."""
    if isinstance(function, MethodType):
        return (function.__self__,)
    if isinstance(function, functools.partial):
        return (function.func, *function.args, *function.keywords.values())
    if isinstance(function, FunctionType) and function.__closure__:
        return tuple(cell.cell_contents for cell in function.__closure__)
    return ()


def captured_modules(function: Any) -> list[nnx.Module]:
    """The modules that a callable is or carries with it, each once."""
    found: dict[int, nnx.Module] = {}
    pending, seen = [function], set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, nnx.Module):
            found[id(value)] = value
        elif isinstance(value, (list, tuple)):
            pending.extend(value)
        else:
            pending.extend(captured(value))
    return list(found.values())


def with_modules(value: Any, modules: dict[int, nnx.Module]) -> Any:
    """A callable like `value`, or a sequence of them, with other modules in the place of those that it carries."""
    if id(value) in modules:
        return modules[id(value)]
    if isinstance(value, (list, tuple)):
        return type(value)(with_modules(item, modules) for item in value)
    if isinstance(value, MethodType):
        return MethodType(value.__func__, with_modules(value.__self__, modules))
    if isinstance(value, functools.partial):
        args = (with_modules(item, modules) for item in value.args)
        keywords = {name: with_modules(item, modules) for name, item in value.keywords.items()}
        return functools.partial(with_modules(value.func, modules), *args, **keywords)
    if isinstance(value, FunctionType) and any(captured_modules(item) for item in captured(value)):
        cells = tuple(CellType(with_modules(item, modules)) for item in captured(value))
        copy = FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, cells)
        copy.__kwdefaults__ = value.__kwdefaults__
        return copy
    return value


def is_traced(leaf: Any) -> bool:
    """Whether an argument is an array or holds some; flags and sizes stay Python's."""
    return isinstance(leaf, (jax.Array, np.ndarray, nnx.Variable, nnx.Module))


def checkpoint(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`function(*args, **kwargs)`, computed again when its gradient is taken.

    The function may be a module or a method, or use modules of the code around it; their statistics and random
    streams change once.
    """
    modules = captured_modules(function)
    leaves, structure = jax.tree.flatten((args, kwargs), is_leaf=is_traced)
    traced = {index: leaf for index, leaf in enumerate(leaves) if is_traced(leaf)}

    @nnx.remat
    def run(modules_inside: list[nnx.Module], traced_inside: dict[int, Any]) -> Any:
        twins = {id(module): twin for module, twin in zip(modules, modules_inside, strict=True)}
        inside = [traced_inside.get(index, leaf) for index, leaf in enumerate(leaves)]
        args_inside, kwargs_inside = jax.tree.unflatten(structure, inside)
        return with_modules(function, twins)(*args_inside, **kwargs_inside)

    return run(modules, traced)


def checkpoint_sequential(functions: Iterable[Callable[..., Any]], segments: int, input: Any) -> Any:
    """Functions called one after the other; all but the last of `segments` equal parts are computed again."""
    layers = list(functions)
    size = len(layers) // segments

    def called(part: Sequence[Callable[..., Any]], x: Any) -> Any:
        for layer in part:
            x = layer(x)
        return x

    for start in range(0, size * (segments - 1), size):
        input = checkpoint(functools.partial(called, layers[start : start + size]), input)
    return called(layers[size * (segments - 1) :], input)
