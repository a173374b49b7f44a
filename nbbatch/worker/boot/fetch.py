"""Gets the worker into the container: fetch the zip, check it, run it in this interpreter.

`bootstrap` packs this module into the container's command, with those that it imports; they are
removed again before the worker starts, which brings its own. Ends with one line on stderr and

====  =====================================================================
97    Python is too old (said by the loader, before this module is read)
98    the zip can't be had: no credentials, not there, no connection, no room
99    the zip is not the one that the job was started with
====  =====================================================================
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import sys
import zipimport
from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

from nbbatch.worker.stores.s3client import Client, Request

UNAVAILABLE, ALTERED = 98, 99
_NAME = "worker.zip"


class Place(NamedTuple):
    """Where the zip is."""

    #: The store's root.
    url: str
    key: str
    #: SHA-256 of the zip, hexadecimal.
    digest: str
    region: str = ""
    endpoint: str = ""


def main(place: Place, carried: list[str], path: list[str]) -> None:
    """Run the worker; does not return where it can't.

    Parameters
    ----------
    carried
        The modules to forget before it starts.
    path
        What to append to the search path: the working directory, so that its files don't hide
        the standard library from the worker.
    """
    try:
        data = _read(place)
    except (OSError, ValueError) as error:
        _fail(UNAVAILABLE, f"can't fetch the worker: {error}")
    found = hashlib.sha256(data).hexdigest()
    if found != place.digest:
        _fail(ALTERED, f"the worker was altered: SHA-256 {found}, expected {place.digest}")
    try:
        kept = _keep(data)
    except OSError as error:
        _fail(UNAVAILABLE, f"no room for the worker (TMPDIR names another place): {error}")
    for name in carried:
        sys.modules.pop(name, None)
    _run(kept, path)


def _read(place: Place) -> bytes:
    url = urlsplit(place.url, allow_fragments=False)
    if url.scheme == "s3":
        key = f"{url.path}/{place.key}".lstrip("/")
        client = Client(url.netloc, place.region, place.endpoint)
        with contextlib.closing(client):
            return client.call(Request("GET", key)).body
    if url.scheme == "file":
        with open(os.path.join(unquote(url.path), place.key), "rb") as file:
            return file.read()
    raise ValueError(f"the store is neither s3:// nor file://: {place.url!r}")


def _keep(data: bytes) -> str:
    """Write the zip where only this user can read it."""
    places = [os.environ.get("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm", os.getcwd()]
    problem = OSError()
    for place in filter(None, places):
        # Made as tempfile would, which takes longer to import than all of this to run.
        folder = os.path.join(place, f"nbbatch-{os.urandom(8).hex()}")
        path = os.path.join(folder, _NAME)
        try:
            os.mkdir(folder, 0o700)
            atexit.register(_remove, folder, os.getpid())
            with open(path, "xb") as file:
                file.write(data)
        except OSError as error:
            problem = error
        else:
            return path
    raise problem


def _remove(folder: str, owner: int) -> None:
    # A fork of the worker ends before the worker does, which still imports from the zip.
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, _NAME))
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _run(kept: str, path: list[str]) -> None:
    code = zipimport.zipimporter(kept).get_code("__main__")
    sys.argv[:] = [kept]
    sys.path[:] = [kept, *sys.path, *path]
    # A fresh one: the loader's names are none of the job's business.
    scope = sys.modules["__main__"] = type(sys)("__main__")
    exec(code, vars(scope))  # this is what it is for


def _fail(code: int, problem: str) -> NoReturn:
    sys.stderr.write("nbbatch: " + " ".join(problem.split()) + "\n")
    sys.exit(code)
