"""`f.map` on this machine: one job, a real process for each child."""

from __future__ import annotations

import os
import signal
import weakref
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, errors
from nbbatch.facts import JobFacts, State
from nbbatch.session import Session, current_session
from nbbatch.wire import keys
from nbbatch.wire.frames import Frame
from tests.integration.conftest import observed, until

pytestmark = pytest.mark.usefixtures("local_session")


class Seen:
    """What an observer of a job is shown."""

    def __init__(self) -> None:
        self.facts: list[JobFacts] = []
        self.text = ""

    def on_facts(self, facts: JobFacts) -> None:
        self.facts.append(facts)

    def on_frames(self, frames: list[Frame]) -> None:
        self.text += "".join(f["text"] for f in frames if f["kind"] == "stream")


def functions() -> Any:
    # Inside a function, so that they travel by value, without this module.
    @batch
    def work(x: int, y: int = 1, wait: str = "") -> Any:
        import os
        import time

        from nbbatch import current

        print("item", x)
        while wait and not os.path.exists(wait):
            time.sleep(0.02)
        if x in (3, 7):
            raise ValueError(f"no {x}")
        return x * y, current.array_index, current.array_size

    return work


work = functions()


def test_an_array_of_which_all_succeed() -> None:
    """Values in order, also by index and in slices; each child knows its place and its log."""
    job = work.map([10, 20, 30], y=2)

    assert job.result(60) == [(20, 0, 3), (40, 1, 3), (60, 2, 3)]
    assert list(job) == job[:] == job.result()
    assert (job[-1], len(job), bool(job)) == ((60, 2, 3), 3, True)
    with pytest.raises(IndexError):
        job[3]
    assert (job.facts.outcome, job.state, job.errors()) == ("ok", "SUCCEEDED", {})
    assert job.logs() == "[child 0] item 10\n[child 1] item 20\n[child 2] item 30\n"
    assert job.logs(child=1) == "item 20\n"
    with pytest.raises(errors.UsageError, match="no child 3"):
        job.logs(child=3)


def test_last_words_that_come_after_the_outcomes() -> None:
    """What children have printed is whole once the array is done, however late their monitors."""

    def some(x: int) -> int:
        import os
        import signal
        import subprocess

        monitor = os.getppid()
        later = ["sh", "-c", f"sleep 0.5; kill -CONT {monitor}"]
        subprocess.Popen(later, start_new_session=True)
        os.kill(monitor, signal.SIGSTOP)
        print("item", x)
        return x

    job = batch(some).map(range(2))
    assert job.result(60) == [0, 1]
    assert job.logs() == "[child 0] item 0\n[child 1] item 1\n"
    assert [output["text"] for output in job.outputs] == [job.logs()]


def test_two_of_ten_fail(tmp_path: Path) -> None:
    """The others' results are kept; a failure raises when its result is taken, with its index."""
    seen = Seen()
    with observed(seen):
        job = work.map(range(10), wait=str(tmp_path / "gate"))
    until(lambda: any(facts.state is State.RUNNING for facts in seen.facts))
    (tmp_path / "gate").touch()
    values, raised, results = [], {}, iter(job)
    for index in range(10):
        try:
            values.append(next(results))
        except ValueError as error:
            raised[index] = error

    assert values == [(n, n, 10) for n in range(10) if n not in (3, 7)]
    assert {index: str(error) for index, error in raised.items()} == {3: "no 3", 7: "no 7"}
    assert raised[7].__notes__ == ["raised for item 7 of 10"]
    assert job.wait(60)
    assert list(job.errors()) == [3, 7]
    with pytest.raises(ValueError, match="no 3"):
        job.result()
    children = job.facts.children
    assert children is not None
    assert children.counts == {State.SUCCEEDED: 8, State.FAILED: 2}
    assert children.states == "5556555655"
    assert [(child.index, child.message) for child in children.failed] == [
        (3, "ValueError: no 3"),
        (7, "ValueError: no 7"),
    ]
    assert job.facts.outcome == "error"
    assert job.facts.message == "2 of 10 failed: child 3: ValueError: no 3"
    assert "[child 3] ValueError: no 3\n" in seen.text
    assert [facts.state for facts in seen.facts if facts.done] == [State.FAILED]


