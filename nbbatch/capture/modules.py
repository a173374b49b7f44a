"""Which modules must travel as files: those that no installation brings to the other side.

A module is local when it stands beside the notebook, is installed as editable, or is found
anywhere on ``sys.path`` that is neither an installation directory nor the standard library.
"""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbbatch.capture.editable import editable_roots, is_spread, metadata_of, recorded, spread
from nbbatch.capture.mentions import Mentions, mentions
from nbbatch.errors import UsageError
from nbbatch.wire.files import pack_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["BROUGHT", "LocalModule", "imports_of", "local_modules", "pack", "words_in"]

#: All local modules of a job together.
MAX_BYTES: Final = 50 << 20
#: What the worker brings itself, and what is no module of its own.
BROUGHT: Final = frozenset({"__main__", "__mp_main__", "cloudpickle", "nbbatch"})
_SKIPPED: Final = frozenset(
    {
        ".git",
        ".hg",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
    }
)
_CODE: Final = (".py", ".pyc", ".so", ".pyd")
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class LocalModule:
    """A top-level module or package that travels.

    Attributes
    ----------
    root
        The directory to put on ``sys.path``.
    files
        Pairs of the path relative to the root, with ``/``, and the file; sorted.
    """

    name: str
    root: Path
    files: tuple[tuple[str, Path], ...]


def local_modules(names: Iterable[str], *, search_dir: Path) -> list[LocalModule]:
    """Find the local modules among `names`, and those that they import, sorted by name.

    Parameters
    ----------
    names
        Modules by name, dotted or not; names of other things do no harm.
    search_dir
        Where the notebook stands.

    Raises
    ------
    UsageError
        Together they are larger than `MAX_BYTES`, or one can't be read.
    """
    search_dir = search_dir.absolute()
    budget = _Budget()
    found: dict[str, LocalModule] = {}
    seen: set[str] = set()
    waiting = {name.partition(".")[0] for name in names}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        module = _local_module(name, search_dir, budget)
        if module is not None:
            found[name] = module
            waiting |= {each.partition(".")[0] for each in imports_of(module)} - seen
    return [found[name] for name in sorted(found)]


def pack(modules: Iterable[LocalModule]) -> bytes:
    """Pack the files of `modules` into one archive, the same bytes for the same content.

    Raises
    ------
    UsageError
        A file can't be read.
    """
    files = {name: path for module in modules for name, path in module.files}
    try:
        return pack_files((name, str(path)) for name, path in files.items())
    except OSError as error:
        raise _unreadable(error) from error


# ------------------------------------------------------------------------------------ finding


def _local_module(name: str, search_dir: Path, budget: _Budget) -> LocalModule | None:
    if name in BROUGHT or not name.isidentifier():
        return None
    spec = _find(name, search_dir)
    if spec is None:
        return None
    try:
        places = [place for place in _places(spec) if _is_local(place)]
        if not places or (spec.origin is None and not any(map(_has_code, places))):
            # A folder of data or of logs, too, passes for a package without __init__.py.
            return None
        if is_spread(spec):
            files = sorted(_spread(name, spec, budget))
        else:
            files = sorted(entry for place in places for entry in _files(name, place, budget))
        files += metadata_of(places[0].absolute())
    except OSError as error:
        raise _unreadable(error) from error
    return LocalModule(name, places[0].parent, tuple(files))


