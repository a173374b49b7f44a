"""An array that starts again as a whole: what has succeeded is not run again, and counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_rig import wait_for_end
from stub import PATIENCE

from nbbatch import batch
from nbbatch.facts import State
from nbbatch.options import restored
from nbbatch.session import current_session


@pytest.mark.parametrize(
    "place", ["local_session", pytest.param("account", marks=pytest.mark.thorough)]
)
def test_what_has_succeeded_is_not_run_again(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Its child ends well at once: neither the array fails for it, nor those that wait for that."""
    request.getfixturevalue(place)
    session, ran, fixed = current_session(), tmp_path / "ran", tmp_path / "fixed"
    ran.mkdir()

    def some(x: int) -> int:
        import os
        import pathlib

        pathlib.Path(ran, f"{x} {os.urandom(4).hex()}").touch()
        if x == 1 and not os.path.exists(fixed):
            raise ValueError(x)
        return 10 * x

    job: Any = batch(some).map(range(3))
    assert isinstance(job.exception(PATIENCE), ValueError)
    wait_for_end(session.backend, job.batch_job_id)
    fixed.touch()
    record = replace(job.record, before=1, outcome="", message="", batch_job_id="")
    launch = session._relaunch(record, restored(record.options))
    record = replace(record, batch_job_id=session.backend.runner.start(launch))
    session._registry.write(record)
    again: Any = session.attach(job.id)
    after = batch(lambda values: sum(values)).submit(again)

    assert after.result(PATIENCE) == 30
    assert again.result(PATIENCE) == [0, 10, 20]
    said = wait_for_end(session.backend, record.batch_job_id)
    assert said.state is State.SUCCEEDED
    assert said.children == {State.SUCCEEDED: 3}
    assert sorted(path.name[0] for path in ran.iterdir()) == ["0", "1", "1", "2"]
