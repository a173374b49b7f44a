"""What a job keeps in the store for its next attempt: values and files, sealed.

A checkpoint is one sealed object, its *head*, and the large buffers that the head names. They lie
in places of their own (`keys.file`) and not among the blobs, because they are written again and
again: a save writes only to places that the head in force does not name, and the new head last.
So whatever cuts it off, the checkpoint before it stays whole; a buffer that is as it was is not
written again; and all saves together take the room of two. Nothing has to be deleted for that.
"""

from __future__ import annotations

import re
import sys
import threading
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

from nbbatch.errors import NbbatchError, NotPicklableError, UsageError
from nbbatch.wire import graph, keys, parts
from nbbatch.wire.digest import digest
from nbbatch.wire.envelope import Envelope, Part, broken, seal, unseal
from nbbatch.wire.store import Buffer, Store

#: The kind of the sealed object, and what it may hold.
KIND = "checkpoint"
VALUE, FILES = "value", "files"
#: How often a checkpoint is read that somebody replaces just then.
_TRIES = 3
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


class Owner(NamedTuple):
    """Whose checkpoints: the job and its key.

    `writer` names the places that this process writes to, and no other process does. What an
    earlier process of the same `line` wrote is taken as it is, since that process has ended.
    """

    job: str
    key: bytes
    writer: str = ""
    line: str = ""


class Content(NamedTuple):
    """A checkpoint as it was saved: `VALUE` or `FILES`, what its parts are, and the parts."""

    kind: str
    said: Any
    buffers: List[Buffer]


class _Places:
    """Reads blobs from the places of one checkpoint."""

    def __init__(self, store: Store, places: Mapping[str, str]) -> None:
        self.url = store.url
        self._store = store
        self._places = {keys.blob(digest): place for digest, place in places.items()}

    def get(self, key: str) -> Optional[bytes]:
        return self._store.get(self._places[key])

    def size(self, key: str) -> Optional[int]:
        return self._store.size(self._places[key])

    def read_into(self, key: str, offset: int, view: memoryview) -> None:
        self._store.read_into(self._places[key], offset, view)


class Checkpoints:
    """The checkpoints of one job; usable from several threads."""

    def __init__(self, store: Store, owner: Owner) -> None:
        self._store = store
        self._owner = owner
        self._lock = threading.Lock()
        #: Digest to place, of each checkpoint that this process has saved or may go on from.
        self._saved: Dict[str, Dict[str, str]] = {}

    def save(self, name: str, content: Content) -> None:
        """Write a checkpoint, whole or not at all.

        Raises
        ------
        UsageError
            It can't be called so.
        OSError
            The store does not take it; the one before stays.
        """
        check_name(name)
        with self._lock:
            if name not in self._saved:
                head = self._head(name)
                self._saved[name] = dict(head.meta["places"]) if head is not None else {}
            self._saved[name] = self._replace(name, content)

    def load(self, name: str) -> Optional[Content]:
        """Read a checkpoint whose seal is checked; None where there is none.

        Raises
        ------
        SealError
            It was altered, or is another one than this.
        """
        check_name(name)
        for last in (*[False] * (_TRIES - 1), True):
            head = self._head(name)
            if head is None:
                return None
            places = _Places(self._store, head.meta["places"])
            try:
                buffers = [parts.read(places, head, index) for index in range(len(head.parts))]
            # Whoever saves a newer one meanwhile writes over the one before the last.
            except NbbatchError:
                if last:
                    raise
                continue
            return Content(head.meta["kind"], head.meta["said"], buffers)
        raise AssertionError("unreachable")

    def _head(self, name: str) -> Optional[Envelope]:
        data = self._store.get(_head_key(self._owner.job, name))
        if data is None:
            return None
        head = unseal(data, self._owner.key, KIND, self._owner.job)
        if head.meta["name"] != name:
            raise broken(f"checkpoint {name} of job {self._owner.job}")
        return head

    def _replace(self, name: str, content: Content) -> Dict[str, str]:
        me, old = self._owner, self._saved[name]
        taken, places = set(old.values()), {}
        mine = keys.file(me.job, f"{name}/{me.line}")
        described, inline = [], []
        for data in content.buffers:
            view = memoryview(data).cast("B")
            part = Part(view.nbytes, digest(view), view.nbytes >= parts.BLOB)
            described.append(part)
            if not part.blob:
                inline.append(data)
            elif part.digest not in places:
                place = old.get(part.digest, "")
                if not place.startswith(mine):
                    place = self._free(name, taken)
                    self._store.put(place, [data])
                places[part.digest] = place
                taken.add(place)
        meta = {"name": name, "kind": content.kind, "said": content.said, "places": places}
        pieces = seal(me.key, KIND, me.job, meta, described, inline)
        self._store.put(_head_key(me.job, name), pieces)
        return places

    def _free(self, name: str, taken: Set[str]) -> str:
        """Name a place of this process's own that no head in force names."""
        me = self._owner
        places = (keys.file(me.job, f"{name}/{me.writer}-{n}") for n in range(len(taken) + 1))
        return next(place for place in places if place not in taken)


def _head_key(job: str, name: str) -> str:
    return keys.file(job, f"{name}/head")


def check_name(name: str) -> str:
    """Return a checkpoint's name.

    Raises
    ------
    UsageError
        It can't be one.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"a checkpoint can't be called {name!r}",
            "a name is up to 100 letters, digits, '.', '_' and '-'",
            'current.checkpoint.save(value, "model")',
        )
    return name


def names(found: Sequence[str], job: str) -> List[str]:
    """Return the checkpoints' names among the keys of a job's files."""
    prefix = keys.file(job, "")
    paths = (key[len(prefix) :].partition("/") for key in found if key.startswith(prefix))
    return sorted(name for name, _, rest in paths if rest == "head")


def pack_value(value: Any, name: str) -> Content:
    """Pickle a value; its large buffers are not copied.

    Raises
    ------
    NotPicklableError
        Some part of it does not pickle.
    """
    try:
        found = graph.dump([(VALUE, name, value)], _namespace(), with_globals=False)
    # Whatever a value's own __reduce__ raises.
    except Exception as error:
        from nbbatch.wire.blame import sentence

        raise NotPicklableError(
            f"checkpoint {name} was not saved",
            sentence(name, value, error),
            "save what pickles: plain values, arrays, a model's state",
        ) from error
    return Content(VALUE, found.meta()["records"], found.parts())


def unpack_value(content: Content, name: str) -> Any:
    """Unpickle a value whose seal was checked.

    Raises
    ------
    NbbatchError
        It can't be rebuilt here, or there are files and no value.
    """
    if content.kind != VALUE:
        raise UsageError(
            f"checkpoint {name} can't be loaded as a value",
            "it was saved with save_files",
            f'current.checkpoint.load_files("folder", "{name}")',
        )
    stream, *buffers = content.buffers
    for record in graph.load(stream, content.said, buffers, _namespace()):
        if record.error is not None:
            raise NbbatchError(
                f"checkpoint {name} can't be loaded",
                f"{type(record.error).__name__}: {record.error}",
                "import what it needs first, in the versions with which it was saved",
            ) from record.error
        return record.value
    raise AssertionError("unreachable")


def _namespace() -> Dict[str, Any]:
    return vars(sys.modules["__main__"])
