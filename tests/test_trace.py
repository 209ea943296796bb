"""`--trace`: types that a run of the source shows are used where inference knows nothing, and the report says where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libcst as cst
import pytest

import ivy_convert
from ivy_convert.cli.main import main
from ivy_convert.cli.report_formats import to_html, to_markdown, to_sarif
from ivy_convert.rewriter.infer import Inference
from ivy_convert.rewriter.lattice import FLOAT, INT, UNKNOWN, Array, Instance, Mapping, Sequence, Shape, Tuple, Type
from ivy_convert.rewriter.names import Repository
from ivy_convert.rewriter.observations import Observations, bound_once, filled
from ivy_convert.rewriter.report import Report, Site
from ivy_convert.rewriter.repository import convert_files
from ivy_convert.rewriter.table_loader import load_tables
from ivy_convert.verify.tracing import trace

#: Nothing in this file says that `parts`, `more`, `self.step` and what `build` gives are arrays.
OPS = '''\
import torch


def spread(*parts, **more):
    return parts[0].std(0) + more["extra"].std(0)


def largest(pairs, index):
    first, second = pairs[index]
    return first.max(second)


def flags(build):
    for built in build():
        rows = built.repeat(2, 1)
    return rows


class Meter:
    def __init__(self, **state):
        for name, value in state.items():
            setattr(self, name, value)

    def update(self):
        self.total = self.total + self.step.std(1)
        return self.total
'''
TRAIN = '''\
import importlib

import torch

ops = importlib.import_module("ops")


def main():
    x = torch.arange(12.0).reshape(3, 4)
    results = [
        ops.spread(x, x, extra=x + 1),
        ops.largest({"a": (x, 1)}, "a")[0],
        ops.flags(lambda: [x > 3]),
        ops.Meter(total=torch.zeros(3), step=x).update(),
    ]
    for result in results:
        print([round(float(value), 4) for value in result.reshape(-1)])


if __name__ == "__main__":
    main()
'''


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "ops.py").write_text(OPS)
    (folder / "train.py").write_text(TRAIN)
    return folder


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process that cannot import any framework."""
    code = "import sys; sys.modules.update(torch=None, jax=None); from ivy_convert.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


def test_what_a_run_shows_is_converted_and_computes_the_same(source: Path) -> None:
    before = contents(source)
    plain = ivy_convert.convert_tree(source, out="plain")
    assert len(plain.unsupported) == 5 and plain.traced == ()
    command = f"{sys.executable} src/train.py"
    outcome = without_torch("src", "--to", "jax", "-o", "out", "--trace", command, "--report", "report.json")
    assert outcome.returncode == 0 and outcome.stderr == f"running {command}\n"
    assert contents(source) == before  # no __pycache__, nothing else
    report = json.loads(Path("report.json").read_text())
    assert report["unsupported"] == [] and report["review"] == []
    reasons = [(site["line"], site["api"], site["reason"]) for site in report["converted"] if site["reason"]]
    assert reasons == [
        (5, "Tensor.std", "rests on --trace: parts was a tuple of a float array of rank 2 (ops.py:4)"),
        (5, "Tensor.std", "rests on --trace: more was a dict of a float array of rank 2 (ops.py:4)"),
        (10, "Tensor.max", "rests on --trace: pairs was a dict of a tuple (ops.py:8), index was a str (ops.py:8)"),
        (15, "Tensor.repeat", "rests on --trace: built was a boolean array of rank 2 (ops.py:13)"),
        (25, "Tensor.std", "rests on --trace: self.step was a float array of rank 2"),
    ]
    assert "known from the run only" in outcome.stdout and "rest on --trace)" in outcome.stdout

    expected = subprocess.run([sys.executable, "-B", "src/train.py"], capture_output=True, text=True, check=True)
    found = subprocess.run([sys.executable, "-B", "out/train.py"], capture_output=True, text=True, check=True)
    assert found.stdout == expected.stdout and len(found.stdout.splitlines()) == 4

    assert run("src", "--to", "jax", "-o", "again", "--jobs", "2", "--trace", command, "--report", "again.json") == 0
    assert contents(Path("again")) == contents(Path("out"))
    assert json.loads(Path("again.json").read_text()) == report
    assert run("out", "--to", "jax", "--from", "torch", "--check") == 0


