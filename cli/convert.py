"""The convert command: read, convert in memory, then print, check or write."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..rewriter import cache
from ..rewriter.helper_merge import join_helpers
from ..rewriter.problems import InputError, Problem
from ..rewriter.tree import SourceTree, discover, is_excluded
from . import show
from .dependency_files import dependency_contents, follow
from .settings import Settings, load_settings

if TYPE_CHECKING:
    from ..rewriter.observations import Observations
    from ..rewriter.report import FileRecord, Report, TreeResult

# Below this much source, starting processes costs more than it saves.
PARALLEL_BYTES = 400_000


@dataclass(frozen=True)
class Request:
    """The arguments of one run; see `cli/main.py` for what each means."""

    sources: tuple[Path, ...]
    target: str | None = None
    source: str | None = None
    out: Path | None = None
    in_place: bool = False
    diff: bool = False
    check: bool = False
    verify: str | None = None
    inputs: Path | None = None
    trace: str | None = None
    trace_folder: Path | None = None
    report: Path | None = None
    strict: bool | None = None
    jobs: int | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    force: bool = False

    @property
    def writes(self) -> bool:
        return not (self.diff or self.check)


@dataclass(frozen=True)
class Job:
    """One tree on its way: what was read, what it became, and where it goes."""

    tree: SourceTree
    report: Report
    contents: dict[str, bytes] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    helpers: frozenset[str] = frozenset()

    @property
    def problems(self) -> list[Problem]:
        """What kept files from being read or converted."""
        failed = [record for record in self.report.files if record.status == "failed"]
        return self.tree.problems + [failure(self.tree.display(record.path), record.reason) for record in failed]


def run(request: Request) -> int:
    """Carry out `request` and return the exit code."""
    from .placement import Placement

    started = time.perf_counter()
    check_combination(request)
    settings = load_settings(request.sources[0])
    request = with_settings(request, settings)
    placement = Placement.of(request)
    trees = [discover(group, settings.exclude) for group in placement.groups]
    for tree in trees:
        placement.require_room(tree)
    jobs = [convert_tree(tree, request, seen) for tree, seen in zip(trees, observed(request, trees), strict=True)]
    if request.diff:
        for job in jobs:
            show.print_diff(job.tree, job.contents, job.changed)
    elif request.writes:
        for job in jobs:
            if job.report.source:
                placement.write(job)
    report = merge_reports([(job.tree, job.report) for job in jobs])
    agrees = True
    if request.verify and report.source:
        from .verification import verify_jobs

        report, agrees = verify_jobs(report, jobs, placement, request)
    if request.report:
        from .report_formats import write_report

        write_report(request.report, report, show.shown_paths(jobs))
    problems = [problem for job in jobs for problem in job.problems]
    show.print_problems(problems)
    show.print_result(request, jobs, placement, report, time.perf_counter() - started)
    return exit_code(request, report, problems, any(job.changed for job in jobs), agrees)


def observed(request: Request, trees: Sequence[SourceTree]) -> Sequence[Observations | None]:
    """What a run of the source shows of each tree's types, where one is asked for."""
    if not request.trace:
        return [None] * len(trees)
    from .tracing import observe

    return observe(request, trees)


def failure(path: str, reason: str) -> Problem:
    """A file that could not be converted; reasons end in `; what to do`."""
    what, separator, remedy = reason.rpartition("; ")
    return Problem(path, what, f"{remedy} (left as it was)") if separator else Problem(path, reason, "left as it was")


def convert_path(
    path: Path, source: str | None, target: str, out: Path | None, trace: str | None = None
) -> Report:
    """What `ivy_convert.convert_tree` does: convert `path` into `out` (default: beside it) and return the report.

    Raises InputError for input that cannot be read and for an output that exists.
    """
    from .placement import Placement

    request = Request((path,), target=target, source=source, out=out, trace=trace)
    request = with_settings(request, load_settings(path))
    placement = Placement.of(request)
    tree = discover([path], load_settings(path).exclude)
    placement.require_room(tree)
    job = convert_tree(tree, request, observed(request, [tree])[0])
    if job.report.source:
        placement.write(job)
    return job.report


def check_combination(request: Request) -> None:
    """Raise UsageError for options that contradict each other."""
    modes = {"-o": request.out, "--in-place": request.in_place, "--diff": request.diff, "--check": request.check}
    given = [name for name, value in modes.items() if value]
    if len(given) > 1:
        raise click.UsageError(f"{given[0]} and {given[1]} exclude each other: give one of them")
    if request.verify and not request.writes:
        raise click.UsageError("--verify runs the written result: give it without --diff and --check")
    if request.inputs and not request.verify:
        raise click.UsageError("--inputs belongs to --verify: add --verify")
    if request.inputs and not request.inputs.is_file():
        raise InputError(request.inputs, "no such file", "check the spelling and the current folder")
    if request.report:
        from .report_formats import require_format

        require_format(request.report)


