"""All jobs of a notebook or a user, live: who is on the roll, and what it costs to know."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from nbbatch import batch
from nbbatch.backends.base import Found
from nbbatch.errors import BackendError
from nbbatch.facts import JobFacts, Loss, State, Status
from nbbatch.futures.records.noting import facts_of, noted
from nbbatch.futures.records.registry import Record
from nbbatch.futures.records.roll import Roll
from nbbatch.session import Session
from nbbatch.wire import keys

PATIENCE = 60.0


def until(look: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until a look finds something, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def record(session: Session, **changes: Any) -> Record:
    """Return a record as another kernel writes it."""
    id_ = keys.new_job_id()
    base = Record(id_, "train", "call", session.backend.store.url, time.time(), batch_job_id=id_)
    return dataclasses.replace(base, **changes)


class Desk:
    """A session whose backend is asked through this, and says what it is told to."""

    def __init__(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = session
        self.registry = session._registry
        self.asked: list[list[str]] = []
        self.stopped: list[list[str]] = []
        self.known: dict[str, Status] = {}
        self.broken: dict[str, BackendError] = {}
        self.down: BackendError | None = None
        runner = session.backend.runner
        monkeypatch.setattr(runner, "describe", self._describe)
        monkeypatch.setattr(runner, "stop", self._stop)

    def _describe(self, ids: Sequence[str]) -> Mapping[str, Status]:
        if ids:
            self.asked.append(list(ids))
        if self.down:
            raise self.down
        return {id_: self.known[id_] for id_ in ids if id_ in self.known}

    def _stop(self, ids: Sequence[str], reason: str) -> None:
        self.stopped.append(list(ids))
        for id_ in ids:
            if id_ in self.broken:
                raise self.broken[id_]

    def write(self, state: State = State.RUNNING, **changes: Any) -> Record:
        """Note a job that some kernel started, and that is in a state."""
        made = record(self.session, **changes)
        self.registry.write(made)
        self.known[made.batch_job_id] = Status(state)
        return made


@pytest.fixture
def desk(local_session: Session, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Open a session on this machine that says of jobs what it is told to."""
    return Desk(local_session, monkeypatch)


@pytest.fixture
def opened(local_session: Session) -> Iterator[Callable[..., Roll]]:
    """Open rolls that end with the test."""
    rolls = []

    def make(notebook: str | None = None) -> Roll:
        rolls.append(local_session.roll(notebook))
        rolls[-1].open()
        # One look reads for a moment only, which may pass without a record on a busy machine.
        until(lambda: read_whole(rolls[-1]))
        return rolls[-1]

    yield make
    for roll in rolls:
        roll.close()
    until(lambda: local_session._watcher._thread is None)


def read_whole(roll: Roll) -> bool:
    roll.facts()
    return not roll._catalog.searching


def names(roll: Roll) -> list[str]:
    return [facts.name for facts in roll.facts()]


def states(roll: Roll) -> dict[str, State]:
    return {facts.name: facts.state for facts in roll.facts()}


def test_jobs_of_a_notebook_and_of_all(desk: Desk, opened: Callable[..., Roll]) -> None:
    """A notebook's roll has its own jobs, the newest first; without one it has all."""
    for number, notebook in enumerate(["/a.ipynb", "/b.ipynb", "/a.ipynb", ""]):
        desk.write(name=f"job-{number}", notebook=notebook, id=f"2026-{number}")

    assert names(opened("/a.ipynb")) == ["job-2", "job-0"]
    assert names(opened()) == ["job-3", "job-2", "job-1", "job-0"]


def test_records_without_a_notebook_are_read(desk: Desk, opened: Callable[..., Roll]) -> None:
    """What an older version wrote is still on the roll of all."""
    old = dataclasses.asdict(record(desk.session, outcome="ok"))
    del old["notebook"], old["ended"]
    desk.registry.write(Record(**old))

    (facts,) = opened().facts()

    assert (facts.state, facts.stopped_at) == (State.SUCCEEDED, None)


def test_new_jobs_of_other_kernels_appear(desk: Desk, opened: Callable[..., Roll]) -> None:
    """A record that is written while the roll is open is on it; one that is removed leaves."""
    roll = opened()
    assert roll.facts() == []
    first = desk.write(name="first")
    until(lambda: names(roll) == ["first"])
    desk.write(name="second", id="29990101-000000-00000000")
    until(lambda: names(roll) == ["second", "first"])
    desk.registry.remove(first.id)

    until(lambda: names(roll) == ["second"])