def _find(name: str, search_dir: Path) -> ModuleSpec | None:
    """Find a module as the kernel does: what is loaded comes first."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if isinstance(loaded, ModuleSpec):
        return loaded
    if name in sys.builtin_module_names:
        return None
    beside = PathFinder.find_spec(name, [str(search_dir)])
    if beside is not None and beside.origin is not None:
        return beside
    if name in sys.stdlib_module_names:
        return None
    try:
        return importlib.util.find_spec(name) or beside
    except (ImportError, ValueError, AttributeError):
        return beside


def _places(spec: ModuleSpec) -> Iterator[Path]:
    """Yield the directories of a package, or the file of a module, that exist on disk."""
    if is_spread(spec):
        yield Path(str(spec.origin)).parent
    elif spec.submodule_search_locations is not None:
        yield from filter(Path.is_dir, map(Path, spec.submodule_search_locations))
    elif spec.has_location and spec.origin is not None:
        yield from filter(Path.is_file, [Path(spec.origin)])


def _is_local(place: Path) -> bool:
    if recorded(place.absolute()):
        return True
    root = place.absolute().parent
    for editable in editable_roots():
        # A virtual environment inside a project is no part of it.
        if root.is_relative_to(editable):
            return not _INSTALLED & set(root.relative_to(editable).parts)
    return not _INSTALLED & set(root.parts) and not any(
        root.is_relative_to(directory) for directory in _stdlib()
    )


@cache
def _stdlib() -> tuple[Path, ...]:
    paths = (sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib"))
    return tuple({Path(form) for path in paths for form in (path, os.path.realpath(path))})


def _has_code(directory: Path) -> bool:
    for _, below, files in os.walk(directory):
        below[:] = set(below) - _SKIPPED
        if any(name.endswith(_CODE) for name in files):
            return True
    return False


# -------------------------------------------------------------------------------------- files


class _Budget:
    """Counts bytes, and refuses what is over the limit."""

    def __init__(self) -> None:
        self._total = 0
        self._largest: tuple[int, Path] = (0, Path())

    def spend(self, module: str, path: Path, size: int) -> None:
        self._total += size
        self._largest = max(self._largest, (size, path))
        if self._total > MAX_BYTES:
            size, path = self._largest
            raise UsageError(
                f"the local module {module!r} is too large to travel with the job",
                f"local modules may have {MAX_BYTES >> 20} MB together; the largest file "
                f"so far is {path} ({size / 2**20:.1f} MB)",
                "move data out of the package, or install the package in the image",
            )


def _files(name: str, place: Path, budget: _Budget) -> Iterator[tuple[str, Path]]:
    facts = place.stat()
    if stat.S_ISDIR(facts.st_mode):
        yield from _tree(name, place, name, frozenset({(facts.st_dev, facts.st_ino)}), budget)
    else:
        budget.spend(name, place, facts.st_size)
        # An editable install may keep a module under another name.
        yield name + place.name[place.name.index(".") :], place


def _spread(name: str, spec: ModuleSpec, budget: _Budget) -> Iterator[tuple[str, Path]]:
    for entry, path in spread(spec.loader, name):
        budget.spend(name, path, path.stat().st_size)
        yield entry, path


def _tree(
    prefix: str, directory: Path, module: str, above: frozenset[tuple[int, int]], budget: _Budget
) -> Iterator[tuple[str, Path]]:
    """Yield the files under `directory`; links are followed, but not into what is `above`."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name in _SKIPPED:
                continue
            name, path = f"{prefix}/{entry.name}", Path(entry.path)
            try:
                facts = path.stat()
            except OSError:
                continue  # a link to nowhere
            if stat.S_ISREG(facts.st_mode):
                budget.spend(module, path, facts.st_size)
                yield name, path
            elif stat.S_ISDIR(facts.st_mode):
                here = (facts.st_dev, facts.st_ino)
                if here not in above:
                    yield from _tree(name, path, module, above | {here}, budget)


def _unreadable(error: OSError) -> UsageError:
    return UsageError(
        f"a file of a local module can't be read: {error.filename or '?'}",
        f"{type(error).__name__}: {error.strerror or error}",
        "make it readable, or move it out of the package",
    )


def imports_of(module: LocalModule) -> set[str]:
    """Return the modules that the files of a module may import; see `nbbatch.capture.names`."""
    return {name for said in _mentions(module) for name in said.imports}


def words_in(module: LocalModule) -> set[str]:
    """Return the words in the files of a module; see `nbbatch.wire.words`."""
    return {word for said in _mentions(module) for word in said.words}


def _mentions(module: LocalModule) -> Iterator[Mentions]:
    return (mentions(path) for _, path in module.files if path.name.endswith(".py"))
