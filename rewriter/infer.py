"""The repository's inference: passes over all files until what calls hand on stays the same.

The first pass finds attribute and result types in whatever order files come; each further one starts from these and
from the argument types of every call seen before. A class handed on through two calls takes three passes.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping

import libcst as cst

from .infer_calls import CallTypes
from .infer_expressions import Environment
from .infer_parameters import FileTypes
from .infer_statements import StatementWalker
from .lattice import Type
from .names import FileScope, Repository
from .observations import Observations, filled
from .tables import Tables

#: What has not settled by then is passed on further than types are followed.
MOST_PASSES = 4


class _Walker(StatementWalker):
    """A statement walker that knows the repository's global names and annotations."""

    inference: Inference

    def bind(self, target: cst.BaseExpression, value: Type) -> None:
        """What a name was seen to hold says what its value's type does not."""
        if isinstance(target, cst.Name):
            function = self.function or self.inference.modules[self.scope.file]
            value = filled(value, self.inference.observed.local(self.scope.file, function, target.value))
        super().bind(target, value)

    def scope_lookup(self, name: str) -> str | None:
        return self.inference.global_path(self.scope, name)

    def annotation_type(self, node: cst.BaseExpression) -> Type:
        return self.inference.annotated(self.scope, node)


class Inference(CallTypes):
    """Types over all files of a conversion. `run` must be called once; then `files` holds the result."""

    def __init__(
        self,
        repository: Repository,
        modules: AbstractMapping[str, cst.Module],
        tables: Tables,
        source: str,
        observations: Observations | None = None,
    ) -> None:
        """observations: what a run of the source showed, for what nothing else tells."""
        super().__init__(repository, modules, tables, source)
        self.observed.observations = observations
        self.failures: dict[str, str] = {}
        #: Whether helper modules that files import come from an earlier conversion to the source framework.
        self.helpers_are_source = True

    def run(self) -> None:
        """Passes over all files, in the order of their paths, until what calls hand on stays the same."""
        for number in range(MOST_PASSES):
            if number >= 2 and self.call_sites == self._previous_call_sites:
                return
            self._previous_attributes, self.attributes = self.attributes, {}
            self._previous_results, self.results = self.results, {}
            self._previous_call_sites, self.call_sites = self.call_sites, {}
            self.local_calls.next_pass()
            self._done.clear()
            self.globals.clear()
            self.files = {path: FileTypes() for path in self.modules}
            for path in sorted(self.modules):
                try:
                    self._module_globals(path)
                except Exception as error:  # One file that we fail on must not cost the user the others.
                    self.failures[path] = f"{type(error).__name__}: {error}"

    def walker(self, scope: FileScope, environment: Environment) -> _Walker:
        """A walker that records into the types of the scope's file."""
        found = self.files[scope.file]
        walker = _Walker(scope, self, environment, found.types, found.bound)
        walker.inference = self
        return walker
