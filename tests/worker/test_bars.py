"""The bars of a job's loops: what is told of them, how often, and what it costs to keep them."""

from __future__ import annotations

import gc
import itertools
import os
import pickle
import threading
import time

import pytest

import nbbatch
from nbbatch.bars import Progress
from nbbatch.errors import UsageError
from nbbatch.wire import here
from nbbatch.worker.notebook import bars as told


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class HandBars(told.Bars):
    """Looks at its bars when the test says so."""

    def __init__(self):
        self.frames = []
        self.clock = Clock()
        super().__init__(self.frames.append, self.clock)

    def _start(self):
        pass

    def after(self, seconds):
        """Look again after a while; return what is said."""
        self.clock.now += seconds
        self.frames.clear()
        self.tick()
        return list(self.frames)


@pytest.fixture
def bars(monkeypatch):
    """Lend the bars of a job to this process."""
    made = HandBars()
    monkeypatch.setattr(here, "bars", lambda: made)
    return made


def done(frames):
    return [(f["label"], f["done"], f["closed"]) for f in frames]


def test_a_loop_from_its_beginning_to_its_end(bars):
    """The first state, those between and the last are told, with what is known of the loop."""
    bars.after(0)
    seen = []
    for _ in nbbatch.progress(range(4), label="fit", unit="epoch"):
        seen += bars.after(1)
    seen += bars.after(1)

    assert [(f["done"], f["total"], f["closed"]) for f in seen] == [
        (0, 4, False),
        (1, 4, False),
        (2, 4, False),
        (3, 4, False),
        (4, 4, True),
    ]
    assert {(f["kind"], f["label"], f["unit"], f["id"]) for f in seen} == {
        ("progress", "fit", "epoch", seen[0]["id"])
    }
    assert {f["started"] for f in seen} == {1000.0}
    assert seen[-1]["ended"] == 1004.0
    assert bars.after(60) == []


def test_a_fast_loop_is_told_four_times_a_second_and_an_old_one_once(bars):
    """However often it moves, and however often somebody looks."""
    bar = bars.open("", 10**9, "it")

    def told_in(seconds):
        count = 0
        for _ in range(seconds * 20):
            bar.passed += 1000
            count += len(bars.after(0.05))
        return count

    assert 30 <= told_in(10) <= 51
    told_in(50)
    assert 9 <= told_in(10) <= 11


def test_what_moves_no_more_is_told_and_slows_down(bars):
    """The last state is told though the loop stands still, and its rate falls."""
    bar = bars.open("", 1000, "it")
    for _ in range(10):
        bars.after(1)
        bar.passed += 10
    (moving,) = bars.after(1)
    still = [f for _ in range(60) for f in bars.after(1)]

    assert moving["rate"] == pytest.approx(10, rel=0.1)
    assert {f["done"] for f in still} == {100}
    assert len(still) == 14  # after 1, 2, 4, 8 seconds, then every 5
    assert still[-1]["rate"] == pytest.approx(10 / 60, rel=0.1)
    rates = [f["rate"] for f in still]
    assert rates == sorted(rates, reverse=True)


def test_the_rate_is_that_of_late(bars):
    """A slow beginning is forgotten; at the end the average counts."""
    bar = bars.open("", None, "it", initial=500)
    bars.after(100)
    for _ in range(120):
        bar.passed += 5
        frames = bars.after(1)
    assert frames[0]["rate"] == pytest.approx(5, rel=0.05)

    bar.close()
    (last,) = bars.after(1)
    assert last["done"] == 1100
    assert last["rate"] == pytest.approx(600 / 220)


def test_loops_in_loops(bars):
    """The inner loop takes the place of the one before it, told or not, to its end."""
    for _ in nbbatch.progress(range(3), label="outer"):
        for _ in nbbatch.progress("ab", label="inner"):
            pass
        for _ in nbbatch.progress("ab", label="inner"):
            bars.after(1)
    frames = bars.after(1)

    assert done(frames) == [("outer", 3, True), ("inner", 2, True)]
    assert [f["id"] for f in frames] == ["1", "2"]


def test_a_bar_that_is_to_disappear_does(bars):
    """It is said of a bar that was told, and of one that took its place; else nothing is said."""
    with nbbatch.progress(total=2, label="outer"):
        first = bars.open("", 1, "it")
        bars.after(1)
        first.close()
        second = bars.open("", 1, "it")
        second.close(gone=True)
        assert [(f["id"], f.get("gone")) for f in bars.after(1)] == [(first.id, True)]
        bars.open("x", 1, "it").close(gone=True)
        assert bars.after(1) == []
        assert bars.open("", 1, "it").id not in (first.id, "1")


def test_a_bounded_number_of_bars(bars):
    """What is over makes room; what is open stays; those for which no room is are not told."""
    first = nbbatch.progress(total=5, label="first")
    threads = [threading.Thread(target=lambda n=n: bars.open(f"b{n}", 1, "it")) for n in range(40)]
    for thread in threads:
        thread.start()
        thread.join()
    assert [label for label, _, _ in done(bars.after(1))] == [
        "first",
        *(f"b{n}" for n in range(told.LIVE - 1)),
    ]
    bars._bars["5"].close()
    loop = bars.open("new", 1, "it")
    # The end of the one that left is told, too.
    assert done(bars.after(1)) == [("b3", 0, True), ("new", 0, False)]
    assert len(bars._bars) == told.LIVE
    loop.close()
    first.close()


