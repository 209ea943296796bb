"""What the measurement of one operation found, and how it ends."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STATUSES = ("supported", "partial", "refused", "wrong", "crashed", "out of scope")
#: How many examples of a problem are kept.
EXAMPLES = 3


@dataclass(frozen=True)
class Problem:
    """One form of one sample that did not agree."""

    outcome: str
    form: str
    dtype: str
    source: str
    converted: str
    reason: str


@dataclass
class Result:
    """One operation: how often each outcome came, and the first few problems of each kind.

    remark: under what condition it agrees.
    """

    name: str
    area: str
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    out_of_scope: str = ""
    no_gradient: str = ""
    remark: str = ""

    def add(self, problem: Problem) -> None:
        """Count an outcome; keep it as an example if it is a problem of which there are few yet."""
        self.outcomes[problem.outcome] += 1
        if problem.outcome == "agree":
            return
        alike = [
            other for other in self.problems
            if (other.outcome, other.reason[:60]) == (problem.outcome, problem.reason[:60])
        ]  # fmt: skip
        if len(alike) < EXAMPLES:
            self.problems.append(problem)

    @property
    def status(self) -> str:
        """How the operation ends."""
        if self.out_of_scope:
            return "out of scope"
        for worst in ("wrong", "crashed"):
            if self.outcomes[worst]:
                return worst
        if not self.outcomes["agree"]:
            return "refused"
        return "partial" if self.outcomes["refused"] else "supported"

    @property
    def reason(self) -> str:
        """The leading reason for a status that is not `supported`."""
        if self.out_of_scope:
            return self.out_of_scope
        outcome = self.status if self.status in ("wrong", "crashed") else "refused"
        reasons = Counter(problem.reason for problem in self.problems if problem.outcome == outcome)
        return reasons.most_common(1)[0][0] if reasons else ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.name,
            "area": self.area,
            "status": self.status,
            "reason": self.reason,
            "no_gradient": self.no_gradient,
            "remark": self.remark,
            "outcomes": dict(sorted(self.outcomes.items())),
            "problems": [asdict(problem) for problem in self.problems],
        }


def save(path: Path, target: str, samples: int, found: list[dict[str, Any]]) -> None:
    """Write results so that a reader never meets half a file."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"target": target, "samples": samples, "operations": found}, indent=1), encoding="utf-8")
    part.replace(path)


def load(path: Path) -> dict[str, dict[str, Any]]:
    """The results that `save` wrote, by operation."""
    return {result["name"]: result for result in json.loads(path.read_text(encoding="utf-8"))["operations"]}
