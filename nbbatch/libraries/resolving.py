"""What is not installed here in a form that the image can use: had from an index, by `uv`."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from nbbatch.backends.base import Target
from nbbatch.errors import LibraryError
from nbbatch.libraries.asked import Asked
from nbbatch.libraries.indexes import uv_environment
from nbbatch.libraries.plan import Item, Plan
from nbbatch.libraries.sending import PULSE, Pulse
from nbbatch.libraries.targets import family, version
from nbbatch.worker.run.fingerprint import normalized

__all__ = ["download"]

#: What `uv` calls them: the oldest glibc that wheels for them may ask for.
_GLIBC: Final = ((2, 28), (2, 31), (2, 34), (2, 35), (2, 36), (2, 39))
_TAIL: Final = 12
#: How it says that no index has something.
_UNKNOWN: Final = re.compile(r"([\w.-]+) was not found in the (?:package registry|provided)")


def download(
    items: Sequence[Item], pinned: Sequence[str], plan: Plan, folder: Path, pulse: Pulse
) -> None:
    """Install distributions for a target into an empty folder, wheels only.

    Parameters
    ----------
    pinned
        The versions of what is installed here, which whatever is resolved keeps to.
    pulse
        Called again and again meanwhile.

    Raises
    ------
    LibraryError
        One can't be had for it.
    """
    target, wanted = plan.target, [*plan.indexes, *map(_line, items)]
    (folder / "constraints.txt").write_text("\n".join(pinned), "utf-8")
    (folder / "requirements.txt").write_text("\n".join(wanted), "utf-8")
    exact = all(item.version for item in items)
    command = [
        *(uv(), "pip", "install", "--quiet", "--no-progress", "--only-binary", ":all:"),
        *("--target", str(folder / "site"), "--link-mode", "copy"),
        *("--python-version", target.minor, "--python-platform", platform(target)),
        *("--requirements", str(folder / "requirements.txt")),
        *(["--no-deps"] if exact else ["--constraints", str(folder / "constraints.txt")]),
    ]
    run_uv(command, target, pulse)


def _line(item: Item) -> str:
    text = f"{item.name}=={item.version}" if item.version else item.name
    return " ".join([text, *(f"--hash={each}" for each in item.hashes)])


def resolve(
    asked: Asked, preferred: Mapping[str, str], target: Target, folder: Path, pulse: Pulse
) -> dict[str, str]:
    """Return name to version of requirements and all that they need, for a target.

    Parameters
    ----------
    preferred
        Versions to keep where nothing that is asked for forbids it.
    pulse
        Called again and again meanwhile.

    Raises
    ------
    LibraryError
        They contradict each other, or can't be had.
    """
    while True:
        try:
            return _resolved(asked, preferred, target, folder, pulse)
        except LibraryError as error:
            # What no index has goes along as it is installed here.
            unknown = preferred.keys() & set(map(normalized, _UNKNOWN.findall(error.cause)))
            preferred = {name: v for name, v in preferred.items() if name not in unknown}
            if not unknown:
                raise


def _resolved(
    asked: Asked, preferred: Mapping[str, str], target: Target, folder: Path, pulse: Pulse
) -> dict[str, str]:
    source, pins, limits = (folder / f"{name}.txt" for name in ("asked", "pins", "limits"))
    source.write_text("\n".join([*asked.indexes, *asked.requirements, *preferred]), "utf-8")
    limits.write_text("\n".join(asked.limits), "utf-8")
    # What is in the output already is what uv keeps to.
    pins.write_text("\n".join(f"{name}=={v}" for name, v in preferred.items()), "utf-8")
    command = [
        *(uv(), "pip", "compile", str(source), "--output-file", str(pins), "--quiet"),
        *("--constraints", str(limits), "--no-header", "--no-annotate", "--no-progress"),
        *("--only-binary", ":all:"),
        *("--python-version", target.minor, "--python-platform", platform(target)),
    ]
    run_uv(command, target, pulse)
    found = (line.split(";")[0].strip() for line in pins.read_text("utf-8").splitlines())
    return {
        normalized(name): pin
        for name, equals, pin in (line.partition("==") for line in found)
        if equals
    }


def run_uv(
    command: Sequence[str],
    target: Target,
    pulse: Pulse,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run uv, with some variables besides, and return what it prints.

    Parameters
    ----------
    pulse
        Called again and again meanwhile; where it raises, uv is ended.

    Raises
    ------
    LibraryError
        It could not do what it was asked for; its own words are in the message.
    """
    environ = {**uv_environment(os.environ), **(variables or {})}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        try:
            said, complaints = _heard(process, pulse)
        # Also what the person does: Stop, or the card's Cancel.
        except BaseException:
            process.kill()
            raise
    if not process.returncode:
        return said
    lines = complaints.strip().splitlines()[-_TAIL:]
    raise LibraryError(
        f"the libraries for {target.name or 'the job'} can't be had",
        "\n    ".join(["uv says:", *lines]),
        "use an image that has them (--env image), or install versions that have wheels for "
        f"Python {target.minor} on {platform(target)}",
    )


def _heard(process: subprocess.Popen[str], pulse: Pulse) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=PULSE)
        except subprocess.TimeoutExpired:
            pulse()


def uv() -> str:
    """Return uv's program."""
    from uv import find_uv_bin

    return os.fspath(find_uv_bin())


def platform(target: Target) -> str:
    """Return a target's platform as `uv` names it."""
    if family(target) != "glibc":
        return f"{target.machine}-unknown-linux-musl"
    has = version(target.libc)
    fitting = [each for each in _GLIBC if each <= has]
    if not fitting:
        return f"{target.machine}-manylinux_2_17" if has else f"{target.machine}-manylinux_2_28"
    return f"{target.machine}-manylinux_{fitting[-1][0]}_{fitting[-1][1]}"
