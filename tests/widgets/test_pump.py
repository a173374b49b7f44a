"""One thread serves all views, and only while there are any."""

from __future__ import annotations

import threading

import pytest

from nbbatch.widgets.pump import Pump


class Counting:
    """A view that notes who ticked it."""

    def __init__(self, fail: bool = False) -> None:
        self.ticked = threading.Event()
        self.thread: threading.Thread | None = None
        self._fail = fail

    def tick(self) -> None:
        """Note the thread."""
        self.thread = threading.current_thread()
        self.ticked.set()
        if self._fail:
            raise ValueError("can't be drawn")


def test_one_thread_for_all_and_none_for_nobody() -> None:
    """All views are ticked by the same thread, which ends with the last of them."""
    pump = Pump()
    views = [Counting() for _ in range(20)]
    for view in views:
        pump.add(view)
    for view in views:
        assert view.ticked.wait(60)
    threads = {view.thread for view in views}
    for view in views:
        pump.remove(view)
    (thread,) = threads

    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()


def test_it_starts_again_after_its_end() -> None:
    """A view that comes later is served, too."""
    pump = Pump()
    for _ in range(3):
        view = Counting()
        pump.add(view)

        assert view.ticked.wait(60)
        pump.remove(view)
        assert view.thread is not None
        view.thread.join(60)


def test_a_view_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """It is named in the log and left alone; the others go on."""
    pump = Pump()
    bad, good = Counting(fail=True), Counting()
    pump.add(bad)
    assert bad.ticked.wait(60)
    pump.add(good)

    assert good.ticked.wait(60)
    pump.remove(good)
    assert good.thread is not None
    good.thread.join(60)
    assert not good.thread.is_alive()
    assert "a view failed" in caplog.text