def test_tests_can_be_the_run(source: Path) -> None:
    (source / "test_ops.py").write_text(
        "import torch\nimport ops\n\n\ndef test_spread():\n    x = torch.ones(2, 2)\n    ops.spread(*[x], **{'extra': x})\n"
    )
    before = contents(source)
    report = ivy_convert.convert_tree(source, out="out", trace=f"{sys.executable} -m pytest -q src")
    assert contents(source) == before and not Path(".pytest_cache").exists()
    assert {(site.path, site.line) for site in report.traced} == {("ops.py", 5)}
    assert all(site.safety == "exact" and site.status == "converted" for site in report.traced)
    assert {site.line for site in report.unsupported if site.path == "ops.py"} == {10, 15, 25}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("{python} -c 'import sys; print(1, file=sys.stderr); sys.exit(3)'", "ended with code 3: give a command that"),
        ("{python} -c 'raise ValueError(\"no such file: data.bin\")'", "  ValueError: no such file: data.bin"),
        ("no-such-program train.py", "no-such-program cannot be run (No such file or directory)"),
        ("{python} -c pass", "ran nothing of the source: it must import these files"),
        ("'", "is no command line (No closing quotation)"),
    ],
)
def test_a_command_that_fails_stops_before_anything_is_written(
    source: Path, capsys: pytest.CaptureFixture[str], command: str, told: str
) -> None:
    before = contents(source.parent)
    assert run("src", "--to", "jax", "--trace", command.format(python=sys.executable)) == 2
    assert told in capsys.readouterr().err
    assert contents(source.parent) == before


def test_an_interruption_ends_the_program_too(source: Path) -> None:
    (source / "train.py").write_text("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n")
    arguments = ["src", "--to", "jax", "--trace", f"{sys.executable} src/train.py"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ivy_convert.cli.main", *arguments],
        stderr=subprocess.PIPE,
        # Started in the background, the tests themselves may have been told to ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until = time.time() + 60
    while not (Path("pid").exists() and Path("pid").read_text()) and time.time() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130 and b"your files are as they were" in told
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)
    assert not Path("src_jax").exists()


