"""`import nbbatch` and `%load_ext nbbatch`, in a new process: ``python .../import_time.py``."""

from __future__ import annotations

import subprocess
import sys

from timing import heading, show

ROUNDS = 20
#: The extension's hook, timed after what a kernel has loaded anyway.
CODE = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
import nbbatch
middle = time.perf_counter()
shell.run_line_magic("load_ext", "nbbatch")
end = time.perf_counter()
heavy = sorted({"boto3", "botocore", "ipywidgets", "anywidget"} & set(sys.modules))
print(middle - start, end - middle, *heavy)
"""


def main() -> None:
    """Measure, and print a line for each step."""
    heading("import nbbatch and %load_ext nbbatch, milliseconds")
    rows = []
    for _ in range(ROUNDS):
        run = subprocess.run(
            [sys.executable, "-c", CODE], check=True, capture_output=True, text=True
        )
        imported, loaded, *names = run.stdout.split()
        rows.append((float(imported) * 1e3, float(loaded) * 1e3, names))
    show("import nbbatch", [row[0] for row in rows], "ms")
    show("%load_ext nbbatch", [row[1] for row in rows], "ms")
    show("both", [row[0] + row[1] for row in rows], "ms")
    heavy = sorted({name for row in rows for name in row[2]})
    print(f"  loaded of boto3, botocore, ipywidgets, anywidget: {heavy}")


if __name__ == "__main__":
    main()
