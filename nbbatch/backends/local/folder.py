"""What lies on disk about one local job, as the kernel makes and reads it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbbatch.backends.local.supervise import processes
from nbbatch.backends.local.supervise.record import (
    ATTEMPT_STATES,
    LOCK_FILE,
    STATE_FILE,
    STOP_FILE,
    Record,
    child_folder,
    log_name,
    node_folder,
)
from nbbatch.facts import Loss, State, Status, Stay

#: What the kernel knew when it started the job; nothing secret.
_LAUNCH_FILE = "launch.json"
#: Longest line of a log; longer ones are cut in pieces, as CloudWatch does.
_LINE = 1 << 18
_NEVER_STARTED = "the job was never started: the process that was about to start it died"
_DIED = "the job's supervisor (process {}) died: it was killed, or the machine was restarted"


class JobFolder:
    """The folder of one job.

    Its lock says that somebody answers for the job. It belongs to the open file, not to a
    process: the supervisor inherits it from the kernel without a gap, and it ends with its last
    holder, however that one ends.

    Parameters
    ----------
    path
        ``home/local/<job id>``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self, submitted_at: float, about: Mapping[str, Any]) -> int | None:
        """Make the folder, complete and locked from the moment it can be seen.

        Returns
        -------
        int or None
            The descriptor that holds the lock; None where the folder is there already.
        """
        pending = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        lock = -1
        try:
            pending.mkdir(mode=0o700, parents=True)
            lock = _open_lock(pending)
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            (pending / _LAUNCH_FILE).write_text(json.dumps(about))
            Record(str(pending), attempt=1, submitted_at=submitted_at).enter("SUBMITTED")
            pending.rename(self.path)
        except BaseException as error:
            shutil.rmtree(pending, ignore_errors=True)
            if lock >= 0:
                os.close(lock)
            if isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return None
            raise
        return lock

    def node(self, index: int) -> JobFolder:
        """Return the folder of one node of a multi-node job."""
        return _NodeFolder(self, index)

    def child(self, index: int) -> JobFolder:
        """Return the folder of one child of an array."""
        return _ChildFolder(self, index)

    def failed(self) -> dict[int, Status]:
        """Return the children of an array that have failed, of those that were started."""
        found = {}
        for index in range(self._launch().get("children", 0)):
            facts = _ChildFolder(self, index).facts()
            if facts.get("state") == State.FAILED.value:
                found[index] = self._status(facts)
        return found

    def remove(self) -> None:
        """Forget the job."""
        shutil.rmtree(self.path, ignore_errors=True)

    def status(self) -> Status | None:
        """Say how the job is; None where there is no job.

        A job whose supervisor has died is ended here, for good.
        """
        facts = self._facts()
        if facts is None:
            return None
        if not State(facts["state"]).final:
            try:
                facts = self._heir(facts) or facts
            # It has ended just then, and somebody has removed it.
            except FileNotFoundError:
                return None
        return self._status(facts)

    def stop(self, reason: str) -> None:
        """Leave word that the job is to end."""
        pending = self.path / f"{STOP_FILE}.{secrets.token_hex(4)}"
        try:
            pending.write_text(reason, encoding="utf-8", errors="replace")
            pending.rename(self.path / STOP_FILE)
        except OSError:
            pending.unlink(missing_ok=True)
            # On a full disk there is a way to say it without a file.
            self._signal()

    def log(self) -> Iterator[str]:
        """Yield the lines of the last attempt's output."""
        with contextlib.suppress(FileNotFoundError):
            path = self._log(self._facts() or {})
            with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
                while line := file.readline(_LINE):
                    yield line.rstrip("\r\n")

    def _log(self, facts: Mapping[str, Any]) -> Path:
        """Return the file of a container's log: the main node's, where there are several."""
        main = next(iter(self._nodes()), self)
        return main.path / log_name(facts.get("attempt", 1))

    def _nodes(self) -> list[_NodeFolder]:
        count = self._launch().get("nodes", 1)
        return [_NodeFolder(self, index) for index in range(count)] if count > 1 else []

    def _children(self) -> list[_ChildFolder]:
        """Return the children that were started."""
        found = [_ChildFolder(self, index) for index in range(self._launch().get("children", 0))]
        return [child for child in found if child.path.exists()]

    def _facts(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.path / STATE_FILE).read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        # It is being written over in place, the last resort on a full disk.
        except ValueError:
            return {"state": "RUNNING"}

    def _heir(self, facts: dict[str, Any]) -> dict[str, Any] | None:
        """Return the last facts of a job for which nobody answers; None while somebody does.

        Raises
        ------
        FileNotFoundError
            There is no such job any more.
        """
        lock = _open_lock(self.path)
        try:
            if _is_held(lock, facts):
                return None
            latest = self._facts()
            if latest is None:
                raise FileNotFoundError(self.path)
            return latest if State(latest["state"]).final else self._bury(latest)
        finally:
            os.close(lock)

    def _bury(self, facts: dict[str, Any]) -> dict[str, Any]:
        supervisor = facts.get("supervisor")
        reason = _DIED.format(supervisor) if supervisor else _NEVER_STARTED
        parts = [*self._nodes(), *self._children()]
        for part in (facts, *(each.facts() for each in parts)):
            if "worker" in part:
                processes.end_session(part["worker"], part.get("worker_started", ""))
            if part.get("tempdir"):
                shutil.rmtree(part["tempdir"], ignore_errors=True)
        record = Record(str(self.path), **facts)
        with contextlib.suppress(OSError):
            record.enter("FAILED", reason=reason, loss=Loss.UNKNOWN.value, exit_code=None)
        return record.facts

    def _signal(self) -> None:
        facts = self._facts() or {}
        lock = _open_lock(self.path)
        try:
            if "supervisor" in facts and _is_held(lock, facts):
                processes.send(facts["supervisor"], processes.SIGTERM)
        finally:
            os.close(lock)

    def _status(self, facts: Mapping[str, Any]) -> Status:
        loss = facts.get("loss")
        state = State(facts["state"])
        return Status(
            state=state,
            reason=facts.get("reason") or "",
            loss=Loss(loss) if loss else None,
            exit_code=facts.get("exit_code"),
            attempt=facts.get("attempt", 1),
            created_at=facts.get("submitted_at"),
            started_at=facts.get("running_at"),
            stopped_at=facts.get("succeeded_at", facts.get("failed_at")),
            given=self._given(),
            log=str(self._log(facts)),
            nodes=tuple(node.seen(final=state.final) for node in self._nodes()),
            children=_counts(facts),
            stays=tuple(_stays(facts)),
            endings=dict(_endings(facts)),
        )

    def _given(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self._launch().get("given", {})
        return given

    def _launch(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.path / _LAUNCH_FILE).read_bytes()))
        except (OSError, ValueError):
            return {}


