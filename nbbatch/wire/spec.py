"""What is to run, and what became of it, as the headers of sealed objects say it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

#: Kinds of sealed objects.
INPUT = "input"
ITEMS = "items"
FRAMES = "frames"
OUTCOME = "outcome"
RECORD = "record"
CLAIM = "claim"
CALLS = "calls"
RETURNED = "returned"
SHARE = "share"
CACHED = "cached"

#: Kinds of jobs that are arrays: a function mapped over items, a cell swept over points.
ARRAYS = MAP, SWEEP = "map", "sweep"

#: Roles of records in a graph.
VARIABLE = "variable"
FUNCTION = "function"
ARGUMENTS = "arguments"
ITEM = "item"
VALUE = "value"
EXCEPTION = "exception"

#: Statuses of an outcome.
OK = "ok"  # the code ran to its end
ERROR = "error"  # the code raised
REFUSED = "refused"  # the worker would not or could not start it, and says why
TERMINATED = "terminated"  # a signal from outside asked it to end
DIED = "died"  # the process that ran the code is gone

#: What is to be renewed before a job that was refused can start again.
IMAGE, LAYERS = "image", "layers"

#: The worker's exit code where it refused the job: another attempt would do no better.
EXIT_REFUSED = 95
#: Its exit code where the store took not even the outcome.
EXIT_UNWRITABLE = 96


@dataclass(frozen=True)
class JobSpec:
    """One job.

    Attributes
    ----------
    kind
        ``"cell"``: `source` runs in a namespace. ``"call"``: a function is called. ``"map"``: a
        function is called with each of the items that a child of an array gets. ``"serve"``: a
        worker of an executor, which calls what it is given (`nbbatch.wire.calls`). ``"sweep"``:
        `source` runs for each of the items, which are variables, that a child of an array gets.
    python
        The client's Python, ``"3.11"``. Where `bytecode` is set the worker's must be the same.
    source
        The cell as plain Python; `filename` and `first_line` say what tracebacks call it.
    silent
        Whether the last expression's value is not to be shown (it ended in ``;``).
    needs
        IPython features that the cell uses: ``"magic:timeit"``, ``"system"``, ...
    out
        The only names to return; None returns all that were bound or changed.
    attempts
        How often the job may be started, this time included.
    timeout
        Seconds that the code may run; None where nothing limits it.
    pause
        Seconds to wait before each attempt but the first.
    retry_on
        The ends after which another attempt follows: see `nbbatch.wire.attempts`.
    asked
        The resources that were asked for.
    sources
        File name to (label, text) of notebook cells that the functions come from, for tracebacks.
    records, modules
        The graph's records; the index of the part that holds the local modules, or None.
    places
        Local module to the directory in which the client has it, for tracebacks.
    secrets
        (variable, source) of the secrets that the job is given; no variable where the secret is
        an object that holds them by name. Their values are in the environment alone.
    allow_override
        Whether variables of such an object may replace others.
    libraries
        What travels of the kernel's libraries, as `nbbatch.wire.layers.Libraries.meta`.
    upstreams
        The jobs whose results the values refer to: `nbbatch.wire.upstream.Upstream` of each.
    lazy
        Whether what it leaves is only fetched when somebody looks at it: its outcome is small.
    """

    kind: str
    name: str
    python: str = ""
    bytecode: bool = False
    source: str = ""
    filename: str = "<cell>"
    first_line: int = 1
    silent: bool = False
    needs: Tuple[str, ...] = ()
    out: Optional[Tuple[str, ...]] = None
    attempts: int = 1
    timeout: Optional[float] = None
    pause: float = 0.0
    retry_on: Tuple[str, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Tuple[str, str]] = field(default_factory=dict)
    records: Tuple[Tuple[str, str, int, int], ...] = ()
    modules: Optional[int] = None
    places: Mapping[str, str] = field(default_factory=dict)
    secrets: Tuple[Tuple[str, str], ...] = ()
    allow_override: bool = False
    libraries: Mapping[str, Any] = field(default_factory=dict)
    upstreams: Tuple[Tuple[Any, ...], ...] = ()
    lazy: bool = False

    def meta(self) -> Dict[str, Any]:
        """Return the spec as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "JobSpec":
        """Read what `meta` wrote; fields of a newer minor version are passed over."""
        return cls(**_known(cls, meta))