def with_settings(request: Request, settings: Settings) -> Request:
    """The request completed from the configuration; what the command line says wins."""
    target = request.target or settings.target
    if target is None:
        raise click.UsageError("which framework is to be written? Give --to NAME, or `to` in [tool.ivy-convert]")
    source = request.source or settings.source
    if source == target:
        raise click.UsageError(f"--from and --to are both {target}: there is nothing to convert")
    if request.trace is None and settings.trace and settings.folder:
        # Whoever converts code that they have from elsewhere has not asked for its commands to be run.
        if Path.cwd().is_relative_to(settings.folder):
            request = dataclasses.replace(request, trace=settings.trace, trace_folder=settings.folder)
        else:
            place = settings.folder / "pyproject.toml"
            click.echo(f"ivy-convert: {place}: `trace` is only run inside its folder: give --trace COMMAND", err=True)
    return dataclasses.replace(
        request,
        target=target,
        source=source,
        strict=settings.strict if request.strict is None else request.strict,
        jobs=request.jobs or settings.jobs,
        select=request.select or settings.select,
        ignore=request.ignore or settings.ignore,
    )


def convert_tree(tree: SourceTree, request: Request, seen: Observations | None = None) -> Job:
    """Convert one tree in memory, its dependency files included; the same tree again comes from the cache.

    seen: what a run of it showed of types.
    """
    others = dependency_contents(tree) if tree.is_folder else {}
    options = {
        "source": request.source, "target": request.target, "select": request.select, "ignore": request.ignore,
        "whole": tree.is_folder, "others": sorted(others), "seen": seen.text if seen else None,
    }  # fmt: skip
    key = cache.conversion_key({**tree.files, **others}, options)
    result = cache.load_conversion(key, tree.files)
    if result is None:
        result = conversion(tree, others, request, seen)
        cache.store_conversion(key, tree.files, result)
    contents = dict(result.files)
    for key, content in result.helpers.items():
        contents[key] = join_helpers(tree.place(key), contents.get(key), content, request.force)
    changed = frozenset(key for key, content in contents.items() if content != original_content(tree, key))
    return Job(tree, result.report, contents, changed, frozenset(result.helpers))


def conversion(
    tree: SourceTree, others: Mapping[str, bytes], request: Request, seen: Observations | None
) -> TreeResult:
    """What becomes of the tree's Python files and of `others`, its further dependency files."""
    from ..rewriter import repository
    from ..rewriter.report import Report, TreeResult

    target = str(request.target)
    source = request.source or repository.detect_source(tree.files, target)
    if source is None or source == target:
        return TreeResult(dict(tree.files), {}, Report("", target))
    with show.progress(len(tree.files), sum(map(len, tree.files.values()))) as advance:
        result = repository.convert_files(
            tree.files, source, target, jobs=processes(tree, request), on_file=advance, observations=seen
        )
    report, files = without_deselected(tree, result.report, result.files, request)
    contents = {key: content for key, content in {**tree.files, **files}.items() if key not in result.replaced}
    if tree.is_folder:
        contents |= follow({**contents, **result.helpers}, others, source, target)
    return TreeResult(contents, result.helpers, report)


def without_deselected(
    tree: SourceTree, report: Report, files: dict[str, bytes], request: Request
) -> tuple[Report, dict[str, bytes]]:
    """The result with every file that --select and --ignore leave out as it was."""
    from ..rewriter.report import FileRecord, Report

    left = {
        key
        for key in tree.files
        if (request.select and not is_excluded(key, request.select)) or is_excluded(key, request.ignore)
    }
    if not left:
        return report, files
    records = [
        FileRecord(record.path, "skipped", "left out by --select or --ignore", record.lines)
        if record.path in left and record.status == "converted"
        else record
        for record in report.files
    ]
    sites = [site for site in (*report.converted, *report.review, *report.unsupported) if site.path not in left]
    return (
        Report.of(report.source, report.target, records, sites),
        {key: tree.files[key] if key in left else content for key, content in files.items()},
    )


def original_content(tree: SourceTree, key: str) -> bytes | None:
    """What stood at `key` before; None where there was nothing."""
    if key in tree.files:
        return tree.files[key]
    place = tree.place(key)
    return place.read_bytes() if place.is_file() else None


def processes(tree: SourceTree, request: Request) -> int:
    """How many processes to convert in: as asked, else all cores where there is enough to do."""
    if request.jobs:
        return request.jobs
    if sum(map(len, tree.files.values())) < PARALLEL_BYTES:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, len(tree.files))


def merge_reports(reports: Iterable[tuple[SourceTree, Report]]) -> Report:
    """One report for all trees; with several, paths gain the tree's own path in front."""
    from ..rewriter.report import Report

    pairs = list(reports)
    if len(pairs) == 1:
        return pairs[0][1]

    def moved(tree: SourceTree) -> Callable[[str], str]:
        return lambda path: Path(tree.display(path)).as_posix()

    files: list[FileRecord] = []
    sites = []
    for tree, report in pairs:
        place = moved(tree)
        files += [dataclasses.replace(record, path=place(record.path)) for record in report.files]
        for site in (*report.converted, *report.review, *report.unsupported):
            sites.append(dataclasses.replace(site, path=place(site.path)))
    first = next((report for _, report in pairs if report.source), pairs[0][1])
    return Report.of(first.source, first.target, files, sites)


def exit_code(request: Request, report: Report, problems: list[Problem], changed: bool, agrees: bool) -> int:
    """2: some input could not be read; 1: a failed verification, or something to review under --check or --strict."""
    if any(problem.unreadable for problem in problems):
        return 2
    open_places = bool(report.review or report.unsupported)
    if not agrees or (request.check and (changed or open_places)) or (request.strict and open_places):
        return 1
    return 0