def test_very_many_short_loops_are_few_frames(bars):
    """A hundred thousand loops between two looks are told as one."""
    with nbbatch.progress(total=1, label="outer"):
        bars.after(1)
        for _ in range(100_000):
            bars.open("inner", 1, "it").close()
        assert len(bars.after(1)) == 1
    for n in range(1000):
        bars.open(f"top {n}", 1, "it").close()
    assert len(bars.after(1)) <= told.LIVE + 1


@pytest.mark.parametrize("end", ["break", "raise", "drop", "close", "with"])
def test_every_end_closes_the_bar(bars, end):
    """Whoever leaves a loop, and however, its bar is over and says how far it came."""

    def leave():
        bar = nbbatch.progress(iter("abc"), label="x")
        if end == "with":
            with bar:
                bar.update(2)
        elif end == "close":
            bar.update(2)
            bar.close()
            bar.close()
        elif end == "drop":
            bar.update(2)
        else:
            for x in bar:
                if x == "c" and end == "break":
                    break
                if x == "c":
                    raise KeyError

    try:
        leave()
    except KeyError:
        pass
    gc.collect()

    assert done(bars.after(1)) == [("x", 2, True)]


def test_a_loop_without_a_name_lives_as_long_as_it_runs(bars):
    """The iterator alone holds the bar."""
    turns = iter(nbbatch.progress([1, 2, 3]))
    next(turns)
    gc.collect()
    assert done(bars.after(1)) == [("", 0, False)]
    del turns
    assert done(bars.after(1)) == [("", 0, True)]


def test_what_a_bar_is_told_while_it_runs(bars):
    """Label and total may change; any figure is taken, and nonsense harms nobody."""
    bar = nbbatch.progress(total="nonsense", label="a")
    assert bars.after(1)[0]["total"] is None
    bar.total = float("inf")
    bar.set_label("b" * 500)
    (frame,) = bars.after(1)
    assert (frame["total"], frame["label"]) == (None, "b" * 200)
    bar.total, bar.label = 12.5, 7
    bar.update(0.5)
    (frame,) = bars.after(1)
    assert (frame["total"], frame["label"], frame["done"]) == (12.5, "7", 0.5)
    assert (bar.total, bar.label, bar.done) == (12.5, 7, 0.5)
    bar.update(float("nan"))
    assert bars.after(1)[0]["done"] == 0


def test_no_length(bars):
    """What has no length, or none that it tells, has no total; a range and a list have."""

    class Sulky(list):
        def __len__(self):
            raise RuntimeError("not today")

    for iterable, total in [(iter([1]), None), (Sulky(), None), (range(7), 7), ({1: 2}, 1)]:
        assert nbbatch.progress(iterable).total == total
    assert nbbatch.progress([1, 2], total=9).total == 9
    assert list(nbbatch.progress(x for x in "ab")) == ["a", "b"]
    with pytest.raises(UsageError, match="nothing to iterate over"):
        list(nbbatch.progress(total=3))


def test_threads_lose_no_count(bars):
    """Updates from several threads, and a loop beside them, all count."""
    bar = nbbatch.progress(range(5000))

    def add():
        for _ in range(5000):
            bar.update()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in bar:
        pass
    for thread in threads:
        thread.join()

    assert bar.done == 25_000


def test_a_bar_travels_as_what_it_says(bars):
    """A bar that a cell leaves behind comes back as a record, whatever it looped over."""
    bar = nbbatch.progress((x for x in "abc"), total=3, label="fit")
    bar.update(2)
    back = pickle.loads(pickle.dumps(bar))

    assert isinstance(back, Progress)
    assert (back.label, back.total, back.done) == ("fit", 3, 2)
    assert repr(back) == "<nbbatch.progress: fit: 2 of 3 it (67%)>"
    assert list(back) == []


def states(frames):
    """Return what was told, without what is told again of a loop that stands still."""
    return [state for state, _ in itertools.groupby(done(frames))]


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_somebody_looks_by_itself_and_stops():
    """A thread tells the state of a loop that is stuck, and ends when no bar is open."""
    frames = []
    bars = told.Bars(frames.append)
    bar = bars.open("", 3, "it", 2)
    wait_for(lambda: frames)
    bar.close()
    wait_for(lambda: bars._thread is None)

    assert states(frames) == [("", 2, False), ("", 2, True)]
    bars.open("again", 1, "it")
    wait_for(lambda: frames[-1]["label"] == "again")
    bars.finish()
    bars.open("after the end", 1, "it")
    assert states(frames)[2:] == [("again", 0, False)]
    assert bars._thread is None


def test_forks(bars):
    """A forked process tells nothing, and its loops run; the parent goes on telling."""
    frames = []
    real = told.Bars(frames.append)
    here.bars = lambda: real
    outer = nbbatch.progress(total=2, label="outer")
    wait_for(lambda: frames)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            told_before = len(frames)
            total = sum(nbbatch.progress([1, 2, 3], label="inner"))
            outer.update()
            real.tick()
            quiet = len(frames) == told_before and threading.active_count() == 1
            code = 0 if total == 6 and quiet else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    outer.update()
    wait_for(lambda: len(states(frames)) == 2)
    real.finish()

    assert states(frames) == [("outer", 0, False), ("outer", 1, False)]


def test_a_pipe_that_is_gone_harms_no_loop(monkeypatch):
    """What can't be told is not told."""

    def broken(frame):
        raise BrokenPipeError

    bars = told.Bars(broken)
    monkeypatch.setattr(here, "bars", lambda: bars)
    total = 0
    for x in nbbatch.progress(range(3)):
        wait_for(lambda: bars._emit is None)
        total += x
    bars.finish()
    assert total == 3
