"""A ``%%batch`` cell in a real kernel awaits its job, and is a cell like any other."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

import nbbatch
from nbbatch.session import current_session
from tests import kernels
from tests.integration.conftest import attach_last

pytestmark = pytest.mark.thorough

HOLD = """import os, time
try:
    print('begun', flush=True)
    while not os.path.exists({path!r}): time.sleep(0.02)
finally:
    print('ended')
"""
PATIENCE = 60.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with every ipykernel that is named for it."""
    if "started" in metafunc.fixturenames:
        versions = kernels.named()
        metafunc.parametrize("started", versions, ids=versions, indirect=True, scope="module")


class Kernel:
    """A kernel and its only client."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self._client = client
        self.shown: list[dict[str, Any]] = []  # what it published, in order
        self._replies: dict[str, dict[str, Any]] = {}

    def restart(self) -> None:
        """Restart the kernel as a server does, and load nbbatch again."""
        self.manager.restart_kernel()
        self._client.wait_for_ready(timeout=PATIENCE)
        self.prepare()

    def prepare(self) -> None:
        """Load nbbatch."""
        self.run("%load_ext nbbatch\n%colors nocolor")

    def start(self, code: str) -> str:
        """Send a cell; return its id."""
        return self.ask("execute_request", code=code, silent=False, store_history=True,
                        user_expressions={}, allow_stdin=True)  # fmt: skip

    def ask(self, kind: str, **content: Any) -> str:
        """Send a message as a page does; return its id."""
        message = self._client.session.msg(kind, content)
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def reply(self, id_: str) -> dict[str, Any]:
        """Wait for the answer to a message."""
        self.until(lambda: id_ in self._replies)
        return self._replies[id_]

    def run(self, code: str) -> str:
        """Run a cell that succeeds; return what it printed and showed, as text."""
        id_ = self.start(code)
        reply = self.reply(id_)
        assert reply["status"] == "ok", reply
        self.until(lambda: self.idle(id_))
        return "".join(map(_text, self.of(id_)))

    def of(self, id_: str) -> list[dict[str, Any]]:
        """Return what was published on behalf of a message."""
        return [m for m in self.shown if m["parent_header"].get("msg_id") == id_]

    def idle(self, id_: str) -> bool:
        """Tell whether all that belongs to a message has come."""
        states = [
            m["content"]["execution_state"] for m in self.of(id_) if m["msg_type"] == "status"
        ]
        return "idle" in states

    def until(self, condition: Callable[[], object]) -> None:
        """Take messages until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.shown[-3:]
            self._take()

    def _take(self) -> None:
        for channel in (self._client.shell_channel, self._client.iopub_channel):
            try:
                while True:
                    self._keep(channel.get_msg(timeout=0.01))
            except queue.Empty:
                pass

    def _keep(self, message: dict[str, Any]) -> None:
        if message["msg_type"].endswith("_reply"):
            self._replies[message["parent_header"]["msg_id"]] = message["content"]
        else:
            self.shown.append(message)


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    if message["msg_type"] == "execute_result":
        return str(content["data"]["text/plain"])
    return str(content["text"]) if message["msg_type"] == "stream" else ""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the kernel of this module keeps its jobs."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def started(home: Path, request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """Start a kernel with nbbatch loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(kernels.jupyter_path()))
        manager, client = start_new_kernel(
            kernel_name=kernels.spec_of(request.param),
            extra_arguments=["--log-level=ERROR"],
            env={**os.environ, "NBBATCH_HOME": str(home), "NBBATCH_BACKEND": "local"},
        )
    kernel = Kernel(manager, client)
    kernel.prepare()
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(started: Kernel, home: Path) -> Kernel:
    """Give the module's kernel, and this process the same jobs."""
    nbbatch.configure(backend="local", home=str(home))
    started.shown.clear()
    started.run("xs = [1]")
    return started


def begun() -> bool:
    """Tell whether the last job has printed its first line, and goes on."""
    records = [record for record in current_session().jobs() if record.batch_job_id]
    return bool(records) and not records[0].outcome and "begun" in attach_last().logs()


def hold(path: Path, line: str = "") -> str:
    """Return a cell whose job runs until a file is there."""
    return f"%%batch {line}\n{HOLD.format(path=str(path))}"


