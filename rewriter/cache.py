"""Results of earlier runs, kept in the user's cache folder by the content of everything that they came from.

Nothing is ever looked up by name or time: a file, a table, a rule or an option that changes makes another key. An
entry is written whole and renamed, so that runs at the same time do not meet; one that is damaged, or that another
user could have written, counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from .report import OWN_FAILURE, FileRecord, Report, Site, TreeResult

Made = TypeVar("Made")

# The oldest entries go when all of them together need more.
LIMIT_BYTES = 256_000_000
_DIGEST_BYTES = 20
_PACKAGE = Path(__file__).resolve().parent.parent


def cache_folder() -> Path | None:
    """Where entries lie: the user's cache folder; None for a user without a home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "ivy-convert"
    except RuntimeError:
        return None


def digest_of(parts: Iterable[bytes]) -> str:
    """A name for the sequence of `parts`: no other sequence has the same."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def read_entry(name: str) -> bytes | None:
    """The content of the entry `name`; None where there is no whole one of this user's own."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with (folder / name).open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in (_user(), 0):
                return None
            digest, content = file.read(_DIGEST_BYTES), file.read()
        os.utime(folder / name)  # what is used stays when the oldest go
    except OSError:
        return None
    return content if digest == _checksum(content) else None


def remembered(kind: str, parts: Iterable[bytes], make: Callable[[], Made]) -> Made:
    """What `make` gives, from the cache where it was made of the same parts, by the same Python, before."""
    name = f"{kind}-{digest_of([repr(sys.version_info[:2]).encode(), *parts])}"
    known = read_entry(name)
    if known is not None:
        found: Made = pickle.loads(known)  # of this user's own, and whole: `read_entry` has looked
        return found
    made = make()
    write_entry(name, pickle.dumps(made))
    return made


def write_entry(name: str, content: bytes) -> None:
    """Keep `content` as the entry `name`. A cache that cannot be written only costs time."""
    folder = cache_folder()
    if folder is None or len(content) > LIMIT_BYTES // 4:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_checksum(content) + content)
            os.replace(temporary, folder / name)
        except BaseException:
            os.unlink(temporary)
            raise
        _remove_oldest(folder)
    except OSError:
        return


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()


def _remove_oldest(folder: Path) -> None:
    entries = [(found.st_mtime, found.st_size, entry.path) for entry in os.scandir(folder) if (found := entry.stat())]
    excess = sum(size for _, size, _ in entries) - LIMIT_BYTES
    for _, size, path in sorted(entries):
        if excess <= 0:
            return
        Path(path).unlink(missing_ok=True)
        excess -= size


def conversion_key(files: Mapping[str, bytes], options: Mapping[str, object]) -> str:
    """The name of a conversion's result: of its input, its options and the code and tables that make it."""
    parts = [_program(), json.dumps(options, sort_keys=True).encode()]
    for path in sorted(files):
        parts += [os.fsencode(path), files[path]]
    return f"conversion-{digest_of(parts)}"


def _program() -> bytes:
    """All that decides what a conversion writes beside its input: this package's code and tables, and its tools."""
    from importlib.metadata import version

    tools = [sys.version, version("libcst"), version("black")]
    own = [
        Path(folder, name)
        for top in ("api_maps", "cli", "rewriter", "rules")
        for folder, _, names in os.walk(_PACKAGE / top)
        for name in names
        if name.endswith((".py", ".yaml"))
    ]
    parts = [tool.encode() for tool in tools]
    for path in sorted(own):
        parts += [path.relative_to(_PACKAGE).as_posix().encode(), path.read_bytes()]
    return digest_of(parts).encode()


def load_conversion(key: str, files: Mapping[str, bytes]) -> TreeResult | None:
    """The result that `key` names for the input `files`; None where there is none yet."""
    content = read_entry(key)
    if content is None:
        return None
    entry = json.loads(zlib.decompress(content))
    sites = {status: tuple(Site(*row) for row in rows) for status, rows in entry["sites"].items()}
    records = tuple(FileRecord(*row) for row in entry["records"])
    removed = frozenset(entry["removed"])
    kept = {path: data for path, data in files.items() if path not in removed}
    return TreeResult(
        {**kept, **_bytes_of(entry["files"])},
        _bytes_of(entry["helpers"]),
        Report(entry["source"], entry["target"], records, **sites),
    )


def store_conversion(key: str, files: Mapping[str, bytes], result: TreeResult) -> None:
    """Keep `result`, of its files only those that differ from the input `files`; mistakes of our own are not kept."""
    report = result.report
    if any(record.reason.startswith(OWN_FAILURE) for record in report.files):
        return
    changed = {path: data for path, data in result.files.items() if files.get(path) != data}
    entry = {
        "source": report.source,
        "target": report.target,
        "records": [astuple(record) for record in report.files],
        "sites": {
            status: [_row(site) for site in getattr(report, status)]
            for status in ("converted", "review", "unsupported")
        },
        "files": _text_of(changed),
        "helpers": _text_of(result.helpers),
        "removed": sorted(files.keys() - result.files.keys()),
    }
    write_entry(key, zlib.compress(json.dumps(entry, separators=(",", ":")).encode(), 1))


def _row(site: Site) -> list[object]:
    return list(vars(site).values())


def _text_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """Bytes as JSON can hold them: each becomes the character of its number."""
    return {path: data.decode("latin-1") for path, data in files.items()}


def _bytes_of(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode("latin-1") for path, text in files.items()}
