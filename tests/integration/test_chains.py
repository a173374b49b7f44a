"""Jobs that are given the results of other jobs: these never pass through the notebook."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch import batch, errors
from nbbatch.session import Session, current_session
from tests.integration.conftest import observed, until

pytestmark = pytest.mark.usefixtures("local_session")
_PATIENCE = 60.0


def held(gate: Path, value: Any) -> Any:
    """Start a job that returns a value once a file is there."""
    return batch()(waiting(gate, lambda: value)).submit()


def waiting(gate: Path, then: Callable[[], Any]) -> Callable[[], Any]:
    path = str(gate)

    def wait() -> Any:
        import os
        import time

        while not os.path.exists(path):
            time.sleep(0.02)
        return then()

    return wait


def failing(gate: Path) -> Any:
    """Start a job that raises once a file is there."""

    def fail() -> None:
        raise ValueError("no such thing")

    return batch(name="load")(waiting(gate, fail)).submit()


def given(*args: Any, **kwargs: Any) -> Any:
    """Call a job that says what it was given."""
    return batch(lambda *a, **k: (a, k)).submit(*args, **kwargs)


def after(job: Any) -> list[str]:
    """Return what a job waits for, as its record has it."""
    record = current_session()._registry.get(job.id)
    assert record is not None
    return list(record.depends_on)


def test_a_job_as_an_argument(tmp_path: Path) -> None:
    """It is waited for, and the value is there in its place, inside containers too."""
    first = held(tmp_path / "go", {"a": 1})
    second = given(first, [first, 2], key=({"deep": first}, 3))
    assert after(second) == [first.id]
    (tmp_path / "go").touch()
    args, kwargs = second.result(_PATIENCE)

    assert args == ({"a": 1}, [{"a": 1}, 2])
    assert kwargs == {"key": ({"deep": {"a": 1}}, 3)}
    assert args[0] is args[1][0] is kwargs["key"][0]["deep"]


def test_a_result_that_is_there_is_not_waited_for() -> None:
    """Neither where the end was seen here, nor where only the store knows of it."""
    first = batch(lambda: b"x" * (2 << 20)).submit()
    assert first.wait(_PATIENCE)
    second = given(first)
    assert after(second) == []
    assert second.result(_PATIENCE) == ((b"x" * (2 << 20),), {})
    record = current_session()._registry.get(first.id)
    assert record is not None
    # A kernel that has died meanwhile has noted nothing.
    session = Session(current_session().settings)
    import dataclasses

    session._registry.write(dataclasses.replace(record, outcome=""))
    unseen = session._made(dataclasses.replace(record, outcome=""), first._key, None)
    third = given(unseen)

    assert after(third) == []
    assert len(third.result(_PATIENCE)[0][0]) == 2 << 20


def test_what_fails_fails_those_that_need_it(tmp_path: Path) -> None:
    """The error names the job and what it raised, along the whole chain."""
    first = failing(tmp_path / "go")
    second = batch(name="clean")(lambda x: x).submit(first)
    third = batch(name="fit")(lambda x: x).submit(second)
    (tmp_path / "go").touch()
    error = third.exception(_PATIENCE)

    assert isinstance(error, errors.UpstreamError)
    assert "(fit) was not started" in error.what
    assert f"{second.id} (clean)" in error.cause
    assert f"{first.id} (load)" in error.cause
    assert "ValueError: no such thing" in error.cause
    assert isinstance(second.exception(), errors.UpstreamError)
    assert isinstance(first.exception(), ValueError)
    assert third.facts.started_at is None
    with pytest.raises(errors.UpstreamError, match="(?s)load.*ValueError: no such thing"):
        given(first)


def test_a_map_of_a_job_whose_upstream_fails(tmp_path: Path) -> None:
    """An array fails as a whole, with the same words."""
    first = failing(tmp_path / "go")
    mapped = batch(lambda x, other: x).map(range(3), other=first)
    (tmp_path / "go").touch()
    with pytest.raises(errors.UpstreamError, match="(?s)load.*ValueError: no such thing"):
        mapped.result(_PATIENCE)
    with pytest.raises(errors.UpstreamError):
        mapped[1]


def test_an_array_as_an_argument(tmp_path: Path) -> None:
    """It is the list of its values; of one that has failed there is none."""
    double = batch(lambda x: x * 2)
    mapped = double.map(range(5), chunksize=2)
    assert given(mapped).result(_PATIENCE) == (([0, 2, 4, 6, 8],), {})
    assert given(double.map([])).result(_PATIENCE) == (([],), {})
    gate = tmp_path / "go"

    def invert(x: int) -> float:
        while not gate.exists():
            time.sleep(0.02)
        return 1 / x

    needs = given(batch(invert).map([1, 0]))
    gate.touch()
    error = needs.exception(_PATIENCE)

    assert isinstance(error, errors.UpstreamError)
    assert "ZeroDivisionError" in error.cause


def test_jobs_as_items() -> None:
    """Each child is given the result of its own."""
    jobs = [batch(lambda n=n: n * 10).submit() for n in range(3)]
    mapped = batch(lambda x: x + 1).map(jobs)

    assert mapped.result(_PATIENCE) == [1, 11, 21]


def test_a_job_of_several_nodes() -> None:
    """Its result is the list of what its nodes returned, there as here."""
    first = batch(nodes=2)(lambda: nbbatch.current.node_index).submit()

    assert given(first).result(_PATIENCE) == (([0, 1],), {})


def test_a_job_of_another_backend(tmp_path: Path) -> None:
    """It is refused, with what to do about it."""
    first = batch(lambda: 1).submit()
    assert first.wait(_PATIENCE)
    nbbatch.configure(backend="local", home=str(tmp_path / "other"))
    with pytest.raises(errors.UsageError, match=r"(?s)can't be read by this job.*job\.result\(\)"):
        given(first)
    assert list(current_session().jobs()) == []


def test_a_job_seen_by_its_name() -> None:
    """A function that uses a job of the notebook's finds it done there."""
    first = batch(lambda: 20).submit()

    def use() -> Any:
        return first.result() + 1, first.done(), first.id, first.exception()

    job = batch(use).submit()

    assert job.result(_PATIENCE) == (21, True, first.id, None)


