"""One file through the stages: rewrite, imports, helpers, report. Types come from the repository's inference."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass

import libcst as cst

from .context import FileContext, Note
from .format import LineFormatter, line_limit
from .free_names import renamed, with_forward_annotations
from .generate import code_of
from .helper_code import HelperLibrary, closure, helper_body, helper_imports
from .imports import merged, update_imports, used_names
from .infer import Inference
from .infer_parameters import FileTypes
from .nodes import walk
from .positions import find_spans
from .report import OWN_FAILURE, FileRecord, Site
from .rewrite import Rewriter
from .rule import Rule, discover, rules_for
from .source import MARK, SKIP, SKIP_FILE, Source, imported_modules, render
from .tables import Framework
from .traced_sites import with_evidence, with_plain_spellings


@dataclass(frozen=True)
class Options:
    """How files are written. helper_module: import path of the helper module, '' to put helpers into the file."""

    target: str
    helper_module: str = ""
    line_length: int | None = None


@dataclass(frozen=True)
class ConvertedFile:
    """The bytes of one file after conversion, what happened to it, and the helpers that it needs."""

    path: str
    data: bytes
    record: FileRecord
    sites: tuple[Site, ...]
    helpers: frozenset[str]


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the rules package, found by walking it."""
    return discover(importlib.import_module("..rules", __package__))


@functools.cache
def all_suppliers() -> tuple[object, ...]:
    """Every supplier of `context` arguments that the rules package offers."""
    package = importlib.import_module("..rules", __package__)
    found: list[object] = []
    for rule_module in sorted({rule.read[next(iter(rule.read))].__module__ for rule in all_rules()}):
        found.extend(getattr(importlib.import_module(rule_module), "SUPPLIERS", ()))
    found.extend(getattr(package, "SUPPLIERS", ()))
    return tuple(found)


def is_skipped(source: Source) -> bool:
    """Whether a comment at the top asks to leave the file alone."""
    lines = list(source.module.header)
    if source.module.body:
        lines += list(getattr(source.module.body[0], "leading_lines", ()))
    return any(line.comment is not None and line.comment.value.startswith(SKIP_FILE) for line in lines)


def is_converted(source: Source, source_framework: Framework, target: Framework) -> bool:
    """Whether an earlier conversion to the target wrote a file: reading its output as source would be wrong.

    It left marks, or the file imports the target and not the source, which it knows only through other files.
    """
    text = source.text
    roots = {module.partition(".")[0] for module in imported_modules(text.encode()) or ()}
    if not roots.intersection(target.roots):
        return False
    if any(line.lstrip().startswith(MARK) and SKIP not in line for line in text.splitlines()):
        return True
    return not target.fact("auxiliary") and not roots.intersection(source_framework.roots)


def convert_file(
    source: Source, data: bytes, inference: Inference, options: Options, plain: Inference | None = None
) -> ConvertedFile:
    """Rewrite one parsed file. A failure inside the converter leaves the file as it was, with the reason.

    plain: inference without what a run of the source showed, where `inference` has that: what comes out otherwise
    with it is said to rest on it.
    """
    if is_skipped(source):
        return ConvertedFile(
            source.path, data, FileRecord(source.path, "skipped", SKIP_FILE, source.lines), (), frozenset()
        )
    frameworks = inference.tables.frameworks
    if is_converted(source, frameworks[inference.source], frameworks[options.target]):
        reason = "already converted; places marked `# ivy-convert:` need a person"
        return ConvertedFile(
            source.path, data, FileRecord(source.path, "unchanged", reason, source.lines), (), frozenset()
        )
    if source.path in inference.failures:
        reason = f"{OWN_FAILURE} to infer its types ({inference.failures[source.path]}); please report it"
        return ConvertedFile(
            source.path, data, FileRecord(source.path, "failed", reason, source.lines), (), frozenset()
        )
    try:
        return _convert(source, data, inference, options, plain)
    except RecursionError:
        reason = "is nested too deeply; split its longest expression"
    except Exception as error:  # The user's other files must not suffer from our mistake in this one.
        place = _place(error)
        reason = f"{OWN_FAILURE} on this file ({type(error).__name__}: {error}; {place}); please report it"
    return ConvertedFile(source.path, data, FileRecord(source.path, "failed", reason, source.lines), (), frozenset())


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"