def test_states_are_asked_together(desk: Desk, opened: Callable[..., Roll]) -> None:
    """All that live are one question; those whose end is noted are not asked about."""
    live = [desk.write(id=f"2026-{n:03}", batch_job_id=f"b{n:03}") for n in range(120)]
    desk.registry.write(record(desk.session, outcome="ok"))
    roll = opened()
    until(lambda: {facts.state for facts in roll.facts()[1:]} == {State.RUNNING})

    assert max(desk.asked, key=len) == [made.batch_job_id for made in live]


def test_a_closed_roll_asks_nothing(desk: Desk, opened: Callable[..., Roll]) -> None:
    """Without anybody who looks on, the watcher's thread ends."""
    desk.write()
    roll = opened()
    until(lambda: roll.facts()[0].state is State.RUNNING)
    roll.close()
    until(lambda: desk.session._watcher._thread is None)
    asked = len(desk.asked)
    roll.facts()

    assert len(desk.asked) == asked


def test_an_end_is_learned_once_and_noted(desk: Desk, opened: Callable[..., Roll]) -> None:
    """A job that nobody follows ends: the roll says how, and the registry keeps it."""
    made = desk.write(State.RUNNING)
    roll = opened()
    until(lambda: roll.facts()[0].state is State.RUNNING)
    desk.known[made.batch_job_id] = Status(
        State.FAILED, "stopped", Loss.CANCELLED, started_at=10.0, stopped_at=20.0
    )
    roll.hurry()
    facts = until(lambda: roll.facts()[0].done and roll.facts()[0])
    kept = until(lambda: desk.registry.get(made.id).outcome and desk.registry.get(made.id))

    assert (facts.outcome, facts.stopped_at) == ("cancelled", 20.0)
    assert kept.outcome == "cancelled"
    assert facts_of(kept, desk.session.backend).stopped_at == 20.0


def test_what_another_kernel_noted_is_left(desk: Desk, opened: Callable[..., Roll]) -> None:
    """Whoever followed the job knows more about its end, and is not overwritten."""
    made = desk.write(State.RUNNING)
    roll = opened()
    until(lambda: roll.facts()[0].state is State.RUNNING)
    noted_ = dataclasses.replace(made, outcome="error", message="ValueError: 3")
    desk.registry.write(noted_)
    desk.known[made.batch_job_id] = Status(State.FAILED, loss=Loss.EXIT)
    roll.hurry()
    until(lambda: roll.facts()[0].message == "ValueError: 3")

    kept = desk.registry.get(made.id)
    assert kept is not None
    assert (kept.outcome, kept.message) == ("error", "ValueError: 3")