@dataclass(frozen=True)
class Failure:
    """One exception of a chain, as plain data.

    Attributes
    ----------
    ename, evalue
        Qualified type and text.
    frames
        From the outermost in: (file name, line number, function, text of the line, line at which
        the function begins).
    link
        How it came to the next one in the list: ``""``, ``"cause"`` or ``"context"``.
    """

    ename: str
    evalue: str
    frames: Tuple[Tuple[str, int, str, str, int], ...] = ()
    link: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    Attributes
    ----------
    status
        `OK`, `ERROR`, `REFUSED`, `TERMINATED` or `DIED`.
    final
        Whether no further attempt follows.
    failures
        The exception and those behind it, the raised one first; their objects are the graph's
        records of role `EXCEPTION`, by index, where they pickled.
    traceback
        The same as lines of text.
    unreturned
        (name, reason) of values that did not pickle.
    changed
        Names whose value was changed in place; the other variables were bound anew.
    deleted
        Names that the cell deleted.
    what, cause, hint, error
        For `REFUSED`: the three parts of the message and the class in `nbbatch.errors`.
    exit_code, signal, out_of_memory
        For `DIED` and `TERMINATED`.
    loss
        For `TERMINATED`: ``"timeout"`` or ``"spot"`` where the worker knows that it was that;
        `cause` says more.
    usage
        The peaks, as in a ``usage`` frame, and ``seconds`` of run time.
    renew
        For `REFUSED`: `IMAGE` where the libraries are for another image, `LAYERS` where some are
        gone. The job may start again with others.
    items
        Of a ``"map"``: (index, failures) of each item that raised. `failures` is the first's, and
        the records of role `EXCEPTION` are named ``<index>.<number>``.
    blames
        The part of the job whose failure ended this one; `exit_code` is then that one's.
    kinds
        (name, type) of each value, where they are not fetched at once; of a module its name too.
    """

    status: str
    attempt: int = 1
    final: bool = True
    failures: Tuple[Failure, ...] = ()
    traceback: Tuple[str, ...] = ()
    unreturned: Tuple[Tuple[str, str], ...] = ()
    changed: Tuple[str, ...] = ()
    deleted: Tuple[str, ...] = ()
    what: str = ""
    cause: str = ""
    hint: str = ""
    error: str = ""
    exit_code: Optional[int] = None
    signal: str = ""
    out_of_memory: bool = False
    loss: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    records: Tuple[Tuple[str, str, int, int], ...] = ()
    blames: Optional[int] = None
    renew: str = ""
    items: Tuple[Tuple[int, Tuple[Failure, ...]], ...] = ()
    kinds: Tuple[Tuple[str, str], ...] = ()

    def meta(self) -> Dict[str, Any]:
        """Return the outcome as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Outcome":
        """Read what `meta` wrote; fields of a newer minor version are passed over."""
        values = _known(cls, meta)
        failures = values.get("failures", ())
        values["failures"] = _failures(failures)
        items = values.get("items", ())
        values["items"] = tuple((index, _failures(found)) for index, found in items)
        return cls(**values)


def _failures(found: Iterable[Mapping[str, Any]]) -> Tuple[Failure, ...]:
    return tuple(Failure(**_known(Failure, item)) for item in found)


def _known(kind: Any, meta: Mapping[str, Any]) -> Dict[str, Any]:
    names: List[str] = [f.name for f in dataclasses.fields(kind)]
    return {name: _frozen(meta[name]) for name in names if name in meta}


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
