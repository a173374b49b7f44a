"""How long each attempt was in each state, whoever tells it, in whatever order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nbbatch.facts import State, Status, Stay
from nbbatch.futures.watching.stays import Source, Timeline
from nbbatch.wire.frames import Frame

WAY = (State.SUBMITTED, State.PENDING, State.RUNNABLE, State.STARTING, State.RUNNING)
S, P, R, B, G = WAY


def said(kind: str, t: float, **fields: object) -> Frame:
    return {"kind": kind, "t": t, **fields}


def told(timeline: Timeline) -> list[tuple[str, int, float, float | None]]:
    return [(str(s.state), s.attempt, s.since, s.until) for s in timeline.stays()]


moments = st.floats(-1e9, 1e9) | st.integers(0, 20).map(float)
attempts = st.integers(1, 4)
backend_stays = st.builds(Stay, st.sampled_from(WAY), attempts, moments, st.none() | moments)
looks = st.builds(
    Status,
    st.sampled_from(State),
    attempt=attempts,
    stopped_at=st.none() | moments,
    stays=st.lists(backend_stays, max_size=5).map(tuple),
)
frames = st.one_of(
    st.builds(said, st.just("started"), moments),
    st.builds(said, st.just("end"), moments),
    st.builds(said, st.just("place"), moments, starting_at=moments),
)
events = st.one_of(
    st.tuples(st.just("look"), looks, st.integers(0, 2), moments),
    st.tuples(st.just("read"), attempts, st.lists(frames, max_size=3)),
    st.tuples(st.just("leave"), attempts, moments, st.sampled_from(Source)),
)


@given(moments, st.lists(events, max_size=12))
def test_no_stay_is_negative_and_none_overlaps(submitted_at: float, what: list[tuple]) -> None:  # type: ignore[type-arg]
    """Whatever clocks say, time goes forward, and only the last state may be open."""
    timeline = Timeline(submitted_at)
    for name, *arguments in what:
        getattr(timeline, name)(*arguments)
        stays = timeline.stays()

        assert all(stay.until is not None for stay in stays[:-1])
        assert all(stay.until is None or stay.since <= stay.until for stay in stays)
        assert all(a.until is not None and a.until <= b.since for a, b in pairwise(stays))
        places = [(stay.attempt, WAY.index(stay.state)) for stay in stays]
        assert places == sorted(set(places))


def test_what_is_noticed_while_somebody_looks() -> None:
    """Without better knowledge, a state begins when it is seen."""
    timeline = Timeline(100)
    for now, state in ((101, S), (103, R), (105, R), (160, B), (170, G)):
        timeline.look(Status(state), 0, now)

    assert told(timeline) == [
        ("SUBMITTED", 1, 100, 103),
        ("RUNNABLE", 1, 103, 160),
        ("STARTING", 1, 160, 170),
        ("RUNNING", 1, 170, None),
    ]


def test_the_backend_is_believed_before_the_job_and_both_before_our_own_eyes() -> None:
    """The better source replaces the worse, and never the other way round."""
    timeline = Timeline(100)
    timeline.look(Status(G), 0, 170)
    timeline.read(1, [said("started", 165)])
    timeline.look(Status(G), 0, 171)
    by_job = told(timeline)[-1]
    timeline.look(Status(G, stays=(Stay(S, 1, 99), Stay(G, 1, 163))), 0, 172)
    timeline.read(1, [said("end", 190)])
    timeline.look(Status(State.SUCCEEDED, stopped_at=192, stays=(Stay(G, 1, 163, 191),)), 0, 200)

    assert by_job == ("RUNNING", 1, 165, None)
    assert told(timeline) == [
        ("SUBMITTED", 1, 99, 99),
        ("RUNNABLE", 1, 99, 163),
        ("RUNNING", 1, 163, 191),
    ]


def test_a_job_that_is_found_again() -> None:
    """A wait that nobody watched was RUNNABLE; the machine may know when it was over."""
    ended = Status(State.SUCCEEDED, stopped_at=400, stays=(Stay(S, 1, 100), Stay(G, 1, 300, 400)))
    timeline = Timeline(100)
    timeline.look(ended, 0, 5000)
    alone = told(timeline)
    timeline.read(1, [said("started", 301), said("place", 302, starting_at=250), said("end", 399)])

    assert alone == [
        ("SUBMITTED", 1, 100, 100),
        ("RUNNABLE", 1, 100, 300),
        ("RUNNING", 1, 300, 400),
    ]
    assert told(timeline) == [
        ("SUBMITTED", 1, 100, 100),
        ("RUNNABLE", 1, 100, 250),
        ("STARTING", 1, 250, 300),
        ("RUNNING", 1, 300, 400),
    ]


def test_a_wait_that_is_found_has_lasted_since_the_submit() -> None:
    """Whoever looks for the first time does not say that it has only begun."""
    timeline = Timeline(100)
    timeline.look(Status(R, stays=(Stay(S, 1, 100.5),)), 0, 3700)

    assert told(timeline) == [("SUBMITTED", 1, 100.5, 100.5), ("RUNNABLE", 1, 100.5, None)]


def test_the_next_attempt_waits_from_the_end_of_the_one_before() -> None:
    """The state goes back; what is noticed late began earlier."""
    timeline = Timeline(0)
    timeline.look(Status(G, stays=(Stay(S, 1, 0), Stay(G, 1, 10))), 0, 12)
    timeline.read(1, [said("error", 20, ename="ValueError", evalue="boom"), said("end", 20)])
    # It has not noticed yet.
    timeline.look(Status(G), 0, 21)
    timeline.look(Status(R, attempt=2), 0, 30)
    timeline.look(Status(G, attempt=2, stays=(Stay(G, 2, 60),)), 0, 61)

    assert told(timeline)[2:] == [
        ("RUNNING", 1, 10, 20),
        ("RUNNABLE", 2, 20, 60),
        ("RUNNING", 2, 60, None),
    ]
    assert timeline.endings() == {1: "ValueError: boom"}


def test_an_attempt_that_dies_without_a_word() -> None:
    """Its end is where the next one begins, and the backend's words are the reason."""
    timeline = Timeline(0)
    timeline.look(Status(G, stays=(Stay(G, 1, 10),)), 0, 12)
    timeline.look(Status(G, attempt=2, stays=(Stay(G, 2, 50),), endings={1: "killed"}), 0, 55)

    assert told(timeline)[-2:] == [("RUNNING", 1, 10, 50), ("RUNNING", 2, 50, None)]
    assert timeline.endings() == {1: "killed"}


