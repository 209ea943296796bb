"""What a conversion did, place by place: the `Site` and `Report` that every command prints or writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["converted", "review", "unsupported"]
Safety = Literal["exact", "rounding", "differs"]
# How the reason begins where a file failed through a mistake of this program, not of the user's.
OWN_FAILURE = "ivy-convert failed"
# In the reason of a place that is written as it is because of what a run of the original showed.
RESTS_ON_TRACE = "rests on --trace"


@dataclass(frozen=True, order=True)
class Site:
    """One place of the original source; lines count from 1, columns from 0."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    api: str = ""
    op: str = ""
    rule: str = ""
    status: Status = "converted"
    reason: str = ""
    safety: Safety = "exact"


@dataclass(frozen=True)
class FileRecord:
    """What happened to one file.

    status: `converted` (rewritten), `unchanged` (does not use the source framework, or nothing to do),
    `skipped` (asked for by a comment) or `failed` (not understood; copied as it was, `reason` says why).
    """

    path: str
    status: Literal["converted", "unchanged", "skipped", "failed"]
    reason: str = ""
    lines: int = 0


@dataclass(frozen=True)
class Report:
    """All sites of a conversion, sorted by place."""

    source: str
    target: str
    files: tuple[FileRecord, ...] = ()
    converted: tuple[Site, ...] = ()
    review: tuple[Site, ...] = ()
    unsupported: tuple[Site, ...] = ()
    verification: Any = field(default=None, compare=False)

    @property
    def traced(self) -> tuple[Site, ...]:
        """The sites that rest on types which a run of the original showed: evidence, not proof."""
        return tuple(site for site in sorted((*self.converted, *self.review)) if RESTS_ON_TRACE in site.reason)

    @staticmethod
    def of(source: str, target: str, files: Iterable[FileRecord], sites: Iterable[Site]) -> Report:
        """Sort `sites` into the three lists."""
        ordered = sorted(set(sites))
        by_status = {
            status: tuple(site for site in ordered if site.status == status)
            for status in ("converted", "review", "unsupported")
        }
        return Report(source, target, tuple(sorted(files, key=lambda record: record.path)), **by_status)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, version 1."""
        return {
            "version": 1,
            "source": self.source,
            "target": self.target,
            "files": [dict(vars(record)) for record in self.files],
            "converted": [dict(vars(site)) for site in self.converted],
            "review": [dict(vars(site)) for site in self.review],
            "unsupported": [dict(vars(site)) for site in self.unsupported],
            "verification": self.verification,
        }


@dataclass(frozen=True)
class TreeResult:
    """All files after conversion, the helper modules to write beside them, and the report.

    replaced: helper modules of an earlier conversion, in whose place `helpers` stand now.
    """

    files: dict[str, bytes]
    helpers: dict[str, bytes]
    report: Report
    replaced: frozenset[str] = frozenset()
