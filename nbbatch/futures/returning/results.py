"""What came back from a job, checked and unpickled in the thread that asks for it."""

from __future__ import annotations

import sys
from typing import Any

from nbbatch.backends.base import ClientStore
from nbbatch.errors import NotPicklableError
from nbbatch.futures.returning.rebuild import rebuild
from nbbatch.wire import graph, parts, spec
from nbbatch.wire.envelope import Envelope
from nbbatch.wire.spec import Outcome


class Results:
    """What came back, unpickled.

    Attributes
    ----------
    value
        A function's result.
    variables
        A cell's variables by name, also those bound before it failed.
    lost
        Variables that exist there and not here: name to reason.
    changed
        Those of `variables` that are the notebook's own objects, changed in place.
    deleted
        Names that the cell deleted.
    error
        The exception that the code raised.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.variables: dict[str, Any] = {}
        self.lost: dict[str, str] = {}
        self.changed: tuple[str, ...] = ()
        self.deleted: tuple[str, ...] = ()
        self.error: BaseException | None = None


def load(
    store: ClientStore, envelope: Envelope, outcome: Outcome, where: str, *, whole: bool
) -> Results:
    """Unpickle what an outcome holds whose seal was checked.

    Parameters
    ----------
    where
        What to call the job where its exception can't be rebuilt.
    whole
        Whether the job's frames are all that a traceback is to show.

    Raises
    ------
    WireError, BackendError
        A part is gone, or was altered: nothing has been unpickled.
    """
    results = Results()
    raised: dict[int, BaseException] = {}
    results.changed, results.deleted = outcome.changed, outcome.deleted
    results.lost.update(dict(outcome.unreturned))
    if outcome.records:
        stream, *rest = range(len(envelope.parts))
        buffers = [parts.read(store, envelope, index, lent=True) for index in rest]
        found = graph.load(
            parts.read(store, envelope, stream), outcome.records, buffers, notebook()
        )
        for record in found:
            _take(results, raised, record, where)
    if outcome.status == spec.ERROR:
        results.error = rebuild(outcome.failures, raised, where, whole=whole)
    return results


def _take(
    results: Results, raised: dict[int, BaseException], record: graph.Loaded, where: str
) -> None:
    if record.role == spec.EXCEPTION:
        if isinstance(record.value, BaseException):
            raised[int(record.name)] = record.value
    elif record.error is not None:
        results.lost[record.name] = _unreadable(record)
        if record.role == spec.VALUE:
            results.error = unreadable(record.error, where)
    elif record.role == spec.VARIABLE:
        results.variables[record.name] = record.value
    else:
        results.value = record.value


def notebook() -> dict[str, Any]:
    """Return the namespace in which the notebook's functions live."""
    return vars(sys.modules["__main__"])


def unreadable(error: BaseException, where: str) -> NotPicklableError:
    """Return the error of a value that was returned and can't be had here, by what that raised."""
    hint = "return what can be rebuilt here: numbers, text, arrays"
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = f"install {error.name.partition('.')[0]} here too, or {hint}"
    return NotPicklableError(
        f"what {where} returned can't be rebuilt here", f"{type(error).__name__}: {error}", hint
    )


def _unreadable(record: graph.Loaded) -> str:
    return f"{record.name}: can't be rebuilt here: {type(record.error).__name__}: {record.error}"
