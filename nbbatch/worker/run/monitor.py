"""The monitor: tells the job's story, and ends it when the child can't."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Optional

from nbbatch.wire import spec
from nbbatch.wire.frames import frame
from nbbatch.wire.spec import JobSpec, Outcome
from nbbatch.wire.store import ListingStore
from nbbatch.worker.run import control, pause, report, signals
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.run.peak import Peak
from nbbatch.worker.run.story import Story
from nbbatch.worker.run.tee import Tee, copy_to_log
from nbbatch.worker.run.used import RSS_UNIT

if TYPE_CHECKING:
    from nbbatch.worker.run.peers import Failed, Peers
    from nbbatch.worker.run.whereabouts import Search

#: Seconds between a signal from outside and SIGKILL. ECS gives 30 in all, and the outcome
#: must still be written: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
GRACE = 20.0
#: The same where another node has failed: whoever waits for it, waits in vain.
PEER_GRACE = 5.0
#: Seconds between two samples of what the job uses.
SAMPLE = 1.0
_READ = 1 << 18


class Monitor:
    """Watches one child from its fork to its outcome."""

    def __init__(
        self,
        store: ListingStore,
        identity: Identity,
        job: JobSpec,
        run_child: Callable[[int], None],
    ) -> None:
        self._store = store
        self._identity = identity
        self._job = job
        self._run_child = run_child
        self._story = Story(store, identity)
        self._selector = selectors.DefaultSelector()
        self._messages = control.Reader()
        self._tees = [Tee(name, self._story.add) for name in ("stdout", "stderr")]
        self._said: Optional[Outcome] = None
        self._signal = ""
        self._limit = float("inf")
        self._deadline = 0.0
        self._next_sample = 0.0
        self._peak = Peak()
        self._started = time.monotonic()
        self._spot_time = ""
        self._loss = ""
        self._search: Optional[Search] = None
        self._peers = _peers(store, identity)

    def run(self) -> int:
        """Run the child to its end and return the container's exit code."""
        if not self._pause():
            return self._ended_waiting()
        self._fork()
        # Late: by now the job itself is on its way.
        from nbbatch.worker.run import spot
        from nbbatch.worker.sampling import sampler

        self._spot = spot.Watch(os.environ)
        self._spot.start()
        self._sampler = sampler.Sampler(self._child)
        self._story.add(frame("started", given=sampler.host_facts()))
        self._next_sample = time.monotonic() + SAMPLE / 4
        status = self._watch()
        outcome = self._with_peers(self._said or self._post_mortem(status))
        self._finish(outcome)
        return report.exit_code(outcome)

    def _pause(self) -> bool:
        """Wait before a further attempt; tell whether it is to be made."""
        seconds = self._job.pause if self._identity.attempt > 1 else 0
        if not seconds:
            return True
        self._story.add(frame("notice", text=pause.words(seconds, self._identity.attempt)))
        self._story.flush()
        self._signal = pause.wait(seconds)
        return not self._signal

    def _ended_waiting(self) -> int:
        outcome = self._written(
            Outcome(spec.TERMINATED, attempt=self._identity.attempt, signal=self._signal)
        )
        self._finish(outcome)
        return report.exit_code(outcome)

    def _fork(self) -> None:
        self._started = time.monotonic()
        self._peak = Peak()
        if self._job.timeout is not None:
            self._limit = self._started + self._job.timeout
        signals.set_limit(self._limit)
        control_in, control_out = os.pipe()
        out_in, out_out = os.pipe()
        err_in, err_out = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._child = os.fork()
        if self._child == 0:
            os.setpgid(0, 0)
            for end in (control_in, out_in, err_in):
                os.close(end)
            os.dup2(out_out, 1)
            os.dup2(err_out, 2)
            self._be_child(control_out)
        for end in (control_out, out_out, err_out):
            os.close(end)
        self._listen(control_in, self._read_control)
        for end, tee in zip((out_in, err_in), self._tees):
            self._listen(end, tee)
        self._catch_signals()

    def _be_child(self, descriptor: int) -> None:
        """Run the child, and never return into the monitor's own code."""
        try:
            self._run_child(descriptor)
        # A fault of the worker itself; the monitor reports that the child died.
        except BaseException:
            import traceback

            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(70)

    def _listen(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, take)

    def _catch_signals(self) -> None:
        # A wake-up pipe, because select goes on waiting after a handler that does not raise.
        wake_in, wake_out = os.pipe()
        os.set_blocking(wake_in, False)
        os.set_blocking(wake_out, False)
        signal.set_wakeup_fd(wake_out, warn_on_full_buffer=False)
        self._wake = wake_in
        self._selector.register(wake_in, selectors.EVENT_READ, lambda data: None)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note_signal)

    def _note_signal(self, number: int, _: Any) -> None:
        # Only noted: it may come in the middle of a write.
        self._signal = self._signal or signal.Signals(number).name

    def _terminate(self) -> None:
        from nbbatch.worker.run import spot

        self._deadline = time.monotonic() + GRACE
        text = f"asked to end by {self._signal}"
        if self._signal:
            spot.note_fargate(os.environ)
        else:
            self._loss = report.TIMEOUT
            text = f"asked to end: {report.too_long(self._job)}"
        self._story.add(frame("notice", text=text))
        self._kill(signal.SIGTERM)

    def _note_spot(self) -> None:
        self._spot_time = self._spot.time
        text = f"the spot instance is to be reclaimed at {self._spot_time}"
        self._story.add(frame("notice", text=text))

    def _seek_place(self) -> None:
        # With the first sample: by now the job may have said its first line.
        from nbbatch.worker.run import whereabouts

        self._search = whereabouts.Search(os.environ)
        self._search.start()

    def _tell_place(self) -> None:
        for item in self._search.take() if self._search is not None else ():
            self._story.add(item)

    def _kill(self, number: int) -> None:
        try:
            os.kill(self._child, number)
        except ProcessLookupError:
            pass

    def _watch(self) -> int:
        """Read, sample and write until the child is gone; return its wait status."""
        while True:
            limit = self._deadline or self._limit
            due = min(self._next_sample, limit) - time.monotonic()
            self._turn(min(self._story.wait(), due))
            pid, status, used = os.wait4(self._child, os.WNOHANG)
            if pid:
                self._peak.note(memory=used.ru_maxrss * RSS_UNIT)
                self._drain()
                return status

    def _turn(self, timeout: float) -> None:
        for key, _ in self._selector.select(max(0.0, timeout)):
            self._read(key)
        now = time.monotonic()
        if now >= self._next_sample:
            self._sample()
            self._next_sample = now + SAMPLE
        if (self._signal or now >= self._limit) and not self._deadline:
            self._terminate()
        if self._spot.time != self._spot_time:
            self._note_spot()
        self._tell_place()
        self._heed_peers()
        if self._deadline and now >= self._deadline:
            self._kill(signal.SIGKILL)
        if self._story.wait() <= 0:
            self._story.flush()

    def _read(self, key: selectors.SelectorKey) -> bool:
        data = os.read(key.fd, _READ)
        if data:
            key.data(data)
        else:
            self._selector.unregister(key.fd)
            os.close(key.fd)
        return bool(data)

    def _drain(self) -> None:
        """Read what is still in the pipes; grandchildren may hold them open for ever."""
        try:
            os.killpg(self._child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        while True:
            ready = [key for key, _ in self._selector.select(0) if key.fd != self._wake]
            read = [self._read(key) for key in ready]
            if not any(read):
                break
        for tee in self._tees:
            tee.end()
        self._tell_place()

    def _read_control(self, data: bytes) -> None:
        for message in self._messages.feed(data):
            if message["kind"] == control.DONE:
                self._said = Outcome.from_meta(message["outcome"])
            else:
                copy_to_log(message)
                self._story.add(message)

    def _sample(self) -> None:
        if self._search is None:
            self._seek_place()
        usage = self._sampler.sample()
        self._peak.take(usage)
        self._story.add(frame("usage", **usage))

    def _post_mortem(self, status: int) -> Outcome:
        """Say what became of a child that could not say it itself."""
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + killed if killed else os.WEXITSTATUS(status)
        asked = bool(self._signal or self._loss or self._fails_with())
        outcome = Outcome(
            status=spec.TERMINATED if asked else spec.DIED,
            attempt=self._identity.attempt,
            exit_code=code,
            signal=self._signal or (signal.Signals(killed).name if killed else ""),
            loss=self._loss or (report.SPOT if asked and self._spot_time else ""),
            cause=report.too_long(self._job) if self._loss else "",
            out_of_memory=killed == signal.SIGKILL and self._sampler.oom_kills() > 0,
            usage=self._peak.figures(),
        )
        self._story.flush()
        return self._written(outcome)

    def _written(self, outcome: Outcome) -> Outcome:
        """Write an outcome, unless the child had written its own before it died."""
        outcome = report.judged(outcome, self._job)
        try:
            return report.write_if_absent(self._store, self._identity, outcome)
        # The exit code and the container's log still tell what happened.
        except OSError as error:
            report.tell_unwritable(error)
            return replace(outcome, exit_code=spec.EXIT_UNWRITABLE)

    def _fails_with(self) -> "Optional[Failed]":
        return self._peers.failed if self._peers is not None else None

    def _heed_peers(self) -> None:
        """Learn how the other nodes are, and end the code that may wait for one that failed."""
        if self._peers is None:
            return
        self._peers.turn()
        failed = self._peers.failed
        if failed is not None and not self._deadline:
            self._deadline = time.monotonic() + PEER_GRACE
            self._story.add(frame("notice", text=failed.text))
            self._kill(signal.SIGTERM)

    def _with_peers(self, outcome: Outcome) -> Outcome:
        """Wait for the other nodes; return the outcome with which the job is to end."""
        if self._peers is None:
            return outcome
        # The child is gone: nothing of it is to be sampled or ended any more.
        self._next_sample = self._deadline = float("inf")
        self._peers.done(well=outcome.status == spec.OK)
        while self._peers.waiting() and not self._signal:
            self._turn(min(self._story.wait(), self._peers.pace.look))
        last = self._identity.attempt >= self._job.attempts
        ending = self._peers.ending(outcome, self._signal, last=last)
        if ending is not outcome and outcome.status != spec.OK:
            self._replace(ending)
        return ending

    def _replace(self, outcome: Outcome) -> None:
        """Write over an outcome that has no values, now that it is known what it came of."""
        try:
            report.write_outcome(self._store, self._identity, outcome)
        except OSError as error:
            report.tell_unwritable(error)

    def _finish(self, outcome: Outcome) -> None:
        self._story.add(frame("usage", final=True, peak=self._peak.figures()))
        self._story.add(frame("end", status=outcome.status, final=outcome.final))
        self._story.flush()


def _peers(store: ListingStore, identity: Identity) -> "Optional[Peers]":
    if identity.nodes == 1:
        return None
    # Loaded only where there are other nodes: a trivial job does not pay for it.
    from nbbatch.worker.run.peers import Peers

    return Peers(store, identity)
