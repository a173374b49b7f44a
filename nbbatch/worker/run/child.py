"""The child: loads the values, runs the code, writes the outcome."""

from __future__ import annotations

import json
import os
import time
import types
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire import graph, keys, parts, spec
from nbbatch.wire.envelope import Envelope
from nbbatch.wire.frames import frame
from nbbatch.wire.graph import Item
from nbbatch.wire.spec import Failure, JobSpec, Outcome
from nbbatch.wire.store import Buffer, ListingStore
from nbbatch.worker.notebook.surroundings import Surroundings
from nbbatch.worker.run import (
    cell,
    control,
    distributed,
    failure,
    keeping,
    mapped,
    report,
    signals,
    values,
)
from nbbatch.worker.run.changes import Snapshot
from nbbatch.worker.run.handover import Handover
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.stores import open_store

#: Tells `nbbatch.current`, and `@batch` functions, that they are inside a job.
ENV_CURRENT = "NBBATCH_CURRENT"


def run(work: Handover, envelope: Envelope, job: JobSpec) -> None:
    """Run one attempt in this process and report on its descriptor; leave by `os._exit`."""
    identity = work.identity
    signals.listen()
    signals.be_plain_in_forks()
    say = control.Writer(work.descriptor)
    distributed.tell_torch(identity, os.environ)
    os.environ[ENV_CURRENT] = json.dumps(_current(identity, job))
    store = open_store(os.environ)
    keeping.keep(store, identity)
    started = time.monotonic()
    try:
        outcome = _Attempt(store, work, envelope, job, say).run()
    except OSError as error:
        report.tell_unwritable(error)
        os._exit(spec.EXIT_UNWRITABLE)
    outcome["usage"] = {"seconds": round(time.monotonic() - started, 3)}
    say({"kind": control.DONE, "outcome": outcome})
    # The cell is over: what it left running in threads or at exit is not waited for.
    os._exit(0)


def _current(identity: Identity, job: JobSpec) -> Dict[str, Any]:
    resources = dict(job.asked)
    if keys.ENV_MEMORY in os.environ:
        resources["memory"] = int(os.environ[keys.ENV_MEMORY])
    return {
        "job_id": identity.job,
        "job_name": job.name,
        "attempt": identity.attempt,
        "attempts": job.attempts,
        "resources": resources,
        "spot_notice": keys.spot_notice(os.environ),
        "main_ip": distributed.main_address(identity, os.environ),
    }