def _counts(facts: Mapping[str, Any]) -> dict[State, int]:
    counts = (each.partition("=") for each in str(facts.get("children", "")).split())
    return {State(name): int(count) for name, _, count in counts}


def _stays(facts: Mapping[str, Any]) -> Iterator[Stay]:
    last = facts.get("attempt", 1)
    # An array is PENDING until its last child has ended, which says nothing.
    first = (State.SUBMITTED,) if "children" in facts else (State.SUBMITTED, State.PENDING)
    for state in first:
        if since := facts.get(f"{state.lower()}_at"):
            yield Stay(state, 1, since)
    for attempt in range(1, last + 1):
        for state in map(State, ATTEMPT_STATES):
            name = f"{state.lower()}_at"
            if since := facts.get(name if attempt == last else f"{name}.{attempt}"):
                yield Stay(state, attempt, since)


def _endings(facts: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for attempt in range(1, facts.get("attempt", 1)):
        if reason := facts.get(f"reason.{attempt}"):
            yield attempt, reason


class _NodeFolder(JobFolder):
    """The folder of one node, inside that of its job, whose supervisor answers for it."""

    def __init__(self, job: JobFolder, index: int) -> None:
        super().__init__(Path(node_folder(str(job.path), index)))
        self._job = job

    def status(self) -> Status | None:
        job = self._job.status()
        return None if job is None else self.seen(final=job.state.final)

    def stop(self, reason: str) -> None:
        """End the job: there is none with fewer nodes than it was asked for."""
        self._job.stop(reason)

    def facts(self) -> dict[str, Any]:
        """Return what is noted about the node; nothing before it starts."""
        return self._facts() or {}

    def seen(self, *, final: bool) -> Status:
        """Say how the node is; where its job is over (`final`), so is the node."""
        facts = {"state": "SUBMITTED", **self.facts()}
        if final and not State(facts["state"]).final:
            facts.update(state="FAILED", loss=Loss.UNKNOWN.value, reason="it ended with its job")
        return self._status(facts)


class _ChildFolder(_NodeFolder):
    """The folder of one child of an array, inside that of the array, as a node's."""

    def __init__(self, job: JobFolder, index: int) -> None:
        super().__init__(job, index)
        self.path = Path(child_folder(str(job.path), index))

    def stop(self, reason: str) -> None:
        """End this child alone."""
        JobFolder.stop(self, reason)


def _open_lock(folder: Path) -> int:
    return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_held(lock: int, facts: Mapping[str, Any]) -> bool:
    """Tell whether another one holds the lock; if not, this call takes it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    # A filesystem without locks (some network disks): its process number is the next best sign.
    except OSError:
        return processes.exists(facts.get("supervisor"))
    return False
