"""One attempt: spawn the job's process, watch it, end what is left of it."""

import os
import sys
import time

from . import processes
from .record import log_name
from .stop import Stop

#: Seconds between two looks at the job: at its memory, its time, whether it is to stop.
LOOK = 0.05
#: The same while its memory is above this part of the limit.
LOOK_NEAR, NEAR = 0.01, 0.75
#: Looking may take this part of one core, unless it had to wait longer than this for that.
LOAD, LOOK_MOST = 0.02, 1.0
#: Seconds that the rest of a job has to tell its story after its largest process was killed.
LAST_WORDS = 5.0
#: Signals that an interpreter may have been told to ignore; the job starts with the defaults.
DEFAULTS = (1, 2, 3, 13, 15, 25)
#: Where this package lies.
_PACKAGES = os.path.abspath(os.path.join(__file__, *[os.pardir] * 5))
#: As shells have it for a command that can't be found.
CANNOT_START = 127
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


class Plan:
    """What the runner asked for, in `key=value` arguments."""

    def __init__(self, arguments: "list[str]") -> None:
        given = dict(argument.split("=", 1) for argument in arguments)
        self.folder = given["folder"]
        self.directory = given["directory"]
        self.executable = given["executable"]
        self.worker = given["worker"]
        self.attempts = int(given["attempts"])
        self.attempt_name = given["attempt_name"]
        self.final_code = int(given["final_code"])
        self.timeout = float(given["timeout"])
        self.memory = int(given["memory"])
        self.grace = float(given["grace"])
        self.nodes = int(given["nodes"])
        #: The variables that differ from node to node: see `nodes`.
        self.node_names = given["node_names"].split(",")
        self.gpus = int(given["gpus"])
        #: How many children an array has, and how many of them may run at a time.
        self.children = int(given["children"])
        self.room = int(given["room"])
        self.child_names = given["child_names"].split(",")
        self.submitted_at = float(given["submitted_at"])
        self.retry_on = tuple(filter(None, given["retry_on"].split(",")))
        #: The folders of the jobs that must have succeeded before.
        place = os.path.dirname(self.folder)
        self.after = [os.path.join(place, job) for job in given["after"].split(",") if job]
        self.temp_name = given["temp_name"]


class Ending:
    """How an attempt ended; `loss` is empty where it succeeded."""

    def __init__(self, loss: str, reason: str, code: "int | None", final: bool = False) -> None:
        self.loss = loss
        self.reason = reason
        self.code = code
        #: Whether no further attempt may follow.
        self.final = final or not loss


def again(conditions: "tuple[str, ...]", ending: Ending) -> bool:
    """Tell whether an attempt that ended so is followed by another one here."""
    # Late, and only now from the package itself: an attempt has just failed, so time there is.
    sys.path.append(_PACKAGES)
    from nbbatch.wire import attempts

    if ending.loss == "memory" and attempts.grows(conditions):
        return False
    words = {"memory": attempts.MEMORY, "image": attempts.IMAGE}
    return attempts.again(conditions, words.get(ending.loss, attempts.EXIT), ending.code)