def test_a_job_that_its_backend_forgot(
    desk: Desk, opened: Callable[..., Roll], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is lost, in time, and is not asked about for ever."""
    monkeypatch.setattr("nbbatch.futures.records.roll._MISSING", 0.0)
    made = desk.write()
    del desk.known[made.batch_job_id]
    roll = opened()
    roll.facts()
    roll.hurry()

    until(lambda: roll.facts()[0].outcome == "lost")


@pytest.mark.parametrize(("found", "word"), [("found", ""), (None, "lost")])
def test_a_job_whose_id_nobody_could_note(
    desk: Desk,
    opened: Callable[..., Roll],
    monkeypatch: pytest.MonkeyPatch,
    found: str | None,
    word: str,
) -> None:
    """Its kernel was killed just then: it is found by its name, or was never started."""
    monkeypatch.setattr("nbbatch.futures.records.roll._MISSING", 0.0)
    runner = desk.session.backend.runner
    monkeypatch.setattr(runner, "find", lambda _: Found(found) if found else None)
    made = desk.write(batch_job_id="", submitted_at=time.time() - 1000)
    desk.known["found"] = Status(State.RUNNING)
    roll = opened()
    roll.facts()

    def look() -> bool:
        roll.hurry()
        facts = roll.facts()[0]
        return (facts.batch_job_id, facts.outcome) == (found or "", word)

    until(look)
    noted_ = desk.registry.get(made.id)
    assert noted_ is not None
    assert (noted_.batch_job_id, noted_.outcome) == (found or "", word)


def test_a_backend_that_can_not_be_asked(desk: Desk, opened: Callable[..., Roll]) -> None:
    """What is known stays, and the trouble is said for as long as it lasts."""
    desk.write()
    roll = opened()
    until(lambda: roll.facts()[0].state is State.RUNNING)
    desk.down = BackendError("can't ask", "no network", "wait")
    roll.hurry()
    until(lambda: roll.trouble == "can't ask: no network")
    assert roll.facts()[0].state is State.RUNNING
    desk.down = None
    roll.hurry()

    until(lambda: not roll.trouble)


def test_several_are_cancelled_at_once(desk: Desk, opened: Callable[..., Roll]) -> None:
    """One request for all; where it fails, each says whether it was the one."""
    first, second = desk.write(id="2026-1"), desk.write(id="2026-2")
    roll = opened()
    roll.facts()
    assert roll.cancel([first.id, second.id, "unknown"]) == {}
    assert desk.stopped == [[first.batch_job_id, second.batch_job_id]]
    desk.broken = {second.batch_job_id: BackendError("not stopped", "denied", "ask")}
    errors = roll.cancel([first.id, second.id])

    assert list(errors) == [second.id]


def test_a_thousand_old_jobs_come_in_pieces(desk: Desk) -> None:
    """The newest 500 at first, the rest when they are asked for; unchanged ones are read once."""
    for number in range(1200):
        desk.registry.write(record(desk.session, id=f"2026-{number:04}", outcome="ok"))
    roll = desk.session.roll()
    until(lambda: len(roll.facts()) == 500)
    read: list[str] = []
    get = desk.registry.get
    desk.registry.get = lambda id_: read.append(id_) or get(id_)  # type: ignore[assignment, func-returns-value]
    desk.registry.write(record(desk.session, id="2026-9999", outcome="ok"))
    until(lambda: roll.facts()[0].id == "2026-9999")
    assert (read, roll.older) == (["2026-9999"], 700)
    roll.more()
    until(lambda: len(roll.facts()) == 1000)

    assert roll.facts()[-1].id == "2026-0201"


def test_broken_records_are_passed_over(desk: Desk, opened: Callable[..., Roll]) -> None:
    """Half a file, a newer version's, a directory: none of them keeps the others away."""
    folder = desk.session.settings.home / "jobs"
    made = desk.write(name="good")
    newer = {**dataclasses.asdict(made), "id": "newer", "colour": "red"}
    (folder / "2026-half.json").write_text('{"id": "2026-')
    (folder / "2026-newer.json").write_text(repr(newer).replace("'", '"'))
    (folder / "2026-folder.json").mkdir()
    (folder / "2026-gone.json").symlink_to(folder / "nowhere")
    (folder / "2026-list.json").write_text("[1, 2]")

    assert names(opened()) == ["good"]


def test_the_facts_of_an_end_survive_the_registry(desk: Desk) -> None:
    """What a job was given, used and when it ran can be told from its record."""
    made = record(desk.session)
    facts = dataclasses.replace(
        facts_of(made, desk.session.backend),
        state=State.SUCCEEDED,
        outcome="ok",
        given={"cpu": 2, "host": "here"},
        started_at=10.0,
        stopped_at=20.5,
        attempt=2,
    )
    desk.registry.write(noted(made, facts))
    kept = desk.registry.get(made.id)
    assert kept is not None

    assert facts_of(kept, desk.session.backend) == facts


def test_what_is_followed_here_is_not_asked_twice(
    local_session: Session, opened: Callable[..., Roll], tmp_path: Path
) -> None:
    """A job of this process has its own tracker's facts, up to its last ones."""

    @batch
    def slow(gate: Path) -> int:
        import time

        while not gate.exists():
            time.sleep(0.02)
        return 3

    roll = opened("")
    job = slow.submit(tmp_path / "gate")
    seen: list[JobFacts] = until(lambda: roll.facts())
    assert seen[0] is job.facts or seen[0].id == job.id
    assert roll.asked() == []
    (tmp_path / "gate").touch()
    assert job.result(60) == 3
    last = until(lambda: roll.facts()[0].done and roll.facts()[0])

    assert (last.outcome, last.peak) == ("ok", job.facts.peak)
    assert roll.outputs(job.id) == []
