"""What a person reads while libraries are built and sent."""

from __future__ import annotations

from typing import Any

import pytest

from nbbatch.follow import steps
from tests.libraries.conftest import Kernel, Notebook


def test_in_a_terminal(
    notebook: Notebook, kernel: Kernel, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each kind of step, and nothing where there is nothing to do."""
    kernel.install("tinylib")
    notebook.batch("import tinylib", f"--executable {bare}")
    first = capsys.readouterr().out
    notebook.batch("import tinylib", f"--executable {bare}")

    assert "○ sending tinylib, 1 of 1" in first
    assert "○ sent 1 of the kernel's libraries, 0.0 MB" in first
    assert "sen" not in capsys.readouterr().out


def test_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """One output, updated in place; the last words stay."""
    shown: list[dict[str, Any]] = []

    class Emitter:
        takes_text = True

        def emit(self, frame: dict[str, Any]) -> None:
            shown.append(frame)

    monkeypatch.setattr(steps, "fitting_emitter", Emitter)
    say = steps.Steps()
    for number in range(50):
        say(f"sending a, {number} of 50 libraries")
    say("sent 50 libraries, 3.0 MB", last=True)

    assert [frame["update"] for frame in shown] == [False] + [True] * (len(shown) - 1)
    assert len({frame["display_id"] for frame in shown}) == 1
    assert shown[-1]["data"] == {"text/plain": "sent 50 libraries, 3.0 MB"}
    assert len(shown) < 50
