"""The kernel's libraries in a job: ``python tests/benchmarks/libraries.py [FOLDER]``.

The first job with numpy, pandas, scikit-learn and matplotlib on an interpreter that has none of
them, up to SubmitJob, beside `uv pip install --target` of the same set and the plain upload of
its bytes; and the second job, from submit to the end of its code, on an empty disk and on a host
that keeps libraries, beside the same job on an interpreter that has them all. S3 is moto's, jobs
are processes of this machine.

FOLDER had better be none of an ext4 without a journal: there, a new file costs the more, the more
were removed within the last minutes, and each of these jobs makes and removes thousands.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rigs
from timing import heading, seconds, show

ROUNDS = 5
#: What the job imports, each for a reason that nobody reads.
WANTS = dict.fromkeys(["numpy", "pandas", "sklearn", "matplotlib"], "")


def environment(folder: Path) -> str:
    """Make a virtual environment with nothing in it; return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


def pinned(librarian: Any, target: Any) -> list[str]:
    """Return the whole set, in the versions that are installed here."""
    plan = librarian.plan(WANTS, target)
    return [f"{item.name}=={item.version}" for item in plan.items]


def installed(names: list[str], target: Path, cache: Path) -> None:
    """Install the set as uv does, from an empty cache."""
    from uv import find_uv_bin

    command = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    environ = {**os.environ, "UV_CACHE_DIR": str(cache)}
    subprocess.run([*command, "--target", str(target), *names], check=True, env=environ)


def uploaded(store: Any, folder: Path) -> None:
    """Send the bytes of all files below a folder, 16 MiB in each object."""
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for start in range(0, len(data), 16 << 20):
        store.put(f"plain/{start}", [memoryview(data)[start : start + (16 << 20)]])


def job(**options: Any) -> Callable[[], float]:
    """Return what runs a job that imports the libraries, and tells how long that took.

    To the end of its code: the client looks for that every 0.4 s, which would round all figures.
    """
    from nbbatch import batch

    @batch(**options)
    def there() -> float:
        import time

        import matplotlib.pyplot as plt
        import pandas as pd
        from sklearn.linear_model import LinearRegression

        print(pd.__version__, plt.__name__, LinearRegression.__name__)
        return time.time()

    def run() -> float:
        began = time.time()
        return there.submit().result(600) - began

    return run


def main() -> None:
    """Measure, and print a line for each case."""
    made = Path(tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else None))
    try:
        with rigs.aws(made):
            _first(made)
            _second(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _first(made: Path) -> None:
    from nbbatch.backends.base import Target
    from nbbatch.libraries import Librarian
    from nbbatch.libraries.targets import kernel_target
    from nbbatch.session import current_session

    session = current_session()
    here = kernel_target()
    target = Target("image", here.python, here.machine, here.libc)
    librarian = Librarian(made / "cache", session.backend.store)
    names = pinned(librarian, target)
    folder, cache = made / "plain", made / "uv-cache"
    plain = {
        "uv pip install --target": seconds(lambda: installed(names, folder, cache)),
        "upload of its bytes": seconds(lambda: uploaded(session.backend.store, folder)),
    }
    first = seconds(lambda: librarian.send(librarian.plan(WANTS, target)))
    again = seconds(lambda: librarian.send(librarian.plan(WANTS, target)))
    heading(f"the first time: {len(names)} libraries")
    for name, took in plain.items():
        show(name, [took])
    show("resolved, built and uploaded", [first], against=sum(plain.values()))
    show("the second time", [again], against=sum(plain.values()))
    librarian.settle()


def _second(made: Path) -> None:
    from nbbatch.session import current_session

    bare, full = environment(made / "bare"), environment(made / "full")
    (site,) = (made / "full").glob("lib/python*/site-packages")
    shutil.copytree(made / "plain", site, dirs_exist_ok=True)
    subprocess.run([full, "-m", "compileall", "-q", str(site)], check=False)
    here = {"environment": {"TMPDIR": str(made)}}
    having, lacking = job(executable=full, env="none", **here), job(executable=bare, **here)
    kept = job(executable=bare, library_cache=str(made / "host"), **here)
    lacking()
    current_session().supply.settle()
    jobs = {"in the image": having, "fetched": lacking, "found on the host": kept}
    for each in jobs.values():
        each()
    heading("a job with all of them, from submit to the end of its code")
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, run in jobs.items():
            taken[name].append(run())
    base = show("in the image", taken["in the image"])
    for name in ("fetched", "found on the host"):
        show(name, taken[name], against=base)
        more = [much - little for much, little in zip(taken[name], taken["in the image"])]
        show(f"{name}: more than in the image", more)


if __name__ == "__main__":
    main()
