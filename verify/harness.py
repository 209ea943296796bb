"""The verification from end to end: record, run both sides, compare, locate."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .comparison import Comparison, OwnTest, Speed, StageResult, ordered
from .execute import TRAINING_STEPS
from .inputs_object import write_inputs
from .locating import by_numbers, guessed, located, traced, worst_of_each
from .measure import JITTER
from .outcomes import Ran, compared, read_outcomes, stage_of_tests
from .own_tests import REMARK_FILE
from .process import Ended, Side, run_worker
from .results import Measured, Runs, merged, results_of_case
from .sampling import draw_subjects, result_of_draws, timed_subjects
from .sources import CodeBase, choose_frameworks, imported_frameworks, is_test, locate, working_copy
from .spec import compare_spec, public_functions
from .values import Json

# Of the seconds that one process may take, the part that one stage of one case may.
PART_OF_A_STAGE = 0.4
NAMED_WITHOUT_INPUTS = 6
# So many subjects are compared by distribution, and timed: those with the most weights.
MOST_SAMPLED, MOST_TIMED = 4, 1
# Packages that belong to a framework and must not be needed after a conversion away from it.
PACKAGES = {
    "torch": ("torch", "torchvision", "torchaudio"),
    "tensorflow": ("tensorflow", "keras"),
    "jax": ("jax", "flax", "optax"),
}


def verify(
    original: Any,
    converted: Any,
    inputs: Any = None,
    device: str = "cpu",
    *,
    source: str | None = None,
    target: str | None = None,
    timeout: float = 600.0,
    tests: bool = True,
    steps: int = TRAINING_STEPS,
    speed: bool = True,
    original_python: str | None = None,
    converted_python: str | None = None,
) -> Comparison:
    """Run original and converted side by side and compare names, outputs, gradients and training.

    original, converted: two files, two repository folders, or two live objects (functions, classes, module
        instances or module objects with a source file).
    inputs: a Python file that defines `inputs()`, or the dict itself: name -> (constructor's keyword arguments,
        arguments of the call) for a class, name -> arguments of the call for a function. Without it the
        repository's own tests, its entry point and annotations are asked, in this order.
    device: `cpu`, `cuda` or `tpu`.
    source, target: the frameworks, where the imports do not tell.
    timeout: seconds that one process may take.
    tests: whether to run the repository's own tests on the converted side.
    steps: how many training steps are compared.
    speed: whether to time both sides.
    original_python, converted_python: interpreters, where the frameworks live in environments of their own.

    Raises:
        VerifyError: nothing can be run: no such path, framework or device.
    """
    theirs, ours = locate(original), locate(converted)
    frameworks = choose_frameworks(theirs, ours)
    source, target = source or frameworks[0], target or frameworks[1]
    absent = tuple(name for name in PACKAGES.get(source, ()) if source != target)
    with tempfile.TemporaryDirectory(prefix="ivy-verify-") as name:
        folder = Path(name).resolve()
        run = _Run(
            Side(
                working_copy(theirs, folder / "original", theirs.path.name), source, original_python or sys.executable
            ),
            Side(
                working_copy(ours, folder / "converted", theirs.path.name),
                target,
                converted_python or sys.executable,
                absent,
            ),
            folder,
            device,
            timeout,
            steps,
        )
        stages, notes, own_tests = run.all_stages(write_inputs(inputs, folder), tests)
        speeds = run.speeds() if speed else ()
    return Comparison(str(theirs.path), str(ours.path), device, ordered(stages), tuple(notes), own_tests, speeds)


@dataclass(frozen=True)
class _Run:
    """The two sides of a verification and where its files go."""

    original: Side
    converted: Side
    folder: Path
    device: str
    timeout: float
    steps: int

    def all_stages(self, inputs: Path | None, tests: bool) -> tuple[list[StageResult], list[str], tuple[OwnTest, ...]]:
        """Every stage, remarks for the reader, and the repository's own tests one by one."""
        stages = list(self._spec())
        recorded, notes = self._record(inputs)
        cases = [case for case in recorded["cases"] if self._wanted(case["qualname"])]
        refused = {name: why for name, why in recorded["refused"].items() if self._wanted(name.partition(":")[2])}
        stages += self._cases(
            recorded["cases"], [index for index, case in enumerate(recorded["cases"]) if case in cases]
        )
        have = {case["subject"] for case in cases}
        stages += [
            StageResult("forward", name, "skipped", reason=f"could not be recorded: {why}")
            for name, why in sorted(refused.items())
            if name not in have
        ]
        notes += self._without_inputs(have | set(refused)) if cases else []
        if not cases:
            notes.append("no inputs were found: give --inputs FILE, of which `ivy-convert verify --help` shows one")
        own_stage, own_tests = self._own_tests() if tests else ([], ())
        return [*stages, *own_stage], notes, own_tests

    def _wanted(self, qualname: str) -> bool:
        only = self.original.code.only
        return not only or qualname.partition(".")[0] in only

    # --- spec ---------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, str]:
        """Names of the original's modules -> names of the converted's."""
        theirs, ours = self.original.code.modules, self.converted.code.modules
        if self.original.code.is_file and self.converted.code.is_file:
            return dict(zip(theirs, ours))
        return {name: name for name in theirs}

    def _files(self, side: Side) -> dict[str, str]:
        """A side's files -> the names of their modules on the original's side; tests and what was added are left out."""
        known = self._known()
        names = {name if side is self.original else there: name for name, there in known.items()}
        own = {name: path for name, path in side.code.modules.items() if name in names and not is_test(name)}
        return {str(path): names[name] for name, path in own.items()}

    def _spec(self) -> Iterable[StageResult]:
        only = dict(zip(self.original.code.only, self.converted.code.only))
        for name, there in self._known().items():
            if not is_test(name):
                file = self.converted.code.modules.get(there)
                yield compare_spec(name, self.original.code.modules[name], file, only)

    def _without_inputs(self, have: set[str]) -> list[str]:
        """A remark on public functions and classes that nothing called."""
        left = [
            f"{module}:{name}"
            for module, file in self.original.code.modules.items()
            if not is_test(module) and self.original.framework in imported_frameworks(file)
            for name in public_functions(file)
            if self._wanted(name) and f"{module}:{name}" not in have
        ]
        if not left:
            return []
        named = ", ".join(left[:NAMED_WITHOUT_INPUTS]) + (" and more" if len(left) > NAMED_WITHOUT_INPUTS else "")
        return [f"not compared for want of inputs ({len(left)}): {named}; give some with --inputs FILE"]

    # --- inputs -------------------------------------------------------------------------------------------

    def _test_files(self, code: CodeBase) -> list[str]:
        if not code.is_file:
            return [str(code.path)] if any(is_test(name) for name in code.modules) else []
        name = f"test_{code.path.stem}.py"
        beside = (code.path.parent / name, code.path.parent / "tests" / name)
        return [str(path) for path in beside if path.exists()]

    def _record(self, inputs: Path | None) -> tuple[Json, list[str]]:
        code = self.original.code
        ended = run_worker(
            self.original,
            self.folder / "record",
            "cpu",
            self.timeout,
            task="record",
            modules={name: str(path) for name, path in code.modules.items()},
            folder=str(code.path),
            inputs=str(inputs) if inputs else "",
            tests=self._test_files(code),
            seconds=0.8 * self.timeout,
        )
        file = ended.out / "cases.json"
        if not file.exists():
            return {"cases": [], "refused": {}}, [f"recording inputs {ended.problem}"]
        recorded = json.loads(file.read_text("utf-8"))
        return recorded, [*recorded["notes"], *([ended.problem] if ended.problem else [])]

    # --- forward, gradients, training -----------------------------------------------------------------------

    def _evaluate(
        self,
        side: Side,
        name: str,
        indices: list[int],
        weights: Path | None,
        double: bool,
        lines: bool = False,
        jitter: float = 0.0,
    ) -> tuple[Path, dict[int, str]]:
        """Run cases on one side. A crash costs the case it happened in; the rest goes on in a new process."""
        out, crashes, left = self.folder / name, dict[int, str](), list(indices)
        known = self._known()
        while left:
            ended: Ended = run_worker(
                side,
                out,
                self.device,
                self.timeout,
                task="evaluate",
                double=double,
                cases=str(self.folder / "record" / "cases"),
                indices=left,
                weights=str(weights) if weights else "",
                known={n: n for n in known} if side is self.original else known,
                foreign=PACKAGES.get(self.original.framework, ()),
                seconds=PART_OF_A_STAGE * self.timeout,
                steps=self.steps,
                files=self._files(side) if lines else None,
                jitter=jitter,
            )
            left = [index for index in left if not (out / f"{index}.json").exists()]
            if left and ended.problem:
                crashes[left.pop(0)] = ended.problem
            elif left:
                break
        return out, crashes

    def _cases(self, cases: list[Json], indices: list[int]) -> list[StageResult]:
        if not indices:
            return []
        first, crashes = self._evaluate(self.original, "single", indices, None, double=False)
        done = [index for index in indices if (first / f"{index}.json").exists()]
        with ThreadPoolExecutor(2) as pool:
            ours = pool.submit(self._evaluate, self.converted, "converted", done, first, False)
            double = pool.submit(self._evaluate, self.original, "double", done, first, True)
            ours_double = pool.submit(self._evaluate, self.converted, "converted-double", done, first, True)
        folders = (first, ours.result()[0], double.result()[0], ours_double.result()[0])
        results = [
            StageResult("forward", cases[index]["subject"], "skipped", reason=f"the original {problem}")
            for index, problem in crashes.items()
        ]
        found: list[tuple[int, StageResult]] = []
        for index in done:
            measured = [Measured.load(folder, index) for folder in folders]
            assert measured[0] is not None
            runs = Runs(measured[0], measured[1], measured[2], measured[3])
            crash = ours.result()[1].get(index, "")
            found += [(index, result) for result in self._of_case(cases[index], index, runs, crash)]
        return merged(results + self._located(cases, found, first, folders)) + self._random(cases, folders)

    def _of_case(self, case: Json, index: int, runs: Runs, crash: str) -> list[StageResult]:
        """The results of one case. Training that only ran in single precision is run again, slightly disturbed."""
        results = results_of_case(case, runs, crash)
        apart = [r for r in results if r.name == "training" and r.status == "failed" and r.largest_error is not None]
        if not apart or not runs.lacks_double("call"):
            return results
        folder, _ = self._evaluate(self.original, f"disturbed-{index}", [index], None, double=False, jitter=JITTER)
        return results_of_case(case, replace(runs, disturbed=Measured.load(folder, index)), crash)

    def _located(
        self, cases: list[Json], found: list[tuple[int, StageResult]], first: Path, folders: tuple[Path, ...]
    ) -> list[StageResult]:
        """Say of each failed result where the two sides part, and what the difference looks like."""
        wrong = worst_of_each([(index, result) for index, result in found if by_numbers(result)])
        places: dict[int, StageResult] = {}
        for double in (True, False):  # in double precision rounding hides no line and makes up none
            left = {i: result for i, result in wrong.items() if i not in places and traced(result, cases[i])}
            if left:
                roots = (self.original.code.path, self.converted.code.path)
                places |= located(left, self._traces(list(left), first, double), first, roots, double)
        apart = {result.subject for _, result in found if result.name == "forward" and result.status == "failed"}
        results = []
        for index, result in found:
            placed = places[index] if index in places and wrong[index] is result else result
            # gradients and training of what already gives other outputs have nothing of their own to tell
            own = by_numbers(placed) and not placed.trap and (placed.name == "forward" or placed.subject not in apart)
            results.append(guessed(placed, index, folders, first) if own else placed)
        return results

    def _traces(self, indices: list[int], first: Path, double: bool) -> tuple[Path, Path]:
        """Both sides' runs with recorded lines."""
        suffix = "double" if double else "single"
        with ThreadPoolExecutor(2) as pool:
            theirs = pool.submit(self._evaluate, self.original, f"trace-{suffix}", indices, first, double, lines=True)
            ours = pool.submit(
                self._evaluate, self.converted, f"converted-trace-{suffix}", indices, first, double, lines=True
            )
        return theirs.result()[0], ours.result()[0]

    # --- many runs of a case ------------------------------------------------------------------------------

    def _repeated(self, side: Side, name: str, indices: list[int], draws: bool) -> dict[int, Json]:
        """Draws or timings of some cases on one side, by case."""
        ended = run_worker(
            side,
            self.folder / name,
            self.device,
            self.timeout,
            optimized=not draws,
            task="repeat",
            cases=str(self.folder / "record" / "cases"),
            indices=indices,
            weights=str(self.folder / "single"),
            known=self._known() if side is self.converted else {name: name for name in self._known()},
            foreign=PACKAGES.get(self.original.framework, ()),
            seconds=PART_OF_A_STAGE * self.timeout,
            draws=draws,
        )
        files = [(index, ended.out / f"{index}.json") for index in indices]
        found = {index: json.loads(file.read_text("utf-8")) for index, file in files if file.exists()}
        problem = {"error": ended.problem or "the process did not get that far"}
        return {index: found.get(index, problem) for index in indices}

    def _random(self, cases: list[Json], folders: tuple[Path, ...]) -> list[StageResult]:
        """Distributions of the subjects that draw, with each framework's own generator."""
        chosen = draw_subjects(cases, folders)[:MOST_SAMPLED]
        if not chosen:
            return []
        with ThreadPoolExecutor(2) as pool:
            theirs = pool.submit(self._repeated, self.original, "draws", chosen, True)
            ours = pool.submit(self._repeated, self.converted, "converted-draws", chosen, True)
        return [
            result_of_draws(cases[index]["subject"], theirs.result()[index], ours.result()[index]) for index in chosen
        ]

    def speeds(self) -> tuple[Speed, ...]:
        """The times of the modules with the most weights, one side after the other."""
        folders = (self.folder / "single", self.folder / "converted")
        if not all(folder.exists() for folder in folders):
            return ()
        cases = json.loads((self.folder / "record" / "cases.json").read_text("utf-8"))["cases"]
        chosen = timed_subjects(cases, folders)[:MOST_TIMED]
        if not chosen:
            return ()
        theirs = self._repeated(self.original, "speed", chosen, False)
        ours = self._repeated(self.converted, "converted-speed", chosen, False)
        pairs = [(cases[index]["subject"], theirs[index], ours[index]) for index in chosen]
        return tuple(
            Speed(
                subject,
                (one["forward"], other["forward"]),
                (one["step"], other["step"]) if one["step"] and other["step"] else None,
            )
            for subject, one, other in pairs
            if "error" not in one and "error" not in other
        )

    # --- the repository's own tests -------------------------------------------------------------------------

    def _own_tests(self) -> tuple[list[StageResult], tuple[OwnTest, ...]]:
        """The tests that ran while inputs were recorded, once more on the converted side."""
        files = self._test_files(self.converted.code)
        before, root = read_outcomes(self.folder / "record")
        if not files or not before:
            return [], ()
        # what failed under the recorder's eyes has a second chance without it
        again = [f"{root}/{test}" for test, ran in before.items() if ran.failed]
        if again:
            before |= self._tests_on(self.original, "tests-original", again)[0]
        after, remark = self._tests_on(self.converted, "tests", files)
        tests = compared(before, after, same_names=not self.original.code.is_file)
        return [stage_of_tests(tests, remark)], tests

    def _tests_on(self, side: Side, name: str, tests: list[str]) -> tuple[dict[str, Ran], str]:
        """The outcomes of test files or single tests on one side, and a remark."""
        seconds = 0.9 * self.timeout
        ended = run_worker(
            side, self.folder / name, self.device, self.timeout, task="tests", tests=tests, seconds=seconds
        )
        remark = ended.out / REMARK_FILE
        return read_outcomes(ended.out, ended.problem)[0], ended.problem or remark.read_text("utf-8")