def test_a_job_that_comes_back() -> None:
    """A job that another one returns is followed here again."""
    first = batch(lambda: 20).submit()
    found = batch(lambda: first).submit().result(_PATIENCE)

    assert isinstance(found, nbbatch.Job)
    assert (found.id, found.result(_PATIENCE)) == (first.id, 20)


def test_a_result_that_is_gone() -> None:
    """Deleted, or altered: the job that needs it says whose it was, and nothing is unpickled."""
    first = batch(name="load")(lambda: 1).submit()
    assert first.wait(_PATIENCE)
    store = current_session().backend.store
    (name,) = [key for key, _, _ in store.list(f"jobs/{first.id}/outcome/")]
    data = bytes(store.get(name) or b"")
    store.delete([name])
    error = given(first).exception(_PATIENCE)
    assert isinstance(error, errors.NotFoundError)
    assert f"{first.id} (load)" in error.what
    store.put(name, [data[:-1] + b"?"])
    refused = given(first).exception(_PATIENCE)

    assert isinstance(refused, errors.SealError)


def test_a_reference_means_nothing_elsewhere() -> None:
    """What a job is not given in its sealed header it does not read."""
    first = batch(lambda: 1).submit()
    from nbbatch.wire import upstream

    with pytest.raises(errors.NotFoundError, match="attach"):
        upstream.value_of(first.id, None)
    forged = pickle.dumps(Reference(first.id))
    error = batch(lambda: pickle.loads(forged)).submit().exception(_PATIENCE)

    assert isinstance(error, errors.NotFoundError)


class Reference:
    def __init__(self, job: str) -> None:
        self.job = job

    def __reduce__(self) -> Any:
        from nbbatch.wire import upstream

        return upstream.value_of, (self.job, None)


def test_keys_of_others_are_covered() -> None:
    """Nobody who can read the bucket learns them from the input of the job that needs them."""
    first = batch(lambda: 1).submit()
    second = given(first)
    assert second.result(_PATIENCE) == ((1,), {})
    data = bytes(current_session().backend.store.get(f"jobs/{second.id}/input") or b"")

    assert first.id.encode() in data
    assert first._key not in data
    assert first._key.hex().encode() not in data


def test_items_that_refer_to_jobs_are_tried_again(tmp_path: Path) -> None:
    """What they refer to is read by the new job itself, with what all items share."""
    fixed = tmp_path / "fixed"

    def some(x: int, shared: int) -> int:
        import os

        if x > 10 and not os.path.exists(fixed):
            raise ValueError(x)
        return x + shared

    jobs = [batch(lambda n=n: n * 10).submit() for n in range(3)]
    shared = batch(lambda: 1).submit()
    mapped = batch(some).map(jobs, shared=shared)
    assert isinstance(mapped.exception(_PATIENCE), ValueError)
    fixed.touch()
    again = mapped.retry_failed()

    assert again.result(_PATIENCE) == [1, 11, 21]
    assert again.children.items == 1


