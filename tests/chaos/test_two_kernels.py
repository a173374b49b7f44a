"""Several kernels that follow one job at the same time: each has all of it, and it runs once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import nbbatch
from nbbatch.session import current_session
from tests.chaos.forked import Forked, template

pytestmark = pytest.mark.thorough

CELL = """%%batch --detach --name shared --memory 80 --retries 1 --retry-on memory
import os, time
from nbbatch import current
memory = current.resources["memory"]
with open({diary!r}, "a") as file:
    file.write(f"{{memory}}\\n")
print("begun with", memory, flush=True)
if memory < 160:
    data = bytearray(100 << 20)
    for at in range(0, len(data), 4096):
        data[at] = 1
    time.sleep(600)  # until somebody sees it
while not os.path.exists({gate!r}):
    time.sleep(0.02)
print("over")
value = 7
"""


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Forked]]:
    """Start three kernels of one user, and give this process the same jobs."""
    monkeypatch.setenv("NBBATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NBBATCH_BACKEND", "local")
    with template() as kernels, contextlib.ExitStack() as stack:
        yield [stack.enter_context(kernels.kernel()) for _ in range(3)]


def started(first: Forked, folder: Path) -> None:
    """Start the job in a kernel."""
    gate, diary = str(folder / "gate"), str(folder / "diary")
    first.run(CELL.format(gate=gate, diary=diary))


def says(kernel: Forked, text: str, cell: str) -> None:
    """Wait until something stands under a cell."""
    kernel.until(lambda: any(text in str(message["content"]) for message in kernel.of(cell)))


def test_two_attach_one_job(three: list[Forked], tmp_path: Path) -> None:
    """It runs out of memory, is started again by one of them, and both have text and value."""
    first, *others = three
    started(first, tmp_path)
    cells = [each.start("%batch attach shared") for each in others]
    for each, cell in zip(others, cells, strict=True):
        says(each, "begun with 160", cell)
    (tmp_path / "gate").touch()

    for each, cell in zip(others, cells, strict=True):
        assert each.reply(cell)["status"] == "ok"
        each.until(lambda each=each, cell=cell: each.idle(cell))  # type: ignore[misc]
        said = "".join(m["content"]["text"] for m in each.of(cell) if m["msg_type"] == "stream")
        assert said.endswith("begun with 160\nover\n")
        assert each.run("value") == "7"
    assert (tmp_path / "diary").read_text() == "80\n160\n"
    # Whoever started it has the value by itself.
    first.until(lambda: first.run("globals().get('value')") == "7")


def test_one_cancels_what_another_waits_for(three: list[Forked], tmp_path: Path) -> None:
    """The other one is told."""
    first, waits, cancels = three
    started(first, tmp_path)
    cell = waits.start("%batch attach shared")
    says(waits, "begun with 160", cell)
    cancels.run("%batch cancel shared")

    assert waits.reply(cell)["ename"] == "JobCancelledError"
    (record,) = current_session().jobs()
    assert nbbatch.attach(record.id).wait(60)
    assert current_session().facts(list(current_session().jobs()))[0].outcome == "cancelled"
