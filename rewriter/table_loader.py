"""Reads api_maps/**/*.yaml strictly into `Tables`; every mistake names file and line."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .cache import remembered
from .signature import MISSING, Parameter, Passing, SignatureError, parse_signature
from .tables import (
    CONTEXT,
    DROP,
    REFUSE,
    Framework,
    HubOp,
    HubParameter,
    Spelling,
    SpellingParameter,
    Tables,
    Weight,
    operator_operands,
    operator_shape,
)

API_MAPS = Path(__file__).resolve().parent.parent / "api_maps"

PARAMETER_KINDS = frozenset(
    "array array_or_scalar arrays int float scalar bool str shape axes dtype device key any".split()
)
HUB_KEYS = frozenset("call layer means domain dtypes samples random".split())
ROW_KEYS = frozenset(
    """call where matches kinds ranks with_axes values weights reads writes review since means ignores gradients helper
    unsupported""".split()
)


class TableError(ValueError):
    """A table says something that the row language does not allow."""


@functools.cache
def load_tables(root: Path = API_MAPS) -> Tables:
    """All tables below `root`, from the user's cache folder when no file has changed."""
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.glob("*/*.yaml"))}
    own = (Path(__file__), Path(__file__).with_name("tables.py"), Path(__file__).with_name("signature.py"))
    parts = [path.read_bytes() for path in own]
    for path, content in contents.items():
        parts += [path.encode(), content]
    return remembered("tables", parts, lambda: parse_tables(contents))


def parse_tables(files: Mapping[str, bytes]) -> Tables:
    """Tables from YAML texts, keyed by `<folder>/<file>.yaml` relative to api_maps.

    Raises TableError naming file and line for any unknown key, name or duplicate.
    """
    hub: dict[str, HubOp] = {}
    for path, text in files.items():
        if path.startswith("canonical/"):
            for key, value, where in _entries(path, text):
                if key in hub:
                    raise TableError(f"{where}: {key!r} is defined twice")
                hub[key] = _hub_op(key, value, where)
    frameworks = {}
    for name in sorted({path.split("/")[0] for path in files} - {"canonical"}):
        own = {path: text for path, text in files.items() if path.startswith(f"{name}/")}
        frameworks[name] = _framework(name, own, hub)
    return Tables(hub, frameworks)


def _framework(name: str, files: Mapping[str, bytes], hub: Mapping[str, HubOp]) -> Framework:
    facts: dict[str, Any] = {}
    by_op: dict[str, tuple[Spelling, ...]] = {}
    by_path: dict[str, list[Spelling]] = {}
    for path, text in files.items():
        if path.endswith(("/framework.yaml", "/facts.yaml")):
            facts.update({key: value for key, value, _ in _entries(path, text)})
            continue
        for key, value, where in _entries(path, text):
            if key not in hub:
                raise TableError(f"{where}: {key!r} is not a name of the hub (api_maps/canonical)")
            if key in by_op:
                raise TableError(f"{where}: {key!r} has two rows in {name}")
            rows = value if isinstance(value, list) else [value]
            by_op[key] = tuple(_spelling(hub[key], name, row, where) for row in rows)
            for spelling in by_op[key]:
                if spelling.reads and spelling.form not in ("means", "unsupported"):
                    by_path.setdefault(spelling.path, []).append(spelling)
    return Framework(name, facts, by_op, {path: tuple(rows) for path, rows in by_path.items()})


