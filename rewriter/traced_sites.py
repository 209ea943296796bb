"""Which places of a conversion rest on what a run of the original showed: those that come out otherwise without it."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from .context import FileContext, Note
from .evidence import all_parameters
from .generate import code_of
from .infer_parameters import FileTypes
from .lattice import UNKNOWN, Array, DType, Foreign, Instance, Mapping, Scalar, Sequence, Shape, Tuple, Type, join_all
from .liveness import target_names
from .nodes import children, walk
from .report import RESTS_ON_TRACE

#: So many of the values that a place rests on are named.
MOST_NAMED = 3

_ARRAYS = {"float": "a float array", "int": "an integer array", "bool": "a boolean array", "complex": "a complex array"}


def with_evidence(plain: FileContext, traced: FileContext) -> list[Note]:
    """The notes of a file converted with observations; those that rest on them say so, as do those against them.

    plain: the same file converted without.
    """
    marked = _Differences(plain, traced).places()
    notes = list(contradictions(traced))
    if not marked:
        return traced.notes + notes
    reasons = _Reasons(plain, traced)
    covered: set[int] = set()
    for note in traced.notes:
        if id(note.node) in marked and note.status != "unsupported":
            covered.add(id(note.node))
            reason = "; ".join(filter(None, [note.reason, reasons.of(note.node)]))
            note = Note(note.node, note.status, reason, note.op, note.api, note.rule, note.safety)
        elif id(note.node) in marked:
            covered.add(id(note.node))
        notes.append(note)
    for key, node in marked.items():
        if key not in covered:
            notes.append(Note(node, "converted", reasons.of(node), "", "", "trace", "exact"))
    return notes


def with_plain_spellings(plain: FileContext, traced: FileContext) -> FileTypes | None:
    """The types of a file without what was seen where statements are converted in full without it; None if nowhere.

    Both write the same operations there, and what holds for any type is right whatever the next run shows.
    """
    types, bound = dict(traced.found.types), dict(traced.found.bound)
    before, after = _by_node(plain), _by_node(traced)
    kept = False
    for statement in traced.inference.nodes(traced.scope.file).of(cst.SimpleStatementLine):
        one, other = plain.rewritten.get(statement), traced.rewritten.get(statement)
        if one is other or one is None or other is None or _text(one, plain) == _text(other, plain):
            continue
        nodes = list(walk(statement))
        notes = [note for node in nodes for note in before.get(id(node), ())]
        others = [note for node in nodes for note in after.get(id(node), ())]
        if {_operation(note) for note in notes} != {_operation(note) for note in others} or any(note.status != "converted" for note in notes):
            continue
        kept = True
        for node in nodes:
            types[node] = plain.found.types.get(node, UNKNOWN)
            bound.pop(node, None)
            if node in plain.found.bound:
                bound[node] = plain.found.bound[node]
    return FileTypes(types, bound) if kept else None


def _by_node(context: FileContext) -> dict[int, list[Note]]:
    found: dict[int, list[Note]] = {}
    for note in context.notes:
        found.setdefault(id(note.node), []).append(note)
    return found


def contradictions(traced: FileContext) -> Iterator[Note]:
    """Parameters that are taken for an array and were given something else, or the other way round."""
    file, observed = traced.scope.file, traced.inference.observed
    for parameter, (function, known, seen) in observed.contradictions.items():
        if function in traced.inference.nodes(file).of(cst.FunctionDef):
            place = f"{file}:{observed.line(file, function)}"
            reason = (
                f"{parameter.name.value} is taken for {described(known)}, and --trace gave it {described(seen)} ({place}); "
                "annotate it"
            )
            yield Note(parameter, "review", reason, "", "", "types", "differs")


class _Differences:
    """Where two conversions of one file part."""

    def __init__(self, plain: FileContext, traced: FileContext) -> None:
        self.plain, self.traced = plain, traced
        self.noted = {id(note.node) for note in traced.notes}
        self.found: dict[int, cst.CSTNode] = {}

    def places(self) -> dict[int, cst.CSTNode]:
        """The nodes with other notes, and the innermost statements and noted nodes that are written otherwise."""
        before, after = ({_key(note) for note in side.notes} for side in (self.plain, self.traced))
        for note in self.traced.notes:
            if _key(note) not in before:
                self.found[id(note.node)] = note.node
        for note in self.plain.notes:
            if note.status != "converted" and _key(note) not in after and id(note.node) not in self.noted:
                self.found[id(note.node)] = note.node
        self._inside(self.traced.module)
        return self.found

    def _inside(self, node: cst.CSTNode) -> bool:
        """Add the innermost places below a node; whether there are any."""
        below = [self._inside(child) for child in children(node)]
        if id(node) in self.found or any(below):
            return True
        if not isinstance(node, (cst.BaseStatement, cst.BaseSmallStatement)) and id(node) not in self.noted:
            return False
        one, other = self.plain.rewritten.get(node), self.traced.rewritten.get(node)
        if one is other or one is None or other is None or _text(one, self.plain) == _text(other, self.plain):
            return False
        self.found[id(node)] = node
        return True


def _key(note: Note) -> tuple[object, ...]:
    return id(note.node), note.status, note.reason, note.op, note.api, note.rule


def _operation(note: Note) -> tuple[object, ...]:
    return id(note.node), note.status, note.reason, note.op, note.api


def _text(written: object, context: FileContext) -> str:
    if isinstance(written, cst.FlattenSentinel):
        return "".join(code_of(part, context.module) for part in written)
    return code_of(written, context.module) if isinstance(written, cst.CSTNode) else ""


class _Reasons:
    """What was seen of the values that a place depends on."""

    def __init__(self, plain: FileContext, traced: FileContext) -> None:
        self.traced = traced
        self.before, self.after = plain.found.types, traced.found.types
        self.functions: dict[cst.CSTNode, tuple[cst.CSTNode, ...]] = {}
        self._note_functions(traced.module, ())

    def _note_functions(self, node: cst.CSTNode, around: tuple[cst.CSTNode, ...]) -> None:
        self.functions[node] = around
        inner = (node, *around) if isinstance(node, (cst.FunctionDef, cst.Lambda, cst.Module)) else around
        for child in children(node):
            self._note_functions(child, inner)

    def of(self, node: cst.CSTNode) -> str:
        """The reason that a report gives for a place."""
        found = list(dict.fromkeys(self._roots(node, set())))
        if not found:
            around = (node, *self.functions[node])
            function = next((each for each in around if isinstance(each, cst.FunctionDef)), None)
            if function is not None:
                found = [self._parameter(function, each) for each in all_parameters(function.params) if self._differs(each)]
        named = found[:MOST_NAMED] + (["others"] if len(found) > MOST_NAMED else [])
        return f"{RESTS_ON_TRACE}: {', '.join(named) or 'types that it showed elsewhere'}"

    def _differs(self, node: cst.CSTNode) -> bool:
        return self.before.get(node, UNKNOWN) != self.after.get(node, UNKNOWN)

    def _roots(self, node: cst.CSTNode, seen: set[tuple[str, int]]) -> Iterator[str]:
        for part in walk(node):
            if not self._differs(part):
                continue
            if isinstance(part, cst.Name):
                yield from self._of_name(part.value, self.functions[part], seen)
            elif not isinstance(part, (cst.Attribute, cst.Call)) or not described(self.after.get(part, UNKNOWN)):
                continue
            elif not any(self._differs(inner) for inner in walk(part) if inner is not part):
                what = code_of(part, self.traced.module)
                yield f"{what if len(what) < 40 else what[:37] + '...'} was {described(self.after[part])}"

    def _of_name(
        self, name: str, around: tuple[cst.CSTNode, ...], seen: set[tuple[str, int]]
    ) -> Iterator[str]:
        """Where the type of a name comes from, through what is assigned to it."""
        for function in around:
            if (name, id(function)) in seen:
                return
            if isinstance(function, (cst.FunctionDef, cst.Lambda)):
                parameters = (*all_parameters(function.params), function.params.star_arg, function.params.star_kwarg)
                for each in parameters:
                    if isinstance(each, cst.Param) and each.name.value == name:
                        seen.add((name, id(function)))
                        yield self._parameter(function, each)
                        return
            bound = [(target, value) for target, value in _bindings(function) if name in target_names(target)]
            if bound:
                seen.add((name, id(function)))
                for target, value in bound:
                    inner = list(self._roots(value, seen))
                    yield from inner
                    named = next((n for n in walk(target) if isinstance(n, cst.Name) and n.value == name), target)
                    type_ = described(self.after.get(named, UNKNOWN))
                    if not inner and type_ and self._differs(named) and not self._differs(value):
                        yield f"{name} was {type_} ({self._place(function)})"
                return

    def _parameter(self, function: cst.FunctionDef | cst.Lambda, parameter: cst.Param) -> str:
        name = parameter.name.value
        uses = (node for node in walk(function.body) if isinstance(node, cst.Name) and node.value == name)
        value = self.after.get(parameter) or next((self.after[use] for use in uses if use in self.after), UNKNOWN)
        return f"{name} was {described(value) or 'of a type that it showed'} ({self._place(function)})"

    def _place(self, function: cst.CSTNode) -> str:
        file = self.traced.scope.file
        if isinstance(function, (cst.FunctionDef, cst.Lambda)):
            return f"{file}:{self.traced.inference.observed.line(file, function)}"
        return file


def _bindings(function: cst.CSTNode) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """The targets and values of a function's assignments and loops."""
    for node in walk(function):
        match node:
            case cst.Assign(targets=targets, value=value):
                yield from ((target.target, value) for target in targets)
            case cst.AnnAssign(target=target, value=cst.BaseExpression() as value):
                yield target, value
            case cst.NamedExpr(target=target, value=value):
                yield target, value
            case cst.For(target=target, iter=value) | cst.CompFor(target=target, iter=value):
                yield target, value
            case _:
                pass


def described(value: Type) -> str:
    """A type in words; none for what is no value of a kind of its own."""
    match value:
        case Array(dtype=dtype, rank=rank):
            return _ARRAYS.get(dtype or "", "an array") + (f" of rank {rank}" if rank is not None else "")
        case Scalar(kind=kind):
            return f"an {kind}" if kind == "int" else f"a {kind}"
        case Shape():
            return "a shape"
        case Tuple(items=items):
            return _container("tuple", join_all(items))
        case Sequence(item=item, kind=kind):
            return _container(kind or "sequence", item)
        case Mapping(value=item):
            return _container("dict", item)
        case DType():
            return "an element type"
        case Instance(path=path) | Foreign(path=path):
            return f"a {path.rpartition('.')[2]}"
    return ""


def _container(kind: str, item: Type) -> str:
    return f"a {kind} of {described(item)}" if described(item) else f"a {kind}"


