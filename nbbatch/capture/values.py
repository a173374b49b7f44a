"""What must travel, as values: a cell's inputs, or a function with its arguments."""

from __future__ import annotations

import linecache
import sys
import warnings
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from nbbatch.capture.editable import editable_roots, modules_of
from nbbatch.capture.modules import BROUGHT, LocalModule, imports_of, local_modules, pack, words_in
from nbbatch.errors import CellError, NotPicklableError
from nbbatch.wire import graph, spec, words
from nbbatch.wire.blame import sentence
from nbbatch.wire.graph import Graph, Item
from nbbatch.wire.store import Buffer

__all__ = [
    "Captured",
    "Scene",
    "capture_call",
    "capture_cell",
    "capture_session",
    "completed",
    "dumped",
    "graph_of_call",
    "sources",
]


@dataclass(frozen=True)
class Captured:
    """Values ready to travel.

    Attributes
    ----------
    graph
        The values; its buffers are views into the kernel's own memory.
    modules
        The local modules that the values and the code import, packed; empty where none are.
    places
        The name of each to the directory in which it is here.
    sources
        Notebook cells that functions come from: file name to (label, text).
    inputs
        The names that travel.
    wants
        The modules that the code and the values import, local ones left out, each with who wants
        it, as `reason` puts it.
    items
        The values themselves, as the graph has them.
    """

    graph: Graph
    modules: bytes = b""
    places: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    wants: Mapping[str, str] = field(default_factory=dict)
    items: Sequence[Item] = ()

    def parts(self) -> list[Buffer]:
        """Return the bytes in the order of an envelope's parts; the modules are last."""
        parts = self.graph.parts()
        return [*parts, self.modules] if self.modules else parts


#: Tells what a notebook calls a code object's file, e.g. ``In[3]``; None for real files.
Label = Callable[[str], "str | None"]


@dataclass(frozen=True)
class Scene:
    """Where the code stands.

    Attributes
    ----------
    directory
        Where the notebook's own modules lie.
    imports
        Modules that the code imports by name.
    words
        Those of the code; see `nbbatch.wire.words`.
    label
        Tells what the notebook calls its cells.
    """

    directory: Path
    imports: Iterable[str] = ()
    label: Label = lambda filename: None
    words: Iterable[str] = ()


def capture_cell(
    inputs: Sequence[str],
    namespace: Mapping[str, Any],
    scene: Scene,
    optional: Container[str] = (),
    stand_ins: Mapping[str, Any] | None = None,
) -> Captured:
    """Capture the values that a cell reads.

    Parameters
    ----------
    inputs
        Names to take from `namespace`.
    optional
        Those of `inputs` that the cell binds itself, and perhaps before it reads them: where
        one does not pickle it stays here, with a warning.
    stand_ins
        What travels in the place of some.

    Raises
    ------
    CellError
        A name does not exist.
    NotPicklableError
        A value does not pickle; the message names the part at fault.
    """
    instead = stand_ins or {}
    missing = [name for name in inputs if name not in namespace and name not in instead]
    if missing:
        raise CellError(
            f"there is no variable {missing[0]}",
            "--in names it, and the notebook has not bound it",
            "run the cell that binds it first, or correct the name",
        )
    values = (instead[name] if name in instead else namespace[name] for name in inputs)
    items = [(spec.VARIABLE, name, value) for name, value in zip(inputs, values, strict=True)]
    return _captured(items, namespace, scene, optional)


def capture_call(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    scene: Scene,
) -> Captured:
    """Capture a function, the globals that it uses, and its arguments.

    Raises
    ------
    NotPicklableError
        The function or an argument does not pickle; the message names the part at fault.
    """
    return _captured(_call(function, args, kwargs), vars(sys.modules["__main__"]), scene, ())


