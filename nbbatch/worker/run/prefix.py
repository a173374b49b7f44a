"""An interpreter that travelled: made fit for its place, and given the job's code to run.

A prefix is a folder with ``bin``, ``lib`` and so on, as of a virtual environment, but whole. One
of conda's tells in ``conda-meta`` which of its files name the place where it was built.
https://docs.conda.io/projects/conda-build/en/stable/resources/make-relocatable.html
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
import sys
from typing import Any, Dict, Iterator, List, MutableMapping, NoReturn, Sequence

from nbbatch.wire import keys
from nbbatch.wire.layers import Layer, Libraries
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.store import Store
from nbbatch.worker.run import libraries, signals
from nbbatch.worker.run.handover import Handover
from nbbatch.worker.run.identity import Identity
from nbbatch.worker.run.libraries import Say
from nbbatch.worker.run.values import Folders

#: Where it is beside the libraries, if the host keeps none.
_PLACE = ".prefix"
#: Of a first line that names an interpreter; Linux reads no more than that.
_SHEBANG = 127
#: Scripts that set what programs of conda's look for.
_ACTIVATE = "etc/conda/activate.d"


def settle(tree: str, place: str) -> None:
    """Have the files of a conda prefix in `tree` name `place`, where it will be."""
    for record in _records(tree):
        for entry in record.get("paths_data", {}).get("paths", ()):
            built = entry.get("prefix_placeholder")
            if built:
                path = os.path.join(tree, entry["_path"])
                _replace(path, built, place, binary=entry.get("file_mode") == "binary")


def _records(tree: str) -> "Iterator[Dict[str, Any]]":
    folder = os.path.join(tree, "conda-meta")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in sorted(names):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                yield json.load(file)


def _replace(path: str, built: str, place: str, *, binary: bool) -> None:
    """Write a file anew; the old one may be shared with other prefixes."""
    with open(path, "rb") as file:
        data, mode = file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    old, new = built.encode(), place.encode()
    changed = _in_strings(data, old, new) if binary else _in_text(data, old, new)
    pending = f"{path}.nbbatch"
    with open(pending, "wb") as file:
        file.write(changed)
    os.chmod(pending, mode)
    os.replace(pending, path)


def _in_strings(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace in strings that end with a zero, which stay as long as they are."""

    def renamed(match: "re.Match[bytes]") -> bytes:
        found = match.group()
        return found.replace(old, new).ljust(len(found), b"\0")

    if len(new) > len(old):
        raise ValueError(f"the place of the job's interpreter has too long a name: {new!r}")
    return re.sub(re.escape(old) + rb"[^\0]*", renamed, data)


def _in_text(data: bytes, old: bytes, new: bytes) -> bytes:
    data = data.replace(old, new)
    first, _, _ = data.partition(b"\n")
    if first.startswith(b"#!" + new) and (len(first) > _SHEBANG or b" " in new):
        name, _, rest = first[2:].replace(new, b"").partition(b" ")
        short = b"#!/usr/bin/env " + name.rpartition(b"/")[2] + (b" " + rest if rest else b"")
        data = short + data[len(first) :]
    return data


def enter(store: Store, job: JobSpec, say: Say, work: Handover) -> NoReturn:
    """Fetch the job's interpreter; it goes on with the attempt, in this very process."""
    wanted = Libraries.from_meta(job.libraries)
    prefix = _installed(store, wanted.prefix, work.folders.libraries, say)
    reading, writing = os.pipe()
    identity = {**dataclasses.asdict(work.identity), "key": work.identity.key.hex()}
    told = [identity, work.descriptor, work.folders, signals.limit(), "" in sys.path]
    # Not by the environment, nor by the arguments: there the code could read the key.
    os.write(writing, json.dumps(told).encode())
    os.close(writing)
    for descriptor in (reading, work.descriptor):
        os.set_inheritable(descriptor, True)
    program = os.path.join(prefix, wanted.program)
    environment = _environment(prefix, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program, [program, sys.argv[0], str(reading)], environment)


def _installed(store: Store, wanted: Sequence[Layer], folder: str, say: Say) -> str:
    cache = os.environ.get(keys.ENV_LIBRARIES)
    if not cache:
        place = os.path.join(folder, _PLACE)
        libraries.fetched(store, [(layer, place) for layer in wanted], say)
        settle(place, place)
        return place
    # Loaded only where there is one.
    from nbbatch.worker.run.sharing import Shelf

    shelf = Shelf(cache)
    return shelf.site(wanted, lambda missing: libraries.fetched(store, missing, say), settle)


def taken(argv: List[str]) -> Handover:
    """Return what `enter` has handed over to this process."""
    with open(int(argv.pop()), encoding="utf-8") as file:
        identity, descriptor, folders, limit, here = json.load(file)
    identity["key"] = bytes.fromhex(identity["key"])
    os.set_inheritable(descriptor, False)
    signals.set_limit(limit)
    if here:
        sys.path.append("")
    return Handover(Identity(**identity), descriptor, Folders(*folders), resumed=True)


def _environment(prefix: str, environ: "MutableMapping[str, str]") -> Dict[str, str]:
    """Return the environment of an interpreter: what belongs to the image's own stays out."""
    found = dict(environ)
    found.pop("PYTHONHOME", None)
    found["PATH"] = os.pathsep.join([os.path.join(prefix, "bin"), found.get("PATH", os.defpath)])
    for name, place in _certificates().items():
        found.setdefault(name, place)
    if os.path.isdir(os.path.join(prefix, "conda-meta")):
        found.update(CONDA_PREFIX=prefix, CONDA_DEFAULT_ENV=prefix, CONDA_SHLVL="1")
        found = _activated(prefix, found)
    return found


def _certificates() -> Dict[str, str]:
    """Return where the image keeps its certificates: another build of OpenSSL looks elsewhere."""
    try:
        import ssl
    # An image without OpenSSL.
    except ImportError:
        return {}
    paths = ssl.get_default_verify_paths()
    found = {"SSL_CERT_FILE": paths.cafile, "SSL_CERT_DIR": paths.capath}
    return {name: place for name, place in found.items() if place}


def _activated(prefix: str, environ: Dict[str, str]) -> Dict[str, str]:
    """Return the environment as conda's packages want it: their scripts are run for that."""
    folder = os.path.join(prefix, _ACTIVATE)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    scripts = [os.path.join(folder, name) for name in names if name.endswith(".sh")]
    if not scripts:
        return environ
    # Loaded only where there are any.
    import shutil
    import subprocess

    show = "import json, os; print(json.dumps(dict(os.environ)))"
    text = 'for each in "$@"; do . "$each" >&2; done; exec "$PYTHON_SHOWS" -c "$SHOW"'
    shell = shutil.which("bash") or "/bin/sh"
    given = {**environ, "PYTHON_SHOWS": sys.executable, "SHOW": show}
    command = [shell, "-c", text, shell, *scripts]
    done = subprocess.run(command, env=given, stdout=subprocess.PIPE, check=False)
    try:
        found = json.loads(done.stdout)
    # A script that fails is the package's own trouble: the code may do without.
    except ValueError:
        return environ
    return {k: v for k, v in found.items() if k not in ("PYTHON_SHOWS", "SHOW", "_", "SHLVL")}
