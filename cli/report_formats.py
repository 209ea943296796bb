"""Writes a report as JSON, Markdown, HTML or SARIF."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from ..rewriter.placing import replace_files
from ..rewriter.report import Report, Site

REASONS = {
    "unsupported": "left as they were: these need a person",
    "review": "rewritten, but what they compute may differ",
    "evidence": "rewritten by types that one run showed: right if they are always these",
}


def write_report(path: Path, report: Report, display: Callable[[str], str] = str) -> None:
    """Write `report` in the format that the name of `path` ends in.

    display: a path of the report as it is reached from the current folder, which code hosts ask for.
    """
    if path.suffix == ".sarif":
        converted = tuple(replace(site, path=display(site.path)) for site in report.converted)
        review = tuple(replace(site, path=display(site.path)) for site in report.review)
        unsupported = tuple(replace(site, path=display(site.path)) for site in report.unsupported)
        report = replace(report, converted=converted, review=review, unsupported=unsupported)
    replace_files({path: FORMATS[path.suffix](report).encode()})


def require_format(path: Path) -> None:
    """Raise UsageError unless the name of `path` ends in a known format."""
    if path.suffix not in FORMATS:
        raise click.UsageError(f"--report {path}: end its name in {', '.join(FORMATS)}")


def to_json(report: Report) -> str:
    """The form of DESIGN.md, version 1."""
    return json.dumps(report.to_dict(), indent=1, default=str) + "\n"


def to_markdown(report: Report) -> str:
    """For people: the counts, then every open place grouped by file, then the files."""
    return "\n".join(markdown_lines(report)) + "\n"


def markdown_lines(report: Report) -> Iterator[str]:
    yield f"# Conversion from {report.source or 'nothing'} to {report.target}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in counts(report):
        yield f"| {name} | {value} |"
    for status, sites in (("unsupported", report.unsupported), ("review", report.review), ("evidence", report.traced)):
        if sites:
            yield ""
            yield f"## {status.capitalize()}: {len(sites)} {REASONS[status]}"
            for path, group in by_file(sites):
                yield ""
                yield f"### {path}"
                for site in group:
                    api = f"`{site.api}`: " if site.api else ""
                    yield f"- line {site.line}, column {site.column + 1}: {api}{escaped(site.reason)}"
    if report.verification is not None:
        yield ""
        yield "## Verification"
        yield ""
        yield "```json"
        yield json.dumps(report.verification, indent=1, default=str)
        yield "```"
    yield ""
    yield "## Files"
    yield ""
    yield "| file | what happened | lines |"
    yield "|---|---|---|"
    for record in report.files:
        why = f": {escaped(record.reason)}" if record.reason else ""
        yield f"| {record.path} | {record.status}{why} | {record.lines} |"


def escaped(text: str) -> str:
    """`text` on one line and without what Markdown tables take for themselves."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def counts(report: Report) -> list[tuple[str, int]]:
    return [
        ("files", len(report.files)),
        ("files that could not be converted", sum(record.status == "failed" for record in report.files)),
        ("sites converted", len(report.converted)),
        ("sites to review", len(report.review)),
        ("sites left as they were", len(report.unsupported)),
        *([("sites that rest on --trace", len(report.traced))] if report.traced else []),
    ]


def by_file(sites: Iterable[Site]) -> Iterator[tuple[str, Iterator[Site]]]:
    return groupby(sites, key=lambda site: site.path)


def to_html(report: Report) -> str:
    """One page that needs nothing else."""
    rows = [
        f"<tr class={site.status}><td>{html.escape(site.path)}:{site.line}:{site.column + 1}</td>"
        f"<td>{site.status}</td><td><code>{html.escape(site.api)}</code></td><td>{html.escape(site.reason)}</td></tr>"
        for site in (*report.unsupported, *report.review, *(site for site in report.traced if site.status == "converted"))
    ]
    totals = "".join(f"<li>{name}: {value}</li>" for name, value in counts(report))
    title = f"Conversion from {html.escape(report.source)} to {html.escape(report.target)}"
    style = "body{font-family:sans-serif}td{padding:.2em .6em;vertical-align:top}.unsupported{background:#fdd}"
    table = "<table><tr><th>place</th><th>status</th><th>API</th><th>reason</th></tr>" + "\n".join(rows) + "</table>"
    verification = ""
    if report.verification is not None:
        text = html.escape(json.dumps(report.verification, indent=1, default=str))
        verification = f"<h2>Verification</h2><pre>{text}</pre>"
    return (
        f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{style}</style>"
        f"<h1>{title}</h1><ul>{totals}</ul>{table if rows else ''}{verification}\n"
    )


def to_sarif(report: Report) -> str:
    """For code hosts: open places as SARIF 2.1.0 results."""
    sites = (*report.unsupported, *report.review, *(site for site in report.traced if site.status == "converted"))
    rules = sorted({site.rule or site.op or "conversion" for site in sites})
    run = {
        "tool": {"driver": {"name": "ivy-convert", "rules": [{"id": rule} for rule in rules]}},
        "columnKind": "unicodeCodePoints",
        "results": [sarif_result(site) for site in sites],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def sarif_result(site: Site) -> dict[str, Any]:
    region = {
        "startLine": site.line,
        "startColumn": site.column + 1,
        "endLine": site.end_line,
        "endColumn": site.end_column + 1,
    }
    place = {"physicalLocation": {"artifactLocation": {"uri": quote(Path(site.path).as_posix())}, "region": region}}
    return {
        "ruleId": site.rule or site.op or "conversion",
        "level": {"unsupported": "error", "review": "warning"}.get(site.status, "note"),
        "message": {"text": f"{site.api}: {site.reason}" if site.api else site.reason},
        "locations": [place],
    }


FORMATS: dict[str, Callable[[Report], str]] = {
    ".json": to_json,
    ".md": to_markdown,
    ".html": to_html,
    ".sarif": to_sarif,
}