def _convert(
    source: Source, data: bytes, inference: Inference, options: Options, plain: Inference | None
) -> ConvertedFile:
    none: frozenset[str] = frozenset()
    context, module = _rewritten(source, inference, options, none)
    found = with_plain_spellings(_rewritten(source, plain, options, none)[0], context) if plain is not None else None
    if found is not None:
        context, module = _rewritten(source, inference, options, none, found)
    clash = context.imports.introduced & _names_left(context)
    if clash:
        context, module = _rewritten(source, inference, options, clash, found)
    if plain is not None:
        context.notes = with_evidence(_rewritten(source, plain, options, clash)[0], context)
    if module is source.module and not context.imports.statements:
        module = update_imports(module, (), _removable_roots(context), True, handed_on=frozenset(_handed_on(context)))
        if code_of(module, module) == source.text:
            return ConvertedFile(
                source.path, data, FileRecord(source.path, "unchanged", "", source.lines), _sites(source, context),
                frozenset())  # fmt: skip
    unsupported = any(note.status == "unsupported" for note in context.notes)
    statements = [*context.imports.statements, *_left_names_of_source(module, context)]
    helpers = frozenset(context.used_helpers)
    if helpers and not options.helper_module:
        module, statements = _inline(module, context, statements)
    module = update_imports(module, _import_order(statements), _removable_roots(context), unsupported,
                            context.imports.introduced | frozenset(context.used_helpers.values()),
                            frozenset(_handed_on(context)))  # fmt: skip
    if helpers and not options.helper_module:
        module = _insert_helpers(module, context)
    result = render(source, module)
    compile(result, source.path, "exec", dont_inherit=True)
    record = FileRecord(source.path, "converted", "", source.lines)
    return ConvertedFile(source.path, result, record, _sites(source, context), helpers)


def _rewritten(
    source: Source, inference: Inference, options: Options, kept: frozenset[str], found: FileTypes | None = None
) -> tuple[FileContext, cst.Module]:
    """The rewritten tree. `kept` are imported names that new imports must not take; `found` other types to go by."""
    library = HelperLibrary(options.target, options.helper_module)
    context = FileContext(inference, source.path, options.target, library, kept)
    context.found = found or context.found
    rules = all_rules()
    formatter = LineFormatter(source.module, line_limit(source.text, options.line_length))
    table = rules_for(rules, inference.source, options.target)
    rewriter = Rewriter(context, table, all_suppliers(), formatter)  # type: ignore[arg-type]
    module = rewriter.visit(source.module)
    for rule in rules:
        if options.target in rule.finish and inference.source in rule.read:
            module = rule.finish[options.target](context, module)
    context.rewritten = rewriter.memo
    context.engine = None  # The two hold each other; parted, their memory comes back without the cycle collector.
    return context, module


def _handed_on(context: FileContext) -> dict[str, str]:
    """Names of the source framework that other files of the repository hand on: local name → the framework's path.

    `from .compat import nn`: the other file imports it no longer once nothing in it needs it.
    """
    repository = context.inference.repository
    found = {name: repository.canonical(path) for name, path in context.scope.imports.items()}
    roots = _removable_roots(context)
    return {
        name: path
        for name, path in found.items()
        if path != context.scope.imports[name] and _is_below(path, roots) and not _is_below(context.scope.imports[name], roots)
    }


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}.") for root in roots)


def _left_names_of_source(module: cst.Module, context: FileContext) -> list[str]:
    """Imports of the source's names that code left as it was had through another file of the repository."""
    scope, repository = context.scope, context.inference.repository
    used = used_names(module)
    paths = {name: path for name, path in _handed_on(context).items() if name in used}
    if scope.stars:
        for name in used - set(scope.imports) - set(scope.definitions):
            path = repository.lookup(scope, name)
            if path is not None and _is_below(path, _removable_roots(context)):
                paths[name] = path
    return [_import_of(name, path) for name, path in sorted(paths.items())]


