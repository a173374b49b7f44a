"""`nbbatch clean` takes away what is old and over, and nothing that a job may still need."""

from __future__ import annotations

import json
import os
import time
import types
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, cli
from nbbatch.cleaning import cleaner, ends
from nbbatch.errors import NotFoundError, OptionError, UsageError
from nbbatch.magics.commands import run_command
from nbbatch.session import Session, current_session
from nbbatch.tidying import tidied
from nbbatch.wire import keys, layers, spec
from nbbatch.wire.envelope import Stamp, seal
from tests.integration.conftest import gone

pytestmark = pytest.mark.thorough

DAY = 86400.0
LARGE = 2 << 20


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 40 days have passed for whoever cleans; jobs that run do so all the time."""
    clock = types.SimpleNamespace(time=lambda: time.time() + 40 * DAY)
    monkeypatch.setattr(cleaner, "time", clock)
    monkeypatch.setattr(ends, "time", clock)


def clean(*words: str) -> str:
    """Clean this session's store and machine, once what has ended has done so for good."""
    ended()
    return tidied(words, "nbbatch clean")


def ended() -> None:
    """Wait until what has ended has done so for good: its folder stays as long as it does."""
    gone(current_session())


def home() -> Path:
    """Return this session's own folder."""
    return current_session().settings.home


def files() -> set[str]:
    """Return all that lies on this machine, but for what every job needs."""
    found = (path.relative_to(home()) for path in home().rglob("*") if path.is_file())
    always = ("worker", "store/worker", "secret", "cache")
    return {str(path) for path in found if not str(path).startswith(always)}


def functions() -> tuple[Any, Any]:
    # Inside a function, so that they travel by value, without this module.
    @batch
    def blob(data: Any, size: int = LARGE) -> Any:
        return bytearray(size)

    @batch
    def waits(path: str, data: Any = None) -> int:
        import os
        import time

        while not os.path.exists(path):
            time.sleep(0.02)
        return len(data or "")

    return blob, waits


blob, waits = functions()


def test_all_that_is_old_goes(local_session: Session) -> None:
    """Its objects, large values, record and folder; the next job finds all that it needs."""
    blob(bytearray(LARGE))
    blob.options(cache=True)(bytearray(LARGE))
    said = clean()

    assert files() == set()
    assert "removed: 2 jobs" in said
    assert "removed: 1 cached result" in said
    assert "large values" in said
    assert "jobs that stay: none" in said
    assert "nothing is old enough" in clean()
    assert len(blob(bytearray(LARGE))) == LARGE


def test_dry_run(local_session: Session) -> None:
    """It says what would go, and takes nothing."""
    blob(bytearray(LARGE))
    ended()
    before = files()

    assert "would be removed: 1 job," in clean("--dry-run")
    assert files() == before
    assert "removed: 1 job," in clean()


def test_what_is_young_stays(local_session: Session) -> None:
    """How old it must be is 30 days, or as the line says."""
    job = blob.submit(1)
    job.result()

    assert "jobs that stay: 1 that are not old enough" in clean("--older-than", "50d")
    assert "jobs that stay: 1 that are not old enough" in clean("--older-than=41d")
    assert len(nbbatch.attach(job.id).result()) == LARGE
    clean("--older-than", "39d")
    with pytest.raises(NotFoundError):
        nbbatch.attach(job.id)


