"""Which packages an environment is made of, and where they are: `rattler` knows.

It is an optional dependency (``nbbatch[conda]``), and asynchronous: what it does runs in a loop of
its own, since that of a kernel is busy with the cell.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from nbbatch.backends.base import Target
from nbbatch.errors import LibraryError
from nbbatch.libraries.sending import PULSE, Pulse
from nbbatch.libraries.targets import family, version

__all__ = ["Package", "cuda", "download", "is_folder", "solve", "subdir"]

T = TypeVar("T")

#: Conda's names of processors, by Linux's.
_MACHINES: Final = {"x86_64": "64", "aarch64": "aarch64", "arm64": "aarch64", "ppc64le": "ppc64le"}
#: What an image of unknown age is taken to have, as for wheels.
_GLIBC: Final = (2, 28)
#: What a GPU's driver is taken to run; conda's own variable says otherwise.
_CUDA, _OVERRIDE_CUDA = "12.4", "CONDA_OVERRIDE_CUDA"
_AT_ONCE: Final = 8
_WORDS: Final = 1500


@dataclass(frozen=True)
class Package:
    """One package of a channel's.

    Attributes
    ----------
    python
        Whether it is plain Python, for any version: it is installed where that looks.
    depends
        What it needs.
    """

    name: str
    version: str
    build: str
    build_number: int
    subdir: str
    channel: str
    file: str
    url: str
    sha256: str
    python: bool
    depends: tuple[str, ...]
    #: Of Python itself: where its libraries are.
    site_packages: str = ""

    @property
    def key(self) -> str:
        """What no other package is called."""
        return self.sha256 or hashlib.sha256(self.url.encode()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Package:
        """Read what `facts` wrote."""
        return cls(**{**facts, "depends": tuple(facts["depends"])})


def subdir(target: Target) -> str:
    """Return what conda calls a platform.

    Raises
    ------
    LibraryError
        It has no packages for it.
    """
    machine = _MACHINES.get(target.machine)
    if machine and family(target) == "glibc":
        return f"linux-{machine}"
    raise LibraryError(
        f"no environment of conda's runs on {target.name}",
        f"its packages are for Linux with glibc, and there it is {target.machine}, {target.libc}",
        "an image with glibc, as python:3.11-slim; or --pypi",
    )


def solve(
    specs: Sequence[str], channels: Sequence[str], target: Target, pulse: Pulse, *, gpu: bool
) -> list[Package]:
    """Return the packages of an environment that has what is asked for.

    Parameters
    ----------
    pulse
        Called again and again meanwhile.

    Raises
    ------
    LibraryError
        There is none, or the channels can't be reached.
    """
    rattler = _rattler()
    platforms = [subdir(target), "noarch"]

    async def solved() -> list[Any]:
        found: list[Any] = await rattler.solve(
            sources=[_place(channel) for channel in channels],
            specs=list(specs),
            gateway=rattler.Gateway(client=rattler.Client.default_client()),
            platforms=platforms,
            virtual_packages=_virtual(rattler, target, gpu=gpu),
        )
        return found

    asked, where = ", ".join(specs), ", ".join(channels)
    try:
        records = _done(solved, f"no environment with {asked} can be had from {where}", pulse)
    except LibraryError as error:
        if "__cuda" not in error.cause:
            raise
        has = f"is taken to have CUDA {cuda(gpu=gpu)}" if cuda(gpu=gpu) else "has no CUDA"
        hint = f"this job {has}: --gpu 1 gives it some, and {_OVERRIDE_CUDA} says which version"
        raise LibraryError(error.what, error.cause, hint) from None
    return sorted(map(_package, records), key=lambda package: package.name)


def download(packages: Iterable[Package], folder: Path, pulse: Pulse) -> dict[str, Path]:
    """Fetch and unpack packages below a folder; return where each is, by its key.

    Parameters
    ----------
    pulse
        Called again and again meanwhile.

    Raises
    ------
    LibraryError
        One can't be had.
    """
    rattler = _rattler()
    wanted = list(packages)
    places = {each.key: folder / each.key for each in wanted}

    async def fetched() -> None:
        from rattler.package_streaming import download_and_extract

        gate, client = asyncio.Semaphore(_AT_ONCE), rattler.Client.default_client()

        async def fetch(package: Package) -> None:
            async with gate:
                digest = bytes.fromhex(package.sha256) or None
                await download_and_extract(client, package.url, places[package.key], digest)

        await asyncio.gather(*map(fetch, wanted))

    _done(fetched, "the packages of the conda environment can't be had", pulse)
    return places


def _rattler() -> Any:
    if importlib.util.find_spec("rattler") is None:
        raise LibraryError(
            "conda's packages can't be had",
            "that needs py-rattler, which is not installed with the kernel",
            "%pip install 'nbbatch[conda]', or ask for packages of PyPI instead: --pypi",
        )
    import rattler

    return rattler


def _done(work: Callable[[], Awaitable[T]], what: str, pulse: Pulse) -> T:
    """Run what is asynchronous to its end, in a thread; its errors are the user's."""

    async def run() -> T:
        return await work()

    pool = ThreadPoolExecutor(1, thread_name_prefix="nbbatch-conda")
    try:
        running = pool.submit(asyncio.run, run())
        while not wait([running], PULSE).done:
            pulse()
        return running.result()
    # Rattler's errors have no class in common.
    except Exception as error:
        text = re.sub(r"\n\s*\n", "\n", str(error).strip())[:_WORDS]
        raise LibraryError(
            what,
            "\n    ".join([f"rattler says: {type(error).__name__}", *text.splitlines()]),
            "other versions, or other channels: --conda-channels; --pypi asks an index instead",
        ) from None
    finally:
        # Whoever interrupts does not wait for the network.
        pool.shutdown(wait=False, cancel_futures=True)


def is_folder(channel: str) -> bool:
    """Tell whether a channel lies on this machine."""
    return channel.startswith((".", "/", "~", "file:"))


def _place(channel: str) -> str:
    """Return a channel as rattler takes it: a folder by its whole path."""
    plain = is_folder(channel) and not channel.startswith("file:")
    return os.path.abspath(os.path.expanduser(channel)) if plain else channel


def cuda(*, gpu: bool) -> str:
    """Return the version of CUDA that packages may ask for; empty where there is none."""
    return os.environ.get(_OVERRIDE_CUDA, _CUDA if gpu else "")


def _virtual(rattler: Any, target: Target, *, gpu: bool) -> list[Any]:
    """Return what the target has that packages may ask for.

    https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-virtual.html
    """
    glibc = ".".join(map(str, version(target.libc) or _GLIBC))
    found = {"__unix": "0", "__linux": "4.18", "__glibc": glibc}
    if cuda(gpu=gpu):
        found["__cuda"] = cuda(gpu=gpu)
    made = [(name, said, "0") for name, said in found.items()]
    made.append(("__archspec", "1", target.machine))
    return [
        rattler.GenericVirtualPackage(
            rattler.PackageName(name), rattler.Version(said), rattler.BuildString(build)
        )
        for name, said, build in made
    ]


def _package(record: Any) -> Package:
    return Package(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        build_number=record.build_number,
        subdir=record.subdir,
        channel=record.channel,
        file=record.file_name,
        url=record.url,
        sha256=record.sha256.hex() if record.sha256 else "",
        python=bool(record.noarch.python),
        depends=tuple(record.depends),
        site_packages=record.python_site_packages_path or "",
    )
