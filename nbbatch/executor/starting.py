"""What a worker needs, and its start: a job of the kind ``"serve"``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbbatch.calling import cell_label
from nbbatch.capture.items import Needs
from nbbatch.capture.modules import BROUGHT
from nbbatch.capture.values import Captured, Scene, graph_of_call
from nbbatch.executor.member import Hear, Member, Tell, Took
from nbbatch.executor.posting import Post
from nbbatch.executor.sharing import Shared
from nbbatch.facts import JobFacts
from nbbatch.options import Options
from nbbatch.origin import notebook
from nbbatch.session import Session, Work
from nbbatch.wire.graph import Graph
from nbbatch.wire.spec import JobSpec

#: What workers are called where no name was asked for.
_NAME = "executor"


class Workers:
    """Starts the workers of one executor.

    They get the modules and libraries of the calls that are known when they start. A call that
    needs others is made by new ones.

    Parameters
    ----------
    ready
        What each calls first, and the arguments; None for nothing.
    idle
        Seconds without any call after which a worker ends.

    Raises
    ------
    NotPicklableError
        The initializer or its arguments can't travel.
    """

    def __init__(
        self,
        session: Session,
        options: Options,
        ready: tuple[Callable[..., object] | None, Sequence[Any]],
        idle: float,
    ) -> None:
        self._session = session
        self._options = options
        self.backend = session.backend.name
        #: What they have in common.
        self.about = JobFacts("", options.name or _NAME, self.backend, asked=options.asked())
        self._scene = Scene(Path.cwd(), label=cell_label)
        initializer, args = ready
        own = graph_of_call(initializer, args, {"idle": idle})  # type: ignore[arg-type]
        self._own = Captured(own)
        self._covered = _needs(own)
        self._others: list[Graph] = []
        self._work: Work | None = None
        self._known: set[str] = set()
        self.shared = Shared()
        #: Takes what the workers say, once somebody looks.
        self.hear: Hear | None = None

    def covers(self, graph: Graph) -> bool:
        """Tell whether the workers that are started now have all that a call needs."""
        return _needs(graph) <= self._covered

    def extend(self, graphs: Sequence[Graph]) -> None:
        """Have those that are started from now on cover these calls too."""
        for graph in graphs:
            if not self.covers(graph):
                self._covered |= _needs(graph)
                self._others.append(_without_values(graph))
        self._work = None

    def start(self, tell: Tell, took: Took) -> Member:
        """Start a worker."""
        member = Member(tell, took, cell_label, self.hear)
        if self._work is None:
            needs = Needs()
            for graph in self._others:
                needs.add(graph)
            captured = needs.added_to(self._own, self._scene)
            name = self._options.name or _NAME
            self._work = Work(JobSpec("serve", name), captured, notebook())
        member.job = job = self._session.submit(self._work, self._options, member)
        key, store = self._session.key_of(job.id), self._session.backend.store
        member.post = Post(store, key, job.id, self._known, self.shared)
        return member


def _needs(graph: Graph) -> set[str]:
    """Name what a graph needs besides the standard library and nbbatch."""
    here = sys.stdlib_module_names | BROUGHT
    return {_library(name) for name in graph.modules if name.partition(".")[0] not in here}


def _library(module: str) -> str:
    """Return the package that a module is in; the module, where that may be in many places."""
    top = module.partition(".")[0]
    return top if getattr(sys.modules.get(top), "__file__", None) else module


def _without_values(graph: Graph) -> Graph:
    """Return what a graph needs alone: its values may be large."""
    return replace(graph, stream=memoryview(b""), records=[], buffers=[])