def test_libraries_of_a_result() -> None:
    """What made a result may be needed to read it, though the job that does imports nothing."""

    def make() -> Any:
        from packaging.version import Version

        return Version("1.2")

    first = batch(make).submit()
    second = batch(lambda version: version.minor).submit(first)
    assert "packaging.version" in first.record.wants
    assert second.record.wants == first.record.wants

    assert second.result(_PATIENCE) == 2


def test_chains_inside_a_job() -> None:
    """There functions just run, and are given results in the place of jobs all the same."""
    double, add = batch(lambda x: 2 * x), batch(lambda x, *, more: x + sum(more))
    first = batch(lambda: 20).submit()

    def work() -> Any:
        from concurrent.futures import wait

        done = wait([first]).done
        inner = add.submit(double.submit(first), more=[double.submit(1)])
        return inner.result(), double(first), double.map([first]).result(), done == {first}

    assert batch(work).submit().result(_PATIENCE) == (42, 40, [40], True)


class Seen:
    """Keeps what the cards of a job would say."""

    def __init__(self) -> None:
        self.facts: list[Any] = []

    def on_facts(self, facts: Any) -> None:
        self.facts.append(facts)

    def on_frames(self, frames: Any) -> None:
        """Frames are not looked at."""

    @property
    def messages(self) -> list[str]:
        return list(dict.fromkeys(facts.message for facts in self.facts))


def short_of_memory(gate: Path, memory: int = 80, **options: Any) -> Any:
    """Start a job that needs more memory than it asks for, and less than twice as much.

    It does so once a file is there: those that need it are to be submitted before.
    """

    def fill() -> int:
        while not gate.exists():
            time.sleep(0.02)
        data = bytearray(100 << 20)
        for at in range(0, len(data), 4096):
            data[at] = 1
        if nbbatch.current.resources["memory"] < 160:
            # Until somebody sees it.
            time.sleep(600)
        return nbbatch.current.resources["memory"]

    return batch(memory=memory, retries=1, retry_on="memory", **options)(fill).submit()


GOES_ON = "a job that it needs has started again: it waits for that one now"


def test_what_starts_again_is_waited_for(tmp_path: Path) -> None:
    """A job with more memory is another one to the backend: those that need it wait for that."""
    first = short_of_memory(tmp_path / "go", name="load")
    seen, seen_too = Seen(), Seen()
    with observed(seen):
        second = batch(name="fit")(lambda x: (x, nbbatch.current.attempt)).submit(first)
    with observed(seen_too):
        mapped = batch(lambda x, y: x + y[0]).map(range(3), y=second)
    (tmp_path / "go").touch()

    assert second.result(_PATIENCE) == (160, 1)
    assert mapped.result(_PATIENCE) == [160, 161, 162]
    assert GOES_ON in seen.messages
    assert GOES_ON in seen_too.messages
    record = current_session()._registry.get(second.id)
    assert record is not None
    assert (record.anew, record.after, record.before) == (1, [first.batch_job_id], 0)
    assert second.batch_job_id == f"{second.id}-anew1"
    assert (second.facts.attempt, second.facts.attempts) == (1, 1)
    again = nbbatch.attach(second.id)
    assert again.result(_PATIENCE) == (160, 1)


def test_whoever_attaches_starts_them_again(
    local_session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kernel was gone: another one starts both again, each once, whoever asks for what."""
    with monkeypatch.context() as patched:
        patched.setattr(Session, "_watched", lambda self, job, record: job)
        first = short_of_memory(tmp_path / "go")
        second = batch(lambda x: x + 1).submit(first)
    (tmp_path / "go").touch()
    runner = local_session.backend.runner
    until(lambda: runner.describe([second.id])[second.id].state.final)
    jobs = [nbbatch.attach(second.id) for _ in range(2)]
    assert [job.result(_PATIENCE) for job in jobs] == [161, 161]

    started = sorted(path.name for path in (local_session.settings.home / "local").iterdir())
    assert started == sorted([first.id, f"{first.id}-2", second.id, f"{second.id}-anew1"])


def test_what_fails_for_good_after_all(tmp_path: Path) -> None:
    """The attempts come to an end: those that need it are told of the last one."""
    first = short_of_memory(tmp_path / "go", memory=30, name="load")
    second = batch(lambda x: x).submit(first)
    (tmp_path / "go").touch()
    error = second.exception(_PATIENCE)

    assert isinstance(error, errors.UpstreamError)
    assert f"job {first.id} (load), which it needs, has failed" in error.cause
    assert "ran out of memory" in error.cause
    assert first.wait(_PATIENCE)
    assert first.facts.attempt == 2
