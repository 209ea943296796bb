"""What a conversion did, place by place: the `Site` and `Report` that every command prints or writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["converted", "review", "unsupported"]
Safety = Literal["exact", "rounding", "differs"]


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
            "files": [asdict(record) for record in self.files],
            "converted": [asdict(site) for site in self.converted],
            "review": [asdict(site) for site in self.review],
            "unsupported": [asdict(site) for site in self.unsupported],
            "verification": self.verification,
        }