class Attempt:
    """One process tree and its limits.

    Parameters
    ----------
    plan
        What was asked for.
    number
        Of this attempt, from 1.
    stop
        Says when it is to end early.
    """

    def __init__(self, plan: Plan, number: int, stop: Stop) -> None:
        self._plan = plan
        self._number = number
        self._stop = stop
        self._verdict: Ending | None = None
        self._kill_at = float("inf")
        self._victims: set[int] = set()
        self._look = LOOK
        #: For temporary files; it goes with the attempt.
        self.tempdir = ""

    def spawn(self) -> int:
        """Start the job's process and return its number.

        Raises
        ------
        OSError
            It can't be started.
        """
        os.chdir(self._plan.directory)
        self.tempdir = _make_tempdir(os.path.basename(self._plan.folder), self._number)
        try:
            self.pid = self._spawn()
        except OSError:
            _remove(self.tempdir)
            raise
        return self.pid

    def _spawn(self) -> int:
        log = os.path.join(self._plan.folder, log_name(self._number))
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawnp(
            self._plan.executable,
            [self._plan.executable, self._plan.worker],
            {
                **os.environ,
                self._plan.attempt_name: str(self._number),
                self._plan.temp_name: self.tempdir,
            },
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigdef=DEFAULTS,
            setsigmask=(),
        )

    def watch(self) -> Ending:
        """Wait until the process has ended, end it where it must, and say how it was."""
        # Not before it is known to run: nobody is to see it end sooner than promised.
        self._started = time.monotonic()
        waiter = _Waiter(self.pid)
        status = None
        while status is None:
            waiter.wait(self._look)
            status = processes.reap().get(self.pid)
            if status is None:
                self._judge()
        waiter.close()
        processes.end_below(os.getpid(), self.pid)
        _remove(self.tempdir)
        return self._ending(status)

    def _judge(self) -> None:
        now = time.monotonic()
        if now >= self._kill_at:
            processes.kill_below(os.getpid(), self.pid)
        elif self._verdict is None:
            self._check_stop()
            self._check_time(now)
        if self._plan.memory:
            self._check_memory(now)

    def _check_stop(self) -> None:
        reason = self._stop.reason()
        if reason:
            self._terminate(Ending("cancelled", reason, None, final=True))

    def _check_time(self, now: float) -> None:
        # Not tried again, as on Batch:
        # https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
        if self._plan.timeout and now - self._started >= self._plan.timeout:
            reason = "Job attempt duration exceeded timeout"
            self._terminate(Ending("timeout", reason, None, final=True))

    def _terminate(self, verdict: Ending) -> None:
        if self._verdict is None:
            self._verdict = verdict
            self._kill_at = time.monotonic() + self._plan.grace
            processes.send_group(self.pid, processes.SIGTERM)

    def _check_memory(self, now: float) -> None:
        from . import memory

        limit = self._plan.memory
        each = memory.used(os.getpid(), self._victims)
        total = sum(each.values())
        if total > limit:
            total = memory.shared_out(list(each))
        if total > limit:
            self._kill_largest(each)
        near = total > NEAR * limit
        slow = min((time.monotonic() - now) / LOAD, LOOK_MOST)
        self._look = max(LOOK_NEAR if near else LOOK, slow)

    def _kill_largest(self, each: "dict[int, int]") -> None:
        """Do as the kernel does when a container is out of memory.

        The rest of the tree, which is small, may still say what happened.
        """
        victim = max(each, key=lambda pid: each[pid])
        self._victims.add(victim)
        if self._verdict is None:
            self._verdict = Ending("memory", OUT_OF_MEMORY, 137)
            self._kill_at = time.monotonic() + LAST_WORDS
        processes.send(victim, processes.SIGKILL)

    def _ending(self, status: int) -> Ending:
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        verdict = self._verdict
        if verdict is not None:
            verdict.code = code if verdict.code is None else verdict.code
            return verdict
        if not code:
            return Ending("", "", 0)
        return Ending("exit", exit_reason(code), code, final=code == self._plan.final_code)


def _make_tempdir(job: str, attempt: int) -> str:
    """Make a folder for one attempt's temporary files; empty where that can't be done."""
    place = os.environ.get("TMPDIR") or "/tmp"
    path = os.path.join(place, f"nbbatch-{job}.{attempt}-{os.urandom(4).hex()}")
    try:
        os.mkdir(path, 0o700)
    except OSError:
        return ""
    return path


def _remove(folder: str) -> None:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        pass
    # Mostly because something is in it.
    except OSError:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


class _Waiter:
    """Waits for the end of one child, for a time."""

    def __init__(self, pid: int) -> None:
        self._end = -1
        try:
            self._end = os.pidfd_open(pid)
        # Not on this system.
        except (AttributeError, OSError):
            pass

    def wait(self, seconds: float) -> None:
        if self._end < 0:
            time.sleep(min(seconds, LOOK_NEAR))
            return
        import select

        select.select([self._end], [], [], seconds)

    def close(self) -> None:
        if self._end >= 0:
            os.close(self._end)


def cannot_start(plan: Plan, error: OSError) -> Ending:
    """Say, as Batch does, that there was nothing to start."""
    cause = f"{error.filename or plan.executable}: {error.strerror}"
    return Ending("image", f"CannotStartContainerError: {cause}", CANNOT_START)


def exit_reason(code: int) -> str:
    """Say what an exit code means; above 128 it is the signal that ended the process."""
    from signal import Signals

    if code > 128:
        try:
            return f"killed by {Signals(code - 128).name} (exit code {code})"
        except ValueError:
            pass
    return f"exit code {code}"
