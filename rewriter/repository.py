"""A whole conversion: which files to read, inference over all of them, each rewritten, helpers beside them."""

from __future__ import annotations

import functools
import gc
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import libcst as cst

from .helper_code import helper_module, is_helper_module
from .infer import Inference
from .names import HELPER_MODULE as MODULE
from .names import FileScope, Repository
from .observations import Observations
from .pipeline import ConvertedFile, Options, convert_file
from .report import FileRecord, Report, Site, TreeResult
from .source import Source, SourceError, imported_modules, parse_source
from .table_loader import load_tables

_EMPTY = cst.Module([])


def detect_source(files: Mapping[str, bytes], target: str | None = None) -> str | None:
    """The framework that most files import; None when no known framework is imported.

    target: what is to be written: files that use it already do not outvote those that are still to be converted.
    """
    tables = load_tables()
    counts: dict[str, int] = {}
    for data in files.values():
        roots = {module.partition(".")[0] for module in imported_modules(data) or ()}
        for name, framework in tables.frameworks.items():
            if roots & set(framework.roots):
                # Array libraries come along with the others; they count only by themselves.
                counts[name] = counts.get(name, 0) + (1 if framework.fact("auxiliary") else 1000)
    if any(count >= 1000 for name, count in counts.items() if name != target):
        counts.pop(target or "", None)
    return max(sorted(counts), key=lambda name: counts[name]) if counts else None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Syntax trees are millions of live objects, which the cycle collector would go through again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_collector_paused()
def convert_files(
    files: Mapping[str, bytes],
    source: str,
    target: str,
    *,
    jobs: int = 1,
    on_file: Callable[[FileRecord], None] | None = None,
    inline_helpers: bool = False,
    line_length: int | None = None,
    observations: Observations | None = None,
) -> TreeResult:
    """Convert Python files given by their posix paths relative to the repository.

    observations: types that a run of the source showed, for what nothing else tells.

    Files that do not use the source framework, and files that cannot be read, come back as they were.
    The result does not depend on `jobs`.
    """
    tables = load_tables()
    outcome: dict[str, ConvertedFile] = {}

    def note(converted: ConvertedFile) -> None:
        outcome[converted.path] = converted
        if on_file is not None:
            on_file(converted.record)

    foreign = frozenset(root for framework in tables.frameworks.values() for root in framework.roots)
    framework = tables.frameworks[source]
    relevant = _relevant(files, (*framework.roots, *framework.fact("dependent_packages", default=())), foreign)
    sources: dict[str, Source] = {}
    for path, data in files.items():
        if path not in relevant:
            note(ConvertedFile(path, data, FileRecord(path, "unchanged", "", data.count(b"\n")), (), frozenset()))
            continue
        try:
            sources[path] = parse_source(path, data)
        except SourceError as error:
            note(ConvertedFile(path, data, FileRecord(path, "failed", str(error)), (), frozenset()))
    modules = {path: parsed.module for path, parsed in sources.items()}
    repository = Repository(modules, files, foreign)
    inferred = functools.partial(_inferred, repository, modules, files, source)
    inference, plain = inferred(observations), inferred(None) if observations is not None else None
    locations = helper_locations(files, repository)
    tasks = [
        (path, Options(target, "" if inline_helpers else locations[path][1], line_length)) for path in sorted(sources)
    ]
    _run(tasks, sources, files, (inference, plain), jobs, note)
    helpers = {} if inline_helpers else _helper_modules(target, outcome, locations)
    report = Report.of(
        source, target, (item.record for item in outcome.values()),
        (site for item in outcome.values() for site in item.sites))  # fmt: skip
    replaced = frozenset(path for path, data in files.items() if is_helper_module(path, data, source))
    kept = {path: outcome[path].data for path in files if path not in replaced}
    return TreeResult(kept, helpers, report, replaced)


def _inferred(
    repository: Repository,
    modules: Mapping[str, cst.Module],
    files: Mapping[str, bytes],
    source: str,
    observations: Observations | None,
) -> Inference:
    inference = Inference(repository, modules, load_tables(), source, observations)
    inference.helpers_are_source = not any(
        path.endswith(f"{MODULE}.py") and not is_helper_module(path, data, source) for path, data in files.items()
    )
    inference.run()
    return inference


#: Inference as the conversion uses it, and, where it knows what a run showed, inference without that.
Both = tuple[Inference, Inference | None]
_work: tuple[Mapping[str, Source], Mapping[str, bytes], Both] | None = None


def _run_task(task: tuple[str, Options]) -> ConvertedFile:
    assert _work is not None
    path, options = task
    inference, plain = _work[2]
    return convert_file(_work[0][path], _work[1][path], inference, options, plain)


def _run(
    tasks: list[tuple[str, Options]],
    sources: Mapping[str, Source],
    files: Mapping[str, bytes],
    inference: Both,
    jobs: int,
    note: Callable[[ConvertedFile], None],
) -> None:
    """Rewrite files one after the other, or in processes forked from this one, which share the inferred types."""
    global _work
    _work = (sources, files, inference)
    try:
        if jobs <= 1 or len(tasks) < 2 or "fork" not in multiprocessing.get_all_start_methods():
            for task in tasks:
                note(_run_task(task))
            return
        context = multiprocessing.get_context("fork")
        # The largest files first and one at a time, so that no process is left with one at the end.
        tasks = sorted(tasks, key=lambda task: len(files[task[0]]), reverse=True)
        with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool:
            for converted in pool.map(_run_task, tasks):
                note(converted)
    finally:
        _work = None


