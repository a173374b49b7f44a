"""Interpreters that go along with a job, in the place of the image's own."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from nbbatch.backends.base import ClientStore, Target
from nbbatch.errors import ImageError, LibraryError, NbbatchError, OptionError
from nbbatch.libraries.ledger import Ledger
from nbbatch.libraries.plan import Plan, with_pins
from nbbatch.libraries.sending import Say
from nbbatch.libraries.targets import kernel_target
from nbbatch.wire.layers import Layer, Libraries

__all__ = ["Ask", "Later", "Prefix", "added", "choose", "fitted", "tree"]


#: Does something in the background.
Later = Callable[[Callable[[], None]], None]


class Prefix(Protocol):
    """An interpreter with all that is installed in it."""

    @property
    def target(self) -> Target:
        """What code finds that it runs."""

    @property
    def program(self) -> str:
        """Where it is below its folder."""

    @property
    def reason(self) -> str:
        """Why it goes along, and what it is."""

    @property
    def asker(self) -> str:
        """Who wants what is installed in it, in short."""

    @property
    def notes(self) -> list[str]:
        """What is different in it than somebody may expect; known once its layers are."""

    def layers(self, store: ClientStore, say: Say) -> tuple[Layer, ...]:
        """Put into the store what is not there yet; return all of it.

        Raises
        ------
        LibraryError
            It can't be had.
        """


@dataclass(frozen=True)
class Ask:
    """What a job says of its interpreter.

    Attributes
    ----------
    python
        The minor version that it asks for; empty for any.
    bytecode
        Whether functions travel, as bytecode of the kernel's own.
    conda, channels
        What its environment is to have, and where from.
    gpu
        Whether it asks for GPUs.
    """

    python: str = ""
    bytecode: bool = False
    conda: Sequence[str] = ()
    channels: Sequence[str] = ()
    gpu: bool = False

    @property
    def needed(self) -> str:
        """The minor version that it has to run on; empty for any.

        Raises
        ------
        OptionError
            It asks for one, and needs another.
        """
        kernel = kernel_target().python
        if self.bytecode and self.python not in ("", kernel):
            raise OptionError(
                f"python = {self.python!r} can't be used",
                f"functions travel as bytecode of the kernel's Python {kernel}",
                "leave python out, run the code as a cell without functions of its own, or use a "
                f"kernel with Python {self.python}",
            )
        return self.python or (kernel if self.bytecode else "")


def choose(ask: Ask, target: Target, built: Ledger, later: Later) -> Prefix | None:
    """Return the interpreter that is to go along; None where the target's own will do.

    Parameters
    ----------
    built
        What this machine remembers.
    later
        Does what no job waits for.

    Raises
    ------
    NbbatchError
        There is none that would do.
    """
    needed = ask.needed
    if ask.conda:
        from nbbatch.libraries.conda import Environment

        return Environment(ask, target, needed or kernel_target().python, built)
    if needed in ("", target.python):
        return None
    from nbbatch.libraries.interpreters import Interpreter

    return Interpreter(ask, target, built, later)


def refusal(ask: Ask, target: Target, why: str = "") -> NbbatchError:
    """Return the error of a job that needs another Python than there is.

    Parameters
    ----------
    why
        Why no interpreter goes along.
    """
    needed = ask.needed
    also = f"; {why}" if why else ""
    # An image has no path: the target is an interpreter of this machine.
    if not target.name.startswith("/"):
        other = f"--image python:{needed}, or another image with Python {needed}"
    elif needed == kernel_target().python:
        other = f"leave --executable out: the kernel's own is Python {needed}"
    else:
        other = f"install Python {needed}, or name its interpreter: --executable /path/to/python"
    if ask.bytecode:
        return ImageError(
            f"the job can't run on {target.name}",
            f"functions travel as bytecode of the kernel's Python {needed}, and Python "
            f"{target.python} is there{also}",
            other,
        )
    cause = f"{target.name} has Python {target.python}{also}"
    return OptionError(f"python = {needed!r} can't be used", cause, other)


def fitted(plan: Plan, prefix: Prefix) -> Plan:
    """Return a plan that keeps to the versions which an environment has.

    Raises
    ------
    LibraryError
        Values that travel are of another major version.
    """
    has = {item.name: item.has for item in plan.items if item.has}
    return with_pins(plan, has, dict.fromkeys(has, prefix.asker))


def added(told: Libraries, prefix: Prefix, layers: tuple[Layer, ...], base: Target) -> Libraries:
    """Return what a job is told, with its interpreter.

    Parameters
    ----------
    base
        Where it begins.
    """
    return replace(told, prefix=layers, program=prefix.program, expects={}, report=not base.known)


def tree(folder: Path) -> Iterator[tuple[str, int, memoryview]]:
    """Yield the files and links below a folder: name, mode and bytes, in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted([*names, *links]):
            path = Path(place, name)
            yield path.relative_to(folder).as_posix(), *content(path)


def content(path: Path) -> tuple[int, memoryview]:
    """Return the mode of a file or link as it travels, and its bytes.

    Raises
    ------
    LibraryError
        It is a link to a place of this machine.
    """
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        target = os.readlink(path)
        if os.path.isabs(target):
            raise LibraryError(
                f"{path.name} can't go along",
                f"it is a link to a place of this machine, {target}",
                "use another version of what it belongs to",
            )
        return stat.S_IFLNK | 0o777, memoryview(target.encode())
    data = path.read_bytes()
    if path.suffix == ".pyc" and path.parent.name == "__pycache__":
        data = _trusted(path, data)
    return 0o755 if mode & stat.S_IXUSR else 0o644, memoryview(data)


def _trusted(path: Path, data: bytes) -> bytes:
    """Return bytecode that counts without a look at its source, whose time does not travel.

    Other bytecode stays as it is, and is made anew when it is wanted: https://peps.python.org/pep-0552/
    """
    try:
        facts = (path.parent.parent / f"{path.name.partition('.')[0]}.py").stat()
    except OSError:
        return data
    numbers = (0, int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF)
    if data[4:16] != b"".join(number.to_bytes(4, "little") for number in numbers):
        return data
    return data[:4] + (1).to_bytes(4, "little") + bytes(8) + data[16:]
