"""What every backend's runner does, seen from the client."""

from __future__ import annotations

import json
import textwrap

import pytest
from stub import KEY, states, until

from nbbatch.backends.base import MASK
from nbbatch.facts import Loss, State
from nbbatch.wire import keys

ORDER = list(State)
SLEEP = "import time; print('running', flush=True); time.sleep(600)"
NO_JOB = "00000000-0000-4000-8000-{:012d}"


def tell(*names):
    return f"import json, os; print(json.dumps([os.environ.get(name) for name in {names!r}]))"


def test_states_come_in_batchs_order(rig):
    """A job goes forward through Batch's states and ends, with its times in order."""
    before = rig.start("pass")
    seen = list(states(rig, before))
    status = rig.status(before)

    assert seen == sorted(seen, key=ORDER.index)
    assert seen[-1] is State.SUCCEEDED
    assert status.created_at <= status.started_at <= status.stopped_at
    assert (status.loss, status.exit_code, status.attempt) == (None, 0, 1)


def test_a_running_job_is_running(rig):
    """While its process lives, a job is RUNNING, has a start and no end."""
    id_ = rig.start(SLEEP)
    rig.lines(id_)
    status = rig.reach(id_, State.RUNNING)

    assert status.state is State.RUNNING
    assert status.started_at is not None
    assert (status.stopped_at, status.loss, status.exit_code) == (None, None, None)


@pytest.mark.parametrize("code", [1, 3, 42, 127])
def test_exit_codes(rig, code):
    """A job that exits with another code than 0 has failed, with that code."""
    id_ = rig.start(f"import os; os._exit({code})")
    status = rig.finish(id_)

    assert status.state is State.FAILED
    assert (status.loss, status.exit_code) == (Loss.EXIT, code)
    assert status.reason


def test_an_exception_is_exit_code_1(rig):
    """An interpreter that ends with a traceback leaves it in the log."""
    id_ = rig.start("raise RuntimeError('of all things')")

    assert rig.finish(id_).exit_code == 1
    assert any("RuntimeError: of all things" in line for line in rig.lines(id_, 3))


def test_a_segfault_is_139(rig):
    """A process that a signal ended has 128 + N for its exit code."""
    id_ = rig.start("import ctypes; ctypes.string_at(0)")
    status = rig.finish(id_)

    assert status.state is State.FAILED
    assert (status.loss, status.exit_code) == (Loss.EXIT, 139)


def test_the_environment_of_batch(rig):
    """The variables of a Batch job are set, and its id is the one that `start` returned."""
    names = (keys.ENV_BATCH_JOB, keys.ENV_BATCH_ATTEMPT, keys.ENV_BATCH_QUEUE, keys.ENV_BATCH_CE)
    id_ = rig.start(tell(*names))
    job, attempt, queue, environment = json.loads(rig.lines(id_)[0])

    assert (job, attempt) == (id_, "1")
    assert queue
    assert environment


def test_the_launchs_environment_arrives_unchanged(rig):
    """Values keep their spaces, lines, quotes and other alphabets."""
    given = {"ODD": " a=b \"c\" 'd' $HOME `e` \\ %s", "LINES": "1\n2\n", "ALPHABET": "ü日本🐟"}
    id_ = rig.start(tell(*given, keys.ENV_KEY), given)

    assert json.loads(rig.lines(id_)[0]) == [*given.values(), KEY]


def test_the_log(rig):
    """What the process writes to stdout and stderr is its log, line by line."""
    code = """
        import os
        os.write(1, "one\\nzwölf 🐟\\n".encode())
        os.write(2, b"to stderr\\n")
        os.write(1, b"no newline")
    """
    id_ = rig.start(textwrap.dedent(code))
    rig.finish(id_)

    assert sorted(rig.lines(id_, 4)) == sorted(["one", "zwölf 🐟", "to stderr", "no newline"])