def test_a_configured_command_is_run_inside_its_folder_only(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "open('ran.txt', 'a').write('x'); raise SystemExit(4)"
    (source / "pyproject.toml").write_text(f"[tool.ivy-convert]\nto = 'jax'\ntrace = '''{sys.executable} -c \"{script}\"'''\n")
    assert run("src", "--diff") == 0
    assert "`trace` is only run inside its folder" in capsys.readouterr().err
    monkeypatch.chdir(source)
    assert run(".", "--diff") == 2 and (source / "ran.txt").read_text() == "x"
    assert run(".", "--diff", "--trace", "") == 0 and (source / "ran.txt").read_text() == "x"


# What is written down, and what is made of it.

PROGRAM = """\
import multiprocessing, os, sys, threading


class Holder:
    def __init__(self, value):
        self.value = value


def pair(a, *rest, key=None):
    both = (a, rest)
    return both


@staticmethod
def decorated(x): return x


def count(n):
    yield n


if __name__ == "__main__":
    thread = threading.Thread(target=pair, args=("s",))
    thread.start(), thread.join()
    for method in ("fork", "spawn"):
        process = multiprocessing.get_context(method).Process(target=pair, args=(2.0, method))
        process.start(), process.join()
    Holder([1, None]), list(count(3)), decorated.__func__({"a": 1})
    try:
        pair(1, key="k").missing
    except AttributeError:
        os.chdir("/")
        os._exit(0)
"""


def test_threads_and_processes_are_watched_and_nothing_is_lost_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    found = trace(f"{sys.executable} program.py", [file], {"array": [], "parameter": [], "size": [], "dtype": []}, {}, tmp_path)
    told = [record[3:] for record in found if record[0] in ("call", "return", "attribute")]
    assert {str(record[1]) for record in found} == {str(file)}
    for kind in ("str", "float", "int"):
        assert ["pair", "a", kind] in told
    assert ["pair", "rest", ["tuple", [], ["str"]]] in told and ["pair", "key", "none"] in told
    assert ["pair", ["tuple", [], ["int", ["tuple", [], []]]]] in told
    assert ["value", ["list", ["int", "none"]]] in told
    assert ["decorated", "x", ["dict", [["a", "int"]], []]] in told
    assert ["count", "n", "int"] in told and "count" not in [record[3] for record in found if record[0] == "return"]
    assert not any("'s'" in json.dumps(record) or "fork" in json.dumps(record) for record in told)  # types, not values


ARRAY = ["array", "torch.float32", 2, ""]


def inferred(code: str, **seen: list[object]) -> Callable[[str], Type]:
    """Types of parameters and names by what they are written as, where `f` was given `seen`."""
    records = [["call", "/a.py", 4, "f", name, found] for name, all_found in seen.items() for found in all_found]
    module = cst.parse_module(f"import torch\nclass Net(torch.nn.Module): pass\n\n{code}")
    modules = {"a.py": module}
    repository = Repository(modules, modules, frozenset({"torch"}))
    inference = Inference(repository, modules, load_tables(), "torch", Observations(records, {"/a.py": "a.py"}))
    inference.run()
    types = inference.files["a.py"].types
    return lambda text: next(value for node, value in types.items() if text == module.code_for_node(node).rstrip(", "))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([ARRAY], Array("float", 2)),
        ([ARRAY, ["array", "torch.int64", 1, ""]], Array()),  # another element type and rank
        ([ARRAY, ["array", "torch.float64", 2, "parameter"]], Array("float", 2)),
        ([ARRAY, "none"], Array("float", 2)),
        ([ARRAY, "int"], UNKNOWN),  # conflicting kinds
        ([ARRAY, "unknown"], UNKNOWN),
        (["none"], UNKNOWN),  # another run may give something
        (["int", "float"], FLOAT),
        ([["list", []], ["list", [ARRAY]]], Sequence(Array("float", 2))),
        ([["list", []]], Sequence(UNKNOWN)),
        ([["tuple", [], [ARRAY, "none"]]], Tuple((Array("float", 2), UNKNOWN))),
        ([["tuple", [], [ARRAY]], ["tuple", [], [ARRAY, ARRAY]]], Sequence(Array("float", 2), "tuple")),
        ([["dict", [["a", "int"]], []]], Mapping(INT, "dict", (("a", INT),))),
        ([["shape", 3]], Shape(3)),
        ([["array", "torch.qint8", 2, ""]], Array(None, 2)),
        ([["object", "a:Net", "/a.py"]], Instance("a.Net")),
        ([["object", "torch.nn.Linear", "/x/torch/nn/modules/linear.py"]], Instance("torch.nn.Linear")),
        ([["object", "torch._private:Thing", "/x/torch/_private.py"]], UNKNOWN),
    ],
)
def test_what_calls_were_given_is_joined(seen: list[object], expected: Type) -> None:
    assert inferred("def f(value):\n    return value\n", value=seen)("value") == expected


def test_what_is_known_is_never_overruled() -> None:
    type_of = inferred(
        "def f(a: int, b: torch.Tensor | list, c=1.5, d=None, e=None):\n    e.append(d)\n    return a\n",
        a=[ARRAY], b=[ARRAY], c=[ARRAY], d=[ARRAY], e=[ARRAY],
    )  # fmt: skip
    assert type_of("a: int") == INT
    assert type_of("b: torch.Tensor | list") == UNKNOWN  # one run does not tell that it is never a list
    assert type_of("c=1.5") == FLOAT
    assert type_of("d=None") == Array("float", 2)
    assert type_of("e=None") == UNKNOWN  # arrays have no `append`