def test_another_job_of_the_backend_goes_on() -> None:
    """Its first attempt is not the job's first."""
    timeline = Timeline(0)
    timeline.look(Status(G, stays=(Stay(G, 1, 10),)), 0, 12)
    timeline.leave(1, 20, Source.NOTICED)
    timeline.explain(1, "ran out of memory")
    timeline.look(Status(G, stays=(Stay(S, 1, 22), Stay(G, 1, 30)), endings={1: "odd"}), 1, 33)

    assert told(timeline)[-3:] == [
        ("SUBMITTED", 2, 22, 22),
        ("RUNNABLE", 2, 22, 30),
        ("RUNNING", 2, 30, None),
    ]
    assert timeline.endings() == {1: "ran out of memory", 2: "odd"}


def test_what_waits_for_others_is_pending() -> None:
    """A job that depends on others has a state of its own for that."""
    timeline = Timeline(0)
    timeline.look(Status(P), 0, 2)
    timeline.look(Status(B), 0, 40)

    assert told(timeline) == [
        ("SUBMITTED", 1, 0, 0),
        ("PENDING", 1, 0, 40),
        ("STARTING", 1, 40, None),
    ]


def test_a_job_that_never_ran() -> None:
    """It waited until it was cancelled."""
    timeline = Timeline(0)
    timeline.look(Status(R), 0, 2)
    timeline.look(Status(State.FAILED, stopped_at=9), 0, 10)

    assert told(timeline) == [("SUBMITTED", 1, 0, 0), ("RUNNABLE", 1, 0, 9)]


def test_what_was_kept_of_a_job_is_final() -> None:
    """Nothing that is told later changes what was known at the end."""
    kept = (Stay(S, 1, 0, 1), Stay(G, 1, 1, 5))
    timeline = Timeline(0, kept)
    timeline.look(Status(State.SUCCEEDED, stopped_at=7, stays=(Stay(G, 1, 2, 6),)), 0, 100)
    timeline.read(1, [said("started", 2), said("end", 6)])

    assert timeline.stays() == kept
