"""Which ends are tried again: the one rule of the worker, the supervisor and the client."""

from __future__ import annotations

import pytest

from nbbatch.wire import attempts, spec
from nbbatch.wire.spec import JobSpec, Outcome
from nbbatch.worker.run import report


@pytest.mark.parametrize(
    ("conditions", "end", "code", "said"),
    [
        ((), attempts.EXIT, 1, True),
        ((), attempts.MEMORY, 137, True),
        (("any",), attempts.IMAGE, 127, True),
        (("error",), attempts.EXIT, 1, True),
        (("error",), attempts.EXIT, 3, False),
        (("error",), attempts.EXIT, attempts.EXIT_TIMEOUT, False),
        (("error",), "", 143, False),
        (("3", "124"), attempts.EXIT, 3, True),
        (("3", "124"), attempts.EXIT, attempts.EXIT_TIMEOUT, True),
        (("spot",), attempts.EXIT, 1, False),
        (("spot",), attempts.SPOT, 143, True),
        (("spot",), "", 143, True),
        (("memory",), attempts.MEMORY, 137, True),
        (("memory",), attempts.SPOT, 143, False),
        (("image",), attempts.IMAGE, 127, True),
    ],
)
def test_again(conditions: tuple[str, ...], end: str, code: int, said: bool) -> None:
    """An end is tried again where a condition names it, or could mean it."""
    assert attempts.again(conditions, end, code) is said


ENDS = {
    "raised": Outcome(spec.ERROR),
    "left": Outcome(spec.DIED, exit_code=3),
    "crashed": Outcome(spec.DIED, exit_code=139, signal="SIGSEGV"),
    "killed": Outcome(spec.DIED, exit_code=137, signal="SIGKILL"),
    "memory": Outcome(spec.DIED, exit_code=137, signal="SIGKILL", out_of_memory=True),
    "stopped": Outcome(spec.TERMINATED, signal="SIGTERM"),
    "spot": Outcome(spec.TERMINATED, signal="SIGTERM", loss=report.SPOT),
    "timeout": Outcome(spec.TERMINATED, signal="SIGTERM", loss=report.TIMEOUT),
    "refused": Outcome(spec.REFUSED),
    "ok": Outcome(spec.OK),
}


@pytest.mark.parametrize(
    ("conditions", "again"),
    [
        ((), {*ENDS} - {"refused", "ok"}),
        (("error",), {"raised"}),
        (("spot",), {"spot", "stopped", "killed"}),
        (("memory",), {"memory", "killed", "stopped"}),
        (("139",), {"crashed"}),
        (("124",), {"timeout"}),
    ],
)
def test_an_outcome_says_whether_another_attempt_follows(
    conditions: tuple[str, ...], again: set[str]
) -> None:
    """The worker tells final ends from others as the backend will; no attempt is after the last."""
    job = JobSpec("call", "train", attempts=2, retry_on=conditions)
    last = JobSpec("call", "train", attempts=1, retry_on=conditions)

    assert {name for name, end in ENDS.items() if not report.judged(end, job).final} == again
    assert all(report.judged(end, last).final for end in ENDS.values())


def test_the_exit_code_of_a_timeout() -> None:
    """It is that of timeout(1), whoever wrote the outcome."""
    assert report.exit_code(ENDS["timeout"]) == attempts.EXIT_TIMEOUT


def test_leeway() -> None:
    """A backend waits for the pause too before it ends an attempt."""
    assert attempts.leeway(0) == attempts.MARGIN
    assert attempts.leeway(2.5) == attempts.MARGIN + 150
