"""The two ports of a backend: where objects live, and what runs jobs.

`local` and `aws` implement them; above this line nobody knows which one it is. Both pass the
same contract suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from nbbatch.facts import Finding, Status
from nbbatch.options import Options
from nbbatch.wire.store import ListingStore

MASK = "********"


class ClientStore(ListingStore, Protocol):
    """The port of both sides, and what only the client needs."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that don't exist are passed over."""

    def environment(self) -> Mapping[str, str]:
        """Return what the job must know to open this store (`wire.keys.ENV_STORE` and others)."""


@dataclass(frozen=True)
class Launch:
    """All that a runner needs to start one job; its objects are already in the store.

    Attributes
    ----------
    environment
        Given to the container as it is.
    secret
        The names in `environment` whose values are never shown.
    worker
        SHA-256 of the worker's zip, which is in the store under `wire.keys.worker`.
    directory
        The kernel's working directory, where the backend runs on the same machine.
    depends_on
        The backend's own ids of the jobs that must have succeeded before this one starts.
    before
        How many attempts were made by jobs of this backend before this one.
    leeway
        Seconds by which the backend ends an attempt later than `Options.timeout`: the worker
        itself ends the code in time.
    children
        How many children an array job has; with less than two it is an ordinary job.
    sheet
        Which of the array jobs it is that the children of one job are spread over, from 1; 0
        where they all are in one.
    anew
        How often jobs of this backend were started for it that have not run.
    """

    job_id: str
    name: str
    options: Options
    environment: Mapping[str, str] = field(repr=False)
    worker: str
    secret: frozenset[str] = frozenset()
    directory: str = ""
    depends_on: tuple[str, ...] = ()
    before: int = 0
    leeway: int = 0
    children: int = 0
    sheet: int = 0
    anew: int = 0

    @property
    def unique(self) -> str:
        """What no other launch is called: the job's id, its first attempt if not 1, its sheet."""
        return unique(self.job_id, self.before, self.sheet, self.anew)

    @property
    def time_limit(self) -> int | None:
        """Seconds after which the backend ends an attempt; None where it never does."""
        timeout = self.options.timeout
        return None if timeout is None else timeout + self.leeway


class Sought(NamedTuple):
    """A job that was started, of which nobody could note what its backend calls it.

    Attributes
    ----------
    name, unique, children
        Those of its `Launch`.
    queue
        The one that it asked for; ``""`` for none.
    """

    name: str
    unique: str
    queue: str = ""
    children: int = 0


class Found(NamedTuple):
    """What a backend calls such a job.

    Attributes
    ----------
    id
        The backend's own.
    settled
        Whether it will stay so: whoever starts the job may still be at it.
    """

    id: str
    settled: bool = True


@dataclass(frozen=True)
class Target:
    """Where a job's code runs: a Python, its platform, and what is installed there.

    Attributes
    ----------
    name
        The image, or the interpreter.
    python
        Its minor version, ``3.11``; ``3.13t`` where threads run freely.
    machine, libc
        The processor, and the C library, with its version where that is known.
    packages
        Name to version of what is installed; empty while `known` is False.
    known
        Whether it has been asked: otherwise all this is what it is likely to be.
    here
        Whether it is the kernel's own environment.
    """

    name: str
    python: str
    machine: str
    libc: str = "glibc"
    packages: Mapping[str, str] = field(default_factory=dict)
    known: bool = False
    here: bool = False

    @property
    def minor(self) -> str:
        """The minor version without the letter of free threads."""
        return self.python.removesuffix("t")


@dataclass(frozen=True)
class Call:
    """One request as it would be sent: for ``--dry-run``."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Runner(Protocol):
    """Starts jobs, says how they are, stops them."""

    #: Seconds between two calls of `describe` while jobs are young; the watcher slows down.
    poll_seconds: float

    def check(self, options: Options) -> None:
        """Refuse options that this backend can't honour, before anything is written.

        Raises
        ------
        OptionError
            What is wrong with which option, and the nearest that would do.
        """

    def target(self, options: Options) -> Target:
        """Return what is known, without asking for long, of the place where the code would run."""

    def at_once(self, options: Options) -> int | None:
        """Return how many such jobs can run at a time; None where nobody can tell."""

    def larger(self, options: Options) -> Options | None:
        """Return the options with twice the memory, or as much as there is; None if no more is."""

    def start(self, launch: Launch) -> str:
        """Start a job and return the backend's own id of it; never starts it twice.

        An array may have any number of children. Its id with ``:INDEX`` behind it is a child's.

        Raises
        ------
        UncertainError
            Nobody can tell for now whether it was: `find` will.
        BackendError
            The job was not started.
        """

    def find(self, sought: Sought) -> Found | None:
        """Look for a job by what `start` was given; return None where there is no such job."""

    def describe(self, ids: Sequence[str]) -> Mapping[str, Status]:
        """Return what is known about jobs, by the backend's ids; unknown ones are left out."""

    def failed(self, id_: str) -> Mapping[int, Status]:
        """Return what is known about the children of an array that have failed, by index.

        May take as long as a call for every hundred of them. Those that were never started are
        left out where the backend does not tell of them.
        """

    def explain(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Return why jobs are RUNNABLE and not running, in a sentence or two, by their ids.

        About jobs that `describe` has shown to be so; others, and those about which nothing is
        known, are left out or have ``""``. May take as long as a few calls; never raises.
        """

    def stop(self, ids: Sequence[str], reason: str) -> None:
        """Ask jobs to end (SIGTERM, then SIGKILL); those that have ended are passed over."""

    def log(self, id_: str) -> Iterator[str]:
        """Yield the lines of the container's own log: what the worker itself could not say."""

    def plan(self, launch: Launch) -> Sequence[Call]:
        """Return the requests that `start` would send, secrets masked; sends none."""


@dataclass(frozen=True)
class Backend:
    """A store and a runner that know each other's jobs, and what can be told about both."""

    name: str
    store: ClientStore
    runner: Runner
    #: Looks at all that jobs with such options need, one finding after the other; never raises.
    examine: Callable[[Options], Iterator[Finding]]
    #: Whether other machines of the user see the same store.
    shared: bool = False


def unique(job_id: str, before: int, sheet: int = 0, anew: int = 0) -> str:
    """Return what no other launch is called than that of a job after so many attempts."""
    attempt = f"-{before + 1}" if before else ""
    again = f"-anew{anew}" if anew else ""
    return on_sheet(job_id + attempt + again, sheet)


def on_sheet(name: str, sheet: int) -> str:
    """Return the same for one of several array jobs; see `Launch.sheet`."""
    return name + (f"-sheet{sheet}" if sheet else "")


def masked(environment: Mapping[str, str], secret: frozenset[str]) -> dict[str, str]:
    """Copy `environment` with the secret values covered."""
    return {name: MASK if name in secret else value for name, value in environment.items()}
