"""What the user sees: progress, diffs, open places and the closing summary."""

from __future__ import annotations

import difflib
import os
import sys
import tokenize
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, TextIO

import click

from ..rewriter.problems import Problem
from ..rewriter.tree import SourceTree

if TYPE_CHECKING:
    from ..rewriter.report import FileRecord, Report, Site
    from .convert import Job, Request
    from .placement import Placement

# Open places listed on a terminal for each status; elsewhere, and in a report, all are.
LISTED = 20
# Work that ends sooner than a bar could be read shows none.
PROGRESS_FILES, PROGRESS_BYTES = 20, 300_000


@contextmanager
def progress(files: int, size: int) -> Iterator[Callable[[FileRecord], None] | None]:
    """A progress bar on stderr for long work on a terminal; yields what to call for each finished file."""
    if not sys.stderr.isatty() or (files < PROGRESS_FILES and size < PROGRESS_BYTES):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("converting", total=files)

        def advance(record: FileRecord) -> None:
            bar.update(task, advance=1, description=os.path.basename(record.path))

        yield advance


def print_problems(problems: Sequence[Problem]) -> None:
    """One line on stderr for each file that could not be read or converted."""
    for problem in problems:
        click.echo(f"ivy-convert: {problem}", err=True)


def print_diff(tree: SourceTree, contents: Mapping[str, bytes], changed: Collection[str]) -> None:
    """Unified diffs of all changed files: byte for byte what `patch -p1` and `git apply` take, coloured on a terminal."""
    colour = wants_colour(sys.stdout)
    for key in sorted(changed):
        place = tree.place(key)
        before = tree.files.get(key, place.read_bytes() if place.is_file() else None)
        for line in diff_lines(tree.display(key), before, contents[key]):
            click.echo(coloured(line.decode(encoding_of(contents[key]), "replace")) if colour else line, nl=False)


def diff_lines(path: str, before: bytes | None, after: bytes) -> Iterator[bytes]:
    """The lines of one file's diff; a file that was not there before comes from /dev/null."""
    name = os.fsencode(path.replace(os.sep, "/").lstrip("/"))
    if b" " in name:
        name += b"\t"  # as diff and git end a name with blanks
    origin = b"/dev/null" if before is None else b"a/" + name
    lines = difflib.diff_bytes(difflib.unified_diff, lines_of(before or b""), lines_of(after), origin, b"b/" + name)
    for line in lines:
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def lines_of(content: bytes) -> list[bytes]:
    """Lines as diff counts them: ended by a newline only, not by a form feed or a bare carriage return."""
    parts = content.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def encoding_of(content: bytes) -> str:
    """The encoding of source text, by its coding line or byte-order mark."""
    try:
        return tokenize.detect_encoding(BytesIO(content).readline)[0].replace("utf-8-sig", "utf-8")
    except (SyntaxError, LookupError):
        return "latin-1"


def wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def coloured(line: str) -> str:
    if line.startswith(("+++", "---")):
        return click.style(line, bold=True)
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return click.style(line, fg=colours[line[0]]) if line[0] in colours else line


def print_result(request: Request, jobs: Sequence[Job], placement: Placement, report: Report, seconds: float) -> None:
    """The open places and the closing summary, on stderr where stdout holds a diff."""
    err = request.diff
    if not report.source:
        what = "nothing to convert: no file uses another framework that is known here"
        click.echo(f"{what} (name it with --from)", err=err)
        return
    if request.check:
        for job in jobs:
            for key in sorted(job.changed):
                verb = "convert" if job.tree.place(key).exists() else "write"
                click.echo(f"would {verb} {job.tree.display(key)}")
    display = shown_paths(jobs)
    print_sites("left as they were", report.unsupported, display, err)
    print_sites("to review", report.review, display, err)
    print_sites("known from the run only", [site for site in report.traced if site.status == "converted"], display, err)
    for line in summary_lines(report, seconds):
        click.echo(line, err=err)
    if request.writes:
        for job in jobs:
            if job.report.source:
                click.echo(f"written to {placement.destination(job.tree)}")
    if request.report:
        click.echo(f"report in {request.report}", err=err)


def shown_paths(jobs: Sequence[Job]) -> Callable[[str], str]:
    """How to print a path of the report: as the user would type it."""
    if len(jobs) == 1:
        return jobs[0].tree.display
    return lambda path: path


def print_sites(title: str, sites: Sequence[Site], display: Callable[[str], str], err: bool) -> None:
    """`path:line:col reason` for each place, columns from 1 as editors count; limited on a terminal."""
    if not sites:
        return
    stream = sys.stderr if err else sys.stdout
    listed = sites[:LISTED] if stream.isatty() else sites
    click.echo(click.style(f"{title} ({len(sites)}):", bold=True), err=err)
    for site in listed:
        click.echo(f"{display(site.path)}:{site.line}:{site.column + 1} {site.reason or site.api}", err=err)
    if len(listed) < len(sites):
        click.echo(f"... and {len(sites) - len(listed)} more: --report FILE.md lists them all", err=err)


def summary_lines(report: Report, seconds: float) -> list[str]:
    """Files, sites converted, to review, left, seconds."""
    counts = dict.fromkeys(("converted", "unchanged", "skipped", "failed"), 0)
    for record in report.files:
        counts[record.status] += 1
    files = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "none"
    traced = f" ({len(report.traced)} rest on --trace)" if report.traced else ""
    sites = f"{len(report.converted)} converted{traced}, {len(report.review)} to review, {len(report.unsupported)} left"
    return [
        f"{report.source} -> {report.target} in {seconds:.1f} s",
        f"files: {files}",
        f"sites: {sites}",
    ]
