"""With `cache`, what was computed before is not computed again; what was not, or not so, is."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, errors
from nbbatch.caching import results
from nbbatch.futures import Job
from nbbatch.session import Session, current_session
from nbbatch.wire import keys
from tests.integration.conftest import Notebook
from tests.integration.test_tampering import flipped

pytestmark = pytest.mark.thorough

#: What a job returns that no other returns.
UNIQUE = "__import__('os').urandom(8).hex()"


def fresh(home: Path) -> Session:
    """Begin a session, as another kernel would whose files are in `home`."""
    nbbatch.configure(backend="local", home=str(home))
    return current_session()


@pytest.fixture
def session(local_session: Session) -> Session:
    """Give the session whose jobs are cached."""
    return local_session


def one() -> Any:
    """Define a function that returns something else with each run: again, as another kernel."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(f"def one(x=None, *rest, **named): print('ran with', x); return {UNIQUE}", space)
    return batch(cache=True)(space["one"])


def started() -> int:
    """Count the jobs that were started."""
    return sum(1 for _ in current_session().jobs())


def test_a_function(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """The second call returns what the first did, shows what it printed, and starts nothing."""
    first = one()(1)
    capsys.readouterr()
    second = one()(1)
    said = capsys.readouterr().out

    assert first == second
    assert started() == 1
    assert "ran with 1" in said
    assert "From the cache" in said


def test_the_job_of_a_cached_result(session: Session) -> None:
    """It is the job that computed it, done, and says so."""
    earlier = one().submit(1)
    value = earlier.result()
    job = one().submit(1)

    assert (job.done(), job.result(), job.id) == (True, value, earlier.id)
    assert job.facts.cached
    assert not earlier.facts.cached
    assert f"by job {earlier.id}; nothing was run" in job.facts.message
    assert job.logs() == earlier.logs() == "ran with 1\n"
    assert job.outputs == earlier.outputs
    assert job.cancel() is False


def test_another_kernel(session: Session) -> None:
    """What one kernel computed another one takes."""
    value = one()(1)
    nbbatch.configure(backend="local")

    assert current_session() is not session
    assert one()(1) == value


DIFFERENT: dict[str, Callable[[Any], Any]] = {
    "argument": lambda f: f(2),
    "keyword": lambda f: f(1, a=1),
    "image": lambda f: f.options(image="python:3.12")(1),
    "variable": lambda f: f.options(environment={"MODE": "fast"})(1),
    "interpreter": lambda f: f.options(executable=sys.executable)(1),
    "not cached": lambda f: f.options(cache=False)(1),
    "refresh": lambda f: f.options(cache="refresh")(1),
}


@pytest.mark.parametrize("call", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_differs_is_run(session: Session, call: Callable[[Any], Any]) -> None:
    """Another input, image or environment is another result; and whoever says so has a new one."""
    first = one()(1)

    assert call(one()) != first
    assert started() == 2


def test_what_does_not_matter(session: Session) -> None:
    """Resources, the name, how it is tried again and shown: the result is the same."""
    first = one()(1)
    other = one().options(cpu=2, memory=8000, name="other", timeout=60, retries=2, catch="")

    assert other(1) == first
    assert started() == 1


def test_refresh_is_what_comes_next(session: Session) -> None:
    """What was computed again stands in the place of what was."""
    first = one()(1)
    second = one().options(cache="refresh")(1)

    assert second != first
    assert one()(1) == second


def test_how_old_it_may_be(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one is computed again."""
    first = one()(1)
    assert one().options(cache="1h")(1) == first
    later = results.time.time() + 3601
    monkeypatch.setattr(results.time, "time", lambda: later)

    assert one().options(cache="2h")(1) == first
    assert one().options(cache="1h")(1) != first


def test_a_failure_is_no_result(session: Session, tmp_path: Path) -> None:
    """A job that failed is run again; and one that succeeded stays, whatever fails later."""
    space: dict[str, Any] = {"__name__": "__main__"}
    source = f"def f(p):\n if open(p).read() == 'bad': raise ValueError\n return {UNIQUE}"
    exec(source, space)
    function = batch(cache=True)(space["f"])
    file = tmp_path / "file"
    file.write_text("bad")
    for _ in range(2):
        with pytest.raises(ValueError):
            function(str(file))
    file.write_text("good")
    value = function(str(file))
    file.write_text("bad")

    assert started() == 3
    assert function(str(file)) == value
    with pytest.raises(ValueError):
        function.options(cache="refresh")(str(file))
    assert function(str(file)) == value


def test_a_cell(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    """Its variables are bound again, and its outputs are shown again; comments don't matter."""
    notebook.run("words = {'a', 'b', 'c'}; n = 2")
    body = f"value = {UNIQUE}\nn += len(words)\nprint('n is', n)\nn * 2"
    first = notebook.batch(body, "--cache")
    value = notebook["value"]
    assert notebook["n"] == 5
    capsys.readouterr()
    notebook.run("n = 2; del value; words = {'c', 'b', 'a'}")
    second = notebook.batch("# again\n" + body, "--cache 1d")

    assert (notebook["value"], notebook["n"]) == (value, 5)
    said = capsys.readouterr().out
    assert "n is 5" in said
    assert "10" in said
    assert first == second
    notebook.batch(body, "--cache")
    assert notebook["value"] != value, "n was another one"


def test_a_cell_that_shows_pictures(notebook: Notebook) -> None:
    """What `attach` would paint again is there at once: displays, plots, the last value."""
    cell = "from IPython.display import HTML, display\ndisplay(HTML('<b>1</b>'))\n" + UNIQUE
    notebook.batch(cell, "--cache --detach --as first")
    notebook["first"].result()
    notebook.batch(cell, "--cache --detach --as second")

    assert notebook["second"].facts.cached
    assert notebook["second"].outputs == notebook["first"].outputs
    assert [o["output_type"] for o in notebook["second"].outputs] == [
        "display_data",
        "execute_result",
    ]


def test_a_sweep(notebook: Notebook) -> None:
    """The table of a sweep that was swept before is there at once; another grid is another."""
    found = []
    for grid in ("[1, 2]", "[1, 2]", "[1, 3]"):
        notebook.batch(f"value = (n, {UNIQUE})", f"--cache --for n='{grid}' --as swept")
        found.append((notebook["swept"].facts.cached, [row["value"] for row in notebook["swept"]]))

    assert [cached for cached, _ in found] == [False, True, False]
    assert found[0][1] == found[1][1] != found[2][1]


def test_a_line_that_turns_it_off(notebook: Notebook) -> None:
    """What the configuration says, the line may take back."""
    nbbatch.configure(backend="local", cache=True)
    seen = []
    for line in ("", "", "--no-cache", "--cache refresh", ""):
        notebook.batch(f"value = {UNIQUE}", line)
        seen.append(notebook["value"])

    assert seen[0] == seen[1] != seen[2] != seen[3] == seen[4]
    assert len(set(seen)) == 3


def test_map(session: Session) -> None:
    """The whole array is taken, whatever the size of its chunks, and with generators too."""
    first = list(one().map(range(5), chunksize=2))
    job = one().map((i for i in range(5)), chunksize=1)

    assert job.facts.cached
    assert list(job) == job.result() == first
    assert job[3] == first[3]
    assert started() == 1
    assert list(one().map([0, 1, 2, 3, 5])) != first
    assert list(one().map([[1], [2]])) == list(one().map([[1], [2]]))


def test_a_map_that_failed_in_part_is_run_again(session: Session) -> None:
    """A part of a result is none."""

    @batch(cache=True)
    def f(x: int) -> float:
        return 1 / x

    for _ in range(2):
        job = f.map([1, 0])
        assert set(job.errors()) <= {1}
        with pytest.raises(ZeroDivisionError):
            job.result()

    assert started() == 2


def test_several_nodes(session: Session) -> None:
    """All nodes' values come from the cache."""
    function = one().options(nodes=2)
    first = function.submit(1).result()
    job = function.submit(1)

    assert job.facts.cached
    assert job.result() == first
    assert "[node 1] ran with 1" in job.logs()


LARGE = 3 << 20


def large() -> Any:
    """Define a function whose result is a blob."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(f"def large():\n import pickle, os\n return bytearray(os.urandom({LARGE}))", space)
    return batch(cache=True)(space["large"])


def test_large_values_stay_where_they_are(session: Session) -> None:
    """They are not copied; and where they are gone, the job is run again."""
    store = current_session().backend.store
    first = large()()
    size = sum(size for key, size, _ in store.list(keys.CACHE))
    assert size < LARGE / 10
    assert large()() == first
    store.delete([key for key, size, _ in list(store.list(keys.BLOBS)) if size >= LARGE])

    assert large()() != first


def entry() -> tuple[str, bytes]:
    """Return the one entry of the cache."""
    store = current_session().backend.store
    ((key, _, _),) = store.list(keys.CACHE)
    found = store.get(key)
    assert found is not None
    return key, found


@pytest.mark.parametrize("place", [20, -1])
def test_an_altered_result_is_not_taken(session: Session, place: int) -> None:
    """It is refused with a warning, the job is run, and its result is kept."""
    first = one()(1)
    key, data = entry()
    current_session().backend.store.put(key, [flipped(place)(data)])
    with pytest.warns(
        RuntimeWarning, match="not taken from the cache: its content does not match its seal"
    ):
        second = one()(1)

    assert second != first
    assert one()(1) == second


def test_a_result_in_another_ones_place_is_not_taken(session: Session) -> None:
    """A result that was sealed is that of one input alone."""
    one()(1)
    key, data = entry()
    second = one()(2)
    store = current_session().backend.store
    (other,) = {name for name, _, _ in store.list(keys.CACHE)} - {key}
    store.put(other, [data])

    with pytest.warns(RuntimeWarning, match="not taken from the cache"):
        assert one()(2) != second


def test_without_the_secret_nothing_is_shared(session: Session, tmp_path: Path) -> None:
    """Two homes share results where both have the secret, and the store."""
    home = Path(os.environ["NBBATCH_HOME"])
    value = one()(1)
    stranger, friend = tmp_path / "stranger", tmp_path / "friend"
    for other in (stranger, friend):
        other.mkdir(mode=0o700)
        (other / "store").symlink_to(home / "store")
    (friend / "secret").write_bytes((home / "secret").read_bytes())

    fresh(stranger)
    assert one()(1) != value
    fresh(friend)
    assert one()(1) == value


def test_names_tell_nothing(session: Session) -> None:
    """Who sees the store's names can't find out by them what was computed."""
    one()("pass")
    named = entry()[0]

    assert named.removeprefix(keys.CACHE).isalnum()
    assert len(named.removeprefix(keys.CACHE)) == 64


def test_what_can_not_be_told_is_run(session: Session) -> None:
    """A value whose own code fails when it is looked at: a warning, and no cache."""

    class Odd:
        looks = itertools.count()

        def __reduce__(self) -> Any:
            if next(self.looks) % 2:
                raise RuntimeError("not twice")
            return int, (1,)

    odd = Odd()
    with pytest.warns(RuntimeWarning, match="without the cache.*not twice"):
        one()(odd)

    assert list(current_session().backend.store.list(keys.CACHE)) == []


KILLED = """
import os, sys, time
import nbbatch
from nbbatch import batch
nbbatch.configure(backend="local")
space = {"__name__": "__main__"}
exec(sys.argv[1], space)
job = batch(cache=True)(space["one"]).submit(1)
print(job.id, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_kernel_that_died(session: Session) -> None:
    """Whoever attaches its job keeps the result that it can't keep itself."""
    source = f"def one(x=None, *rest, **named): print('ran with', x); return {UNIQUE}"
    run = subprocess.run(
        [sys.executable, "-c", KILLED, source], stdout=subprocess.PIPE, text=True, check=False
    )
    job: Job[str] = nbbatch.attach(run.stdout.strip())
    value = job.result()

    assert one()(1) == value
    assert started() == 1


def test_the_script_may_end_at_once(session: Session, tmp_path: Path) -> None:
    """What was returned is in the cache already."""
    source = f"def one(x=None, *rest, **named): print('ran with', x); return {UNIQUE}"
    script = KILLED.replace("submit(1)", "__call__(1)").replace("job.id", "job")
    runs = [
        subprocess.run([sys.executable, "-c", script, source], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    first, second = (run.stdout.splitlines()[-1] for run in runs)

    assert first == second


def test_no_option_no_cache(session: Session) -> None:
    """Without being asked, nothing is kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one().options(cache=False)(1)

    assert list(current_session().backend.store.list(keys.CACHE)) == []


@pytest.mark.parametrize("size", [1, 3 << 20])
def test_what_needs_a_result_whose_job_is_gone(session: Session, size: int) -> None:
    """It came from the cache, and is put where the job that reads it looks for it."""

    def make() -> bytes:
        return b"x" * size

    store, function = session.backend.store, batch(cache=True)(make)
    assert function() == b"x" * size
    earlier = function.submit()
    assert earlier.facts.cached
    assert earlier.facts.outcome == "ok"
    store.delete([name for name, _, _ in store.list(f"jobs/{earlier.id}/")])

    assert batch(len)(earlier) == size
    assert [name for name, _, _ in store.list(f"jobs/{earlier.id}/")] == [
        keys.outcome(earlier.id, 1)
    ]


def test_what_needs_a_map_that_is_gone(session: Session) -> None:
    """The error says so before anything is started."""
    store, function = session.backend.store, batch(cache=True)(lambda x: x)
    assert function.map(range(2)).result() == [0, 1]
    earlier = function.map(range(2))
    assert earlier.result() == [0, 1]
    assert earlier.facts.cached
    assert batch(sum)(earlier) == 1
    before = started()
    store.delete([name for name, _, _ in store.list(f"jobs/{earlier.id}/outcome/")])
    with pytest.raises(errors.NotFoundError, match=r"(?s)not there any more.*deleted.*map"):
        batch(sum)(earlier)

    assert started() == before
