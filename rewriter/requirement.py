"""Requirement strings (`name[extra]>=version; marker`) and which of them a conversion replaces."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?=$|[=<>!~@;,(^*])")


def name_of(text: str) -> str:
    """The normalised distribution name of a requirement; empty if `text` is none."""
    found = REQUIREMENT.match(text.partition(" #")[0].rpartition("::")[2])
    return normal(found[1]) if found else ""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class Packages:
    """What a framework is installed from.

    requirements: requirement (`name>=version`) by the module that is imported. aliases: further names under which
    the framework is distributed, for instance by conda. indexes: hosts that serve only its packages.
    """

    requirements: Mapping[str, str]
    aliases: frozenset[str] = frozenset()
    indexes: tuple[str, ...] = ()

    @staticmethod
    def of(
        packages: Mapping[str, str] | Iterable[str], aliases: Iterable[str] = (), indexes: Iterable[str] = ()
    ) -> Packages:
        """From the keys `packages`, `package_aliases` and `package_indexes` of a `framework.yaml`.

        packages: requirements by the module that each provides, or a list where module and distribution agree.
        """
        if not isinstance(packages, Mapping):
            packages = {name_of(requirement).replace("-", "_"): requirement for requirement in packages}
        return Packages(dict(packages), frozenset(normal(alias) for alias in aliases), tuple(indexes))

    def modules_of(self, name: str) -> set[str]:
        """The modules that the distribution `name` provides; empty if it is not part of the framework."""
        if normal(name) in self.aliases:
            return set(self.requirements)
        return {module for module, text in self.requirements.items() if name and name_of(text) == normal(name)}


@dataclass(frozen=True)
class Replacement:
    """One decision for all files: which distributions go and which requirements come in their place.

    imported: top-level modules that the converted code imports.
    """

    source: Packages
    imported: frozenset[str]
    additions: tuple[str, ...]

    def covers(self, text: str) -> bool:
        """Whether the requirement `text` is one of the source framework's."""
        return bool(self.source.modules_of(name_of(text)))

    def keeps(self, text: str) -> bool:
        """Whether the converted code still imports what the requirement `text` installs."""
        return bool(self.source.modules_of(name_of(text)) & self.imported)

    def source_is_gone(self) -> bool:
        return not self.imported & set(self.source.requirements)

    def fresh(self, text: str, present: Collection[str]) -> list[str]:
        """The requirements to write where `text` stands, under its marker, less those `present` already."""
        marker = text.partition(";")[2].strip()
        missing = [requirement for requirement in self.additions if name_of(requirement) not in present]
        return [f"{requirement}; {marker}" if marker else requirement for requirement in missing]