def test_shared_objects_wait_however_young_the_rest_may_be(
    local_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large value that another kernel may be about to refer to stays for more than a week."""
    blob(bytearray(LARGE))
    monkeypatch.setattr(cleaner.time, "time", lambda: time.time() + 7.5 * DAY)
    clean("--older-than", "0")

    assert {path.split("/")[1] for path in files()} == {"blobs"}


def test_a_live_job_keeps_what_it_needs(local_session: Session, tmp_path: Path) -> None:
    """It may have waited for 40 days: its input, its large values, and what it depends on."""
    go = tmp_path / "go"
    data = bytearray(os.urandom(LARGE))
    before = blob.submit(data)
    job = waits.submit(str(go), data)
    after = blob.options(depends_on=job.id).submit(data)
    before.result()
    said = clean("--older-than", "0")
    go.touch()

    assert "jobs that stay: 2 that have not ended" in said
    assert job.result() == LARGE
    assert len(after.result()) == LARGE
    with pytest.raises(NotFoundError):
        nbbatch.attach(before.id)


def test_what_a_live_job_waits_for_stays(local_session: Session, tmp_path: Path) -> None:
    """A job that is over stays while one that has not ended names it."""
    go = tmp_path / "go"
    first, other = waits.submit(str(go)), blob.submit(1)
    last = waits.options(depends_on=first.id).submit(str(tmp_path / "last"))
    go.touch()
    first.result()
    other.result()
    said = clean()
    (tmp_path / "last").touch()

    assert "1 that others need" in said
    assert last.result() == 0
    assert nbbatch.attach(first.id).result() == 0
    with pytest.raises(NotFoundError):
        nbbatch.attach(other.id)


def test_what_another_job_refers_to_stays(local_session: Session, tmp_path: Path) -> None:
    """A large value goes with the last job that has it."""
    data = bytearray(os.urandom(LARGE))
    go = tmp_path / "go"
    go.touch()
    waits(str(go), data)
    go.unlink()
    job = waits.submit(str(go), data)
    clean()
    stored = [key for key, _, _ in current_session().backend.store.list(keys.BLOBS)]
    go.touch()

    assert len(stored) == 1
    assert job.result() == LARGE
    clean()
    assert files() == set()


def elsewhere(tmp_path: Path, name: str, *, secret: bool) -> None:
    """Become another machine, with the same store, and with the same secret or another."""
    there, first = tmp_path / name, home()
    if not there.exists():
        there.mkdir(mode=0o700)
        (there / "store").symlink_to(first / "store")
        if secret:
            (there / "secret").write_bytes((first / "secret").read_bytes())
    nbbatch.configure(backend="local", home=str(there))


@pytest.fixture
def shared_home(tmp_path: Path) -> Path:
    """Give this process a session whose store other machines share."""
    nbbatch.configure(backend="local")
    return home()


@pytest.mark.parametrize("mapped", [False, True])
def test_another_machines_jobs(shared_home: Path, tmp_path: Path, mapped: bool) -> None:
    """This user's own stay until their objects say that they are over; then they go."""
    go = tmp_path / "go"
    job = waits.map([str(go), str(go)], data=bytearray(LARGE)) if mapped else waits.submit(str(go))
    here = current_session()
    elsewhere(tmp_path, "other", secret=True)
    # That the folder of the store is another one there does not matter: it is a link.
    lives = clean()
    go.touch()
    job.result()
    gone(here)
    over = clean()

    assert "jobs that stay: 1 of which this machine can't tell" in lives
    assert "removed: 1 job," in over
    assert list(current_session().backend.store.list(keys.JOBS)) == []


def test_other_peoples_jobs_stay(shared_home: Path, tmp_path: Path) -> None:
    """Whoever shares the store and not the secret keeps all: jobs, and their large values."""
    job = blob.submit(bytearray(LARGE))
    job.result()
    elsewhere(tmp_path, "stranger", secret=False)
    said = clean("--older-than", "0")
    nbbatch.configure(backend="local", home=str(shared_home))

    assert "1 of others" in said
    assert len(nbbatch.attach(job.id).result()) == LARGE


def test_a_cached_map_keeps_its_job(
    local_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that is young keeps what it is made of, however old that is."""
    function = blob.options(cache=True)
    first = list(function.map([1, 2], size=3))
    store = current_session().backend.store
    young = {key for key, _, _ in store.list(keys.CACHE)}
    real = store.list

    def listed(prefix: str = "") -> Any:
        for key, size, at in real(prefix):
            yield key, size, at + 39 * DAY if key in young else at

    monkeypatch.setattr(store, "list", listed)
    assert "1 that others need" in clean()
    job = function.map([1, 2], size=3)

    assert job.facts.cached
    assert list(job) == first


def test_results_are_forgotten_on_request(local_session: Session) -> None:
    """`--cache` takes away what was kept for later jobs, old or not, and nothing else."""
    function = blob.options(cache=True)
    function(1)
    job = function.submit(1)
    assert job.facts.cached
    said = clean("--cache")

    assert "removed: 1 cached result" in said
    assert not function.submit(1).facts.cached
    assert len(nbbatch.attach(job.id).result()) == LARGE


def test_what_was_never_sent_whole_goes(local_session: Session) -> None:
    """A kernel that died before it had written a job's input has started nothing."""
    blob(1)
    store = current_session().backend.store
    store.put(keys.items(keys.new_job_id()), [b"x" * 100])
    store.put(keys.probe("word"), [b"x"])
    pending = home() / "store" / ".tmp" / "x"
    pending.write_bytes(b"x")
    os.utime(pending, (0, 0))
    clean()

    assert files() == set()


def test_libraries_stay_with_the_jobs_that_use_them(local_session: Session) -> None:
    """Pieces of libraries go when no job that stays refers to them."""
    session = current_session()
    store, used, unused = session.backend.store, "a" * 64, "b" * 64
    for digest in (used, unused):
        store.put(layers.key(digest), [b"x" * 10])
    # Another one's: it stays, whatever it is.
    job = keys.new_job_id()
    meta = {"libraries": {"layers": [["name", "1.0", [[used, 10]]]]}}
    store.put(keys.input_(job), seal(*Stamp(b"k" * 32, spec.INPUT, job), meta))
    ledger = home() / "cache" / "layers.json"
    ledger.parent.mkdir(exist_ok=True)
    ledger.write_text(json.dumps({store.url: {"recipe": 1}, "s3://other": {"recipe": 1}}))
    clean()

    assert [key for key, _, _ in store.list("layers/")] == [layers.key(used)]
    assert json.loads(ledger.read_text()) == {store.url: {}, "s3://other": {"recipe": 1}}


def test_long_headers_are_read_whole(local_session: Session) -> None:
    """What a job refers to may stand anywhere in its header."""
    store, used = current_session().backend.store, "c" * 64
    store.put(keys.blob(used), [b"x" * 10])
    job = keys.new_job_id()
    meta = {"source": "x" * 100_000, "sources": {"y": ["a", used]}}
    store.put(keys.input_(job), seal(*Stamp(b"k" * 32, spec.INPUT, job), meta))
    clean()

    assert store.size(keys.blob(used)) == 10


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (["--older"], UsageError, "does not take --older"),
        (["everything"], UsageError, "does not take everything"),
        (["--older-than"], OptionError, "without a value"),
        (["--older-than", "soon"], OptionError, "soon can't be used"),
        (["--older-than", "-1"], OptionError, "-1 can't be used"),
    ],
)
def test_lines_that_can_not_be_read(
    local_session: Session, words: list[str], error: type[Exception], says: str
) -> None:
    """Nothing is removed."""
    blob(1)
    ended()
    before = files()
    with pytest.raises(error, match=says):
        clean(*words)

    assert files() == before


def test_in_a_notebook_and_in_a_terminal(
    local_session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    """`%batch clean` and `nbbatch clean` are one."""
    blob(1)
    ended()
    capsys.readouterr()
    run_command(None, "clean --dry-run --older-than 30d")
    first = capsys.readouterr().out
    assert cli.main(["clean", "--dry-run", "--older-than", "30d"]) == 0

    assert capsys.readouterr().out == first
    assert "would be removed: 1 job" in first
    assert cli.main(["clean", "--soon"]) == 1
    assert "does not take --soon" in capsys.readouterr().err


def test_a_folder_whose_job_has_gone_goes_too(local_session: Session) -> None:
    """The supervisor of a job that went may have ended a moment later."""
    folder = home() / "local" / keys.new_job_id()
    folder.mkdir(parents=True)
    (folder / "log.1").write_text("x")
    os.utime(folder, (0, 0))
    clean()

    assert files() == set()