def _entries(path: str, text: bytes) -> Iterator[tuple[str, Any, str]]:
    """The top-level entries of one file with their place; duplicate keys at any depth are errors."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        raise TableError(f"api_maps/{path}: {error}") from None
    if root is None:
        return
    constructor = yaml.SafeLoader("")

    def construct(node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            result: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = construct(key_node)
                if key in result:
                    raise TableError(f"api_maps/{path}:{key_node.start_mark.line + 1}: {key!r} stands twice")
                result[key] = construct(value_node)
            return result
        if isinstance(node, yaml.SequenceNode):
            return [construct(item) for item in node.value]
        return constructor.construct_object(node, deep=True)

    if not isinstance(root, yaml.MappingNode):
        raise TableError(f"api_maps/{path}:1: a table maps names to rows")
    seen: set[str] = set()
    for key_node, value_node in root.value:
        place = f"api_maps/{path}:{key_node.start_mark.line + 1}"
        key = str(construct(key_node))
        if key in seen:
            raise TableError(f"{place}: {key!r} stands twice")
        seen.add(key)
        yield key, construct(value_node), place


def _hub_op(name: str, value: Any, where: str) -> HubOp:
    row = {"call": value} if isinstance(value, str) else value
    if not isinstance(row, dict):
        raise TableError(f"{where}: {name!r} must be a signature or a mapping")
    _reject_unknown_keys(row, HUB_KEYS, where)
    text = row.get("layer") or row.get("call")
    if not text:
        raise TableError(f"{where}: {name!r} needs `call` or `layer`")
    signature = _signature(text, where)
    parameters = tuple(
        HubParameter(p.name, p.annotation or "any", p.default, p.passing) for p in signature.parameters
    )
    for parameter in parameters:
        if parameter.kind not in PARAMETER_KINDS:
            raise TableError(f"{where}: {parameter.kind!r} is not a kind (see docs/tables.md)")
    return HubOp(
        name,
        parameters,
        signature.results or "array",
        is_layer="layer" in row,
        means=row.get("means", ""),
        domain=row.get("domain", "real"),
        dtypes=tuple(row.get("dtypes", ("float", "int", "bool"))),
        samples=tuple(row.get("samples", ())),
        random=row.get("random", False),
    )


def _spelling(op: HubOp, framework: str, value: Any, where: str) -> Spelling:
    row = {"call": value} if isinstance(value, str) else value
    if not isinstance(row, dict):
        raise TableError(f"{where}: a row is a signature, a mapping or a list of these")
    _reject_unknown_keys(row, ROW_KEYS, where)
    named = (row.get(key, ()) for key in ("where", "matches", "kinds", "ranks", "with_axes", "values", "ignores"))
    for key in (name for names in named for name in names):
        if op.parameter(key) is None:
            raise TableError(f"{where}: {key!r} is not a parameter of {op.name!r}")
    common: dict[str, Any] = {
        "op": op.name,
        "framework": framework,
        "where": row.get("where", {}),
        "matches": row.get("matches", {}),
        "kinds": {name: frozenset(kinds) for name, kinds in row.get("kinds", {}).items()},
        "ranks": {name: frozenset(ranks) for name, ranks in row.get("ranks", {}).items()},
        "with_axes": tuple(row.get("with_axes", ())),
        "values": row.get("values", {}),
        "weights": {name: _weight(text, where) for name, text in row.get("weights", {}).items()},
        "ignores": tuple(row.get("ignores", ())),
        "gradients": row.get("gradients", True),
        "reads": row.get("reads", True),
        "writes": row.get("writes", True),
        "review": row.get("review", ""),
        "since": str(row.get("since", "")),
        "location": where,
    }
    if "unsupported" in row:
        return Spelling(form="unsupported", path="", reason=row["unsupported"], **common)
    if "means" in row:
        return Spelling(form="means", path=row["means"], **common)
    if "call" in row:
        return _call_spelling(op, row["call"], where, common)
    if "helper" in row:
        return Spelling(
            form="helper", path=f"helpers.{row['helper']}", parameters=_hub_parameters(op), **common
        )
    raise TableError(f"{where}: a row needs `call`, `helper`, `means` or `unsupported`")


def _call_spelling(op: HubOp, text: str, where: str, common: dict[str, Any]) -> Spelling:
    if operator_shape(text) is not None:
        unknown = [name for name in operator_operands(text) if op.parameter(name) is None]
        if unknown:
            raise TableError(f"{where}: {unknown[0]!r} is not a parameter of {op.name!r}")
        return Spelling(form="operator", path=text, **common)
    signature = _signature(text, where)
    if not signature.path:
        raise TableError(f"{where}: a framework's signature begins with its name")
    results = tuple(part.strip() for part in signature.results.strip("()").split(",") if part.strip())
    parameters = tuple(_spelling_parameter(op, p, where) for p in signature.parameters)
    root, _, rest = signature.path.partition(".")
    if root == "helpers":
        form = "helper"
    elif root[:1].isupper() or root == "ndarray":
        if "." in rest:
            raise TableError(f"{where}: {signature.path!r} is neither a function nor a method")
        form = "property" if signature.is_property else "method"
    else:
        form = "function"
    return Spelling(form=form, path=signature.path, parameters=parameters, results=results, **common)


def _spelling_parameter(op: HubOp, parameter: Parameter, where: str) -> SpellingParameter:
    hub = parameter.annotation or parameter.name
    if hub not in (REFUSE, DROP, CONTEXT) and op.parameter(hub) is None:
        raise TableError(f"{where}: {hub!r} is not a parameter of {op.name!r}")
    return SpellingParameter(parameter.name, hub, parameter.default, parameter.passing)


def _hub_parameters(op: HubOp) -> tuple[SpellingParameter, ...]:
    return tuple(
        SpellingParameter(parameter.name, parameter.name, parameter.default, parameter.passing)
        for parameter in op.parameters
    )


def _weight(text: str, where: str) -> Weight:
    name, bracket, axes = text.partition("[")
    if not bracket or not axes.endswith("]"):
        raise TableError(f"{where}: a weight is written `name[axis axis]`, not {text!r}")
    return Weight(name.strip(), tuple(axes[:-1].split()))


def _signature(text: str, where: str) -> Any:
    try:
        return parse_signature(text)
    except SignatureError as error:
        raise TableError(f"{where}: {error}") from None


def _reject_unknown_keys(row: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for key in row:
        if key not in known:
            raise TableError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")


__all__ = ["MISSING", "Passing", "TableError", "load_tables", "parse_tables"]
