"""An array: as many children as there is room for, each a job of its own in a fork of this process.

As on Batch each child has its own attempts, none stops for another's failure, and the array has
failed when one of its children has.
https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html
"""

import copy
import os
import select
import time

from . import processes
from .attempt import Ending, Plan
from .job import Job
from .record import LOCK_FD, Record, child_folder
from .stop import Stop

#: Seconds between two looks at whether it is to stop, and between two notes of the counts.
LOOK, NOTE = 0.05, 0.1
_FAILED = "Array Child Job failed"


class Children:
    """The children of one array.

    Parameters
    ----------
    plan
        What was asked for.
    stop
        Says when the array is to end early.
    record
        Where it is noted how many children are in which state.
    """

    def __init__(self, plan: Plan, stop: Stop, record: Record) -> None:
        self._plan = plan
        self._stop = stop
        self._record = record
        #: Known before there are children: a child that asks may have lost its parent by then.
        self._me = os.getpid()
        self._next = self._last = 0
        #: The children that run: the pipe on which each tells its end, to its process and place.
        self._running: dict[int, tuple[int, int]] = {}
        self._free = list(range(plan.room))[::-1]
        self._succeeded = self._failed = 0
        self._stopped = False
        self._next_note = 0.0

    def run(self) -> Ending:
        """Run them all, and say how the array ended."""
        processes.adopt_orphans()
        while self._running or (self._next < self._plan.children and not self._stopped):
            self._check_stop()
            while self._free and self._next < self._plan.children and not self._stopped:
                self._start()
            self._note()
            ready, _, _ = select.select(list(self._running), [], [], LOOK)
            for told in ready:
                self._take(told)
        # What the children's supervisors have not ended: somebody killed one of them.
        processes.reap()
        processes.end_below(os.getpid(), self._last)
        self._failed += self._plan.children - self._next
        self._next = self._plan.children
        self._note(now=True)
        if self._stopped:
            return Ending("cancelled", self._stop.reason(), None, final=True)
        return Ending("exit", _FAILED, None, final=True) if self._failed else Ending("", "", 0)

    def _check_stop(self) -> None:
        if self._stopped or not self._stop.reason():
            return
        self._stopped = True
        for pid, _ in self._running.values():
            processes.send(pid, processes.SIGTERM)

    def _start(self) -> None:
        child, place = self._next, self._free.pop()
        self._next += 1
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._be_child(child, place, tell)
        os.close(tell)
        self._running[told] = pid, place
        self._last = pid

    def _be_child(self, child: int, place: int, tell: int) -> None:
        """Run one child, tell how it ended, and never return into the array's own code."""
        try:
            # The lock says that somebody answers for the job, and that is the parent.
            os.close(LOCK_FD)
            for told in self._running:
                os.close(told)
            ending = _run(self._plan, child, place, self._stop, self._me)
            os.write(tell, b"" if ending.loss else b"1")
        finally:
            os._exit(0)

    def _take(self, told: int) -> None:
        pid, place = self._running.pop(told)
        if os.read(told, 1):
            self._succeeded += 1
        else:
            self._failed += 1
        os.close(told)
        self._free.append(place)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass

    def _note(self, *, now: bool = False) -> None:
        if not now and time.monotonic() < self._next_note:
            return
        self._next_note = time.monotonic() + NOTE
        counts = {
            "RUNNABLE": self._plan.children - self._next,
            "RUNNING": len(self._running),
            "SUCCEEDED": self._succeeded,
            "FAILED": self._failed,
        }
        text = " ".join(f"{state}={count}" for state, count in counts.items() if count)
        if self._record.facts.get("children") == text:
            return
        try:
            self._record.update(children=text)
        # A full disk must not end the job.
        except OSError:
            pass


def _run(plan: Plan, child: int, place: int, stop: Stop, parent: int) -> Ending:
    own = copy.copy(plan)
    own.children, own.after = 0, []
    own.folder = child_folder(plan.folder, child)
    os.makedirs(own.folder, 0o700, exist_ok=True)
    job, index, size, gpus = plan.child_names
    os.environ[job] += f":{child}"
    os.environ[index], os.environ[size] = str(child), str(plan.children)
    if plan.gpus:
        every = os.environ[gpus].split(",")
        first = place * plan.gpus
        share = [every[i % len(every)] for i in range(first, first + plan.gpus)]
        os.environ[gpus] = ",".join(dict.fromkeys(share))
    return Job(own, _ChildStop(stop, own.folder, parent)).run()


class _ChildStop(Stop):
    """The wish that one child should end: alone, with its array, or with its supervisor."""

    def __init__(self, array: Stop, folder: str, parent: int) -> None:
        super().__init__(folder)
        # The array's own, as the fork has it: it takes what comes before this one listens.
        self._array = array
        self._parent = parent

    def reason(self) -> str:
        gone = "" if os.getppid() == self._parent else "the job's supervisor died"
        return super().reason() or self._array.reason() or gone
