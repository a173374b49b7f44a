"""The scopes of statements that run in place, and which names are settled in each.

A name is settled when it is certain to have been bound or deleted: the value that it had around
the cell can't be seen any more. Settled names stay so, and that makes joining branches simple.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Frame", "Kind", "Scopes", "State"]


class Kind(Enum):
    """What opens a scope without leaving the flow."""

    MODULE = auto()
    CLASS = auto()
    COMPREHENSION = auto()
    #: The type parameters of a generic definition: names inside see through it.
    PARAMETERS = auto()


@dataclass
class Frame:
    """One scope.

    Attributes
    ----------
    name, declared_global, volatile
        Of a class: its name, the names it declares global, and those that it deletes somewhere,
        whose global of the same name shows through again.
    calls_methods
        Whether the body of a class may call a method before the class is there.
    """

    kind: Kind
    settled: set[str] = field(default_factory=set)
    name: str = ""
    declared_global: frozenset[str] = frozenset()
    volatile: frozenset[str] = frozenset()
    calls_methods: bool = False


@dataclass(frozen=True)
class State:
    """What is settled, frame by frame, at one point of the flow.

    `dead` says that the flow does not pass the point: after ``raise``, ``break``, ``continue``.
    """

    settled: tuple[frozenset[str], ...]
    dead: bool


class Scopes:
    """Looks names up as the running cell would, and notes what it does to the outermost scope."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.binds: set[str] = set()
        self.deletes: set[str] = set()
        self.dead = False
        self._frames = [Frame(Kind.MODULE)]

    # names

    def read(self, name: str) -> None:
        """Note a lookup of `name` from the innermost scope."""
        name = self._mangled(name)
        in_class = True
        for frame in reversed(self._frames):
            if name in frame.settled and (in_class or frame.kind is not Kind.CLASS):
                return
            # The names of a class body are seen from the body itself only.
            in_class = in_class and frame.kind is Kind.PARAMETERS
        self.reads.add(name)

    def read_globals(self, names: Iterable[str]) -> None:
        """Note lookups from a function's body."""
        self.reads |= set(names) - self._frames[0].settled

    def bind(self, name: str, *, walrus: bool = False) -> None:
        """Note a binding; one by a `walrus` leaves the comprehension that it stands in."""
        name = self._mangled(name)
        home = self._home(name, walrus=walrus)
        if home.kind is Kind.MODULE:
            self.binds.add(name)
        if name not in home.volatile:
            home.settled.add(name)

    def delete(self, name: str) -> None:
        """Note a deletion, for which the name must exist."""
        self.read(name)
        name = self._mangled(name)
        if self.is_global(name):
            self.deletes.add(name)
            self._frames[0].settled.add(name)

    def is_global(self, name: str) -> bool:
        """Tell whether binding `name` here binds it in the outermost scope."""
        return self._home(name, walrus=False).kind is Kind.MODULE

    def class_in_making(self) -> str | None:
        """Return the name of the top-level class whose methods can't run before it is bound."""
        inner = (frame for frame in self._frames[1:] if frame.kind is not Kind.PARAMETERS)
        first = next(inner, None)
        waits = first is not None and first.kind is Kind.CLASS and not first.calls_methods
        return first.name if first is not None and waits else None

    def _home(self, name: str, *, walrus: bool) -> Frame:
        for frame in reversed(self._frames):
            if name in frame.declared_global:
                break
            if frame.kind is Kind.PARAMETERS or (walrus and frame.kind is Kind.COMPREHENSION):
                continue
            return frame
        return self._frames[0]

    def _mangled(self, name: str) -> str:
        """Rename a private name as the class around it does."""
        if name.startswith("__") and not name.endswith("__"):
            for frame in reversed(self._frames):
                if frame.kind is Kind.CLASS:
                    owner = frame.name.lstrip("_")
                    return f"_{owner}{name}" if owner else name
        return name

    # flow

    @contextmanager
    def inside(self, frame: Frame) -> Iterator[None]:
        """Make `frame` the innermost scope for a while."""
        self._frames.append(frame)
        yield
        self._frames.pop()

    def state(self) -> State:
        """Return what is settled here."""
        return State(tuple(frozenset(frame.settled) for frame in self._frames), self.dead)

    def resume(self, state: State) -> None:
        """Go on as from `state`."""
        self.dead = state.dead
        for frame, names in zip(self._frames, state.settled, strict=True):
            frame.settled = set(names)

    def join(self, ends: list[State]) -> None:
        """Go on with what all of `ends` settle that the flow comes out of."""
        alive = [end for end in ends if not end.dead]
        frames = zip(*(end.settled for end in alive or ends), strict=True)
        self.resume(State(tuple(frozenset.intersection(*names) for names in frames), not alive))

    def either(self, *branches: Callable[[], object]) -> None:
        """Run each branch from here on its own, then join them."""
        start = self.state()
        ends = []
        for branch in branches:
            self.resume(start)
            branch()
            ends.append(self.state())
        self.join(ends)

    def maybe(self, branch: Callable[[], object]) -> None:
        """Run a branch that may be left out, or left at any point."""
        self.either(branch, lambda: None)
