"""An interpreter for a platform, as `uv` has it: one that runs wherever it is put.

https://docs.astral.sh/uv/concepts/python-versions/#managed-python-distributions
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from nbbatch.backends.base import ClientStore, Target
from nbbatch.errors import LibraryError, NbbatchError
from nbbatch.libraries.building import File, cached_name
from nbbatch.libraries.compiling import BYTECODE, Source, compile_all
from nbbatch.libraries.ledger import Ledger
from nbbatch.libraries.prefixes import Ask, Later, refusal, tree
from nbbatch.libraries.resolving import run_uv, uv
from nbbatch.libraries.sending import Content, Pulse, Say, send, silent
from nbbatch.libraries.targets import family, kernel_target
from nbbatch.wire.layers import Layer, cut

__all__ = ["Interpreter"]

_FORMAT: Final = "1"
#: What uv calls systems and C libraries, by what we call the latter.
_SYSTEMS: Final = {
    "glibc": ("linux", "gnu"),
    "musl": ("linux", "musl"),
    "darwin": ("macos", "none"),
}
#: What no job asks for, by the first folders below the standard library.
_LEFT_OUT: Final = frozenset({"test", "idlelib", "turtledemo", "lib2to3"})


class Interpreter:
    """Python alone, of another minor version than there is.

    Parameters
    ----------
    ask
        What the job says of it.
    base
        Where the job begins.
    built
        What this machine remembers.
    later
        Does what no job waits for.
    """

    def __init__(self, ask: Ask, base: Target, built: Ledger, later: Later) -> None:
        self._ask = ask
        self._python = ask.needed
        self._base = base
        self._built = built
        self._later = later

    @property
    def target(self) -> Target:
        """What code finds; see `nbbatch.libraries.prefixes.Prefix`."""
        name = f"Python {self._python} on {self._base.name}"
        return replace(
            self._base, name=name, python=self._python, packages={}, known=True, here=False
        )

    @property
    def program(self) -> str:
        """Where it is; see `nbbatch.libraries.prefixes.Prefix`."""
        return f"bin/python{self._python}"

    @property
    def reason(self) -> str:
        """Why it goes along; see `nbbatch.libraries.prefixes.Prefix`."""
        why = "functions are bytecode of it" if self._ask.bytecode else "--python asks for it"
        return f"Python {self._python} goes along: {why}, and there it is {self._base.python}"

    @property
    def asker(self) -> str:
        """Who asks for it; see `nbbatch.libraries.prefixes.Prefix`."""
        return "it comes with Python"

    @property
    def notes(self) -> list[str]:
        """Nothing; see `nbbatch.libraries.prefixes.Prefix`."""
        return []

    def layers(self, store: ClientStore, say: Say) -> tuple[Layer, ...]:
        """Have it fetched and sent; see `nbbatch.libraries.prefixes.Prefix`."""
        request = _request(self._python, self._base)
        recipe = f"{_FORMAT}|interpreter|{request}"
        known = [self._built.get(name) for name in (recipe, recipe + BYTECODE)]
        if known[0]:
            return tuple(Layer.from_meta(entry) for entry in known if entry)
        pulse = partial(say, f"fetching Python {self._python}")
        pulse()
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(tempfile.TemporaryDirectory(prefix="nbbatch-python-"))
            home = self._fetched(request, Path(made), pulse)
            layer = self._sent(recipe, _files(home), store, say)
            say(f"sent Python {self._python}, {layer.size / 1e6:.1f} MB", last=True)
            # Compiling all of the standard library takes longer than a job needs for its part.
            if self._python == kernel_target().python:
                after = stack.pop_all()
                self._later(lambda: self._compiled(recipe, home, store, after))
        return (layer,)

    def _sent(self, recipe: str, files: Iterable[File], store: ClientStore, say: Say) -> Layer:
        content = Content(Layer("python", self._python, ()), cut(files))
        layer = send({recipe: content}, store, say)[recipe]
        self._built.add({recipe: layer.meta()})
        return layer

    def _compiled(
        self, recipe: str, home: Path, store: ClientStore, after: contextlib.ExitStack
    ) -> None:
        """Send bytecode, for later jobs; what goes wrong costs them the time to compile."""
        made = tempfile.TemporaryDirectory(prefix="nbbatch-bytecode-")
        with after, contextlib.suppress(OSError, NbbatchError), made as folder:
            names = (name for name, _, _ in _files(home) if name.endswith(".py"))
            sources = [Source(home / name, Path(folder, cached_name(name))) for name in names]
            compile_all(sources)
            self._sent(recipe + BYTECODE, tree(Path(folder)), store, silent)

    def _fetched(self, request: str, folder: Path, pulse: Pulse) -> Path:
        command = [uv(), "python", "install", request, "--install-dir", os.fspath(folder)]
        try:
            # Its own command for it need not stand on this machine's path.
            own = {"UV_PYTHON_INSTALL_BIN": "0"}
            run_uv([*command, "--no-progress"], self._base, pulse, own)
        except LibraryError as error:
            raise refusal(self._ask, self._base, f"none can be sent. {error.cause}") from None
        for home in _homes(folder):
            if (home / self.program).exists():
                return home
        raise refusal(self._ask, self._base, f"what uv has as {request} has no {self.program}")


def _request(python: str, target: Target) -> str:
    """Return what uv calls an interpreter of a platform."""
    system, libc = _SYSTEMS.get(family(target), _SYSTEMS["glibc"])
    machine = {"arm64": "aarch64"}.get(target.machine, target.machine)
    minor = python.removesuffix("t") + ("+freethreaded" if python.endswith("t") else "")
    return f"cpython-{minor}-{system}-{machine}-{libc}"


def _homes(folder: Path) -> Iterator[Path]:
    """Yield the interpreters in uv's folder; links name them by their minor versions again."""
    for entry in sorted(os.listdir(folder)):
        path = folder / entry
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                yield path


def _files(home: Path) -> Iterator[File]:
    """Yield the files of an interpreter that a job may ask for."""
    for name, mode, data in tree(home):
        parts = name.split("/")
        if not (len(parts) > 3 and parts[0] == "lib" and parts[2] in _LEFT_OUT):
            yield name, mode, data
