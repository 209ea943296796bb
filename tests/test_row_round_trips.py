"""Read, write, read: what a row reads, written in the same framework and read again, is the same op and arguments."""

from __future__ import annotations

import ast
from typing import Any

import libcst as cst
import pytest

from ivy_convert.rewriter.infer import Inference
from ivy_convert.rewriter.names import Repository
from ivy_convert.rewriter.read import BoundOp, Collected, Constant, Given, hub_value, literal
from ivy_convert.rewriter.repository import convert_text
from ivy_convert.rewriter.signature import MISSING, Opaque
from ivy_convert.rewriter.source import parse_source
from ivy_convert.rewriter.table_loader import load_tables
from ivy_convert.rewriter.tables import CONTEXT, Spelling

from .row_samples import make_sample, sample_texts, spell

TABLES = load_tables()
HEADERS = {
    "torch": "import torch\nimport torch.nn.functional\nfrom torch import Tensor as Array\n",
    "jax": "import jax\nimport jax.numpy\nimport jax.scipy\nfrom jax import Array\n",
    "numpy": "import numpy\nimport scipy\nfrom numpy import ndarray as Array\n",
}
FRAMEWORKS = [name for name in HEADERS if name in TABLES.frameworks]


def calls(framework: str, op_name: str) -> list[str]:
    """One function for every sample in every spelling of an op."""
    own = TABLES.frameworks[framework]
    op = TABLES.hub[op_name]
    samples = [make_sample(op, text) for text in sample_texts(op)]
    found: dict[str, None] = {}
    for row in own.by_op[op_name]:
        if row.form not in ("function", "method", "property") or not (row.reads and row.writes) or not is_own(row):
            continue
        if any(parameter.hub == CONTEXT for parameter in row.parameters):
            continue
        for sample in samples:
            text = spell(own, op, row, sample)
            if text is not None:
                parameters = ", ".join(f"{name}: Array" for name in sample.arrays)
                found[f"({parameters}):\n    return {text}\n"] = None
    return [f"def case_{index}{text}" for index, text in enumerate(found)]


def is_own(row: Spelling) -> bool:
    """Whether the name lies in the framework itself, not in a package beside it."""
    roots = TABLES.frameworks[row.framework].roots
    return row.form in ("method", "property") or row.path.partition(".")[0] in roots


def read(framework: str, code: str) -> dict[str, Any]:
    """The op that each function returns, described."""
    source = parse_source("cases.py", code.encode())
    modules = {"cases.py": source.module}
    inference = Inference(Repository(modules), modules, TABLES, framework)
    inference.run()
    bound = inference.files["cases.py"].bound
    found: dict[str, Any] = {}
    for statement in source.module.body:
        if isinstance(statement, cst.FunctionDef):
            returned = statement.body.body[-1].body[0].value  # type: ignore[union-attr,attr-defined]
            op = bound.get(returned)
            found[statement.name.value] = described(framework, op) if isinstance(op, BoundOp) else op
    return found


def described(framework: str, op: BoundOp) -> tuple[str, dict[str, str]]:
    """An op's name and arguments, however they were written."""
    return op.op.name, {name: argument_text(framework, op, name) for name in op.arguments}


def argument_text(framework: str, op: BoundOp, name: str) -> str:
    argument = op.arguments[name]
    parameter = op.op.parameter(name)
    kind = parameter.kind if parameter is not None else ""
    if isinstance(argument, Constant):
        value = argument.value.text if isinstance(argument.value, Opaque) else argument.value
        return normal(hub_dtype(framework, value) if kind == "dtype" else repr(value), kind)
    if isinstance(argument, Collected):
        return normal(", ".join(code(one.value) for one in argument.arguments), kind)
    assert isinstance(argument, Given)
    value = literal(argument.node)
    if value is not MISSING:
        return normal(repr(hub_value(op.spelling, name, value)), kind)
    text = code(argument.node)
    return normal(hub_dtype(framework, text) if kind == "dtype" else text, kind)


def hub_dtype(framework: str, value: Any) -> str:
    """The hub's name of an element type spelled in a framework."""
    text = str(value).replace("jnp.", "jax.numpy.").replace("np.", "numpy.") if value is not None else "None"
    for name, spellings in TABLES.frameworks[framework].fact("dtypes", default={}).items():
        if text in (spellings if isinstance(spellings, list) else [spellings]):
            return str(name)
    return text


def normal(text: str, kind: str) -> str:
    """Shapes are equal whether given as a tuple, a list or separate numbers; numbers are equal by value."""
    if kind in ("shape", "axes", "arrays", "any"):
        return text.strip("()[]").rstrip(",").replace(" ", "")
    try:
        return repr(float(ast.literal_eval(text)))
    except (ValueError, TypeError, SyntaxError):
        return text


def code(node: cst.BaseExpression) -> str:
    """The text of an expression."""
    return cst.Module([]).code_for_node(node)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("op_name", [name for name, op in TABLES.hub.items() if not op.is_layer])
def test_round_trip(framework: str, op_name: str) -> None:
    cases = calls(framework, op_name) if op_name in TABLES.frameworks[framework].by_op else []
    if not cases:
        pytest.skip("no spelling of this op can be written down as a plain expression")
    before = HEADERS[framework] + "\n\n" + "\n\n".join(cases)
    after, _ = convert_text(before, framework, framework, "cases.py")
    # Imports of the source framework are removed with the last use of them; here source and target are one.
    first, second = read(framework, before), read(framework, HEADERS[framework] + after)
    # Where an operator, a helper or another expression is preferred, or is what unknown element types or a gradient
    # need, what is written is no longer this op by name.
    first_writer = TABLES.writers(framework, op_name)[0]
    keeps_name = first_writer.form in ("function", "method", "property") and is_own(first_writer)
    keeps_name = keeps_name and not first_writer.kinds and first_writer.gradients
    failures = []
    for name, text in zip(first, cases, strict=True):
        if not isinstance(first[name], tuple) or first[name][0] != op_name:
            failures.append(f"{text.split('return ')[1].strip()} is not read as {op_name}: {first[name]}")
        elif keeps_name and first[name] != second.get(name):
            failures.append(f"{text.split('return ')[1].strip()}: {first[name]} became {second.get(name)}")
    assert not failures, "\n".join(failures)
