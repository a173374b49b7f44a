"""The worker's zip: what is in it, and that it stands alone."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from nbbatch.worker.boot import bundle


def names():
    return zipfile.ZipFile(io.BytesIO(bundle.build())).namelist()


def test_the_same_bytes_for_the_same_sources():
    """Two processes build the same zip, so that it is uploaded once."""
    program = "import hashlib; from nbbatch.worker.boot import bundle; print(bundle.bundle()[1])"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed, zone in [("1", "UTC"), ("2", "Asia/Tokyo")]
    }

    assert digests == {hashlib.sha256(bundle.build()).hexdigest()} == {bundle.bundle()[1]}


def test_what_is_in_it():
    """The far side, the wire format and cloudpickle travel; the near side does not."""
    found = names()

    assert found == sorted(found)
    assert {"__main__.py", "nbbatch/__init__.py", "nbbatch/errors.py"} <= set(found)
    assert {"nbbatch/wire/keys.py", "nbbatch/worker/stores/s3.py"} <= set(found)
    assert {"cloudpickle/__init__.py", "cloudpickle/cloudpickle.py"} <= set(found)
    assert not [n for n in found if "backends" in n or not n.endswith((".py", ".pyc"))]


@pytest.mark.skipif(not bundle.COMPILES, reason="on this Python bytecode is never twice the same")
def test_bytecode_of_this_python():
    """Each module travels compiled, too, so that the image's Python need not do it."""
    found = set(names())
    program = "import nbbatch.wire.keys as m; print(m.__cached__ or m.__file__)"

    assert {n + "c" for n in found if n.endswith(".py") and "/" in n} <= found
    assert run(program).strip().endswith("worker.zip/nbbatch/wire/keys.pyc")


def test_bytecode_of_another_python_is_passed_over(tmp_path):
    """Where the magic number is another's, the source is read."""
    path = tmp_path / "worker.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("it.py", "print('the source')")
        archive.writestr("it.pyc", b"\0\0\r\n" + bundle._compiled("it.py", b"print('no')")[4:])

    assert run("import it", path) == "the source\n"


def run(program, path=None):
    """Run a program that imports from the worker's zip, or another, and nothing installed."""
    with tempfile.TemporaryDirectory() as made:
        own = Path(made, "worker.zip")
        own.write_bytes(bundle.build())
        start = f"import sys; sys.path.insert(0, {str(path or own)!r}); "
        command = [sys.executable, "-I", "-S", "-c", start + program]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "module",
    [
        "cloudpickle",
        "nbbatch.bars",
        "nbbatch.decorators",
        "nbbatch.inside",
        "nbbatch.wire.keys",
        "nbbatch.worker.stores.s3",
    ],
)
def test_it_stands_alone(module):
    """Without any installed package, everything comes from the zip."""
    assert "/worker.zip/" in run(f"import {module} as m; print(m)")


#: Counts what is compiled of a zip that is run as far as it comes without a job.
COUNTING = """
import collections, json, sys, zipimport
zip, counts = sys.argv[1], collections.Counter()
def note(event, arguments):
    if event == "compile" and str(arguments[1]).startswith(zip):
        counts[arguments[1]] += 1
sys.addaudithook(note)
sys.path.insert(0, zip)
try:
    # As `fetch` does.
    exec(zipimport.zipimporter(zip).get_code("__main__"), {"__name__": "__main__"})
except BaseException:
    pass
import nbbatch.wire.keys
print(json.dumps([counts, nbbatch.__path__[0], nbbatch.__file__, nbbatch.wire.keys.__file__]))
"""


def test_another_python_compiles_each_module_once(tmp_path):
    """Where the bytecode is of no use, the first line does not wait for two compilations."""
    place = str(tmp_path / "worker.zip")
    whole = zipfile.ZipFile(io.BytesIO(bundle.build()))
    with zipfile.ZipFile(place, "w") as sources:
        for name in (name for name in whole.namelist() if name.endswith(".py")):
            sources.writestr(name, whole.read(name))
    command = [sys.executable, "-I", "-S", "-c", COUNTING, place]
    counts, *files = json.loads(
        subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout
    )

    assert f"{place}/nbbatch/worker/run/child.py" in counts
    assert set(counts.values()) == {1}
    folder = f"{place}/nbbatch"
    assert files == [folder, f"{folder}/__init__.py", f"{folder}/wire/keys.py"]
