"""What the children of an array get, as values: one graph for each, made when its turn comes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nbbatch.capture.values import Captured, Scene, completed, dumped
from nbbatch.wire import spec
from nbbatch.wire.graph import Graph

__all__ = ["Needs", "capture_items"]


@dataclass
class Needs:
    """What items need besides their own bytes, all of them together; see `graph.Graph`."""

    modules: dict[str, str] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    bytecode: bool = False
    upstreams: dict[str, Any] = field(default_factory=dict)

    def add(self, found: Graph) -> None:
        """Take what the items of one graph need."""
        for module, value in found.modules.items():
            self.modules.setdefault(module, f"item {value}")
        self.types |= found.types
        self.files |= found.files
        self.bytecode |= found.bytecode
        self.upstreams |= found.upstreams

    def added_to(self, captured: Captured, scene: Scene) -> Captured:
        """Return a captured call with what its items need: modules and sources too."""
        own = captured.graph
        whole = replace(
            own,
            modules={**self.modules, **own.modules},
            types=own.types | self.types,
            files=own.files | self.files,
            bytecode=own.bytecode or self.bytecode,
            upstreams=own.upstreams | self.upstreams,
        )
        return replace(completed(whole, scene), items=captured.items)


def capture_items(portions: Iterable[Sequence[tuple[int, Any]]], needs: Needs) -> Iterator[Graph]:
    """Capture what the children of an array get: of each a graph of its items, named by index.

    Raises
    ------
    NotPicklableError
        An item does not pickle; the message names it, and the part at fault.
    """
    namespace = vars(sys.modules["__main__"])
    for portion in portions:
        found = dumped([(spec.ITEM, str(index), item) for index, item in portion], namespace)
        needs.add(found)
        yield found
