"""Whatever was altered in the store is refused before it is unpickled, on both sides.

What is put in its place would leave a file behind if anybody unpickled it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbbatch import attach, batch
from nbbatch.backends.base import Launch
from nbbatch.errors import NbbatchError, NotFoundError, SealError, WireError
from nbbatch.futures import Job
from nbbatch.session import Session
from nbbatch.wire import envelope, keys, parts, spec
from nbbatch.wire.envelope import Stamp
from tests.bombs import Bomb

Change = Callable[[bytes], bytes]

#: Begin of the header: after the magic, the version and the header's length.
HEADER = 12
#: Large enough for a blob.
LARGE = 2 << 20


def flipped(at: int) -> Change:
    """Alter one byte."""

    def change(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return change


def in_mac(data: bytes) -> bytes:
    """Alter the seal itself."""
    return flipped(HEADER + int.from_bytes(data[8:12], "big") + 5)(data)


ALTERED: dict[str, Change] = {
    "magic": flipped(3),
    "length": flipped(11),
    "long length": flipped(8),
    "header": flipped(HEADER + 20),
    "seal": in_mac,
    "part": flipped(-1),
    "cut in the seal": lambda data: data[: HEADER + 5],
    "cut in a part": lambda data: data[:-1],
    "empty": lambda data: b"",
}


class Tampering:
    """A runner before which somebody else was at the store."""

    def __init__(self, session: Session, tamper: Callable[[Launch], None]) -> None:
        self._runner = session.backend.runner
        self._tamper = tamper
        session.backend = replace(session.backend, runner=self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def start(self, launch: Launch) -> str:
        """Tamper, then start."""
        self._tamper(launch)
        return self._runner.start(launch)


def path_of(session: Session, key: str) -> Path:
    """Return the file of an object."""
    return Path(session.backend.store.root, key)  # type: ignore[attr-defined]


def alter(path: Path, change: Change) -> None:
    """Rewrite an object."""
    if not os.access(path, os.W_OK):
        path.chmod(0o600)
    path.write_bytes(change(path.read_bytes()))


def set_back(path: Path) -> None:
    """Alter a byte of an object, and have its file look as old as it was."""
    facts = path.stat()
    alter(path, flipped(1000))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replaced(path: Path) -> None:
    """Put another file of the same size and age in an object's place."""
    facts, other = path.stat(), path.with_name("other")
    other.write_bytes(flipped(1000)(path.read_bytes()))
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(path)


BY_FILE = {"set back": set_back, "replaced": replaced, "gone": Path.unlink}


def check_refusal(error: BaseException | None, kind: type[NbbatchError] = SealError) -> None:
    """Check that an error is a refusal in three parts."""
    assert type(error) is kind, error
    assert error.what
    assert error.cause
    assert error.hint


def returning(value: Any) -> Any:
    """Make a function that travels by value."""
    return lambda: value


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_input(local_session: Session, canary: Path, what: str) -> None:
    """The worker refuses it and says so; the function does not run."""

    def tamper(launch: Launch) -> None:
        alter(path_of(local_session, keys.input_(launch.job_id)), ALTERED[what])

    Tampering(local_session, tamper)
    job = batch(lambda: canary.touch()).submit()
    check_refusal(job.exception(60))
    assert job.facts.outcome == "error"
    assert "SealError" in job.logs() or "refused" in job.logs()


def forged(session: Session, canary: Path, id_: str, kind: str, meta: dict[str, Any]) -> bytes:
    """Build an object with a bomb inside, by somebody who does not know the key."""
    buffers = [pickle.dumps(Bomb(canary), 5)]
    store = session.backend.store
    stamp = Stamp(os.urandom(32), kind, id_)
    return b"".join(map(bytes, parts.pack(store, stamp, meta, buffers, set())))


def test_a_forged_input(local_session: Session, canary: Path) -> None:
    """An input sealed with another key is refused by the worker."""

    def tamper(launch: Launch) -> None:
        path = path_of(local_session, keys.input_(launch.job_id))
        records = [[spec.FUNCTION, "f", len(pickle.dumps(Bomb(canary), 5)), 0]]
        meta = {"kind": "call", "name": "f", "python": "3.11", "records": records}
        data = forged(local_session, canary, launch.job_id, spec.INPUT, meta)
        path.write_bytes(data)

    Tampering(local_session, tamper)
    check_refusal(batch(returning(1)).submit().exception(60))


def test_the_input_of_another_job(local_session: Session) -> None:
    """A sealed input is good for its own job only."""
    other = batch(returning(1)).submit()
    assert other.result(60) == 1

    def tamper(launch: Launch) -> None:
        source = path_of(local_session, keys.input_(other.id))
        path_of(local_session, keys.input_(launch.job_id)).write_bytes(source.read_bytes())

    Tampering(local_session, tamper)
    check_refusal(batch(returning(2)).submit().exception(60))


def bomb_of(size: int, canary: Path) -> bytes:
    """Pickle a bomb to exactly so many bytes."""
    return pickle.dumps(Bomb(canary), 5).ljust(size, b".")


def only_blob(session: Session) -> Path:
    """Return the one blob in the store."""
    ((key, _, _),) = session.backend.store.list(keys.BLOBS)
    return path_of(session, key)


