"""All attempts of one job, from its first state to its last."""

import os

from . import processes
from .attempt import Attempt, Ending, Plan, again, cannot_start
from .record import LOCK_FD, Record
from .stop import Stop


def main(arguments: "list[str]") -> int:
    """Run the job that the arguments describe, in the environment that it is to have."""
    if os.fork():
        # The kernel collects this process at once; the other one is no child of the kernel's.
        os._exit(0)
    os.set_inheritable(LOCK_FD, False)
    _close_others()
    Job(Plan(arguments)).run()
    return 0


def _close_others() -> None:
    for name in os.listdir("/dev/fd"):
        if int(name) > LOCK_FD:
            try:
                os.close(int(name))
            # The one that the listing itself had used.
            except OSError:
                pass


class Job:
    """The states of one job.

    Parameters
    ----------
    plan
        What was asked for.
    stop
        Says when it is to end early; by default the file in its folder does.
    """

    def __init__(self, plan: Plan, stop: "Stop | None" = None) -> None:
        self._plan = plan
        self._stop = Stop(plan.folder) if stop is None else stop
        self._record = Record(plan.folder, supervisor=os.getpid(), submitted_at=plan.submitted_at)

    def run(self) -> Ending:
        """Make as many attempts as it takes; note and return how the last one ended."""
        self._stop.listen()
        ending = self._wait()
        if ending is None and self._plan.children:
            ending = self._children()
        number = 0
        while ending is None:
            number += 1
            tried = self._attempt(number)
            if number == self._plan.attempts or not self._again(tried):
                ending = tried
            else:
                self._record.begin(number + 1, tried.reason)
        state = "FAILED" if ending.loss else "SUCCEEDED"
        loss = ending.loss or None
        self._note(state, reason=ending.reason, loss=loss, exit_code=ending.code)
        return ending

    def _wait(self) -> "Ending | None":
        """Wait for the jobs that this one depends on; say why it is not to be started."""
        if not self._plan.after:
            return None
        from . import waiting

        self._note("PENDING", reason=waiting.words(self._plan.after))
        reason = waiting.wait(self._plan.after, self._stop)
        return Ending("unknown", reason, None, final=True) if reason else None

    def _children(self) -> Ending:
        # Loaded only for arrays: an ordinary job does not pay for it.
        from .children import Children

        # As Batch has it of an array until its last child has ended.
        self._note("PENDING", children=f"RUNNABLE={self._plan.children}")
        return Children(self._plan, self._stop, self._record).run()

    def _again(self, ending: Ending) -> bool:
        return not ending.final and again(self._plan.retry_on, ending)

    def _attempt(self, number: int) -> Ending:
        if self._stop.reason():
            return Ending("cancelled", self._stop.reason(), None, final=True)
        self._note("RUNNABLE", attempt=number, reason="")
        if self._plan.nodes > 1:
            return self._attempt_on_nodes(number)
        attempt = Attempt(self._plan, number, self._stop)
        self._note("STARTING")
        # Before there is anything that may leave an orphan.
        processes.adopt_orphans()
        try:
            pid = attempt.spawn()
        except OSError as error:
            return cannot_start(self._plan, error)
        facts = {"worker_started": processes.started(pid), "tempdir": attempt.tempdir}
        self._note("RUNNING", worker=pid, **facts)
        return attempt.watch()

    def _attempt_on_nodes(self, number: int) -> Ending:
        # Loaded only where there are any: one process is the rule, and waits for what is loaded.
        from .nodes import Nodes

        self._note("STARTING")
        nodes = Nodes(self._plan, number, self._stop)
        nodes.start()
        self._note("RUNNING")
        return nodes.watch()

    def _note(self, state: str, **facts: object) -> None:
        try:
            self._record.enter(state, **facts)
        # A full disk must not end the job. Where even the last state can't be written, the
        # runner finds the lock free and no final state.
        except OSError:
            pass