def test_history_and_results_are_those_of_the_plain_call(kernel: Kernel) -> None:
    """`In`, `Out` and macros can't tell the two ways apart."""
    cell = "%%batch --name {'n' * 2}\nxs.append(2)\n{'k': xs}"

    assert kernel.run(cell) == "{'k': [1, 2]}"
    number = kernel.run("len(In) - 2")
    kernel.run(f"%macro again {number}")
    assert "{'k': [1, 2, 2]}" in kernel.run("again")
    assert kernel.run(f"In[{number}].partition(',')[0], xs") == (
        "(\"get_ipython().run_cell_magic('batch'\", [1, 2, 2])"
    )
    assert kernel.run(f"_i{number} == {cell!r}") == "True"
    assert attach_last().name == "nn"
    assert kernel.run("%%batch --detach\n1").startswith("<Job ")
    assert kernel.run("_.wait(60) and _ is Out[len(In) - 2]") == "True"


@pytest.mark.parametrize(
    "code",
    [
        "%%time\n%%batch\nhere = 5",
        "get_ipython().run_cell_magic('batch', '', 'here = 5')",
        "get_ipython().run_cell('%%batch\\nhere = 5')\n1",
        "%autoawait off",
    ],
)
def test_a_cell_inside_of_another_blocks_and_does_the_same(kernel: Kernel, code: str) -> None:
    """Where a cell can't wait for the loop, the magic itself waits."""
    kernel.run("here = 0")
    kernel.run(code)
    if "autoawait" in code:
        kernel.run("%%batch\nhere = 5")
        kernel.run("%autoawait on")

    assert kernel.run("here") == "5"


def test_errors_are_those_of_the_plain_call(kernel: Kernel) -> None:
    """An exception points into the cell, a mistake in the line says what to type; no frames."""
    failed = kernel.reply(kernel.start("%%batch\ny = 1\nxs[99]"))
    refused = kernel.reply(kernel.start("%%batch --cpus 2\n1"))
    unread = kernel.reply(kernel.start("%%batch\nx = = 1"))
    empty = kernel.start("%%batch\n")
    kernel.reply(empty)

    trace = "\n".join(failed["traceback"])
    assert failed["ename"] == "IndexError"
    assert "----> 3 xs[99]" in trace
    assert "nbbatch/" not in trace
    assert "await" not in trace
    assert refused["traceback"] == [f"OptionError: {refused['evalue']}"]
    assert "line 2 of the cell" in unread["evalue"]
    kernel.until(lambda: kernel.idle(empty))
    assert "cell body is empty. Did you mean the line magic %batch" in "".join(
        _text(message) for message in kernel.of(empty)
    )
    assert kernel.run("y") == "1"


def test_the_next_cell_waits(kernel: Kernel, tmp_path: Path) -> None:
    """Cells that are queued run in their order, with what the job has brought back."""
    first = kernel.start(hold(tmp_path / "go") + "xs.append('job')")
    second = kernel.start("xs.append('next'); print(xs)")
    third = kernel.start("%%batch\nprint(xs)")
    kernel.until(begun)
    assert kernel.of(second) == []
    (tmp_path / "go").touch()
    replies = [kernel.reply(id_) for id_ in (first, second, third)]
    kernel.until(lambda: kernel.idle(third))

    assert [reply["status"] for reply in replies] == ["ok"] * 3
    counts = [reply["execution_count"] for reply in replies]
    assert counts == [*range(counts[0], counts[0] + 3)]
    assert "".join(map(_text, kernel.of(second))) == "[1, 'job', 'next']\n"
    assert "".join(map(_text, kernel.of(third))) == "[1, 'job', 'next']\n"