def _relevant(files: Mapping[str, bytes], roots: tuple[str, ...], foreign: frozenset[str]) -> frozenset[str]:
    """Files that import the source framework, and files that import those; unparsable ones stay to be reported."""
    imports = {path: imported_modules(data) for path, data in files.items()}
    names = Repository(dict.fromkeys(files, _EMPTY), files, foreign)
    users: dict[str, set[str]] = {}
    found: set[str] = set()
    for path, modules in imports.items():
        if modules is None:
            found.add(path)
            continue
        if any(module.partition(".")[0] in roots for module in modules):
            found.add(path)
        for module in modules:
            target = _target_file(names, names.scopes[path], module)
            if target is not None:
                users.setdefault(target, set()).add(path)
    pending = list(found)
    while pending:
        for user in users.get(pending.pop(), ()):
            if user not in found:
                found.add(user)
                pending.append(user)
    return frozenset(path for path in found if not path.endswith(f"{MODULE}.py"))


def _target_file(names: Repository, scope: FileScope, module: str) -> str | None:
    """The file that an import means, for absolute and relative forms."""
    if module.startswith("."):
        level = len(module) - len(module.lstrip("."))
        parts = scope.module.split(".") if scope.is_package else scope.module.split(".")[:-1]
        if scope.module == "__init__":
            parts = []
        parts = parts[: len(parts) - (level - 1)] if level > 1 else parts
        target = ".".join([*parts, *filter(None, [module.lstrip(".")])])
    else:
        target = names.absolute(module, scope)
    while target:
        if target in names.by_module:
            return names.by_module[target].file
        target = target.rpartition(".")[0]
    return None


def helper_locations(files: Mapping[str, bytes], repository: Repository) -> dict[str, tuple[str, str]]:
    """Where the helper module of each file stands, and how the file imports it.

    There is one helper module for each folder that imports start from: in its main package, which the package's own
    files reach by a relative import and all others by an absolute one; or beside the scripts where there is no
    package. One copy only, so that a helper class is the same class everywhere.
    """
    roots = {path: _import_root(path, files, repository) for path in repository.scopes}
    homes: dict[str, str] = {}
    for root in sorted(set(roots.values())):
        packages: dict[str, int] = {}
        for path in repository.scopes:
            package = _top_package(path, files)
            if package is not None and package.rpartition("/")[0] == root:
                packages[package] = packages.get(package, 0) + 1
        main = {
            package: count for package, count in packages.items() if package.rpartition("/")[2] not in _SIDE_FOLDERS
        }
        chosen = main or packages
        if chosen:
            homes[root] = max(sorted(chosen), key=lambda package: chosen[package])
    return {path: _helper_import(path, root, homes.get(root), files) for path, root in roots.items()}


_SIDE_FOLDERS = frozenset(
    {"test", "tests", "example", "examples", "script", "scripts", "benchmark", "benchmarks", "tools"}
)


def _helper_import(path: str, root: str, home: str | None, files: Mapping[str, bytes]) -> tuple[str, str]:
    if home is None:
        return _in(root, f"{MODULE}.py"), MODULE
    place = _in(home, f"{MODULE}.py")
    if _top_package(path, files) == home:
        folder = path.rpartition("/")[0]
        inside = folder.removeprefix(home).strip("/")
        return place, "." * (len([part for part in inside.split("/") if part]) + 1) + MODULE
    package = home.removeprefix(f"{root}/") if root else home
    return place, f"{package}.{MODULE}"


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _top_package(path: str, files: Mapping[str, bytes]) -> str | None:
    """The folder of the outermost package that a file belongs to; None outside packages."""
    folder = path.rpartition("/")[0]
    if _in(folder, "__init__.py") not in files:
        return None
    while folder and _in(folder.rpartition("/")[0], "__init__.py") in files:
        folder = folder.rpartition("/")[0]
    return folder


def _import_root(path: str, files: Mapping[str, bytes], repository: Repository) -> str:
    """The folder that must be on the import path for a file's imports of the repository to work."""
    package = _top_package(path, files)
    if package is not None:
        return package.rpartition("/")[0]
    scope = repository.scopes[path]
    for written in sorted(imported_modules(files[path]) or ()):
        module = None if written.startswith(".") else repository.module_for(written, scope)
        if module is not None and module.endswith(f".{written}"):
            return module.removesuffix(f".{written}").replace(".", "/")
        if module == written:
            return ""
    own = path.rpartition("/")[0]
    prefix = own.replace("/", ".") + "."
    others = (value for other in repository.scopes.values() for value in other.imports.values())
    return "" if own and any(value.startswith(prefix) for value in others) else own


def _helper_modules(
    target: str, outcome: Mapping[str, ConvertedFile], locations: Mapping[str, tuple[str, str]]
) -> dict[str, bytes]:
    needed: dict[str, set[str]] = {}
    for path, converted in outcome.items():
        if converted.helpers:
            needed.setdefault(locations[path][0], set()).update(converted.helpers)
    return {path: helper_module(target, names).encode() for path, names in sorted(needed.items())}


def convert_text(code: str, source: str, target: str, filename: str) -> tuple[str, Report]:
    """Convert one text, with the helpers that it needs in it."""
    name = filename.replace("\\", "/").rpartition("/")[2] or "source.py"
    result = convert_files({name: code.encode()}, source, target, inline_helpers=True)

    def renamed(sites: tuple[Site, ...]) -> tuple[Site, ...]:
        return tuple(replace(site, path=filename) for site in sites)

    report = replace(
        result.report,
        converted=renamed(result.report.converted),
        review=renamed(result.report.review),
        unsupported=renamed(result.report.unsupported),
    )
    return result.files[name].decode(), report
