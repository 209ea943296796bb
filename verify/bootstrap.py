"""Starts a worker from its file, so that the interpreter it runs in needs no installation of this package.

`python bootstrap.py JOB.json`. Only NumPy and the framework under test are needed there.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Make this checkout importable as `ivy_convert` and run the worker."""
    root = Path(__file__).resolve().parent.parent
    sys.path.pop(0)  # this folder, whose files are no top-level modules
    if "ivy_convert" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "ivy_convert", root / "__init__.py", submodule_search_locations=[str(root)]
        )
        assert spec is not None and spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules["ivy_convert"] = package
        spec.loader.exec_module(package)
    worker = importlib.import_module("ivy_convert.verify.worker")
    worker.main(sys.argv[1])


if __name__ == "__main__":
    main()
