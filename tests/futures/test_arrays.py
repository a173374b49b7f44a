"""The children of an array, known from names and counts; and what it costs to watch them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nbbatch.backends.base import Backend
from nbbatch.facts import Children, JobFacts, State, Status
from nbbatch.futures.array.roster import Roster
from nbbatch.futures.array.spent import Ran, Spent
from nbbatch.futures.array.tracker import ArrayTracker
from nbbatch.wire import keys, parts, spec
from nbbatch.wire.envelope import Stamp
from nbbatch.wire.frames import Frame, encode, frame
from nbbatch.wire.spec import Outcome

JOB = "20260131-094500-1f0c2a9b"


def names(*said: str) -> list[str]:
    return [f"jobs/{JOB}/outcome/{each}" for each in said]


def roster(size: int) -> Roster:
    return Roster(Children(size, size, 1, {State.SUBMITTED: size}, "0" * size))


def test_states_from_names() -> None:
    """A claim is a beginning, an outcome an end; a mark says that it failed, or is tried again."""
    found = roster(6)
    assert found.take_outcomes(names("1/0", "1/1", "1/1.failed", "1/2", "1/2.again", "1/3.failed"))
    found.take_claims([f"jobs/{JOB}/claim/1/{n}" for n in range(5)])
    # The mark of child 3 is there before its outcome, which is what counts.
    assert found.children().states == "562440"
    assert not found.take_outcomes(names("1/0", "1/1", "1/1.failed", "1/2", "1/2.again"))
    found.take_claims([f"jobs/{JOB}/claim/{n}" for n in ("1/2", "2/2")])
    assert (found.children().states[2], found.attempt(2)) == ("4", 2)
    found.take_outcomes(names("1/2", "1/2.again", "2/2", "1/77", "x/1"))
    assert (found.children().states[2], found.attempt(2), found.over) == ("5", 2, False)


def test_counts_of_those_that_nobody_tells_of() -> None:
    """The backend's, as far as they don't contradict what the children themselves have left."""
    found = roster(10)
    found.take_counts({State.RUNNING: 4, State.RUNNABLE: 6})
    found.take_outcomes(names("1/0", "1/1"))
    assert found.children().counts == {
        State.RUNNABLE: 4,
        State.RUNNING: 4,
        State.SUCCEEDED: 2,
    }
    found.take_counts({State.SUCCEEDED: 8, State.FAILED: 2})
    assert (found.silent_failures, found.children().counts[State.FAILED]) == (2, 2)
    found.lose([4, 0])
    # What has an outcome is not lost.
    assert found.failed() == [4]


class CountingStore:
    """Lists as S3 does, and counts the calls that it takes."""

    url = "s3://bucket"

    def __init__(self, count: int) -> None:
        self.names = names(*(f"1/{n}" for n in range(count)))
        self.calls = 0

    def list(self, prefix: str) -> Iterator[tuple[str, int, float]]:
        found = [name for name in self.names if name.startswith(prefix)]
        self.calls += len(found) // 1000 + 1
        return iter((name, 1, 1.0) for name in found)

    def get(self, key: str) -> None:
        self.calls += 1


@pytest.mark.parametrize("done", [0, 900, 5_000, 9_999])
def test_ten_thousand_live_children_cost_few_calls(
    monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    """At most 24 listings a minute, beside the 6 questions to Batch that any job costs."""
    now = [1000.0]
    monkeypatch.setattr("nbbatch.futures.array.tracker.time.monotonic", lambda: now[0])
    store: Any = CountingStore(done)
    backend = Backend("aws", store, None, None)  # type: ignore[arg-type]
    children = Children(10_000, 10_000, 1, {State.SUBMITTED: 10_000}, "0" * 10_000)
    tracker = ArrayTracker(backend, b"k", JobFacts(JOB, "many", "aws", children=children))
    tracker.take_status(Status(State.PENDING, children={State.RUNNING: 10_000 - done}))
    tracker.read_frames()
    store.calls = 0
    for _ in range(600):
        now[0] += 0.1
        tracker.read_frames()
    assert 0 < store.calls <= 24
    assert tracker.facts.children is not None
    assert tracker.facts.children.done == done
    assert tracker.facts.state is State.RUNNING


class LateStore(CountingStore):
    """Has of each child that it was refused, or nothing yet."""

    def __init__(self) -> None:
        super().__init__(0)
        self.refusal = Outcome(spec.REFUSED, what="other libraries", renew=spec.IMAGE)
        self.told: dict[str, list[Frame]] = {}

    def write(self, child: int) -> None:
        """Do as a refused child does: a mark, then the outcome."""
        name = keys.mark(JOB, 1, child, keys.FAILED)
        self.names += [name, keys.outcome(JOB, 1, child)]

    def tell(self, child: int, *frames: Frame) -> None:
        """Do as the process does that tells a child's story: it writes when it can."""
        name = keys.frames(JOB, 1, 0, child)
        self.names.append(name)
        self.told[name] = list(frames)

    def get(self, key: str) -> Any:
        """Give what a child says."""
        if key not in self.names:
            return None
        owner = keys.owner(JOB, keys.part_of(key))
        if key in self.told:
            meta: Any = {"attempt": 1, "number": 0}
            return self._sealed(spec.FRAMES, owner, meta, [encode(self.told[key])])
        return self._sealed(spec.OUTCOME, owner, self.refusal.meta(), [])

    def _sealed(self, kind: str, owner: str, meta: Any, data: list[bytes]) -> bytes:
        store: Any = self
        return b"".join(map(bytes, parts.pack(store, Stamp(b"k", kind, owner), meta, data, set())))


