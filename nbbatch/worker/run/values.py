"""The job's values: in from a sealed input, out into a sealed outcome."""

from __future__ import annotations

import builtins
import functools
import io
import os
import sys
import types
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from nbbatch import errors
from nbbatch.wire import graph, keys, parts, spec
from nbbatch.wire.envelope import Envelope, Part
from nbbatch.wire.graph import Item
from nbbatch.wire.spec import JobSpec
from nbbatch.wire.store import Buffer, ListingStore, Store
from nbbatch.worker.run.changes import Original, Originals, address
from nbbatch.worker.run.identity import Identity

_HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


class Folders(NamedTuple):
    """What was made for one attempt and goes with it; empty where it was not needed."""

    #: The notebook's local modules.
    modules: str = ""
    #: Libraries that the image lacks, where the host keeps none.
    libraries: str = ""


@dataclass
class Inputs:
    """What came in.

    Attributes
    ----------
    namespace
        The `__main__` module's dict, with the variables in it.
    items
        The records that are not variables, by role.
    originals
        What the large buffers were, by their place in memory.
    """

    namespace: Dict[str, Any]
    items: Dict[str, Any] = field(default_factory=dict)
    originals: Originals = field(default_factory=dict)


def main_namespace() -> Dict[str, Any]:
    """Make a new, empty ``__main__`` and return its dict."""
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    return module.__dict__


def check_python(job: JobSpec) -> None:
    """Refuse bytecode of another Python before it is unpickled.

    Raises
    ------
    ImageError
        The input holds functions, and this Python's minor version is not the client's.
    """
    if job.bytecode and job.python != _HERE:
        raise errors.ImageError(
            f"{job.name} can't run on this image",
            f"functions travel as bytecode of the kernel's Python {job.python}, "
            f"and the image has Python {_HERE}",
            f"--image python:{job.python}, or another image with Python {job.python}",
        )


def unpack_modules(store: Store, envelope: Envelope, job: JobSpec) -> Folders:
    """Write the notebook's local modules into a folder of their own, and make one for libraries."""
    sent = job.libraries.get("layers") or job.libraries.get("prefix")
    fetches = bool(sent) and keys.ENV_LIBRARIES not in os.environ
    if job.modules is None and not fetches:
        return Folders()
    # Loaded only where it is needed: a trivial job does not pay for it.
    import tempfile

    from nbbatch.wire import files

    libraries = tempfile.mkdtemp(prefix="nbbatch-libraries-", dir=_runs()) if fetches else ""
    if job.modules is None:
        return Folders("", libraries)
    folder = tempfile.mkdtemp(prefix="nbbatch-modules-")
    files.unpack(bytes(parts.read(store, envelope, job.modules)), folder)
    return Folders(folder, libraries)


def _runs() -> Optional[str]:
    """Return a place for temporary files from which compiled code may be run, if there is one.

    What is mounted in memory (``--tmpfs``) mostly forbids it.
    """
    import tempfile

    for place in (tempfile.gettempdir(), "/var/tmp", os.getcwd()):
        forbidden = os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0)
        if os.access(place, os.W_OK) and not forbidden:
            return place
    return None


def see_modules(folder: str) -> None:
    """Let this Python, and those that it starts, find local modules first."""
    if not folder:
        return
    sys.path.insert(0, folder)
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, known]))


def original(filename: str, folder: str, places: Mapping[str, str]) -> str:
    """Return what a file of a local module is called where it came from."""
    if not folder or not filename.startswith(folder + os.sep):
        return filename
    inside = os.path.relpath(filename, folder)
    place = places.get(inside.partition(os.sep)[0].partition(".")[0])
    return os.path.join(place, inside) if place is not None else filename


def load(
    store: ListingStore,
    identity: Identity,
    envelope: Envelope,
    job: JobSpec,
    namespace: Dict[str, Any],
) -> Inputs:
    """Unpickle the values of an input whose seal was checked; variables go into `namespace`.

    Raises
    ------
    ImageError
        A value can't be rebuilt here: mostly a library that the image lacks.
    """
    inputs = Inputs(namespace)
    count = sum(1 for index in range(len(envelope.parts)) if index != job.modules)
    buffers = [parts.read(store, envelope, index, lent=True) for index in range(1, count)]
    note_originals(store, inputs.originals, envelope.parts[1:count], buffers)
    stream = parts.read(store, envelope, 0)
    unbound: Any = None
    if job.upstreams:
        # Loaded only where it is needed: a trivial job does not pay for it.
        from nbbatch.worker.run.upstreams import read_from

        unbound = read_from(store, identity, job, inputs)
    for record in graph.load(stream, job.records, buffers, inputs.namespace):
        if record.error is not None:
            raise unreadable(record, job) from record.error
        if record.role == spec.VARIABLE:
            if unbound is None or record.value is not unbound:
                inputs.namespace[record.name] = record.value
        else:
            inputs.items[record.role] = record.value
    # cloudpickle puts a dict there; a notebook has the module.
    inputs.namespace["__builtins__"] = builtins
    return inputs


def note_originals(
    store: Store, originals: Originals, described: Sequence[Part], buffers: Sequence[Buffer]
) -> None:
    """Remember what large buffers are, as they have just come."""
    for part, data in zip(described, buffers):
        if part.blob:
            original = Original(part.digest, functools.partial(parts.holds, store, part))
            originals[address(memoryview(data)), part.size] = original


def unreadable(record: graph.Loaded, job: JobSpec) -> errors.NbbatchError:
    """Say which value can't be loaded here, and what that takes."""
    error = record.error
    if isinstance(error, errors.NbbatchError):
        # The result of another job, of which the message tells.
        return error
    what = f"{record.name or record.role} can't be loaded in the job"
    cause = f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        hint = f"--env auto, which sends {package} along, or an image that has it (--image)"
    elif job.python != _HERE:
        cause += f"; the kernel has Python {job.python}, and the image {_HERE}"
        hint = f"--python {job.python}, or an image that has it: --image python:{job.python}"
    else:
        hint = "--env auto, or an image with the kernel's versions of libraries (--image)"
    return errors.ImageError(what, cause, hint)


def dump(items: Sequence[Item], namespace: Dict[str, Any], reader: str = "") -> graph.Graph:
    """Pickle what goes back, leaving out what does not pickle, or what `reader` can't run."""
    return graph.dump(items, namespace, with_globals=False, tolerant=True, reader=reader)


def unreturned(found: graph.Graph) -> Tuple[Tuple[str, str], ...]:
    """Name the variables that stay behind, each with the reason."""
    if not found.failures:
        return ()
    from nbbatch.wire.blame import sentence

    return tuple(
        (name, sentence(name, value, error))
        for role, name, value, error in found.failures
        if role == spec.VARIABLE and not _is_closed_file(value)
    )


def _is_closed_file(value: Any) -> bool:
    """Tell whether nobody will miss a value: what ``with open(...) as file`` leaves behind."""
    return isinstance(value, io.IOBase) and value.closed


def outgoing(found: graph.Graph) -> List[Buffer]:
    """Return the parts of an outcome that carry the graph."""
    return found.parts() if found.records else []
