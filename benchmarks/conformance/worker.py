"""The process that measures: `python -m benchmarks.conformance.worker TARGET SAMPLES NAME ...`, a line for each entry.

It prints the name of an entry as it begins and its result as it ends, so that the process that started it knows whom
to blame when this one dies or hangs.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings

from .database import entries
from .measuring import measure
from .results import Problem, Result


def main() -> None:
    target, count, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    warnings.simplefilter("ignore")
    found = {entry.name: entry for entry in entries()}
    out, sys.stdout = sys.stdout, sys.stderr
    for name in names:
        print(json.dumps({"begin": name}), file=out, flush=True)
        entry = found[name]
        try:
            result = measure(entry, target, count)
        except Exception:
            result = Result(name, entry.area)
            result.add(Problem("crashed", "", "", "", "", f"the measurement failed: {traceback.format_exc()[-600:]}"))
        print(json.dumps(result.to_dict()), file=out, flush=True)


if __name__ == "__main__":
    main()
