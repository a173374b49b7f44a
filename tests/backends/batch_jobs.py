"""What AWS Batch does with a job, on this machine: real processes, one folder per attempt."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass
class Place:
    """What the jobs of one server share.

    Attributes
    ----------
    folder
        Below it each attempt has its own folder, its working and home directory.
    path
        ``PATH`` of the jobs; its first folder holds ``python``.
    environment
        What the compute environment gives to each container besides Batch's own variables.
    second
        How long a second of a job's timeout lasts.
    grace
        Seconds between SIGTERM and SIGKILL.
    keep_log
        Called with the stream's name and new lines of a container's output.
    capacity
        While it is not set, jobs stay RUNNABLE.
    """

    folder: Path
    path: str
    environment: Mapping[str, str]
    keep_log: Callable[[str, list[str]], None]
    second: float = 1.0
    grace: float = 30.0
    capacity: threading.Event = field(default_factory=threading.Event)


class Job:
    """One job: a thread that makes its attempts."""

    def __init__(
        self,
        place: Place,
        facts: dict[str, Any],
        environment: dict[str, str],
        after: Sequence[Job] = (),
    ) -> None:
        self._place = place
        self._after = after
        self._facts = facts
        self._environment = environment
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_reason = ""
        self._killed: tuple[str, str] | None = None
        self._asked: subprocess.Popen[bytes] | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def id(self) -> str:
        """Batch's id of it."""
        return str(self._facts["jobId"])

    @property
    def status(self) -> str:
        """Its state now."""
        return str(self._facts["status"])

    def describe(self) -> dict[str, Any]:
        """Return the job as DescribeJobs shows it."""
        with self._lock:
            facts = {**self._facts, "container": dict(self._facts["container"])}
        return _as_pod(facts) if "eksProperties" in facts else facts

    def stop(self, reason: str) -> None:
        """Do what TerminateJob does."""
        with self._lock:
            if self.status in ("SUCCEEDED", "FAILED"):
                return
            self._stop_reason = reason
            self._facts["isTerminated"] = self._process is not None
            self._facts["isCancelled"] = self._process is None
            self._ask_to_end()

    def kill(self, container_reason: str = "", status_reason: str = "") -> None:
        """Kill the container from outside, as the kernel's OOM killer or a lost host would."""
        with self._lock:
            self._killed = (container_reason, status_reason)
            if self._process is not None:
                _kill(self._process)

    def _ask_to_end(self) -> None:
        # As a container engine does it: the first process gets the signal, once, and its
        # children do not.
        process = self._process
        if process is not None and process is not self._asked and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            self._asked = process

    def _run(self) -> None:
        if not self._may_start():
            return
        attempts = self._facts["retryStrategy"]["attempts"]
        for number in range(1, attempts + 1):
            self._become("RUNNABLE")
            while not self._place.capacity.wait(0.01) and not self._stop_reason:
                pass
            if self._stop_reason:
                self._end("FAILED", self._stop_reason)
                return
            code, reason, final = self._attempt(number)
            # A job that was terminated has failed, whatever its container said in the end.
            if code == 0 and not final:
                self._end("SUCCEEDED", reason)
                return
            if final or number == attempts or self._gives_up(code, reason):
                self._end("FAILED", reason)
                return

    def _may_start(self) -> bool:
        """Wait for the jobs that this one depends on; tell whether they succeeded."""
        if self._after:
            self._become("PENDING")
        while not all(job.status == "SUCCEEDED" for job in self._after):
            if self._stop_reason or any(job.status == "FAILED" for job in self._after):
                self._end("FAILED", self._stop_reason or "Dependent Job failed")
                return False
            time.sleep(0.01)
        return True

    def _gives_up(self, code: int, status_reason: str) -> bool:
        """Apply the first rule of which all conditions match; without one the job is retried."""
        said = {
            "onExitCode": str(code),
            "onReason": self._facts["container"].get("reason", ""),
            "onStatusReason": status_reason,
        }
        for rule in self._facts["retryStrategy"].get("evaluateOnExit", ()):
            if all(fnmatch.fnmatchcase(said[k], rule[k]) for k in said if k in rule):
                return str(rule["action"]).upper() == "EXIT"
        return False

    def _attempt(self, number: int) -> tuple[int, str, bool]:
        folder = self._place.folder / self.id / str(number)
        folder.mkdir(parents=True)
        self._become("STARTING")
        output = folder / "output"
        stream = f"{self._facts['jobDefinition'].rpartition('/')[2]}/default/{uuid.uuid4().hex}"
        container = self._facts["container"]
        for stale in ("exitCode", "reason"):
            container.pop(stale, None)
        try:
            with output.open("wb") as file, self._lock:
                self._process = self._start(folder, number, file)
        except FileNotFoundError as error:
            reason = f'exec: "{error.filename}": executable file not found in $PATH: unknown'
            self._record({"reason": f"CannotStartContainerError: {reason}"}, "Task failed to start")
            return 127, "Task failed to start", False
        container["logStreamName"] = stream
        self._become("RUNNING", startedAt=_now())
        with output.open("rb") as said:
            code, reason, final = self._wait(self._process, lambda: self._keep(stream, said))
            self._keep(stream, said, rest=True)
        self._process = None
        ended: dict[str, Any] = {"exitCode": code, "logStreamName": stream}
        if self._killed and self._killed[0]:
            ended["reason"] = self._killed[0]
        self._record(ended, reason)
        return code, reason, final

    def _start(self, folder: Path, number: int, output: Any) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": self._place.path,
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "HOSTNAME": "ip-10-0-0-1",
            **self._place.environment,
            **self._environment,
            "AWS_BATCH_JOB_ID": self.id,
            "AWS_BATCH_JOB_ATTEMPT": str(number),
            "AWS_BATCH_JQ_NAME": self._facts["jobQueue"].rpartition("/")[2],
            "AWS_BATCH_CE_NAME": "environment",
        }
        return subprocess.Popen(
            self._facts["container"]["command"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _keep(self, stream: str, said: BinaryIO, rest: bool = False) -> None:
        data = said.read()
        if not rest:
            # A line that is not yet complete waits.
            unfinished = len(data) - data.rfind(b"\n") - 1
            said.seek(-unfinished, os.SEEK_CUR)
            data = data[: len(data) - unfinished]
        lines = data.decode("utf-8", "replace").splitlines()
        if lines:
            self._place.keep_log(stream, lines)

    def _wait(
        self, process: subprocess.Popen[bytes], look: Callable[[], None]
    ) -> tuple[int, str, bool]:
        seconds = self._facts.get("timeout", {}).get("attemptDurationSeconds")
        deadline = time.monotonic() + seconds * self._place.second if seconds else None
        timed_out = False
        while process.poll() is None:
            if deadline and time.monotonic() > deadline:
                timed_out = True
            if timed_out or self._stop_reason:
                self._end_process(process)
            look()
            time.sleep(0.01)
        _end_container(process)
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if timed_out:
            return code, "Job attempt duration exceeded timeout", True
        if self._stop_reason:
            return code, self._stop_reason, True
        return code, (self._killed or ("", ""))[1] or "Essential container in task exited", False

    def _end_process(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._ask_to_end()
        asked_at = time.monotonic()
        # The grace may be shortened meanwhile: for what still runs when the server ends.
        while process.poll() is None and time.monotonic() - asked_at < self._place.grace:
            time.sleep(0.01)
        if process.poll() is None:
            _kill(process)
            process.wait()

    def _record(self, container: dict[str, Any], reason: str) -> None:
        with self._lock:
            self._facts["container"].update(container)
            started = self._facts.get("startedAt", _now())
            attempt = {"startedAt": started, "stoppedAt": _now(), "statusReason": reason}
            self._facts["attempts"].append({**attempt, "container": container})

    def _become(self, status: str, **changes: Any) -> None:
        with self._lock:
            self._facts.update(status=status, **changes)

    def _end(self, status: str, reason: str) -> None:
        self._become(status, statusReason=reason, stoppedAt=_now())


def _end_container(process: subprocess.Popen[bytes]) -> None:
    """End everything in a container whose first process has ended, as a container engine does."""
    _kill(process)
    # Other groups of its session; where there is no /proc they have to end by themselves.
    for name in filter(str.isdecimal, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/stat", "rb") as file:
                session = int(file.read().rpartition(b")")[2].split()[3])
            if session == process.pid:
                os.kill(int(name), signal.SIGKILL)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the group of a container's first process, if there still is anything of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _as_pod(facts: dict[str, Any]) -> dict[str, Any]:
    """Show what ended in a container as what ended in a pod."""
    container = facts.pop("container")
    attempts = facts.pop("attempts")
    said = ("exitCode", "reason")
    ended = {name: container[name] for name in said if name in container}
    pod = facts["eksProperties"]["podProperties"]
    pod = {**pod, "containers": [{**pod["containers"][0], **ended}], "nodeName": "node-1"}
    facts["eksProperties"] = {"podProperties": pod}
    facts["eksAttempts"] = [
        {
            **{name: value for name, value in attempt.items() if name != "container"},
            "containers": [{k: attempt["container"][k] for k in said if k in attempt["container"]}],
        }
        for attempt in attempts
    ]
    return facts


def _now() -> int:
    return int(time.time() * 1000)
