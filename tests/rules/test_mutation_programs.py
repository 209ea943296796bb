"""Random programs that change arrays in place: the converted ones give the same numbers, or are refused."""


from __future__ import annotations

from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import ivy_convert

_HEADER = "import torch\nimport torch.nn.functional as F\n\n"


@dataclass
class Program:
    """Lines of a function body, with the shape of every array name that is bound for certain."""

    lines: list[str] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    held: tuple[int, ...] | None = None


def _same_shape(program: Program, name: str) -> list[str]:
    return [other for other, shape in program.shapes.items() if shape == program.shapes[name]]


def _views(name: str, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    views = [(f"{name}[1]", shape[1:]), (f"{name}[:2]", (min(2, shape[0]), *shape[1:])), (f"{name}.reshape(-1)", (int(np.prod(shape)),)),
             (f"{name}", shape), (f"{name}.detach()", shape), (f"{name}.unsqueeze(0)", (1, *shape)),
             (f"{name}.contiguous()", shape), (f"{name} if n > 1 else {name} + 1", shape)]  # fmt: skip
    if len(shape) == 2:
        views += [
            (f"{name}.t()", shape[::-1]),
            (f"{name}[:, 0]", shape[:1]),
            (f"{name}.view({shape[1]}, {shape[0]})", shape[::-1]),
        ]
    return [(text, shape) for text, shape in views if shape]


@st.composite
def _fresh(draw: st.DrawFn, program: Program, names: list[str]) -> None:
    target, source = draw(st.sampled_from("abcd")), draw(st.sampled_from(names))
    other = draw(st.sampled_from(_same_shape(program, source)))
    text = draw(
        st.sampled_from(
            [f"{source}.clone()", f"{source} + {other}", f"torch.sin({source})", f"{source} * 2 - {other}"]
        )
    )
    shape = program.shapes[source]
    program.lines.append(f"{target} = {text}")
    program.shapes[target] = shape


@st.composite
def _view(draw: st.DrawFn, program: Program, names: list[str]) -> None:
    source = draw(st.sampled_from(names))
    text, shape = draw(st.sampled_from(_views(source, program.shapes[source])))
    target = draw(st.sampled_from("abcdv"))
    program.lines.append(f"{target} = {text}")
    program.shapes[target] = shape


@st.composite
def _change(draw: st.DrawFn, program: Program, names: list[str]) -> None:
    name = draw(st.sampled_from(names))
    shape = program.shapes[name]
    other = draw(st.sampled_from(_same_shape(program, name)))
    target = draw(st.sampled_from("abcd"))
    row = f"{name}[{draw(st.integers(0, 1))}]"
    choices = [
        f"{name}.add_(1)", f"{name}.mul_(0.5).add_({other}, alpha=2)", f"{name}.copy_({other})", f"{name}.zero_()",
        f"{name}.fill_(3)", f"{name}.clamp_(-1, 1)", f"{name} += {other}", f"{name} *= 2", f"F.relu({name}, inplace=True)",
        f"torch.add({other}, 1, out={name})", f"{name}[:1] = 4", f"{row} = 5", f"{row} += 2", f"{name}[-1:] *= 3",
        f"{name}[{name} > 0.5] = 0.25", f"{name}[{name} < 0] *= -1", f"{name}[torch.tensor([0, 0])] += 1",
        f"{name}[[0, 1]] = -2", f"{target} = {name}.add_(1)", f"{target} = torch.cos({name}.sub_(1))",
        f"{row}.mul_(2)", f"{target} = {other} + F.relu({name}, inplace=True)", f"{name}.data.add_(1)", f"{row} = {other}[1]",
        f"for row in {name}:\n    row *= 2", f"for i in range(2):\n    {name}[i] = {other}[i] + i",
        f"for i in range(2):\n    {target} = {name}.mul_(2)\n    {name} = {name} + 1",
        f"if n > 1:\n    {name}.neg_()", f"if n > 1:\n    {name} = {other}\n{name}.add_(3)",
        f"for i in range(2):\n    {name}[0] = i\n    kept.append({name})",
        f"for i in range(2):\n    {name} = torch.zeros({shape})\n    {name}[0] = i\n    kept.append({name})",
        f"while n > 1:\n    n -= 1\n    {name} -= {other}", f"{name}.abs_().sqrt_()",
        f"try:\n    {name}[0] = 1\n    {target} = {name}\nfinally:\n    {name}.add_(1)",
        f"{name} = change({name})", f"change({name})", f"{target} = change({name})", f"{target} = same({name})",
    ]  # fmt: skip
    line = draw(st.sampled_from(choices))
    program.lines.append(line)
    if f"{target} = " in line:
        program.shapes[target] = shape


@st.composite
def _hold(draw: st.DrawFn, program: Program, names: list[str]) -> None:
    name = draw(st.sampled_from(names))
    if program.held is not None and draw(st.booleans()):
        line = draw(
            st.sampled_from(
                ["held[0].add_(1)", "held[0][0] = 9", "held[0] += 1", f"{name} = held[0]", "held[0] = held[0] * 2"]
            )
        )
        if line.startswith(f"{name} ="):
            program.shapes[name] = program.held
    else:
        line = draw(st.sampled_from([f"held.append({name})", f"held.append({name} * 2)"]))
        program.held = program.held or program.shapes[name]
    program.lines.append(line)


@st.composite
def programs(draw: st.DrawFn, parameter: bool) -> str:
    """The source of a function `run` that returns every array that it knows."""
    program = Program([] if parameter else ["a = torch.arange(12.0).reshape(3, 4) / 6 - 1"], {"a": (3, 4)})
    program.lines += ["held = []", "kept = []", "b = torch.ones(3, 4)"]
    program.shapes["b"] = (3, 4)
    for _ in range(draw(st.integers(2, 6))):
        names = list(program.shapes)
        draw(draw(st.sampled_from([_fresh, _view, _change, _change, _hold]))(program, names))
    kept = sorted(draw(st.sets(st.sampled_from(sorted(program.shapes)), min_size=1)))
    body = "\n".join(program.lines) + f"\nreturn [{', '.join(kept)}], held, kept\n"
    helpers = "def change(x: torch.Tensor):\n    x.mul_(2)\n    return x\n\n\ndef same(x: torch.Tensor):\n    return x\n\n\n"
    used = helpers if "change(" in body or "same(" in body else ""
    parameters = "a: torch.Tensor, n" if parameter else "n"
    return _HEADER + used + f"def run({parameters}):\n" + "".join(f"    {line}\n" for line in body.splitlines())


def _flat(value: object) -> list[np.ndarray]:
    if isinstance(value, (list, tuple)):
        return [array for item in value for array in _flat(item)]
    return [np.asarray(value)]


def _run(code: str, *arguments: object) -> list[np.ndarray]:
    namespace: dict[str, object] = {}
    exec(compile(code, "<program>", "exec"), namespace)
    return _flat(namespace["run"](*arguments))  # type: ignore[operator]


def _check(code: str, target: str, torch_inputs: tuple[object, ...], inputs: tuple[object, ...]) -> None:
    try:
        expected = _run(code, *torch_inputs, 3)
    except (RuntimeError, IndexError):  # no valid program of the source framework
        assume(False)
    result = ivy_convert.convert_source(code, source="torch", target=target)
    if result.report.unsupported or result.report.review:
        return
    got = _run(result.code, *inputs, 3)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6, err_msg=f"{code}\n{result.code}")


_SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
_ARRAYS = {"jax": jnp.asarray, "numpy": np.array}


@pytest.mark.parametrize("target", _ARRAYS)
@_SETTINGS
@given(programs(parameter=False))
def test_changes_of_local_arrays_are_equal_or_refused(target: str, code: str) -> None:
    _check(code, target, (), ())


@pytest.mark.parametrize("target", _ARRAYS)
@_SETTINGS
@given(programs(parameter=True))
def test_changes_of_arguments_are_equal_or_refused(target: str, code: str) -> None:
    start = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    _check(code, target, (torch.from_numpy(start.copy()),), (_ARRAYS[target](start),))