def _import_of(name: str, path: str) -> str:
    owner, _, last = path.rpartition(".")
    renaming = "" if name == last else f" as {name}"
    return f"from {owner} import {last}{renaming}" if owner else f"import {path}{renaming}"


def _names_left(context: FileContext) -> frozenset[str]:
    """Names in code that was left as it was."""
    return frozenset(
        part.value
        for note in context.notes
        if note.status == "unsupported"
        for part in walk(note.node)
        if isinstance(part, cst.Name)
    )


def _removable_roots(context: FileContext) -> tuple[str, ...]:
    return (*context.source.roots, *context.source.fact("removable_imports", default=()))


def _import_order(statements: list[str]) -> list[str]:
    """Standard library first, then packages, then relative imports, each in alphabetical order."""
    import sys

    def key(statement: str) -> tuple[int, str, str]:
        module = statement.split()[1]
        group = 2 if module.startswith(".") else 0 if module.partition(".")[0] in sys.stdlib_module_names else 1
        return group, module.lstrip("."), statement

    return sorted(merged(statements), key=key)


def _inline(module: cst.Module, context: FileContext, statements: list[str]) -> tuple[cst.Module, list[str]]:
    definitions = closure(context.target.name, context.used_helpers)
    lines = (line for line in module.body if isinstance(line, cst.SimpleStatementLine))
    there = {module.code_for_node(small).strip() for line in lines for small in line.body}
    for statement in helper_imports(definitions):
        if statement and statement not in statements and statement not in there:
            statements.append(statement)
    return module, statements


def _insert_helpers(module: cst.Module, context: FileContext) -> cst.Module:
    """Put the helpers' definitions behind the imports, so that module-level code can use them."""
    definitions = closure(context.target.name, context.used_helpers)
    text = helper_body(definitions)
    # Helpers that others use may clash with the file's names too.
    free = context.imports.free_name
    names = {each.name: context.used_helpers.get(each.name) or free(each.name) for each in definitions}
    text = with_forward_annotations(renamed(text, {name: new for name, new in names.items() if new != name}))
    helper_statements = list(cst.parse_module("\n\n" + text).body)
    place = 0
    for index, statement in enumerate(module.body):
        is_line = isinstance(statement, cst.SimpleStatementLine)
        if is_line and isinstance(statement.body[0], (cst.Import, cst.ImportFrom)):  # type: ignore[union-attr,index]
            place = index + 1
        elif isinstance(statement, (cst.ClassDef, cst.FunctionDef)):
            break
    blank = cst.EmptyLine(indent=False)
    if helper_statements:
        first = helper_statements[0]
        helper_statements[0] = first.with_changes(
            leading_lines=[
                blank,
                blank,
                cst.EmptyLine(comment=cst.Comment("# Helpers from ivy-convert.")),
                *_comments(first),
            ]
        )
    body = [*module.body[:place], *helper_statements, *module.body[place:]]
    following = place + len(helper_statements)
    if following < len(body):
        lines = list(getattr(body[following], "leading_lines", ()))
        while len(lines) < 2 or lines[1].comment is not None:
            lines.insert(0, blank)
        body[following] = body[following].with_changes(leading_lines=lines)
    return module.with_changes(body=body)


def _comments(node: cst.CSTNode) -> list[cst.EmptyLine]:
    return [line for line in getattr(node, "leading_lines", ()) if line.comment is not None]


def _sites(source: Source, context: FileContext) -> tuple[Site, ...]:
    spans = find_spans(source.module, (note.node for note in context.notes))

    def site(note: Note) -> Site | None:
        span = spans.get(note.node)
        if span is None:
            return None
        return Site(
            source.path, span.line, span.column, span.end_line, span.end_column,
            note.api, note.op, note.rule, note.status, note.reason, note.safety)  # fmt: skip

    return tuple(sorted({found for note in context.notes if (found := site(note)) is not None}))