def test_what_a_run_contradicts_is_to_be_looked_at() -> None:
    """That `forward` is given an array is a guess; what the code does with `x` and gives for `scale` is none."""
    code = """\
import torch

class Net(torch.nn.Module):
    def forward(self, x, pair, scale=1.0):
        return x.detach() * scale + pair[0].std(0)
"""
    passed = {"x": "float", "pair": ["tuple", [], [ARRAY, "int"]], "scale": ARRAY}
    seen = [["call", "/a.py", 4, "forward", name, found] for name, found in (*passed.items(), ("x", ARRAY))]
    result = convert_files({"a.py": code.encode()}, "torch", "jax", observations=Observations(seen, {"/a.py": "a.py"}))
    assert [(site.line, site.column, site.reason) for site in result.report.review] == [
        (4, 22, "x is taken for an array, and --trace gave it a float (a.py:4); annotate it"),
        (4, 31, "scale is taken for a float, and --trace gave it a float array of rank 2 (a.py:4); annotate it"),
    ]
    assert result.report.traced == () and "std(pair[0], 0)" in result.files["a.py"].decode()  # as it is without


def test_what_is_right_for_any_type_is_not_written_for_one() -> None:
    code = """\
import torch

def f(x: torch.Tensor, sizes):
    one, two = x.split(sizes, dim=1)
    return one, two, x.split(sizes, dim=0)
"""
    seen = Observations([["call", "/a.py", 3, "f", "sizes", "int"]], {"/a.py": "a.py"})
    plain = convert_files({"a.py": code.encode()}, "torch", "jax")
    traced = convert_files({"a.py": code.encode()}, "torch", "jax", observations=seen)
    assert "one, two = split(x, sizes, axis=1)" in plain.files["a.py"].decode()
    assert traced.files == plain.files and traced.report.traced == ()


def test_only_what_is_open_is_filled() -> None:
    assert filled(Sequence(UNKNOWN, "tuple"), Tuple((INT, INT))) == Sequence(INT, "tuple")
    assert filled(Tuple((INT, UNKNOWN)), Tuple((FLOAT, Array("float", 1)))) == Tuple((INT, Array("float", 1)))
    assert filled(Array(), Array("float", 1)) == Array()  # what holds for any rank needs no rank
    assert filled(Mapping(UNKNOWN), Sequence(INT)) == Mapping(UNKNOWN)


def test_names_with_one_value() -> None:
    code = """\
def f(a, n):
    b = a
    for c in a: pass
    for d in a: d = 1
    if a: e = 1
    else: e = 2
    g, h = a
    h += 1
    def i():
        nonlocal b
        j = 1
    n = 2
"""
    function = cst.parse_module(code).body[0]
    assert isinstance(function, cst.FunctionDef)
    assert bound_once(function) == {"a", "c", "g", "i"}


def test_names_of_other_scopes_are_not_taken_for_those_seen() -> None:
    code = """\
import torch
part = make()

class Holder:
    part = choose()

def f(parts):
    one = [part for part in parts]
    return one
"""
    module = cst.parse_module(code)
    modules = {"a.py": module}
    repository = Repository(modules, modules, frozenset({"torch"}))
    records = [["local", "/a.py", 1, "<module>", "part", ARRAY], ["local", "/a.py", 7, "f", "part", ARRAY]]
    inference = Inference(repository, modules, load_tables(), "torch", Observations(records, {"/a.py": "a.py"}))
    inference.run()
    types = inference.files["a.py"].types
    assert [types[name] for name in inference.nodes("a.py").of(cst.Name) if name.value == "part" and name in types] == [
        Array("float", 2), UNKNOWN, UNKNOWN, UNKNOWN,
    ]  # fmt: skip


def test_every_report_says_what_rests_on_a_run() -> None:
    site = Site("a.py", 3, 4, 3, 9, "torch.Tensor.std", "std", "tables", "converted", "rests on --trace: x was an array")
    report = Report.of("torch", "jax", (), [site, Site("a.py", 1, 0, 1, 5)])
    assert report.traced == (site,)
    assert "| sites that rest on --trace | 1 |" in to_markdown(report)
    assert "line 3, column 5: `torch.Tensor.std`: rests on --trace: x was an array" in to_markdown(report)
    assert "rests on --trace: x was an array" in to_html(report)
    results = json.loads(to_sarif(report))["runs"][0]["results"]
    assert [(result["level"], result["message"]["text"]) for result in results] == [
        ("note", "torch.Tensor.std: rests on --trace: x was an array")
    ]
