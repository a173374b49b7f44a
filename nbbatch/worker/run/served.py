"""Works off what an executor gives: call after call, as long as any come."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from nbbatch.errors import NotPicklableError
from nbbatch.wire import calls, keys, spec
from nbbatch.wire.calls import Packed
from nbbatch.wire.frames import Frame, frame
from nbbatch.wire.graph import Graph, Loaded
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.store import ListingStore
from nbbatch.worker.run import cell, failure, signals, values
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.run.returning import Returning
from nbbatch.worker.run.shelf import Shelf
from nbbatch.worker.run.story import INTERVALS

#: Seconds between two looks for the next calls: at first, and in the end.
_LOOKS = {"file": (0.002, 0.05), "s3": (0.1, 1.0)}
#: Seconds after which a call is a long one, and those behind it are given back.
_LONG = {"file": 0.25, "s3": 2.0}

#: What goes back of a call, and what is said of it.
_Ended = Tuple[Graph, Dict[str, Any]]


class Server:
    """One worker of an executor.

    Parameters
    ----------
    say
        Takes each frame, after what was printed so far.
    named
        Tells what a file is to be called in a traceback.
    """

    def __init__(
        self,
        store: ListingStore,
        identity: Identity,
        job: JobSpec,
        inputs: values.Inputs,
        say: Callable[[Frame], None],
        named: Callable[[str], str],
    ) -> None:
        self._store = store
        self._me = identity
        self._job = job
        self._namespace = inputs.namespace
        self._inputs = inputs.items
        self._say = say
        self._named = named
        self._scheme = store.url.partition(":")[0]
        self._known: "set[str]" = set()
        self._shelf = Shelf()
        pauses = INTERVALS[self._scheme], _LONG[self._scheme]
        self._returning = Returning(self._send, self._leave, *pauses)

    def run(self) -> None:
        """Make ready, then work off calls until there are no more.

        Raises
        ------
        BaseException
            What the initializer raised.
        """
        initializer = self._inputs[spec.FUNCTION]
        args, settings = self._inputs[spec.ARGUMENTS]
        if initializer is not None:
            initializer(*args)
        number, done = self._left_off()
        while True:
            data = self._next(number, settings["idle"])
            meta, found = calls.read(data, self._calls_stamp(number))
            if calls.is_closed(meta):
                return
            self._take_meta(meta)
            self._work_off(number, found[: self._share(number, meta, len(found))], done)
            number, done = number + 1, 0

    def _left_off(self) -> Tuple[int, int]:
        """Return where the attempt before this one came to: which calls, and how many of them."""
        if self._me.attempt == 1:
            return 0, 0
        names = (name for name, _, _ in self._store.list(keys.returned_all(self._me.job)))
        return max((keys.of_returned(name) for name in names), default=(0, 0))

    def _next(self, number: int, idle: float) -> bytes:
        """Wait for the next calls; after `idle` seconds close, unless they come just then."""
        name = keys.calls(self._me.job, number)
        pause, longest = _LOOKS[self._scheme]
        deadline = time.monotonic() + idle
        while True:
            data = self._store.get(name)
            if data is not None:
                return data
            if time.monotonic() >= deadline:
                calls.close(self._store, self._me.key, self._me.job, number)
                continue
            time.sleep(pause)
            pause = min(pause * 1.3, longest)

    def _calls_stamp(self, number: int) -> Any:
        return calls.calls_stamp(self._me.key, self._me.job, number)

    def _take_meta(self, meta: Mapping[str, Any]) -> None:
        values.check_python(replace(self._job, bytecode=bool(meta["bytecode"])))
        for name, (_, text) in meta["sources"].items():
            cell.remember_source(name, text)

    def _share(self, number: int, meta: Mapping[str, Any], count: int) -> int:
        """Return how many of some calls are to be made here: from now on they stay here."""
        place = self._me.key, self._me.job, number
        said: Optional[int] = None
        if meta["ahead"]:
            said = calls.settle(self._store, *place, count)
        elif self._me.attempt > 1:
            said = calls.share(self._store, *place)
        if said is None or said >= count:
            return count
        # The attempt before may have had no time to tell.
        self._say(frame("left", number=number, upto=said))
        return said

    def _leave(self, number: int, upto: int) -> None:
        calls.cut(self._store, self._me.key, self._me.job, number, upto)
        self._say(frame("left", number=number, upto=upto))

    def _work_off(self, number: int, found: Sequence[Packed], done: int) -> None:
        self._returning.begin(number, done, len(found))
        for packed in found[done:]:
            if not self._returning.add(self._call(packed)):
                return

    def _send(self, number: int, upto: int, ended: Sequence[_Ended]) -> None:
        job = self._me.job
        stamp = calls.returned_stamp(self._me.key, job, number, upto)
        pieces = calls.pack(self._store, stamp, ended, self._known)
        self._store.put(keys.returned(job, number, upto), pieces)
        ends = [[not said["failures"], said["seconds"]] for _, said in ended]
        self._say(frame("returned", number=number, upto=upto, ends=ends))

    def _call(self, packed: Packed) -> _Ended:
        started = time.monotonic()
        graph, failures = self._result(packed)
        seconds = round(time.monotonic() - started, 6)
        return graph, {"failures": failures, "seconds": seconds}

    def _result(self, packed: Packed) -> Tuple[Graph, List[Any]]:
        """Call what is asked for; return what it returned, or raised, ready to travel."""
        process = os.getpid()
        try:
            function, arguments = self._loaded(packed)
            value = cell.run_call(function, arguments)
            graph = values.dump([(spec.VALUE, "", value)], self._namespace)
            self._check(graph)
            found: Tuple[Graph, List[Any]] = graph, []
        # As in a process pool: whatever it raises, those who ask for the result get it.
        except BaseException as error:
            if signals.terminated(error):
                raise
            found = self._raised(error)
        if os.getpid() != process:
            # A fork that the call made and did not end: the result is not its business.
            os._exit(1 if found[1] else 0)
        return found

    def _loaded(self, packed: Packed) -> Tuple[Any, Any]:
        items = {}
        try:
            records = packed.load(self._store, self._namespace, self._shelf.read)
        # Whatever a value's own code does while it is rebuilt, the call was never made.
        except SystemExit as error:
            broken = Loaded(spec.ARGUMENTS, "arguments", error=error)
            raise values.unreadable(broken, self._job) from error
        for record in records:
            if record.error is not None:
                raise values.unreadable(record, self._job) from record.error
            items[record.role] = record.value
        return items[spec.FUNCTION], items[spec.ARGUMENTS]

    def _check(self, graph: Graph) -> None:
        for _, _, value, error in graph.failures:
            # Loaded only where it is needed.
            from nbbatch.wire.blame import sentence

            raise NotPicklableError(
                "the call's result can't come back",
                sentence("result", value, error),
                "return something that pickles, or save it in the job",
            ) from error

    def _raised(self, error: BaseException) -> Tuple[Graph, List[Any]]:
        chain = failure.chain(error)
        items = [(spec.EXCEPTION, str(index), each) for index, (each, _) in enumerate(chain)]
        described = failure.failures(error, self._named)
        graph = values.dump(items, self._namespace)
        return graph, [[f.ename, f.evalue, list(f.frames), f.link] for f in described]
