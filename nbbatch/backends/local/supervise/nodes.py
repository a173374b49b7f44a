"""One attempt of a multi-node job: as many processes, each watched by a fork of the supervisor.

As on Batch, the main node starts first and decides how the job ends; when it ends, the others are
stopped. Unlike there, a node that dies ends the main node too, which could wait for it for ever:
a main node that is alive sees by itself that another one has failed, and is given time for that.
"""

import copy
import os
import select
import time

from . import processes
from .attempt import Attempt, Ending, Plan, cannot_start
from .record import LOCK_FD, Record, node_folder
from .stop import Stop

MAIN = 0
ADDRESS = "127.0.0.1"
#: Seconds in which the main node may find out by itself that another one has failed.
NOTICE = 3.0
LOOK = 0.05
_STOPPED = "the main node has ended"


class Nodes:
    """The nodes of one attempt.

    Parameters
    ----------
    plan
        What was asked for.
    number
        Of this attempt, from 1.
    stop
        Says when the job is to end early.
    """

    def __init__(self, plan: Plan, number: int, stop: Stop) -> None:
        self._plan = plan
        self._number = number
        self._stop = stop
        self._port = _free_port()
        #: Known before there are nodes: a node that asks may have lost its parent by then.
        self._me = os.getpid()
        self._supervisors: dict[int, int] = {}
        self._tellers: dict[int, int] = {}
        self._endings: dict[int, Ending] = {}
        self._stopped = False
        self._failed: int | None = None
        self._notice_until = float("inf")

    def start(self) -> None:
        """Start a supervisor for each node, the main one first."""
        processes.adopt_orphans()
        for node in range(self._plan.nodes):
            told, tell = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(told)
                self._be_node(node, tell)
            os.close(tell)
            self._supervisors[node], self._tellers[told] = pid, node

    def watch(self) -> Ending:
        """Wait until all nodes have ended, and say how the job did."""
        while self._tellers:
            ready, _, _ = select.select(list(self._tellers), [], [], LOOK)
            for told in ready:
                self._take(told)
            if self._stop.reason() and not self._stopped:
                self._stop_all()
            if time.monotonic() >= self._notice_until:
                self._notice_until = float("inf")
                processes.send(self._supervisors[MAIN], processes.SIGTERM)
        # What the nodes' supervisors have not ended: somebody killed one of them.
        processes.reap()
        processes.end_below(os.getpid(), self._supervisors[MAIN])
        return self._ending()

    def _be_node(self, node: int, tell: int) -> None:
        """Run one node, tell how it ended, and never return into the job's own code."""
        try:
            # The lock says that somebody answers for the job, and that is the parent.
            os.close(LOCK_FD)
            stop = _NodeStop(self._stop, self._plan.folder, self._me)
            ending = _Node(self._plan, node, self._number, self._port, stop).run()
            fields = (ending.loss, ending.reason, ending.code, ending.final)
            os.write(tell, repr(fields).encode())
        finally:
            os._exit(0)

    def _take(self, told: int) -> None:
        node = self._tellers.pop(told)
        said = b""
        while piece := os.read(told, 65536):
            said += piece
        os.close(told)
        self._endings[node] = _ending(node, said)
        if node == MAIN:
            self._notice_until = float("inf")
            self._stop_all()
        elif self._endings[node].loss and not self._stopped and self._failed is None:
            self._failed = node
            self._notice_until = time.monotonic() + NOTICE

    def _stop_all(self) -> None:
        self._stopped = True
        for node in self._tellers.values():
            processes.send(self._supervisors[node], processes.SIGTERM)

    def _ending(self) -> Ending:
        ending = self._endings[MAIN]
        if self._stop.reason() and ending.loss:
            return Ending("cancelled", self._stop.reason(), ending.code, final=True)
        if self._failed is None or not ending.loss:
            return ending
        first = self._endings[self._failed]
        reason = f"node {self._failed} of {self._plan.nodes}: {first.reason}"
        return Ending(first.loss, reason, first.code, final=first.final)


class _Node:
    def __init__(self, plan: Plan, node: int, number: int, port: str, stop: "_NodeStop") -> None:
        self._stop = stop
        self._stop.listen()
        processes.adopt_orphans()
        self._plan = copy.copy(plan)
        self._plan.folder = node_folder(plan.folder, node)
        os.makedirs(self._plan.folder, 0o700, exist_ok=True)
        self._number = number
        self._record = Record(self._plan.folder, submitted_at=plan.submitted_at, attempt=number)
        self._tell_apart(node, port)

    def _tell_apart(self, node: int, port: str) -> None:
        job, index, address, port_name, gpus = self._plan.node_names
        os.environ[job] += f"#{node}"
        os.environ[index] = str(node)
        if node != MAIN:
            os.environ[address] = ADDRESS
        os.environ.setdefault(port_name, port)
        if self._plan.gpus:
            every = os.environ[gpus].split(",")
            first = node * self._plan.gpus
            share = [every[i % len(every)] for i in range(first, first + self._plan.gpus)]
            os.environ[gpus] = ",".join(dict.fromkeys(share))

    def run(self) -> Ending:
        self._note("STARTING")
        attempt = Attempt(self._plan, self._number, self._stop)
        try:
            pid = attempt.spawn()
        except OSError as error:
            ending = cannot_start(self._plan, error)
        else:
            facts = {"worker_started": processes.started(pid), "tempdir": attempt.tempdir}
            self._note("RUNNING", worker=pid, **facts)
            ending = attempt.watch()
        state = "FAILED" if ending.loss else "SUCCEEDED"
        self._note(state, reason=ending.reason, loss=ending.loss or None, exit_code=ending.code)
        return ending

    def _note(self, state: str, **facts: object) -> None:
        try:
            self._record.enter(state, **facts)
        # As for the job itself: a full disk must not end it.
        except OSError:
            pass


class _NodeStop(Stop):
    """The wish that one node should end: with its job, with the main node, with its supervisor."""

    def __init__(self, job: Stop, folder: str, parent: int) -> None:
        super().__init__(folder)
        # The job's own, as the fork has it: it takes what comes before this one listens.
        self._job = job
        self._parent = parent

    def _take(self, number: int, _: object) -> None:
        self._signalled = _STOPPED

    def reason(self) -> str:
        gone = "" if os.getppid() == self._parent else "the job's supervisor died"
        return super().reason() or self._job.reason() or gone


def _ending(node: int, said: bytes) -> Ending:
    try:
        import ast

        return Ending(*ast.literal_eval(said.decode()))
    # Its supervisor was killed before it could say anything.
    except (ValueError, SyntaxError, TypeError):
        return Ending("unknown", f"the supervisor of node {node} died", None)


def _free_port() -> str:
    import socket

    with socket.socket() as listener:
        listener.bind((ADDRESS, 0))
        return str(listener.getsockname()[1])