@pytest.mark.parametrize("form", ["cell", "call"])
def test_the_page_is_served_while_a_cell_waits(kernel: Kernel, tmp_path: Path, form: str) -> None:
    """What a page that is loaded again asks is answered before the job ends; all else after."""
    story = HOLD.format(path=str(tmp_path / "go"))
    kernel.run(f"from nbbatch import batch\n@batch\ndef held(): exec({story!r})")
    id_ = kernel.start(hold(tmp_path / "go") if form == "cell" else "held()")
    card = lambda: [m for m in kernel.of(id_) if m["msg_type"] == "comm_open" and _is_card(m)]  # noqa: E731
    kernel.until(card)
    comm = card()[0]["content"]["comm_id"]
    later = kernel.start("print('later')")
    info = kernel.ask("kernel_info_request")
    comms = kernel.ask("comm_info_request", target_name="jupyter.widget")
    state = kernel.ask("comm_msg", comm_id=comm, data={"method": "request_state"})

    assert kernel.reply(info)["status"] == "ok"
    assert comm in kernel.reply(comms)["comms"]
    kernel.until(lambda: any(m["msg_type"] == "comm_msg" for m in kernel.of(state)))
    kernel.until(begun)
    assert not kernel.idle(id_)
    assert kernel.of(later) == []
    (tmp_path / "go").touch()
    assert kernel.reply(id_)["status"] == "ok"
    kernel.reply(later)
    kernel.until(lambda: kernel.idle(later) and kernel.idle(id_))
    # What the cell shows after it has answered the page still belongs to the cell.
    assert "ended" in "".join(map(_text, kernel.of(id_)))
    assert "".join(map(_text, kernel.of(later))) == "later\n"


def _is_card(message: dict[str, Any]) -> bool:
    return "card" in message["content"]["data"].get("state", {})


def test_cancel_comes_by_comm(kernel: Kernel, tmp_path: Path) -> None:
    """A click is taken while the cell waits, without the door of `input`."""
    id_ = kernel.start(hold(tmp_path / "never"))
    kernel.until(begun)
    kernel.until(lambda: any(_is_card(m) for m in kernel.of(id_) if m["msg_type"] == "comm_open"))
    (card,) = (m for m in kernel.of(id_) if m["msg_type"] == "comm_open" and _is_card(m))
    data = {"method": "custom", "content": {"ask": "cancel"}}
    kernel.ask("comm_msg", comm_id=card["content"]["comm_id"], data=data)

    assert kernel.reply(id_)["ename"] == "JobCancelledError"
    assert attach_last().wait(PATIENCE)
    assert attach_last().logs() == "begun\nended\n"


STUBBORN = """%%batch --name long
import os, time
try:
    print('begun', flush=True)
    time.sleep(300)
finally:
    print('cleaning', flush=True)
    while not os.path.exists({path!r}): time.sleep(0.02)
"""


def test_stop_cancels_and_a_second_one_gives_the_cell_back(kernel: Kernel, tmp_path: Path) -> None:
    """The second does not wait for the job; afterwards Stop is the kernel's own again."""
    id_ = kernel.start(STUBBORN.format(path=str(tmp_path / "go")))
    # The job may have begun before the kernel has got as far as to follow it.
    kernel.until(lambda: any(_is_card(m) for m in kernel.of(id_) if m["msg_type"] == "comm_open"))
    kernel.until(begun)
    kernel.manager.interrupt_kernel()
    kernel.until(lambda: "cleaning" in attach_last().logs())
    kernel.manager.interrupt_kernel()
    reply = kernel.reply(id_)
    (tmp_path / "go").touch()

    assert reply["ename"] == "KeyboardInterrupt"
    assert reply["traceback"] == [f"KeyboardInterrupt: {reply['evalue']}"]
    assert attach_last().id in reply["evalue"]
    assert attach_last().wait(PATIENCE)
    sleeping = kernel.start("import time\nprint('asleep', flush=True)\ntime.sleep(300)")
    kernel.until(lambda: "asleep" in "".join(map(_text, kernel.of(sleeping))))
    kernel.manager.interrupt_kernel()
    assert kernel.reply(sleeping)["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize("form", ["cell", "call"])
def test_a_job_outlives_its_kernel(started: Kernel, home: Path, tmp_path: Path, form: str) -> None:
    """Whoever ends or restarts a kernel interrupts it first; that is no Stop."""
    nbbatch.configure(backend="local", home=str(home))
    started.run("from nbbatch import batch")
    story = HOLD.format(path=str(tmp_path / "go"))
    call = f"@batch\ndef held(): exec({story!r})\nheld()"
    started.start(hold(tmp_path / "go") if form == "cell" else call)
    started.until(begun)
    started.restart()
    job = attach_last()
    (tmp_path / "go").touch()

    assert job.wait(PATIENCE)
    assert job.facts.outcome == "ok"
    assert job.logs() == "begun\nended\n"