class LateRunner:
    """Says of children that they have failed which did so only just now."""

    def __init__(self, store: LateStore) -> None:
        self.store = store

    def failed(self, id_: str) -> dict[int, Status]:
        """Let two more fail between the look before and this answer."""
        self.store.write(0)
        self.store.write(1)
        return {n: Status(State.FAILED, "exit code 95", exit_code=95) for n in (0, 1, 2)}


def test_children_that_end_between_a_look_and_the_backends_answer() -> None:
    """What they have left counts, though the backend has told of their exit code already."""
    store = LateStore()
    store.write(2)
    backend: Any = Backend("aws", store, LateRunner(store), None)  # type: ignore[arg-type]
    children = Children(3, 3, 1, {State.SUBMITTED: 3}, "0" * 3)
    tracker = ArrayTracker(backend, b"k", JobFacts(JOB, "refused", "aws", children=children))
    tracker.take_status(Status(State.PENDING, children={State.FAILED: 2, State.RUNNING: 1}))
    while tracker.read_frames():
        pass
    assert not tracker.roster.lost
    assert set(tracker.roster.ended) == {0, 1, 2}
    assert tracker.outcome == store.refusal
    assert all("exit code" not in said for said in tracker.roster.messages.values())


class Hearer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_facts(self, facts: JobFacts) -> None:
        """Facts are not noted."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Note what kinds of frames come."""
        self.heard += [each["kind"] for each in frames]


@pytest.mark.parametrize("way", ["it tells", "it says nothing of it", "it never says a word"])
def test_a_refusal_that_is_there_before_its_story(way: str) -> None:
    """What the image has is waited for: the array starts again by it. Nobody waits for ever."""
    store = LateStore()
    for child in range(3):
        store.write(child)
    backend: Any = Backend("local", store, LateRunner(store), None)  # type: ignore[arg-type]
    children = Children(3, 3, 1, {State.SUBMITTED: 3}, "0" * 3)
    tracker = ArrayTracker(backend, b"k", JobFacts(JOB, "refused", "local", children=children))
    hearer = Hearer()
    tracker.observe(hearer)
    tracker.read_frames()
    assert tracker.roster.over
    assert not tracker.settled()
    if way == "it tells":
        store.tell(0, frame("image", packages={}))
    elif way == "it says nothing of it":
        store.tell(0, frame("end", final=True))
    else:
        tracker.take_status(Status(State.FAILED))
    tracker.read_frames()
    assert tracker.settled()
    assert hearer.heard.count("image") == (way == "it tells")


def test_names() -> None:
    """What is written is what is read."""
    name = keys.mark(JOB, 2, 17, keys.AGAIN)
    assert name.startswith(keys.outcomes(JOB))
    assert keys.of_child(name) == keys.OfChild(2, 17, "again")
    assert keys.of_child(keys.claim(JOB, 1, 3)) == keys.OfChild(1, 3, "")
    assert keys.of_child(keys.outcome(JOB, 1)) is None


def test_how_long_they_ran() -> None:
    """All attempts, by when they began and ended; one without a word until the next began."""
    spent = Spent()
    claims = [(1, 0, 10.0), (1, 1, 10.0), (2, 1, 20.0), (1, 2, 12.0), (1, 3, 14.0)]
    spent.take_outcomes([(keys.outcome(JOB, 1, 0), 15.0), (keys.outcome(JOB, 2, 1), 22.5)])
    assert not spent.complete
    spent.take_claims([(keys.claim(JOB, attempt, child), at) for attempt, child, at in claims])
    assert spent.complete
    assert spent.ran(over=False) == Ran(5 + 10 + 2.5, 2, 13.0)
    assert spent.ran(over=True) == Ran(17.5)
