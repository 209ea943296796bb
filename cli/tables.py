"""The commands that show and check the tables of api_maps/."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from ..rewriter.problems import InputError
from ..rewriter.signature import MISSING
from ..rewriter.table_loader import API_MAPS, TableError, load_tables, parse_tables
from ..rewriter.tables import REFUSE, Spelling, Tables


def explain_command(name: str, target: str | None) -> int:
    """Print what the API `name` (of any framework, or of the hub) is in the hub and how each framework writes it."""
    tables = load_tables()
    ops = ops_named(tables, name)
    if not ops:
        near = difflib.get_close_matches(name, known_names(tables), n=5, cutoff=0.7)
        hint = f"did you mean {', '.join(near)}?" if near else "give its full name, such as torch.gather or Tensor.sum"
        raise InputError(name, "no row in the tables", hint)
    for index, op in enumerate(ops):
        if index:
            click.echo()
        click.echo(click.style(hub_signature(tables, op), bold=True))
        for framework in [target] if target else sorted(tables.frameworks):
            rows = tables.frameworks[framework].by_op.get(op, ()) if framework in tables.frameworks else ()
            lines = [line for row in rows for line in row_lines(row)] or [missing(tables, op)]
            for number, line in enumerate(lines):
                click.echo(f"  {framework if number == 0 else '':<11} {line}")
    return 0


def ops_named(tables: Tables, name: str) -> list[str]:
    """The hub ops that `name` means: a qualified API, a method, or the hub's own name; layers and helpers too."""
    found = [
        row.op
        for framework in tables.frameworks.values()
        for path, rows in framework.by_path.items()
        if name in (path, f"{framework.name}.{path}") or qualified_method(framework.roots, name) == path
        for row in rows
    ]
    return list(dict.fromkeys(found + ([name] if name in tables.hub else [])))


def qualified_method(roots: tuple[str, ...], name: str) -> str:
    """`Tensor.sum` for `torch.Tensor.sum`."""
    root, _, rest = name.partition(".")
    return rest if root in roots else name


def known_names(tables: Tables) -> list[str]:
    return [*tables.hub, *(path for framework in tables.frameworks.values() for path in framework.by_path)]


def hub_signature(tables: Tables, op: str) -> str:
    row = tables.hub[op]
    parameters = [
        f"{parameter.name}: {parameter.kind}" + ("" if parameter.default is MISSING else f" = {parameter.default!r}")
        for parameter in row.parameters
    ]
    result = "" if row.is_layer else f" -> {row.result}"
    means = f"  means {row.means}" if row.means else ""
    return f"{op}({', '.join(parameters)}){result}{means}"


def row_lines(row: Spelling) -> list[str]:
    """How one spelling is written, with what it refuses and what a reader should know."""
    if row.form == "unsupported":
        return [f"refused: {row.reason}"]
    parameters = []
    for parameter in row.parameters:
        renamed = f": {parameter.hub}" if parameter.hub not in (parameter.name, REFUSE) else ""
        default = "" if parameter.default is MISSING else f" = {parameter.default!r}"
        parameters.append(parameter.name + renamed + default + (" (refused)" if parameter.hub == REFUSE else ""))
    call = row.path
    if row.form in ("function", "method", "helper"):
        call = f"{row.path}({', '.join(parameters)})"
    notes = [
        "a helper copied into the output" if row.form == "helper" else "",
        "read only" if not row.writes else "",
        f"where {dict(row.where)}" if row.where else "",
        f"review: {row.review}" if row.review else "",
        f"since {row.since}" if row.since else "",
    ]
    remark = "; ".join(note for note in notes if note)
    return [f"{call}  [{remark}]" if remark else call]


def missing(tables: Tables, op: str) -> str:
    means = tables.hub[op].means
    return f"written as {means}" if means else "no row: such a place is left as it is and reported"


def maps_check_command(folder: Path | None) -> int:
    """Load every table below `folder` strictly; 0 if nothing is wrong, 2 with each mistake's place otherwise."""
    root = folder or API_MAPS
    files = sorted(root.glob("*/*.yaml"))
    if not files:
        raise InputError(root, "no tables here", "name a folder such as api_maps/")
    try:
        tables = parse_tables({path.relative_to(root).as_posix(): path.read_bytes() for path in files})
    except TableError as error:
        raise InputError(root, str(error), "correct that line") from None
    for name, framework in sorted(tables.frameworks.items()):
        rows = [row for spellings in framework.by_op.values() for row in spellings]
        refused = sum(row.form == "unsupported" for row in rows)
        click.echo(f"{name:<11} {len(framework.by_op):5} of {len(tables.hub)} ops, {len(rows)} rows, {refused} refused")
    click.echo(f"{len(files)} files, no mistakes")
    return 0
