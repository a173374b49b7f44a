"""How long items take is learnt from one map for the next ones of the same function."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbbatch.futures.array.durations import Durations


class Ended:
    """An array that has ended."""

    def __init__(self, seconds: float, items: int, outcome: str = "ok") -> None:
        self.used = SimpleNamespace(seconds=seconds, items=items)
        self.facts = SimpleNamespace(outcome=outcome, cached=False)

    def add_done_callback(self, call: Any) -> None:
        """Call it."""
        call(self)


def work(x: int) -> int:
    return x + 1


def other(x: int) -> int:
    return x + 2


@pytest.mark.parametrize(("backend", "enough"), [("local", 100), ("aws", 3000)])
def test_what_was_learnt(tmp_path: Path, backend: str, enough: int) -> None:
    """A child starts slower on AWS: more are enough for it; and never too many for its time."""
    path = tmp_path / "cache" / "items.json"
    durations = Durations(path, backend, "here")
    assert durations.enough(work, None) is None
    job: Any = Ended(0.5, 50)
    durations.learn(work, job)

    again = Durations(path, backend, "here")
    assert again.enough(work, None) == enough
    assert again.enough(work, 1.0) == 25
    assert again.enough(other, None) is None
    assert Durations(path, backend, "there").enough(work, None) is None


def test_what_tells_nothing(tmp_path: Path) -> None:
    """A map that failed, one of which nothing was read, and a function without code of its own."""
    durations = Durations(tmp_path / "items.json", "local", "here")
    for job in (Ended(1.0, 5, "error"), Ended(0.0, 0)):
        durations.learn(work, job)  # type: ignore[arg-type]
    durations.learn(len, Ended(1.0, 5))  # type: ignore[arg-type]

    assert durations.enough(work, None) is None
    assert durations.enough(len, None) is None
    assert not (tmp_path / "items.json").exists()


def test_a_damaged_file(tmp_path: Path) -> None:
    """It says nothing."""
    (tmp_path / "items.json").write_text("{")
    durations = Durations(tmp_path / "items.json", "local", "here")

    assert durations.enough(work, None) is None
