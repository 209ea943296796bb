"""Every row against the installed library: the names, order and defaults of parameters that it claims are there."""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from ivy_convert.rewriter.signature import MISSING, Opaque, Passing
from ivy_convert.rewriter.table_loader import API_MAPS, load_tables
from ivy_convert.rewriter.tables import CONTEXT, Spelling, SpellingParameter

TABLES = load_tables()
FRAMEWORKS = [name for name in ("torch", "jax", "numpy") if name in TABLES.frameworks]


@functools.cache
def array(framework: str) -> Any:
    """A small array of a framework, on which methods and properties are looked up."""
    root = {"torch": "torch", "jax": "jax.numpy", "numpy": "numpy"}[framework]
    return importlib.import_module(root).ones((1, 1))


@functools.cache
def helpers(framework: str) -> dict[str, Any]:
    """All helpers of a framework by name."""
    found: dict[str, Any] = {}
    for path in sorted((API_MAPS / framework / "helpers").glob("[!_]*.py")):
        module = importlib.import_module(f"ivy_convert.api_maps.{framework}.helpers.{path.stem}")
        found.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    return found


@functools.cache
def imported(path: str) -> Any:
    """The object at a dotted path. Raises AttributeError or ImportError when there is none."""
    first, *rest = path.split(".")
    if not rest:
        return getattr(builtins, first)
    value = importlib.import_module(first)
    for index, name in enumerate(rest):
        try:
            value = getattr(value, name)
        except AttributeError:
            value = importlib.import_module(".".join([first, *rest[: index + 1]]))
    return value


def find(row: Spelling) -> Any:
    """The object that a row spells."""
    if row.form in ("method", "property"):
        try:
            return getattr(array(row.framework), row.attribute)
        except RuntimeError:  # torch: an imaginary part only complex arrays have.
            return None
    if row.form == "helper":
        return helpers(row.framework)[row.path.removeprefix("helpers.")]
    return imported(row.path)


def problems(row: Spelling) -> Iterator[str]:
    """What the row claims and the library does not have."""
    try:
        thing = find(row)
    except (AttributeError, ImportError, KeyError) as error:
        yield f"does not exist ({error})"
        return
    if row.form == "property":
        return
    try:
        signature = inspect.signature(thing)
    except (ValueError, TypeError):
        return  # Built into C++: the tests of numbers call it in this spelling.
    real = list(signature.parameters.values())
    for index, parameter in enumerate(row.parameters):
        yield from parameter_problems(index, parameter, real)


def parameter_problems(index: int, claimed: SpellingParameter, real: list[inspect.Parameter]) -> Iterator[str]:
    """What is wrong with one claimed parameter."""
    kinds = {parameter.kind for parameter in real}
    open_ended = inspect.Parameter.VAR_POSITIONAL in kinds
    if claimed.passing is Passing.VARIADIC:
        if not open_ended:
            yield f"*{claimed.name}: takes no variable number of arguments"
        return
    if claimed.passing is Passing.POSITIONAL_ONLY:
        if index >= len(real) and not open_ended:
            yield f"{claimed.name}: takes only {len(real)} arguments"
        return
    place = next((i for i, parameter in enumerate(real) if parameter.name == claimed.name), None)
    if place is None:
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            yield f"{claimed.name}: no such parameter"
        return
    if real[place].kind is inspect.Parameter.POSITIONAL_ONLY:
        yield f"{claimed.name}: positional only"
    elif claimed.passing is Passing.POSITIONAL_OR_KEYWORD and claimed.hub != CONTEXT:
        if real[place].kind is inspect.Parameter.KEYWORD_ONLY:
            yield f"{claimed.name}: keyword only"
        elif place != index and not open_ended:
            yield f"{claimed.name}: stands at place {place}, not {index}"
    default = real[place].default
    if claimed.default is MISSING or isinstance(claimed.default, Opaque) or default is None:
        return  # None means that the function decides inside: the tests of numbers see what it decides.
    if default is not inspect.Parameter.empty and isinstance(default, (bool, int, float, str, tuple)):
        if default != claimed.default and repr(default) != repr(claimed.default):
            yield f"{claimed.name}: the default is {default!r}, not {claimed.default!r}"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_signatures(framework: str) -> None:
    found = [
        f"{row.location}: {row.path}: {problem}"
        for rows in TABLES.frameworks[framework].by_op.values()
        for row in rows
        if row.form in ("function", "method", "property", "helper")
        for problem in problems(row)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "torch"])
def test_results_keep_their_names(framework: str) -> None:
    """`x.max(1).values` stays so: what has names in one framework's results has them in the others'."""
    named = {row.op: row.results for rows in TABLES.frameworks["torch"].by_op.values() for row in rows if row.results}
    found = [
        f"{row.location}: {row.path} lacks {names}"
        for op, names in named.items()
        for row in TABLES.writers(framework, op)
        if row.form != "unsupported" and not set(names) <= set(row.results)
    ]
    assert not found, "\n".join(found)
