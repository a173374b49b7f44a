"""Needs to layers: what a job's libraries are, and how they get into its store."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from nbbatch.backends.base import ClientStore, Target
from nbbatch.errors import NbbatchError
from nbbatch.libraries import ledger
from nbbatch.libraries.asked import Asked
from nbbatch.libraries.building import bytecode, chunks, noted, uncompiled
from nbbatch.libraries.compiling import BYTECODE, compile_all
from nbbatch.libraries.installed import Distribution, Installed, installed
from nbbatch.libraries.needs import find_needs
from nbbatch.libraries.plan import Item, Plan, Way, check_obtainable, make_plan, with_pins
from nbbatch.libraries.prefixes import Ask, Prefix, choose
from nbbatch.libraries.sending import Content, Say, of, send, silent
from nbbatch.libraries.targets import family, kernel_target, told
from nbbatch.wire.graph import Graph
from nbbatch.wire.layers import Layer, Libraries

__all__ = ["Librarian"]

#: Changes with what is made of the same files.
_FORMAT: Final = "5"


class Librarian:
    """Plans and sends the libraries of a session's jobs.

    Parameters
    ----------
    folder
        Where what it learns is kept.
    store
        Where layers go.
    """

    def __init__(self, folder: Path, store: ClientStore) -> None:
        self._store = store
        self._built = ledger.Ledger(folder / "layers.json", store.url)
        self._compiling: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._images = ledger.Ledger(folder / "images.json", _FORMAT)

    def known(self, target: Target) -> Target:
        """Return what a job has told of an image, where one has; all of the kernel's own."""
        if target.here:
            packages = {name: found.version for name, found in installed().by_name.items()}
            return replace(target, packages=packages)
        found = None if target.known else self._images.get(target.name)
        return told(target.name, found) if found else target

    def learn(self, name: str, found: Mapping[str, Any]) -> None:
        """Remember what a job tells of its image."""
        kept = ("python", "machine", "libc", "packages")
        self._images.add({name: {each: found[each] for each in kept}})

    def unlearn(self, name: str) -> None:
        """Forget what a job has told of an image."""
        self._images.add({name: None})

    def plan(self, wants: Mapping[str, str], target: Target, seen: Graph | None = None) -> Plan:
        """Say what a job at `target` needs, and where it gets it from.

        Parameters
        ----------
        wants
            The modules that it imports, each with who wants it.
        seen
            The values and the code: of which modules' types they are, and what words are in them.
        """
        if not wants:
            return Plan(target)
        types, words = (seen.types, seen.words) if seen else ((), ())
        return make_plan(find_needs(wants, types, installed(), target, words), target)

    def with_asked(self, plan: Plan, asked: Asked, say: Say = silent) -> Plan:
        """Return a plan with what is asked for besides, in versions that fit together.

        Raises
        ------
        LibraryError
            They don't, or can't be had.
        """
        if not asked.requirements:
            return plan
        # What no index has keeps its version, and is none of the resolution's.
        kept = [
            item
            for item in plan.items
            if item.version and not (item.need and item.need.distribution.origin)
            if item.name not in asked.reasons
        ]
        preferred = {item.name: item.version for item in kept}
        here = [i.need.distribution for i in kept if i.need and i.way is not Way.INDEX]
        said = repr((asked.requirements, asked.limits, asked.indexes, preferred))
        # An address of an index may have a password in it.
        request = _index_recipe("asked", hashlib.sha256(said.encode()).hexdigest(), plan.target)
        pins = self._built.get(request)
        if pins is None:
            from nbbatch.libraries.resolving import resolve

            pulse = partial(say, f"resolving {', '.join(asked.requirements[:3])}")
            pulse()
            with tempfile.TemporaryDirectory(prefix="nbbatch-asked-") as made:
                pins = resolve(asked, preferred, here, plan.target, Path(made), pulse)
            self._built.add({request: pins})
        found = with_pins(plan, pins, asked.reasons)
        hashed = tuple(
            replace(item, hashes=asked.hashes.get(item.name, item.hashes)) for item in found.items
        )
        return replace(found, items=hashed, indexes=(*plan.indexes, *asked.indexes))

    def kept(self, plan: Plan) -> set[str]:
        """Return the names of what the store has already."""
        return {item.name for item in plan.items if self._built.get(_recipe(item, plan.target))}

    def send(self, plan: Plan, say: Say = silent) -> Libraries:
        """Put into the store what of a plan is not there yet; return what the job is told.

        Raises
        ------
        LibraryError
            Something can't be had for the target.
        """
        check_obtainable(plan)
        files = {_recipe(item, plan.target): item for item in plan.going(Way.FILES)}
        index = {_recipe(item, plan.target): item for item in plan.going(Way.INDEX)}
        found = {**self._layers(files), **self._layers(index)}
        new = {recipe: item for recipe, item in files.items() if recipe not in found}
        found.update(self._from_files(new, plan, say))
        new = {recipe: item for recipe, item in index.items() if recipe not in found}
        found.update(self._from_index(new, plan, say))
        return _told(plan, tuple(found.values()))

    def prefix(self, ask: Ask, target: Target) -> Prefix | None:
        """Return the interpreter that is to go along; None where the target's own will do."""
        return choose(ask, target, self._built, self._later)

    def forget(self) -> None:
        """Take nothing for sent any more: the store lacks something."""
        self._built.clear()

    def settle(self) -> None:
        """Wait until nothing is compiled in the background any more."""
        with self._lock:
            compiling = list(self._compiling)
        for thread in compiling:
            thread.join()

    def _layers(self, recipes: Iterable[str]) -> dict[str, Layer]:
        recipes = [each for recipe in recipes for each in (recipe, recipe + BYTECODE)]
        found = {recipe: self._built.get(recipe) for recipe in recipes}
        return {recipe: Layer.from_meta(entry) for recipe, entry in found.items() if entry}

    def _from_files(self, items: Mapping[str, Item], plan: Plan, say: Say) -> dict[str, Layer]:
        here = {r: i.need.distribution for r, i in items.items() if i.need is not None}
        return self._build(here, plan.target, say)

    def _from_index(self, items: Mapping[str, Item], plan: Plan, say: Say) -> dict[str, Layer]:
        if not items:
            return {}
        # What is to be resolved has its version, and so its recipe, only afterwards.
        request = _request(plan)
        came = self._built.get(request)
        if came and all(map(self._built.get, came)):
            return self._layers(came)
        found = self._downloaded(items, plan, say)
        self._built.add({request: list(found)})
        return found

    def _downloaded(self, items: Mapping[str, Item], plan: Plan, say: Say) -> dict[str, Layer]:
        # Loaded only where it is needed.
        from nbbatch.libraries.resolving import download

        pulse = partial(say, f"resolving {len(items)} libraries for {plan.target.name}")
        pulse()
        pinned = [f"{item.name}=={item.version}" for item in plan.items if item.version]
        with contextlib.ExitStack() as stack:
            made = tempfile.TemporaryDirectory(prefix="nbbatch-layers-")
            folder = Path(stack.enter_context(made))
            download(list(items.values()), pinned, plan, folder, pulse)
            hashes = {item.name: item.hashes for item in items.values()}
            here = {
                _index_recipe(
                    found.name, found.version, plan.target, hashes.get(found.name, ())
                ): found
                for found in Installed([folder / "site"]).by_name.values()
            }
            return self._build(here, plan.target, say, stack)

    def _build(
        self,
        here: Mapping[str, Distribution],
        target: Target,
        say: Say,
        until: contextlib.ExitStack | None = None,
    ) -> dict[str, Layer]:
        if not here:
            return {}
        compiled = target.python == kernel_target().python
        files: dict[str, set[str]] = {recipe: set() for recipe in here}
        contents = {
            recipe: Content(of(found), noted(chunks(found, compiled=compiled), files[recipe]))
            for recipe, found in here.items()
        }
        made = send(contents, self._store, say)
        size = sum(layer.size for layer in made.values())
        say(f"sent {len(made)} of the kernel's libraries, {size / 1e6:.1f} MB", last=True)
        self._built.add({recipe: layer.meta() for recipe, layer in made.items()})
        if compiled:
            # The files are still needed then.
            after = until.pop_all() if until is not None else contextlib.ExitStack()
            self._later(partial(self._compile, here, files, after))
        return made

    def _compile(
        self,
        here: Mapping[str, Distribution],
        files: Mapping[str, set[str]],
        after: contextlib.ExitStack,
    ) -> None:
        """Make the bytecode that is not among the files that went along, for later jobs."""
        with after:
            _compiled(here, files, self._store, self._built)

    def _later(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="nbbatch-bytecode", daemon=True)
        with self._lock:
            self._compiling = [each for each in self._compiling if each.is_alive()]
            thread.start()
            self._compiling.append(thread)


