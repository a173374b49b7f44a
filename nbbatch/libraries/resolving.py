"""What is not installed here in a form that the image can use: had from an index, by `uv`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from nbbatch.backends.base import MASK, Target
from nbbatch.errors import LibraryError
from nbbatch.libraries.asked import Asked
from nbbatch.libraries.indexes import uv_environment
from nbbatch.libraries.installed import Distribution, Installed
from nbbatch.libraries.plan import Item, Plan
from nbbatch.libraries.sending import PULSE, Pulse
from nbbatch.libraries.targets import family, threads_fit, version
from nbbatch.worker.run.fingerprint import normalized

__all__ = ["download"]

#: What `uv` calls them: the oldest glibc that wheels for them may ask for.
_GLIBC: Final = ((2, 28), (2, 31), (2, 34), (2, 35), (2, 36), (2, 39))
_TAIL: Final = 12
_WHEEL: Final = "Wheel-Version: 1.0\nGenerator: nbbatch\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
#: What may have a password in it: uv hides those of addresses that it can read.
_SECRET: Final = re.compile(r"(?<=://)\S+@")


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
        # Else it looks for one on the PATH, and where there is none it downloads one.
        *("--python", sys.executable),
        *("--target", str(folder / "site"), "--link-mode", "copy"),
        *("--python-version", target.minor, "--python-platform", platform(target)),
        *("--requirements", str(folder / "requirements.txt")),
        *(["--no-deps"] if exact else ["--constraints", str(folder / "constraints.txt")]),
    ]
    run_uv(command, target, pulse)
    for found in Installed([folder / "site"]).by_name.values():
        if not threads_fit(found, target):
            raise LibraryError(
                f"{found.name} {found.version} can't be given to the job",
                f"{target.name} has Python {target.python}, and uv chooses wheels for one "
                f"{'with' if target.python.endswith('t') else 'without'} a global lock",
                "an image with the kernel's Python (--image), or one that has it (--env image)",
            )


def _line(item: Item) -> str:
    text = f"{item.name}=={item.version}" if item.version else item.name
    return " ".join([text, *(f"--hash={each}" for each in item.hashes)])


def resolve(
    asked: Asked,
    preferred: Mapping[str, str],
    here: Iterable[Distribution],
    target: Target,
    folder: Path,
    pulse: Pulse,
) -> dict[str, str]:
    """Return name to version of requirements and all that they need, for a target.

    Parameters
    ----------
    preferred
        Versions to keep where nothing that is asked for forbids it.
    here
        What the job can have without an index.
    pulse
        Called again and again meanwhile.

    Raises
    ------
    LibraryError
        They contradict each other, or can't be had.
    """
    source, pins, limits = (folder / f"{name}.txt" for name in ("asked", "pins", "limits"))
    found = f"--find-links {_offered(here, folder / 'here')}"
    source.write_text("\n".join([*asked.indexes, found, *asked.requirements, *preferred]), "utf-8")
    limits.write_text("\n".join(asked.limits), "utf-8")
    # What is in the output already is what uv keeps to.
    pins.write_text("\n".join(f"{name}=={v}" for name, v in preferred.items()), "utf-8")
    command = [
        *(uv(), "pip", "compile", str(source), "--output-file", str(pins), "--quiet"),
        *("--constraints", str(limits), "--no-header", "--no-annotate", "--no-progress"),
        # A project of uv's beside the notebook may want them otherwise.
        *("--no-generate-hashes", "--strip-extras", "--no-universal", "--only-binary", ":all:"),
        *("--python", sys.executable),
        *("--python-version", target.minor, "--python-platform", platform(target)),
    ]
    run_uv(command, target, pulse)
    lines = (line.split(";")[0].strip() for line in pins.read_text("utf-8").splitlines())
    return {
        normalized(name): pin
        for name, equals, pin in (line.partition("==") for line in lines)
        if equals
    }


def _offered(here: Iterable[Distribution], folder: Path) -> Path:
    """Make wheels with nothing but metadata: no index may have what was built or had elsewhere."""
    folder.mkdir()
    for found in here:
        if not (found.record / "METADATA").is_file():
            continue
        name, version = found.name.replace("-", "_"), found.version
        record = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{record}/METADATA", (found.record / "METADATA").read_bytes())
            wheel.writestr(f"{record}/WHEEL", _WHEEL)
            wheel.writestr(f"{record}/RECORD", "")
    return folder


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
    lines = _SECRET.sub(f"{MASK}@", complaints).strip().splitlines()[-_TAIL:]
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