def graph_of_call(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Graph:
    """Capture a function, the globals that it uses, and its arguments; not what these need.

    Raises
    ------
    NotPicklableError
        The function or an argument does not pickle; the message names the part at fault.
    """
    return dumped(_call(function, args, kwargs), vars(sys.modules["__main__"]))


def _call(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Item]:
    # Functions of other modules keep the globals of those: they may import relatively.
    return [
        (spec.FUNCTION, getattr(function, "__name__", "function"), function),
        (spec.ARGUMENTS, "arguments", (tuple(args), dict(kwargs))),
    ]


def capture_session(namespace: Mapping[str, Any], scene: Scene) -> Captured:
    """Say which modules a notebook's variables are, or are made by; no value is captured."""
    # Loads cloudpickle.
    from nbbatch.wire.pickling import imported

    found = Graph(memoryview(b""), [], [])
    for name, value in namespace.items():
        if isinstance(value, ModuleType):
            found.modules.setdefault(value.__name__, f"the notebook's {name}")
            continue
        inner = getattr(value, "__wrapped__", value) if callable(value) else None
        if isinstance(inner, FunctionType) and inner.__module__ == "__main__":
            for module in imported(inner.__code__):
                found.modules.setdefault(module, name)
            found.words.update(words.of_code(inner.__code__))
        home = getattr(value if callable(value) else type(value), "__module__", None)
        if isinstance(home, str) and home != "builtins":
            found.modules.setdefault(home, name)
            found.types.add(home.partition(".")[0])
    modules, wants = _needed(scene, found)
    return Captured(graph=found, places=_places(modules), wants=wants)


def _captured(
    items: list[Item], namespace: Any, scene: Scene, optional: Container[str]
) -> Captured:
    found = dumped(items, namespace, optional)
    names = {(role, name) for role, name, _, _ in found.records}
    kept = tuple(item for item in items if item[:2] in names)
    return replace(completed(found, scene), items=kept)


def completed(found: Graph, scene: Scene) -> Captured:
    """Add what a graph needs besides: local modules and sources."""
    modules, wants = _needed(scene, found)
    return Captured(
        graph=found,
        modules=pack(modules) if modules else b"",
        places=_places(modules),
        sources=sources(found.files, scene.label),
        inputs=tuple(name for role, name, _, _ in found.records if role == spec.VARIABLE),
        wants=wants,
    )


def _places(modules: Iterable[LocalModule]) -> dict[str, str]:
    return {module.name: str(module.root) for module in modules}


def _needed(scene: Scene, found: Graph) -> tuple[list[LocalModule], dict[str, str]]:
    """Return the local modules, and those of libraries, that code and values need."""
    names = {*scene.imports, *found.modules}
    while True:
        modules = local_modules(names, search_dir=scene.directory)
        wants = _wants(scene, found, modules)
        more = _required(wants) - names
        if not more:
            found.words.update(scene.words, *map(words_in, modules))
            return modules, wants
        names |= more


def _required(wants: Mapping[str, str]) -> set[str]:
    """Return the modules of editable installs that libraries require: they travel as files."""
    if not wants or not editable_roots():
        return set()
    # Loaded only where there are such.
    from nbbatch.libraries.needs import editable_needs

    return modules_of(editable_needs(wants))


def _wants(scene: Scene, found: Graph, modules: Sequence[LocalModule]) -> dict[str, str]:
    wants = dict.fromkeys(scene.imports, "the cell imports it")
    for module, value in found.modules.items():
        wants.setdefault(module, f"{value} needs it")
    for local in modules:
        for module in imports_of(local):
            wants.setdefault(module, f"{local.name} imports it")
    here = {local.name for local in modules} | sys.stdlib_module_names | BROUGHT
    return {m: why for m, why in wants.items() if m.partition(".")[0] not in here}


def dumped(items: list[Item], namespace: Any, optional: Container[str] = ()) -> Graph:
    """Pickle values as one graph, without those of `optional` that do not pickle.

    Raises
    ------
    NotPicklableError
        Another one does not.
    """
    left = list(items)
    while True:
        try:
            return graph.dump(left, namespace)
        # Pickling runs the values' own code: whatever it raises, the value is what can't travel.
        except Exception as error:
            item = getattr(error, "nbbatch_item", left[0])
            if item[0] != spec.VARIABLE or item[1] not in optional:
                raise _not_picklable(item, error) from error
            reason = sentence(item[1], item[2], error)
            warnings.warn_explicit(f"stays here: {reason}", RuntimeWarning, "<nbbatch>", 1)
            left = [other for other in left if other is not item]


def _not_picklable(item: Item, error: Exception) -> NotPicklableError:
    role, name, value = item
    what = f"{name} can't travel to the job"
    hint = f"make {name} inside the cell, or leave out the part that does not pickle"
    if role == spec.ITEM:
        name = f"item {name}"
        what, hint = f"{name} can't travel to the job", "make that part inside the function"
    elif role != spec.VARIABLE:
        what, hint = f"the {role} can't travel to the job", "make that part inside the function"
    return NotPicklableError(what, sentence(name, value, error), hint)


def sources(filenames: Iterable[str], label: Label) -> dict[str, tuple[str, str]]:
    """Take the text of notebook cells along: the job has no file to look their lines up in."""
    found = {}
    for filename in sorted(filenames):
        text = "".join(linecache.getlines(filename))
        if text and (label(filename) or filename.startswith("<")):
            found[filename] = (label(filename) or filename, text)
    return found


def python_version() -> str:
    """Return this Python's minor version, which bytecode is tied to."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
