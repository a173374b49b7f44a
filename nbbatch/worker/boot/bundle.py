"""The worker as one zip: what the client uploads once, and every job runs.

Beside each source lies its bytecode for the client's own Python, the likeliest one of the image:
compiling takes as long as all else that a job does before its first line. Other Pythons pass it
over and read the source.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import marshal
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The zip's own ``__main__``.
_MAIN = "worker/boot/start.py"
#: Of the package itself, besides the folders that travel whole.
_MODULES = ("__init__", "errors", "inside")
_FOLDERS = ("bars", "decorators", "options", "wire", "worker")
#: The oldest date that a zip can hold: the content alone makes the hash.
_DATE = (1980, 1, 1, 0, 0, 0)
#: Says that bytecode belongs to its source unchecked: they travel in one archive, under one hash.
#: https://peps.python.org/pep-0552/
_UNCHECKED = (1).to_bytes(4, "little")
#: Before 3.11 `marshal` writes sets in the order of their hashes, another one in each process.
COMPILES = sys.version_info >= (3, 11)
#: Without references between objects, whose writing would depend on what else is in memory.
_MARSHAL = 2


@functools.cache
def bundle() -> tuple[bytes, str]:
    """Return the zip and its SHA-256, hexadecimal; built once per process."""
    data = build()
    return data, hashlib.sha256(data).hexdigest()


def build() -> bytes:
    """Build the zip: the same bytes for the same sources."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in sorted(_members().items()):
            facts = zipfile.ZipInfo(name, _DATE)
            facts.external_attr = 0o644 << 16
            archive.writestr(facts, data, zipfile.ZIP_DEFLATED, compresslevel=6)
    return target.getvalue()


def _members() -> dict[str, bytes]:
    home = _home("nbbatch")
    found = {"__main__.py": (home / _MAIN).read_bytes()}
    for name in _MODULES:
        path = home / f"{name}.py"
        if path.exists():
            found[f"nbbatch/{name}.py"] = path.read_bytes()
    for folder in _FOLDERS:
        found.update(_sources(home / folder, f"nbbatch/{folder}"))
    found.update(_sources(_home("cloudpickle"), "cloudpickle"))
    modules = [name for name in found if "/" in name] if COMPILES else []
    return {**found, **{f"{name}c": _compiled(name, found[name]) for name in modules}}


def _compiled(name: str, source: bytes) -> bytes:
    """Compile a module to the content of a ``.pyc``, without docstrings."""
    code = compile(source, f"worker.zip/{name}", "exec", dont_inherit=True, optimize=2)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source)
    return head + marshal.dumps(code, _MARSHAL)


def _home(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package} is not installed", name=package)
    return Path(spec.submodule_search_locations[0])


def _sources(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*.py"):
        yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()