def test_no_log_yet(rig):
    """A job that has said nothing, and one that does not exist, have an empty log."""
    id_ = rig.start("pass")
    rig.finish(id_)

    assert list(rig.backend.runner.log(id_)) == []
    assert list(rig.backend.runner.log(NO_JOB.format(1))) == []


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("running", flush=True)
time.sleep(600)
"""
POLITE = """
import signal, sys, time
def end(*_):
    print("bye", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("running", flush=True)
time.sleep(600)
"""


def test_stop_is_sigterm_first(rig):
    """A running job is told to end, may say its last words, and has been cancelled."""
    id_ = rig.start(POLITE)
    rig.lines(id_)
    rig.backend.runner.stop([id_], "enough of it")
    status = rig.finish(id_)

    assert (status.state, status.loss) == (State.FAILED, Loss.CANCELLED)
    assert "enough of it" in status.reason
    assert rig.lines(id_, 2) == ["running", "bye"]


def test_stop_is_sigkill_then(rig):
    """A job that does not want to end is killed."""
    rig.kill_after(0.5)
    id_ = rig.start(STUBBORN)
    rig.lines(id_)
    rig.backend.runner.stop([id_], "now")
    status = rig.finish(id_)

    assert (status.state, status.loss) == (State.FAILED, Loss.CANCELLED)
    assert status.exit_code == 137


@pytest.mark.parametrize("state", [State.SUBMITTED, State.RUNNABLE, State.STARTING, State.RUNNING])
def test_stop_in_each_state(rig, state):
    """Whatever a job is doing, it can be stopped."""
    id_ = rig.start(SLEEP)
    rig.reach(id_, *ORDER[ORDER.index(state) :])
    rig.backend.runner.stop([id_], "stopped early")
    status = rig.finish(id_)

    assert (status.state, status.loss) == (State.FAILED, Loss.CANCELLED)
    assert "stopped early" in status.reason


def test_stop_twice(rig):
    """Stopping again changes nothing."""
    id_ = rig.start(SLEEP)
    rig.lines(id_)
    rig.backend.runner.stop([id_], "first")
    rig.backend.runner.stop([id_, id_], "second")
    status = rig.finish(id_)
    rig.backend.runner.stop([id_], "third")

    assert status.loss is Loss.CANCELLED
    assert rig.status(id_) == status


def test_stop_of_what_has_ended(rig):
    """A job that has succeeded stays so, and a job that never was is passed over."""
    id_ = rig.start("pass")
    rig.finish(id_)
    rig.backend.runner.stop([NO_JOB.format(1), id_], "too late")

    assert rig.status(id_).state is State.SUCCEEDED


def test_stop_of_several(rig):
    """One call stops several jobs, and no other."""
    ids = [rig.start(SLEEP) for _ in range(3)]
    for id_ in ids:
        rig.lines(id_)
    rig.backend.runner.stop(ids[:2], "these two")

    assert [rig.finish(id_).loss for id_ in ids[:2]] == [Loss.CANCELLED] * 2
    assert rig.reach(ids[2], State.RUNNING).state is State.RUNNING


def test_describe_leaves_out_what_is_not_there(rig):
    """Unknown ids are no error; with more than 100 ids all that exist are found."""
    ids = [rig.start("pass") for _ in range(3)]
    unknown = [NO_JOB.format(number) for number in range(220)]
    asked = [ids[0], *unknown[:110], ids[1], *unknown[110:], ids[2]]

    assert set(rig.backend.runner.describe(asked)) == set(ids)
    assert dict(rig.backend.runner.describe([])) == {}
    assert dict(rig.backend.runner.describe(unknown[:1])) == {}


STARTER = """
import os, signal
from stub import Rig
rig = Rig(backend, "")
print(rig.start("import time; print('alive', flush=True); time.sleep(0.5); print('done')"))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_job_outlives_who_started_it(rig):
    """A process starts a job and is killed; the job ends well, and another process sees it."""
    starter = rig.elsewhere(STARTER)
    id_ = starter.communicate()[0].strip()
    rig.started.append(id_)

    assert starter.returncode == -9
    assert rig.finish(id_).state is State.SUCCEEDED
    assert rig.lines(id_, 2) == ["alive", "done"]


ORPHAN = """
import os, signal
from stub import Rig
rig = Rig(backend, "")
print(rig.start("import time; print('alive', flush=True); time.sleep(600)"))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_job_can_be_stopped_by_another_process(rig):
    """A job whose starter is gone is stopped all the same."""
    id_ = rig.elsewhere(ORPHAN).communicate()[0].strip()
    rig.started.append(id_)
    rig.lines(id_)
    rig.backend.runner.stop([id_], "from elsewhere")

    assert rig.finish(id_).loss is Loss.CANCELLED


SECOND_CHANCE = f"""
import os, sys
attempt = int(os.environ[{keys.ENV_BATCH_ATTEMPT!r}])
print("attempt", attempt)
sys.exit(0 if attempt == 2 else 3)
"""


def test_retries(rig):
    """A failed attempt is followed by another one, which knows its number."""
    id_ = rig.start(SECOND_CHANCE, retries=3)
    status = rig.finish(id_)

    assert (status.state, status.attempt, status.exit_code) == (State.SUCCEEDED, 2, 0)
    assert rig.lines(id_) == ["attempt 2"]


def test_retries_come_to_an_end(rig):
    """There are as many attempts as retries and one; the last one's exit code stays."""
    code = f"import os, sys; sys.exit(10 + int(os.environ[{keys.ENV_BATCH_ATTEMPT!r}]))"
    status = rig.finish(rig.start(code, retries=2))

    assert (status.state, status.loss) == (State.FAILED, Loss.EXIT)
    assert (status.attempt, status.exit_code) == (3, 13)


def test_no_retry_after_stop(rig):
    """A job that was stopped is not tried again."""
    id_ = rig.start(SLEEP, retries=5)
    rig.lines(id_)
    rig.backend.runner.stop([id_], "no more")
    status = rig.finish(id_)

    assert (status.loss, status.attempt) == (Loss.CANCELLED, 1)


def test_stop_between_attempts(rig):
    """A job that fails again and again can be stopped at any moment."""
    # The last attempt waits to be stopped, however late that comes.
    code = f"""
        import os, sys, time
        time.sleep(600 if os.environ[{keys.ENV_BATCH_ATTEMPT!r}] == "10" else 0.1)
        sys.exit(1)
    """
    id_ = rig.start(textwrap.dedent(code), retries=9)
    rig.reach(id_, State.RUNNING)
    rig.backend.runner.stop([id_], "no more")

    assert rig.finish(id_).loss is Loss.CANCELLED


def test_timeout(rig):
    """A job that runs longer than its timeout is ended, and not tried again."""
    id_ = rig.start(SLEEP, timeout=rig.least_timeout, retries=2)
    status = rig.finish(id_)

    assert (status.state, status.loss) == (State.FAILED, Loss.TIMEOUT)
    assert status.attempt == 1
    assert "timeout" in status.reason
    assert status.stopped_at - status.started_at >= rig.least_timeout


def test_an_executable_that_does_not_exist(rig):
    """A job whose interpreter is missing fails, and says which one it was."""
    status = rig.finish(rig.start("pass", executable="no-such-python"))

    assert status.state is State.FAILED
    assert status.loss is Loss.IMAGE
    assert "no-such-python" in status.reason


def test_the_plan_shows_no_secret_and_starts_nothing(rig):
    """A plan names the requests with secrets covered; the job does not exist afterwards."""
    launch = rig.launch("print('odd words')")
    shown = repr(rig.backend.runner.plan(launch))

    assert KEY not in shown
    assert MASK in shown
    assert "odd words" in shown
    assert dict(rig.backend.runner.describe([launch.job_id])) == {}


def test_check_takes_ordinary_options(rig):
    """What a job usually asks for is not refused."""
    rig.backend.runner.check(rig.launch("pass", cpu=2, memory=4096, retries=2).options)


def test_poll_seconds(rig):
    """The watcher is told how often it is worth to look."""
    assert 0 < rig.backend.runner.poll_seconds <= 10


ARRAY = """
import os, time
index, size = os.environ["AWS_BATCH_JOB_ARRAY_INDEX"], os.environ["AWS_BATCH_JOB_ARRAY_SIZE"]
print(os.environ["AWS_BATCH_JOB_ID"].rpartition(":")[2], index, size, flush=True)
"""


def test_an_array(rig):
    """Its children know their places; it has failed when one has, and says how many did what."""
    id_ = rig.start(f"{ARRAY}\nif index == '1': os._exit(7)", children=3)
    status = rig.finish(id_)
    failed = rig.backend.runner.failed(id_)

    assert status.state is State.FAILED
    assert status.children == {State.SUCCEEDED: 2, State.FAILED: 1}
    assert {child: (s.state, s.loss, s.exit_code) for child, s in failed.items()} == {
        1: (State.FAILED, Loss.EXIT, 7)
    }
    assert rig.status(f"{id_}:2").state is State.SUCCEEDED
    assert rig.status(f"{id_}:1").exit_code == 7
    for child in range(3):
        assert rig.lines(f"{id_}:{child}") == [f"{child} {child} 3"]


def test_an_array_that_succeeds(rig):
    """When all of its children have; the attempts are each child's own."""
    again = "import os; os._exit(int(os.environ['AWS_BATCH_JOB_ATTEMPT']) < 2)"
    id_ = rig.start(again, children=2, retries=1)
    status = rig.finish(id_)

    assert (status.state, status.loss) == (State.SUCCEEDED, None)
    assert status.children == {State.SUCCEEDED: 2}
    assert rig.backend.runner.failed(id_) == {}
    assert rig.status(f"{id_}:0").attempt == 2


def test_stopping_an_array_stops_all_of_it(rig):
    """While any child lives it is PENDING; those that wait never start."""
    id_ = rig.start(f"{ARRAY}\ntime.sleep(600)", children=30, cpu=1)
    rig.lines(f"{id_}:0")
    # A child may have said something before it is counted.
    counted = until(lambda: rig.status(id_), lambda status: State.RUNNING in status.children)
    assert counted.state is State.PENDING
    rig.backend.runner.stop([id_], "enough")
    status = rig.finish(id_)

    assert (status.state, status.loss) == (State.FAILED, Loss.CANCELLED)
    assert status.children == {State.FAILED: 30}
