"""``%%batch --for``: a cell swept over a grid of parameters, as one array job."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from nbbatch.caching import tallied
from nbbatch.capture.items import Needs, capture_items
from nbbatch.capture.values import Scene
from nbbatch.catching import settle
from nbbatch.errors import OptionError
from nbbatch.follow import Follower
from nbbatch.futures.array.sweep import Sweep
from nbbatch.futures.returning.rebuild import add_note
from nbbatch.magics.namespace import bind
from nbbatch.options import Options
from nbbatch.session import Items, Packing, Session, Work, check_array
from nbbatch.wire.spec import SWEEP

__all__ = ["NAME", "check_parameters", "planned", "sweep", "take_table"]

#: What the table is called where the line does not say it (``--as``).
NAME = "sweep"

Points = Sequence[dict[str, Any]]


def check_parameters(names: Sequence[str], out: Sequence[str] | None) -> None:
    """Refuse parameters that are to be results too."""
    for name in set(names) & set(out or ()):
        raise OptionError(
            f"--out {name} can't be used with --for {name}",
            "it is a parameter, which is in the table anyway",
            f"leave {name} out of --out",
        )


def sweep(
    session: Session,
    work: Work,
    scene: Scene,
    points: Points,
    options: Options,
    observer: Follower,
) -> Sweep:
    """Start a cell for each of the points, and return the job of them all.

    Raises
    ------
    NbbatchError
        It was not started; nothing of it is left behind.
    """
    check_array(options)
    sender = session.sender(options)
    every: Iterator[Any] = enumerate((point,) for point in points)
    tally = tallied(every, options)
    needs = Needs()
    with Packing(sender, 1) as packing:
        for found in capture_items(([item] for item in tally or every), needs):
            packing.add(found)
        items = packing.finish()
        if tally is not None:
            items = replace(items, identity=tally.digest())
        captured = needs.added_to(work.captured, scene)
        spec = replace(work.spec, kind=SWEEP)
        whole = replace(work, spec=spec, captured=captured, items=items)
        job = session.spread(whole, options, observer)
    assert isinstance(job, Sweep)
    return job


def planned(session: Session, work: Work, points: Points, options: Options) -> Work:
    """Return a sweep's work for ``--dry-run``, where nothing is packed."""
    check_array(options)
    size = len(points)
    found = Items(size, 1, size, (), session.sender(options))
    return replace(work, spec=replace(work.spec, kind=SWEEP), items=found)


def take_table(shell: Any, job: Sweep, name: str) -> Sweep:
    """Show a finished sweep's table; raise, or catch, what went wrong with the first point."""
    error = job.exception()
    if error is not None:
        failed = job.errors()
        if failed:
            point = job.points[min(failed)].items()
            add_note(error, ", ".join(f"{key} = {reprlib.repr(value)}" for key, value in point))
        add_note(error, f"{len(failed):,} of {len(job):,} points failed; {name} has the others")
        raise error
    settle(job, partial(bind, shell))
    return job