class _Attempt:
    def __init__(
        self,
        store: ListingStore,
        work: Handover,
        envelope: Envelope,
        job: JobSpec,
        say: control.Writer,
    ) -> None:
        self._store = store
        self._work = work
        self._identity = work.identity
        self._envelope = envelope
        self._job = job
        self._say = say
        self._folders = work.folders
        self._inputs = values.Inputs({})
        self._snapshot: Optional[Snapshot] = None
        self._changed: Tuple[str, ...] = ()
        self._values: List[Item] = []
        self._renew = ""
        self._map: Optional[mapped.Mapped] = None

    def run(self) -> Dict[str, Any]:
        """Run and write the outcome; return what it says."""
        try:
            outcome, buffers = self._outcome()
        except signals.Terminated:
            outcome, buffers = self._terminated(), ()
        except errors.NbbatchError as error:
            outcome, buffers = self._refused(error), ()
        # The store can't be reached, no memory is left for the inputs, or a fault of ours.
        except Exception as error:
            outcome, buffers = self._refused(errors.as_error(error, *self._trouble())), ()
        signals.ignore()
        return self._write(outcome, buffers)

    def _trouble(self) -> Tuple[str, str]:
        import traceback

        traceback.print_exc()
        return f"{self._job.name} can't be run", f"%batch logs {self._identity.job} shows more"

    def _write(self, outcome: Outcome, buffers: Sequence[Buffer]) -> Dict[str, Any]:
        try:
            large = graph.OUT_OF_BAND if self._job.lazy else parts.BLOB
            report.write_outcome(self._store, self._identity, outcome, buffers, large)
        except OSError as error:
            outcome = self._refused(
                errors.StorageFullError(
                    f"the results of {self._job.name} can't be written",
                    f"{type(error).__name__}: {error}",
                    "make room where the objects go, or return less (--out)",
                )
            )
            report.write_outcome(self._store, self._identity, outcome)
        return outcome.meta()

    def _outcome(self) -> Tuple[Outcome, Sequence[Buffer]]:
        if self._job.libraries:
            self._provide()
        self._check_python()
        values.see_modules(self._folders.modules)
        for name, (_, text) in self._job.sources.items():
            cell.remember_source(name, text)
        namespace = values.main_namespace()
        around = Surroundings(self._say, namespace)
        self._inputs = values.load(
            self._store, self._identity, self._envelope, self._job, namespace
        )
        error = self._executed(around)
        if signals.terminated(error) and not signals.out_of_time():
            raise signals.Terminated
        items = self._items()
        around.leave()
        if signals.terminated(error):
            return self._result(items, self._terminated())
        if error is None and self._map is not None and self._map.raised:
            return self._with_failed_items(self._map, around)
        found, lines = self._described(error, around)
        for index, (raised, _) in enumerate(failure.chain(error)):
            items.append((spec.EXCEPTION, str(index), raised))
        status = spec.OK if error is None else spec.ERROR
        return self._result(items, self._ended(status, failures=found, traceback=lines))

    def _check_python(self) -> None:
        try:
            values.check_python(self._job)
        except errors.ImageError:
            # Whoever has started it may have an interpreter for it.
            from nbbatch.worker.run import fingerprint

            self._say(frame("image", **fingerprint.take()))
            self._renew = spec.IMAGE
            raise

    def _provide(self) -> None:
        """See the libraries that travelled; in another interpreter, if one did, which goes on."""
        # Loaded only where some travelled: a trivial job does not pay for it.
        from nbbatch.worker.run import libraries

        if not self._work.resumed:
            self._renew = spec.IMAGE
            libraries.check(self._job, self._say)
        self._renew = spec.LAYERS
        if self._job.libraries.get("prefix") and not self._work.resumed:
            from nbbatch.worker.run import prefix

            prefix.enter(self._store, self._job, self._say, self._work)
        folder = self._folders.libraries
        libraries.provide(self._store, self._job, folder, self._say).there()
        self._renew = ""

    def _described(
        self, error: Optional[BaseException], around: Surroundings
    ) -> Tuple[Tuple[Failure, ...], Tuple[str, ...]]:
        """Describe what was raised, if anything, and say it."""
        found = failure.failures(error, self._named) if error is not None else ()
        lines = tuple(failure.lines(found, self._labels()))
        if found:
            first = found[0]
            said = frame("error", ename=first.ename, evalue=first.evalue, traceback=list(lines))
            around.say(said)
        return found, lines

    def _with_failed_items(
        self, done: mapped.Mapped, around: Surroundings
    ) -> Tuple[Outcome, Sequence[Buffer]]:
        """Send back what the items returned that did not raise, and what the others raised."""
        told = [(index, *self._described(error, around)) for index, error in done.raised]
        items = tuple((index, found) for index, found, _ in told)
        _, first, lines = told[0]
        ended = self._ended(spec.ERROR, failures=first, traceback=lines, items=items)
        return self._result(done.records(failure.chain), ended)

    def _executed(self, around: Surroundings) -> Optional[BaseException]:
        """Run the code; return what it raised."""
        error, process = None, os.getpid()
        try:
            try:
                self._execute(around)
            finally:
                signals.quiet()
        # The user's code may raise anything; SystemExit and KeyboardInterrupt included.
        except BaseException as raised:
            error = raised
        if os.getpid() != process:
            # A fork that the code made and did not end: the outcome is not its business.
            os._exit(0 if error is None else 1)
        return error

    def _execute(self, around: Surroundings) -> None:
        job, inputs = self._job, self._inputs
        if job.kind == "call":
            arguments = inputs.items[spec.ARGUMENTS]
            value = cell.run_call(inputs.items[spec.FUNCTION], arguments)
            self._values = [(spec.VALUE, "", value)]
        elif job.kind in spec.ARRAYS:
            function = None
            if job.kind == spec.SWEEP:
                # Loaded only where it is needed.
                from nbbatch.worker.run.swept import Swept

                function = Swept(job, inputs.namespace, around.show)
            self._map = mapped.run(self._store, self._identity, job, inputs, function)
            self._values = self._map.values
        elif job.kind == "serve":
            # Loaded only where it is needed: a trivial job does not pay for it.
            from nbbatch.worker.run.served import Server

            store: Any = self._store
            Server(store, self._identity, job, inputs, around.say, self._named).run()
        else:
            self._snapshot = Snapshot(inputs.namespace, inputs.originals, compare=job.out is None)
            cell.run_cell(job, inputs.namespace, around.show)

    def _items(self) -> List[Item]:
        """List what goes back: a value; or variables, those named, or those bound and changed."""
        if self._snapshot is None:
            return self._values
        namespace, out = self._inputs.namespace, self._job.out
        if out is None:
            self._changed = tuple(self._snapshot.changed())
            names = [*self._snapshot.bound(), *self._changed]
        else:
            names = [name for name in out if name in namespace]
        return [(spec.VARIABLE, name, namespace[name]) for name in names]

    def _named(self, filename: str) -> str:
        return values.original(filename, self._folders.modules, self._job.places)

    def _labels(self) -> Dict[str, str]:
        return {name: label for name, (label, _) in self._job.sources.items()}

    def _result(self, items: List[Item], ended: Outcome) -> Tuple[Outcome, Sequence[Buffer]]:
        found = values.dump(items, self._inputs.namespace, self._job.python)
        self._check_value(found.failures)
        outcome = replace(
            ended,
            unreturned=values.unreturned(found) + self._missing(),
            changed=self._changed,
            deleted=tuple(self._snapshot.deleted()) if self._snapshot else (),
            records=tuple(found.records),
            kinds=tuple((name, _kind(value)) for _, name, value in items) if self._job.lazy else (),
        )
        return outcome, values.outgoing(found)

    def _missing(self) -> Tuple[Tuple[str, str], ...]:
        names = [n for n in self._job.out or () if n not in self._inputs.namespace]
        return tuple((name, f"{name}: the cell did not bind it") for name in names)

    def _check_value(self, failed: Sequence[Tuple[str, str, Any, BaseException]]) -> None:
        for role, _, value, error in failed:
            if role == spec.VALUE:
                from nbbatch.wire.blame import sentence

                raise errors.NotPicklableError(
                    f"{self._job.name} ran, but its result can't come back",
                    sentence("result", value, error),
                    "return something that pickles, or save it in the job",
                )

    def _refused(self, error: errors.NbbatchError) -> Outcome:
        kind = type(error).__name__
        # Not as the code's own text: whoever has called is raised it anyway.
        told = f"{kind}: {error}\n".splitlines(keepends=True)
        self._say(frame("error", ename=kind, evalue=error.what, traceback=told))
        # A disk that is full, or may not be written to, will be so again.
        in_vain = self._renew == spec.LAYERS and not isinstance(error, errors.NotFoundError)
        said = {"what": error.what, "cause": error.cause, "hint": error.hint, "error": kind}
        return self._ended(spec.REFUSED, renew="" if in_vain else self._renew, **said)

    def _terminated(self) -> Outcome:
        """Say that it was asked to end, and why if that is known."""
        from nbbatch.worker.run import spot

        said = {"signal": "SIGTERM", "loss": report.SPOT if spot.noticed(os.environ) else ""}
        if signals.out_of_time():
            said.update(loss=report.TIMEOUT, cause=report.too_long(self._job))
        return self._ended(spec.TERMINATED, **said)

    def _ended(self, status: str, **fields: Any) -> Outcome:
        used = self._map.used if self._map is not None else {}
        outcome = Outcome(status=status, attempt=self._identity.attempt, usage=used, **fields)
        return report.judged(outcome, self._job)


def _kind(value: Any) -> str:
    """Name the type of a value that is not fetched at once; of a module its name too."""
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    return errors.describe_type(value)
