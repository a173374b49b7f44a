"""An environment of conda's packages: what is asked for, to layers and what code finds there."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from nbbatch.backends.base import ClientStore, Target
from nbbatch.libraries.conda.linking import link
from nbbatch.libraries.conda.solving import Package, cuda, download, is_folder, solve, subdir
from nbbatch.libraries.ledger import Ledger
from nbbatch.libraries.prefixes import Ask
from nbbatch.libraries.sending import Content, Say, send, silent
from nbbatch.wire.layers import Layer, cut
from nbbatch.worker.run.fingerprint import normalized

__all__ = ["Environment"]

_FORMAT: Final = "2"
_CHANNELS: Final = ("conda-forge",)
_BRINGS, _SCRIPT = "|brings", "|script"
#: A specification that is of Python itself.
_PYTHON: Final = re.compile(r"([\w./:+-]+::)?python(\s*[=<>!~\[ ].*)?")


class Environment:
    """Conda's packages, with an interpreter of their own.

    Parameters
    ----------
    ask
        What it is to have.
    base
        Where the job begins.
    python
        The minor version, where what is asked for says nothing of it.
    built
        What this machine remembers.
    """

    def __init__(self, ask: Ask, base: Target, python: str, built: Ledger) -> None:
        self._ask = ask
        self._base = base
        self._python = python
        self._built = built
        self._channels = tuple(ask.channels) or _CHANNELS

        self._packages: Sequence[Package] = ()

    @property
    def target(self) -> Target:
        """What code finds; see `nbbatch.libraries.prefixes.Prefix`."""
        packages = self._solved()
        brings = [self._built.get(self._recipe(each) + _BRINGS) for each in packages]
        if None in brings:
            # Mostly, a package is called as the distribution in it.
            has = {normalized(each.name): each.version for each in packages}
        else:
            has = {name: said for found in brings for name, said in found.items()}
        name, python = f"the conda environment on {self._base.name}", self._minor
        base = replace(self._base, name=name, python=python, packages=has)
        return replace(base, known=True, here=False)

    @property
    def program(self) -> str:
        """Where it is; see `nbbatch.libraries.prefixes.Prefix`."""
        return "bin/python"

    @property
    def reason(self) -> str:
        """Why it goes along; see `nbbatch.libraries.prefixes.Prefix`."""
        return (
            f"{len(self._solved())} packages of conda's go along, with Python {self._minor}: "
            f"--conda asks for {', '.join(self._ask.conda)} from {', '.join(self._channels)}"
        )

    @property
    def asker(self) -> str:
        """Who asks for it; see `nbbatch.libraries.prefixes.Prefix`."""
        return "--conda brings it"

    @property
    def notes(self) -> list[str]:
        """What is different in it; see `nbbatch.libraries.prefixes.Prefix`."""
        kept = ((each, self._recipe(each) + _SCRIPT) for each in self._solved())
        return [
            f"{each.name} {each.version} has a script that conda would run after its installation "
            f"(bin/.{each.name}-post-link.sh): it is not run"
            for each, script in kept
            if self._built.get(script)
        ]

    def layers(self, store: ClientStore, say: Say) -> tuple[Layer, ...]:
        """Have its packages fetched and sent; see `nbbatch.libraries.prefixes.Prefix`."""
        recipes = {self._recipe(package): package for package in self._solved(say)}
        known = {recipe: self._built.get(recipe) for recipe in recipes}
        found = {recipe: Layer.from_meta(entry) for recipe, entry in known.items() if entry}
        new = {recipe: package for recipe, package in recipes.items() if recipe not in found}
        if new:
            found.update(self._sent(new, store, say))
        return tuple(sorted(found.values(), key=lambda layer: layer.name))

    def _sent(self, new: Mapping[str, Package], store: ClientStore, say: Say) -> dict[str, Layer]:
        pulse = partial(say, f"fetching {len(new)} packages of conda's")
        pulse()
        with tempfile.TemporaryDirectory(prefix="nbbatch-conda-") as made:
            places = download(new.values(), Path(made), pulse)
            linked = {
                recipe: link(package, places[package.key], self._site)
                for recipe, package in new.items()
            }
            contents = {
                recipe: Content(Layer(new[recipe].name, new[recipe].version, ()), cut(each.files))
                for recipe, each in linked.items()
            }
            sent = send(contents, store, say)
        size = sum(layer.size for layer in sent.values())
        say(f"sent {len(sent)} packages of conda's, {size / 1e6:.1f} MB", last=True)
        brings = {recipe + _BRINGS: dict(each.brings) for recipe, each in linked.items()}
        scripts = {recipe + _SCRIPT: True for recipe, each in linked.items() if each.script}
        layers = {recipe: layer.meta() for recipe, layer in sent.items()}
        self._built.add(layers | brings | scripts)
        return sent

    def _solved(self, say: Say = silent) -> Sequence[Package]:
        """Return what it is made of.

        Raises
        ------
        NbbatchError
            Nothing is, or its Python is not the one that is needed.
        """
        if not self._packages:
            request = self._request()
            # A folder changes without a word.
            known = None if any(map(is_folder, self._channels)) else self._built.get(request)
            if known is None:
                pulse = partial(say, f"resolving {', '.join(self._ask.conda[:3])}")
                pulse()
                gpu = self._ask.gpu
                found = solve(self._specs(), self._channels, self._base, pulse, gpu=gpu)
                known = [package.facts() for package in found]
                self._built.add({request: known})
            self._packages = [Package.of(facts) for facts in known]
            # Its specifications may name another Python than the functions need.
            _ = replace(self._ask, python=self._minor).needed
        return self._packages

    def _specs(self) -> list[str]:
        asked = list(self._ask.conda)
        if self._ask.python or not any(map(_PYTHON.fullmatch, asked)):
            asked.append(f"python {self._python}.*")
        return asked

    def _request(self) -> str:
        where = (subdir(self._base), self._base.libc, self._channels)
        return f"{_FORMAT}|conda|{self._specs()}|{where}|{cuda(gpu=self._ask.gpu)}"

    def _recipe(self, package: Package) -> str:
        site = self._site if package.python else ""
        return f"{_FORMAT}|conda|{package.key}|{site}"

    @property
    def _interpreter(self) -> Package:
        return next(each for each in self._packages if each.name == "python")

    @property
    def _minor(self) -> str:
        return ".".join(self._interpreter.version.split(".")[:2])

    @property
    def _site(self) -> str:
        return self._interpreter.site_packages or f"lib/python{self._minor}/site-packages"
