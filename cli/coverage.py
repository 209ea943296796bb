"""The coverage command: which APIs a repository uses, and what a conversion makes of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import click

from ..rewriter.tree import discover
from . import show
from .convert import Request, convert_tree, merge_reports
from .settings import load_settings


def coverage_command(sources: tuple[Path, ...], target: str, source: str | None, jobs: int | None) -> int:
    """Convert in memory and print one line for each API: uses converted, to review, left."""
    settings = load_settings(sources[0])
    request = Request(sources, target=target, source=source or settings.source, check=True, jobs=jobs)
    tree = discover(sources, settings.exclude)
    job = convert_tree(tree, request)
    show.print_problems(job.problems)
    report = merge_reports([(tree, job.report)])
    uses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for site in (*report.converted, *report.review, *report.unsupported):
        uses[site.api or site.rule or site.op][site.status] += 1
    if not uses:
        click.echo("no file uses a framework that is known here" if not report.source else "nothing to convert")
        return 2 if any(problem.unreadable for problem in job.problems) else 0
    width = max(len(api) for api in uses)
    click.echo(f"{'API':{width}}  converted  to review  left")
    for api, count in sorted(uses.items(), key=lambda item: (-item[1].total(), item[0])):
        click.echo(f"{api:{width}}  {count['converted']:9}  {count['review']:9}  {count['unsupported']:4}")
    total = sum((count for count in uses.values()), Counter[str]())
    share = 100 * (total.total() - total["unsupported"]) / total.total()
    click.echo(
        f"{len(uses)} APIs, {total.total()} uses: {total['converted']} converted, {total['review']} to review, "
        f"{total['unsupported']} left ({share:.1f}% rewritten)"
    )
    return 2 if any(problem.unreadable for problem in job.problems) else 0