def _compiled(
    here: Mapping[str, Distribution],
    files: Mapping[str, set[str]],
    store: ClientStore,
    built: ledger.Ledger,
) -> None:
    """Compile, send and remember; what goes wrong costs later jobs the time to compile."""
    for recipe, found in here.items():
        with (
            contextlib.suppress(OSError, NbbatchError),
            tempfile.TemporaryDirectory(prefix="nbbatch-bytecode-") as made,
        ):
            sources = uncompiled(found, Path(made), files[recipe])
            if sources:
                compile_all(sources)
                content = Content(of(found), bytecode(sources, Path(made)))
                layer = send({recipe: content}, store, silent)[recipe]
                built.add({recipe + BYTECODE: layer.meta()})


def _told(plan: Plan, layers: tuple[Layer, ...]) -> Libraries:
    target = plan.target
    return Libraries(
        layers=tuple(sorted(layers, key=lambda layer: layer.name)),
        python=target.python,
        machine=target.machine,
        libc=family(target),
        expects=plan.expects,
        report=not target.known,
    )


def _recipe(item: Item, target: Target) -> str:
    """Name all that the content of an item's layer depends on."""
    if item.way is Way.FILES and item.need is not None:
        record = item.need.distribution.record / "RECORD"
        facts = record.stat()
        python = sys.implementation.cache_tag if target.python == kernel_target().python else "any"
        what = f"{record}|{facts.st_mtime_ns}|{facts.st_size}|{python}"
        return f"{_FORMAT}|{item.name}|{item.version}|{what}"
    return _index_recipe(item.name, item.version, target, item.hashes)


def _request(plan: Plan) -> str:
    """Name all that an index's answer depends on, but for what it has."""
    items = sorted(f"{item.name}=={item.version}{_of(item.hashes)}" for item in plan.items)
    said = hashlib.sha256("\n".join([*items, *plan.indexes]).encode()).hexdigest()
    return _index_recipe("request", said, plan.target)


def _index_recipe(name: str, version: str, target: Target, hashes: Sequence[str] = ()) -> str:
    place = f"{target.python}|{target.machine}|{target.libc}"
    return f"{_FORMAT}|{name}|{version}|{place}{_of(hashes)}"


def _of(hashes: Sequence[str]) -> str:
    """Name what archives have to be: one that was checked is not one that was not."""
    return f"|{hashlib.sha256(' '.join(hashes).encode()).hexdigest()}" if hashes else ""