@pytest.mark.parametrize("what", ["altered", "bomb", "cut", *BY_FILE])
def test_a_blob_of_an_input(local_session: Session, canary: Path, what: str) -> None:
    """Large parts lie apart from the sealed object, and are checked as they are read."""
    changes: dict[str, Change] = {
        "altered": flipped(1000),
        "bomb": lambda data: bomb_of(len(data), canary),
        "cut": lambda data: data[:-1],
    }

    def tamper(launch: Launch) -> None:
        path = only_blob(local_session)
        if what in BY_FILE:
            BY_FILE[what](path)
        else:
            alter(path, changes[what])

    Tampering(local_session, tamper)
    job = batch(lambda data: len(data)).submit(b"x" * LARGE)
    check_refusal(job.exception(60), NotFoundError if what == "gone" else SealError)


@pytest.fixture
def finished(local_session: Session) -> Job[Any]:
    """Run a job to its end, of two attempts."""

    def work() -> bytes:
        from nbbatch import current

        print("attempt", current.attempt)
        if current.attempt == 1:
            raise ValueError("again")
        return b"x" * LARGE

    job: Job[Any] = batch(retries=1)(work).submit()
    assert len(job.result(60)) == LARGE
    return job


def reopened(job: Job[Any]) -> Job[Any]:
    """Attach a finished job, as another kernel would."""
    found = attach(job.id)
    assert found.wait(60)
    return found


@pytest.mark.parametrize("kind", ["outcome", "frames"])
def test_an_altered_story(
    local_session: Session, finished: Job[Any], canary: Path, kind: str
) -> None:
    """The kernel refuses an outcome or frames that were altered in any place, or forged."""
    key = keys.outcome(finished.id, 2)
    if kind == "frames":
        key = keys.frames(finished.id, 2, 0)
    path = path_of(local_session, key)
    original = path.read_bytes()
    for change in ALTERED.values():
        if kind == "outcome" and change in (ALTERED["part"], ALTERED["cut in a part"]):
            continue  # its parts are blobs
        path.write_bytes(change(original))
        check_refusal(reopened(finished).exception())
    meta = {"status": "ok", "attempt": 2, "number": 0, "records": [["value", "", 99, 0]]}
    path.write_bytes(forged(local_session, canary, finished.id, kind, meta))
    check_refusal(reopened(finished).exception())
    path.write_bytes(original)
    assert len(reopened(finished).result()) == LARGE


def test_an_older_or_newer_version(local_session: Session, finished: Job[Any]) -> None:
    """An object of another version is not taken for an altered one."""
    path = path_of(local_session, keys.outcome(finished.id, 2))
    original = path.read_bytes()
    for version in (0, 2, 255):
        path.write_bytes(original[:7] + bytes([version]) + original[8:])
        error = reopened(finished).exception()
        check_refusal(error, WireError)
        assert f"version {version}" in str(error)


@pytest.mark.parametrize("what", ["altered", "bomb", "cut", *BY_FILE])
def test_a_blob_of_an_outcome(
    local_session: Session, finished: Job[Any], canary: Path, what: str
) -> None:
    """A large result is refused if it is not what the job wrote."""
    path = only_blob(local_session)
    if what in BY_FILE:
        BY_FILE[what](path)
    elif what == "cut":
        alter(path, lambda data: data[:-1])
    else:
        bomb = what == "bomb"
        alter(path, lambda data: bomb_of(len(data), canary) if bomb else flipped(9)(data))
    job = reopened(finished)
    check_refusal(job.exception(), NotFoundError if what == "gone" else SealError)
    with pytest.raises(NbbatchError):
        job.result()


def test_replayed_objects(local_session: Session, finished: Job[Any]) -> None:
    """What one attempt or number or kind has sealed is not good for another one."""
    first, second = keys.outcome(finished.id, 1), keys.outcome(finished.id, 2)
    begin, end = keys.frames(finished.id, 2, 0), keys.frames(finished.id, 2, 1)
    pairs = [
        (first, second),
        (keys.frames(finished.id, 1, 0), begin),
        (end, begin),
        (begin, second),
        (keys.input_(finished.id), second),
    ]
    for source, target in pairs:
        path = path_of(local_session, target)
        original = path.read_bytes()
        path.write_bytes(path_of(local_session, source).read_bytes())
        check_refusal(reopened(finished).exception())
        path.write_bytes(original)
    assert len(reopened(finished).result()) == LARGE


def test_objects_of_another_job(local_session: Session, finished: Job[Any]) -> None:
    """Another job's outcome is refused, though the same user sealed it."""
    other = batch(returning(1)).submit()
    assert other.result(60) == 1
    source = path_of(local_session, keys.outcome(other.id, 1))
    path_of(local_session, keys.outcome(finished.id, 2)).write_bytes(source.read_bytes())
    check_refusal(reopened(finished).exception())


def test_another_key(local_session: Session, finished: Job[Any]) -> None:
    """Without the user's secret nothing of a job can be read, and nothing is unpickled."""
    path_of(local_session, "../secret").write_text(os.urandom(32).hex())
    strange = Session(local_session.settings)
    job = strange.attach(finished.id)
    assert job.wait(60)
    check_refusal(job.exception())
    with pytest.raises(SealError):
        job.logs()


def test_the_seal_covers_every_byte(local_session: Session, finished: Job[Any]) -> None:
    """No byte of a sealed object can be altered unnoticed."""
    key = envelope.job_key(local_session._secret, finished.id)
    data = path_of(local_session, keys.frames(finished.id, 2, 0)).read_bytes()

    def opens(data: bytes) -> bool:
        sealed = envelope.unseal(data, key, spec.FRAMES, finished.id)
        return bool(sealed.inline(0))

    assert opens(data)
    passed = [at for at in range(len(data)) if not _refused(opens, flipped(at)(data))]
    assert not passed


def _refused(opens: Callable[[bytes], bool], data: bytes) -> Sequence[str] | bool:
    try:
        opens(data)
    except WireError as error:
        return [error.what]
    return False