def test_chunks() -> None:
    """A child works off several items; one that raises does not keep the next from its turn."""
    job = work.map(range(10), chunksize=4)
    found = list(job.results(60, return_exceptions=True))

    assert [str(each) for each in found if isinstance(each, ValueError)] == ["no 3", "no 7"]
    assert [each for each in found if isinstance(each, tuple)] == [
        (n, n // 4, 3) for n in range(10) if n not in (3, 7)
    ]
    assert (len(job), job.children.size, list(job.errors())) == (10, 3, [3, 7])


def test_a_chunk_with_a_result_that_does_not_pickle() -> None:
    """It fails alone."""

    def some(x: int) -> Any:
        import threading

        return threading.Lock() if x == 1 else x

    job = batch(some).map(range(3), chunksize=3)
    assert (job[0], job[2]) == (0, 2)
    with pytest.raises(errors.NotPicklableError):
        job[1]


def test_no_item_and_one() -> None:
    """Nothing is started for none; one is an ordinary job, to which the same is told."""
    none: Any = work.map([])
    assert (none.result(), list(none), len(none), none.facts.outcome) == ([], [], 0, "ok")
    assert not list(current_session().jobs())
    one = work.map(iter([5]))
    assert one.result(60) == [(5, 0, 1)]
    assert one.logs() == "item 5\n"
    with pytest.raises(ValueError, match="no 3"):
        work.map([3]).result(60)


def test_several_iterables_and_generators() -> None:
    """As `map` has it: up to the end of the shortest."""
    job = work.map((n for n in range(5)), [10, 20])
    assert [value[0] for value in job] == [0, 20]


def test_what_can_not_be_mapped() -> None:
    """It is said before anything is sent."""
    with pytest.raises(errors.UsageError, match="nothing to map over"):
        work.map()
    with pytest.raises(errors.OptionError, match="chunksize = 0"):
        work.map([1], chunksize=0)
    with pytest.raises(errors.OptionError, match="chunksize = 'few'"):
        work.map([1], chunksize="few")
    with pytest.raises(errors.OptionError, match="nodes = 2"):
        work.options(nodes=2).map([1, 2])
    with pytest.raises(errors.NotPicklableError) as unpicklable:
        work.map([1, (open(os.devnull) for _ in "x")])  # noqa: SIM115 never run
    assert "item 1" in str(unpicklable.value)
    assert not list(current_session().jobs())


def test_shared_data_is_stored_once(local_session: Session) -> None:
    """What all children get, or several, is not written for each."""

    def size(data: bytearray, more: bytearray) -> int:
        return len(data) + len(more)

    import pickle

    def buffer(seed: int) -> Any:
        return pickle.PickleBuffer(bytearray([seed]) * (3 << 20))

    shared, own = buffer(1), buffer(2)
    job = batch(size).map([own] * 4, more=shared)
    assert job.result(60) == [6 << 20] * 4
    store = local_session.backend.store
    blobs = [size for key, size, _ in store.list("blobs/") if size >= 3 << 20]
    assert blobs == [3 << 20] * 2


def test_cancel(tmp_path: Path) -> None:
    """Those that run are ended, those that wait never start; what has come stays."""
    gate = str(tmp_path / "gate")

    def some(x: int) -> int:
        import os
        import time

        while x and not os.path.exists(gate):
            time.sleep(0.02)
        return x

    job = batch(some).map(range(20))
    assert job[0] == 0
    assert job.cancel()
    with pytest.raises(errors.JobCancelledError):
        job.result(60)
    assert job.cancelled()
    assert job.facts.outcome == "cancelled"
    assert job[0] == 0
    with pytest.raises(errors.JobCancelledError):
        job[19]


def test_children_that_die_without_a_word() -> None:
    """The others are not held up; the error says which child it was, and of what it died."""

    def some(x: int) -> int:
        import os
        import signal

        if x == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        return x

    job = batch(some).map(range(3))
    assert job.wait(60)
    error = job.errors()[1]
    assert isinstance(error, errors.ProcessDiedError)
    assert error.what.startswith("child 1 of 3 of job ")
    assert "SIGKILL" in error.cause
    assert (job[0], job[2]) == (0, 2)
    assert job.facts.outcome == "lost"


def test_each_child_has_attempts_of_its_own() -> None:
    """One that fails is tried again, the others are not."""

    def some(x: int) -> Any:
        from nbbatch import current

        current.checkpoint.save(x)
        if x == 1 and current.attempt == 1:
            raise ValueError("again")
        return current.checkpoint.load(), current.attempt

    job = batch(retries=1)(some).map(range(3))
    assert job.result(60) == [(0, 1), (1, 2), (2, 1)]
    assert job.facts.outcome == "ok"


def test_as_many_at_a_time_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the CPUs of the machine and of a child."""
    monkeypatch.setattr("nbbatch.backends.local.machine.cores", lambda: 5)
    place = tmp_path / "here"
    place.mkdir()

    def some(x: int) -> int:
        import os
        import time

        mark = f"{place}/{x}"
        open(mark, "w").close()
        deadline = time.monotonic() + 30
        # The first two wait for each other, so that two are seen at a time for sure.
        while x < 2 and len(os.listdir(place)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        seen = len(os.listdir(place))
        if x > 1:
            os.remove(mark)
            return seen
        open(f"{place}-{x}", "w").close()
        while not all(os.path.exists(f"{place}-{n}") for n in (0, 1)):
            time.sleep(0.01)
        os.remove(mark)
        return seen

    found = batch(cpu=2)(some).map(range(6)).result(120)
    assert found[:2] == [2, 2]
    assert max(found) == 2


def test_another_kernel_finds_it_again(tmp_path: Path) -> None:
    """While it runs, and after its end: the same children, the same results."""
    gate = tmp_path / "gate"
    job = work.map(range(4), wait=str(gate))
    until(lambda: job.facts.children.counts.get(State.RUNNING))
    again: Any = nbbatch.attach(job.id)
    until(lambda: again.facts.children == job.facts.children)
    gate.touch()
    assert again[2] == (2, 2, 4)
    with pytest.raises(ValueError, match="no 3"):
        again.result(60)
    assert job.wait(60)
    assert again.facts.children == job.facts.children
    later: Any = nbbatch.attach(job.id)
    assert list(later.errors()) == [3]
    assert later.wait(60)
    assert list(later.errors()) == [3]
    (listed,) = nbbatch.jobs()
    assert listed.children == job.facts.children


def test_the_roll_tells_of_children_that_nobody_follows(local_session: Session) -> None:
    """The monitor of another kernel shows the same grid."""
    job = work.map(range(4))
    assert job.wait(60)
    record = local_session._registry.get(job.id)
    assert record is not None
    # As if its kernel had died before the end.
    import dataclasses

    local_session._registry.write(dataclasses.replace(record, outcome="", ended={}, stays=()))
    roll = local_session.roll()
    roll.open()
    try:
        (facts,) = until(lambda: [facts for facts in roll.facts() if facts.done])
    finally:
        roll.close()
    assert facts.children == job.facts.children
    assert facts.message == job.facts.message
    # The last words of children come a moment after their outcomes.
    until(lambda: len(roll.outputs(job.id)) > 1)
    assert [o["output_type"] for o in roll.outputs(job.id)] == ["stream", "error"]


def test_the_roll_looks_at_the_children_of_a_live_array(
    local_session: Session, tmp_path: Path
) -> None:
    """In another kernel, where nobody follows it."""
    gate = tmp_path / "gate"

    def some(x: int) -> int:
        import os
        import time

        while x > 1 and not os.path.exists(gate):
            time.sleep(0.02)
        return 1 // x

    job = batch(cpu=0.5)(some).map(range(4))
    roll = Session(local_session.settings).roll()
    roll.open()
    try:
        # How many have ended the backend tells, and maybe sooner than the children's own objects.
        (facts,) = until(lambda: [f for f in roll.facts() if f.children.states[:2] == "65"])
    finally:
        roll.close()
    gate.touch()
    assert facts.children is not None
    assert (facts.state, facts.children.done) == (State.RUNNING, 2)
    assert facts.children.failed[0].message.startswith("ZeroDivisionError: ")
    assert job.wait(60)


def test_no_child_can_speak_for_another(local_session: Session) -> None:
    """An outcome in another child's place is refused, though the job's own key sealed it."""
    job = work.map([1, 2])
    assert job.result(60) == [(1, 0, 2), (2, 1, 2)]
    store = local_session.backend.store
    store.put(keys.outcome(job.id, 1, 1), [store.get(keys.outcome(job.id, 1, 0)) or b""])
    again: Any = nbbatch.attach(job.id)
    assert again[0] == (1, 0, 2)
    with pytest.raises(errors.SealError):
        again[1]


def test_the_supervisor_dies(local_session: Session) -> None:
    """Whoever kills it ends the children, and the job says so."""

    def some(x: int) -> None:
        import time

        time.sleep(300)

    job = batch(some).map(range(3))
    until(lambda: job.facts.children.counts.get(State.RUNNING))
    home = Path(local_session.settings.home)
    import json

    state = json.loads((home / "local" / job.id / "state.json").read_text())
    os.kill(state["supervisor"], signal.SIGKILL)
    assert job.wait(60)
    assert isinstance(job.errors()[2], errors.JobLostError)


def test_map_inside_a_job() -> None:
    """It just runs, and what it returns has the same names."""

    def outer() -> Any:
        done = work.map([1, 2, 3])
        found = list(done.results(return_exceptions=True))
        return found[:2], str(found[2]), len(done), list(done.errors()), done[0]

    values, error, count, failed, first = batch(outer).submit().result(60)
    assert [value[0] for value in values] == [1, 2]
    assert (error, count, failed, first[0]) == ("no 3", 3, [2], 1)


def test_the_order_in_which_they_come(tmp_path: Path) -> None:
    """Each with its index, while others still run; the failed ones too."""
    gate = tmp_path / "gate"

    def some(x: int) -> int:
        import os
        import time

        while x == 0 and not os.path.exists(gate):
            time.sleep(0.02)
        return 10 // (x - 2)

    job = batch(cpu=0.25)(some).map(range(4))
    came = job.as_completed(60, return_exceptions=True)
    first = dict(next(came) for _ in range(3))
    assert str(first.pop(2)) == "integer division or modulo by zero"
    assert first == {1: -10, 3: 10}
    with pytest.raises(TimeoutError, match="1 of 4 items"):
        next(job.as_completed(0)) and list(job.as_completed(0, return_exceptions=True))
    gate.touch()
    assert list(came) == [(0, -5)]
    raised = job.as_completed()
    found = []
    for _ in range(4):
        try:
            found.append(next(raised))
        except ZeroDivisionError as error:
            assert error.__notes__ == ["raised for item 2 of 4"]
    assert sorted(found) == [(0, -5), (1, -10), (3, 10)]


def test_those_that_failed_are_tried_again(tmp_path: Path) -> None:
    """They alone; the job that does it has all results, also when another kernel finds it."""
    ran = tmp_path / "ran"
    ran.mkdir()
    fixed = tmp_path / "fixed"

    def some(x: int, where: str, add: int) -> int:
        import os

        open(f"{where}/{x}-{os.urandom(4).hex()}", "w").close()
        if x % 4 == 3 and not (os.path.exists(fixed) or os.path.exists(f"{fixed}-{x}")):
            raise ValueError(f"no {x}")
        return x + add

    function = batch(some)
    job = function.map(range(12), where=str(ran), add=100, chunksize=3)
    assert set(job.errors()) <= {3, 7, 11}
    assert job.wait(60)
    (tmp_path / "fixed-7").touch()
    second = job.retry_failed(chunksize=2)
    assert set(second.errors()) <= {3, 11}
    with pytest.raises(ValueError, match="no 3") as caught:
        second.result(60)
    assert caught.value.__notes__ == ["raised for item 3"]
    assert (list(second.errors()), len(second), second.children.items) == ([3, 11], 12, 3)
    assert second[7] == 107
    assert repr(second).startswith(f"<ArrayJob {second.id} some: 3 items, error")
    fixed.touch()
    third: Any = nbbatch.attach(second.id)
    third = third.retry_failed(memory=5000)
    assert third.result(60) == [100 + n for n in range(12)]
    assert dict(third.as_completed()) == dict(enumerate(third))
    assert (third.facts.asked["memory"], third.errors()) == (5000, {})
    assert third.retry_failed() is third
    again: Any = nbbatch.attach(third.id)
    assert again[:] == third[:]
    times = [name.partition("-")[0] for name in os.listdir(ran)]
    assert {n: times.count(str(n)) for n in range(12)} == {
        n: {3: 3, 7: 2, 11: 3}.get(n, 1) for n in range(12)
    }


def test_those_that_a_cancelled_job_left(tmp_path: Path) -> None:
    """They count as failed, and can be tried again."""
    gate = tmp_path / "gate"

    def some(x: int) -> int:
        import os
        import time

        while x and not os.path.exists(gate):
            time.sleep(0.02)
        return x

    job = batch(some).map(range(5))
    assert job[0] == 0
    job.cancel()
    assert job.wait(60)
    gate.touch()
    again = job.retry_failed()
    assert again.children.items == 4
    assert again.result(60) == [0, 1, 2, 3, 4]


def test_what_can_not_be_tried_again(local_session: Session) -> None:
    """What it was sent must still be there; nothing is left of a job that was not started."""
    job = work.map([3, 4])
    assert job.wait(60)
    with pytest.raises(errors.OptionError):
        job.retry_failed(memory="none")
    local_session.backend.store.delete([keys.input_(job.id)])
    with pytest.raises(errors.NotFoundError, match="can't|nothing of job"):
        job.retry_failed()
    assert len(list(current_session().jobs())) == 1


def test_starmap_and_gather() -> None:
    """All arguments of a call together; the values of several jobs together."""
    job = work.starmap(([n, 2] for n in range(3)), wait="")
    single = work.submit(5, y=3)
    values, (value, *_) = nbbatch.gather(job, single, timeout=60)
    assert [found[0] for found in values] == [0, 2, 4]
    assert value == 15
    assert nbbatch.gather([]) == nbbatch.gather() == []
    failing = work.map([3, 5])
    with pytest.raises(ValueError, match="no 3"):
        nbbatch.gather(failing, single)
    (error, (again, *_)) = nbbatch.gather([failing, single], return_exceptions=True)
    assert (str(error), again) == ("no 3", 15)
    with pytest.raises(errors.UsageError, match="nothing to wait for in 7"):
        nbbatch.gather(single, 7)  # type: ignore[arg-type]
    with pytest.raises(errors.UsageError, match="item 1 can't be unpacked"):
        work.starmap([(1, 2), 3])  # type: ignore[list-item]


def test_gather_inside_a_job() -> None:
    """What `submit` and `map` return there will do."""

    def outer() -> Any:
        import nbbatch

        found = nbbatch.gather(work.submit(1), work.map([1, 2]), work.starmap([(4, 5)]))
        return found[0][0], [each[0] for each in found[1]], found[2][0][0]

    assert batch(outer).submit().result(60) == (1, [1, 2], 20)


def test_very_many_items_go_to_a_few_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are worth their start; a generator's, too."""
    monkeypatch.setattr("nbbatch.futures.array.chunks._EACH", 1)
    monkeypatch.setattr("nbbatch.backends.local.machine.cores", lambda: 3)
    job = work.map(range(10, 3010))
    assert (len(job), job.children.size, job.children.chunksize) == (3000, 3, 1000)
    assert job[2999] == (3009, 2, 3)
    generated = work.map(n for n in range(10, 260))
    assert generated[249] == (259, 2, 3)
    assert (len(generated), generated.children.chunksize) == (250, 100)


def test_items_that_are_more_than_memory_should_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound they wait in a file, and none of them in memory."""
    monkeypatch.setattr("nbbatch.sending._IN_MEMORY", 1000)
    live: list[Any] = []

    class Item:
        def __init__(self, n: int) -> None:
            self.data = bytes([n]) * 500
            live.append(weakref.ref(self))

        def __reduce__(self) -> Any:
            return bytes, (self.data,)

    def items() -> Any:
        for n in range(20):
            assert sum(ref() is not None for ref in live) <= 10
            yield Item(n)

    def some(data: bytes) -> tuple[int, int]:
        return data[0], len(data)

    assert batch(some).map(items(), chunksize=5).result(60) == [(n, 500) for n in range(20)]


def use(megabytes: int, helper: bool = False) -> Any:
    """Use memory; have another process use some, too."""

    def work(x: int) -> int:
        data = bytearray(megabytes * x << 20)
        for at in range(0, len(data), 4096):
            data[at] = 1
        if helper:
            import subprocess
            import sys

            subprocess.run([sys.executable, "-c", "sum(range(10 ** 6))"], check=True)
        return len(data)

    return work


def test_what_the_children_have_used(local_session: Session, monkeypatch: Any) -> None:
    """A few are asked at the end, from the first to the last; their most is the array's peak."""
    asked = []
    get = local_session.backend.store.get
    monkeypatch.setattr(
        local_session.backend.store, "get", lambda key: asked.append(key) or get(key)
    )
    job = batch(use(2)).map(range(20), chunksize=1)
    assert job.wait(60)
    facts = job.facts
    assert facts.children is not None
    assert facts.peak is not None
    assert facts.children.told == len([key for key in asked if "/outcome/" in key]) == 8
    assert 38 << 20 < facts.peak.memory < 138 << 20
    assert 0 < facts.children.longest < 60
    again = nbbatch.attach(job.id)
    assert again.wait(60)

    assert again.facts.peak == facts.peak


def test_what_other_processes_use_is_not_counted() -> None:
    """The figure would be too small: there is none, and so no advice that comes of it."""
    job = batch(use(0, helper=True)).map(range(2))

    assert job.wait(60)
    assert job.facts.peak is None


def test_short_items_share_children(
    local_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a map has shown how little they take, as many are used as can run side by side."""
    monkeypatch.setattr("nbbatch.backends.local.machine.room", lambda options, environ: 2)
    # However slow this machine is just now, they are short.
    monkeypatch.setattr(local_session.durations, "_worth", 1000.0)

    def run() -> Any:
        return batch(lambda x: x + 1).map(range(30))

    first = run()
    assert first.result(60) == list(range(1, 31))
    assert first.children.size == 30
    until((current_session().settings.home / "cache" / "items.json").exists)
    second = run()

    assert second.result(60) == list(range(1, 31))
    assert second.children.size == 2
