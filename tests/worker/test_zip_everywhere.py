"""The worker's zip under every Python of this machine that it is meant for, with nothing else."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from nbbatch.futures.telling.story import Teller, read_story
from nbbatch.wire import graph, keys, parts, spec
from nbbatch.wire.envelope import Stamp, unseal
from nbbatch.wire.spec import JobSpec, Outcome
from nbbatch.worker.boot import bundle
from nbbatch.worker.stores.directory import DirectoryStore
from tests.worker.pythons import HERE, pythons

pytestmark = pytest.mark.thorough

KEY = b"k" * 32


class Job:
    """A cell on a directory store, run by the zip alone."""

    def __init__(self, folder, source, **variables):
        self.id = keys.new_job_id()
        self.folder = folder
        self.store = DirectoryStore(str(folder / "store"))
        values = graph.dump([(spec.VARIABLE, name, value) for name, value in variables.items()])
        job = JobSpec(
            kind="cell", name="cell", python=HERE, source=source, records=tuple(values.records)
        )
        pieces = parts.pack(
            self.store, Stamp(KEY, spec.INPUT, self.id), job.meta(), values.parts(), set()
        )
        self.store.put(keys.input_(self.id), pieces)

    def run(self, python):
        """Run the job to its end."""
        path = self.folder / "worker.zip"
        path.write_bytes(bundle.bundle()[0])
        environ = {
            keys.ENV_STORE: self.store.url,
            keys.ENV_JOB: self.id,
            keys.ENV_KEY: KEY.hex(),
            "PATH": "/usr/bin:/bin",
        }
        command = [python, "-I", "-S", str(path)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    def outcome(self):
        """Return the outcome, its seal checked, and the variables in it."""
        sealed = unseal(self.store.get(keys.outcome(self.id, 1)), KEY, spec.OUTCOME, self.id)
        outcome = Outcome.from_meta(sealed.meta)
        buffers = [parts.read(self.store, sealed, index) for index in range(len(sealed.parts))]
        loaded = graph.load(buffers[0], outcome.records, buffers[1:]) if buffers else ()
        return outcome, {item.name: item.value for item in loaded if item.role == spec.VARIABLE}


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_runs_a_cell(python, tmp_path):
    """Plain data goes in and comes back, output and the last expression are told."""
    lines = (
        "import sys",
        "print('said')",
        "ys = [x * 2 for x in xs]",
        "xs.append(sys.version)",
        "ys",
    )
    job = Job(tmp_path, "\n".join(lines), xs=[1, 2])
    done = job.run(python)
    outcome, variables = job.outcome()
    story = list(read_story(job.store, Teller(KEY, job.id), 1))
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version, end='')"], capture_output=True, check=True
    )

    assert (done.returncode, done.stderr, outcome.status) == (0, "", spec.OK)
    assert variables["ys"] == [2, 4]
    assert variables["xs"] == [1, 2, version.stdout.decode()]
    assert [item["text"] for item in story if item["kind"] == "stream"] == ["said\n"]
    assert [i["data"]["text/plain"] for i in story if i["kind"] == "result"] == ["[2, 4]"]


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_hides_itself_in_tracebacks(python, tmp_path):
    """An exception shows the cell's own frames and none of the zip's."""
    job = Job(tmp_path, "def f(q):\n    return 1 / q\nf(0)")
    job.run(python)
    outcome, _ = job.outcome()

    assert outcome.status == spec.ERROR
    assert [frame[2] for frame in outcome.failures[0].frames] == ["<module>", "f"]


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_types_that_one_python_has_moved(python, tmp_path):
    """A path is one on every Python, there and back."""
    job = Job(tmp_path, "there = here / 'a'", here=pathlib.PurePosixPath("/x"))
    job.run(python)
    _, variables = job.outcome()

    assert variables["there"] == pathlib.PurePosixPath("/x/a")


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_a_cell_that_an_older_python_does_not_take(python, tmp_path):
    """The error names the Python to use; where that is the kernel's own, it is the cell's."""
    job = Job(tmp_path, "x = 1\nlater syntax")
    job.run(python)
    outcome, _ = job.outcome()
    said = outcome.failures[0].evalue

    if python == pythons()[HERE]:
        assert outcome.failures[0].ename == "SyntaxError"
    else:
        assert "line 2 of the cell" in said
        assert f"--image python:{HERE}" in said
