"""Named values as one pickle graph: shared objects stay shared, buffers stay out of band.

A graph is a sequence of records, one for each value, written by a single pickler whose memo
carries over: if ``b is a`` before, ``b is a`` after. A record that can't be read is skipped and
named, and does not take the others with it.

Functions that live in the notebook's namespace keep living in it: their ``__globals__`` is
replaced by a token, and whoever reads the graph says which namespace the token stands for.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from nbbatch.wire.store import Buffer

#: Smaller buffers stay in the stream: a part costs more than the copy.
OUT_OF_BAND = 16 << 10

#: What a value is, its name, its end in the stream, and how many buffers precede that end.
Record = Tuple[str, str, int, int]
#: What a value is, its name, the value.
Item = Tuple[str, str, Any]


class _Namespace:
    """Stands for the namespace that the reader provides."""

    def __reduce__(self) -> Tuple[Any, Tuple[()]]:
        return _current_namespace, ()


_reading: List[Dict[str, Any]] = []


def _current_namespace() -> Dict[str, Any]:
    return _reading[-1]


@dataclass
class Graph:
    """Values as they travel.

    Attributes
    ----------
    stream
        The pickle stream; `buffers` are its out-of-band buffers, views into the values.
    failures
        What did not pickle, where that was tolerated: (role, name, value, error).
    modules
        Names of the modules that the reader must be able to import, each with the name of the
        first value that needs it.
    types
        The top-level ones of these that values were made by: their versions must fit.
    files
        File names of the code objects inside, for tracebacks.
    bytecode
        Whether code objects are inside: the reader must be of the same Python minor version.
    upstreams
        The jobs whose results are referred to, by id: whoever follows them here.
    words
        Those of the code inside; see `nbbatch.wire.words`.
    """

    stream: memoryview
    records: List[Record]
    buffers: List[memoryview]
    failures: List[Tuple[str, str, Any, BaseException]] = field(default_factory=list)
    modules: Dict[str, str] = field(default_factory=dict)
    types: Set[str] = field(default_factory=set)
    files: Set[str] = field(default_factory=set)
    bytecode: bool = False
    upstreams: Dict[str, Any] = field(default_factory=dict)
    words: Set[str] = field(default_factory=set)

    def meta(self) -> Dict[str, Any]:
        """Return what the reader needs beside the parts, as JSON values."""
        return {"records": [list(record) for record in self.records]}

    def parts(self) -> List[Buffer]:
        """Return the stream and the buffers, in the order of an envelope's parts."""
        return [self.stream, *self.buffers]


def pickler(
    file: Any,
    namespace: Optional[Dict[str, Any]] = None,
    with_globals: bool = True,
    buffer_callback: Any = None,
    reader: str = "",
) -> Any:
    """Return what pickles into `file`; see `nbbatch.wire.pickling.Pickler`."""
    # Only now: a job that is given plain data reaches the user's first line without cloudpickle.
    from nbbatch.wire.pickling import Pickler

    return Pickler(file, namespace, _Namespace(), with_globals, buffer_callback, reader)


def dump(
    items: Sequence[Item],
    namespace: Optional[Dict[str, Any]] = None,
    *,
    with_globals: bool = True,
    tolerant: bool = False,
    reader: str = "",
) -> Graph:
    """Pickle values as one graph.

    Parameters
    ----------
    items
        (role, name, value) of each; roles and names are the reader's business.
    namespace, with_globals, reader
        See `nbbatch.wire.pickling.Pickler`.
    tolerant
        Leave out what does not pickle and list it in `Graph.failures`.

    Raises
    ------
    Exception
        What pickling raised, with the item as attribute ``nbbatch_item``, unless `tolerant`.
    """
    failures: List[Tuple[str, str, Any, BaseException]] = []
    left = list(items)
    while True:
        graph, failed, error = _dump(left, namespace, with_globals, reader)
        if error is None:
            graph.failures = failures
            return graph
        if not tolerant:
            error.nbbatch_item = left[failed]  # type: ignore[attr-defined]
            raise error
        # The memo knows objects of the failed record that were never written: start over.
        failures.append((*left.pop(failed), error))


def _dump(
    items: Sequence[Item], namespace: Optional[Dict[str, Any]], with_globals: bool, reader: str
) -> Tuple[Graph, int, Optional[BaseException]]:
    stream = io.BytesIO()
    buffers: List[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < OUT_OF_BAND:
            return True
        buffers.append(raw)
        return False

    writer = pickler(stream, namespace, with_globals, keep, reader)
    records: List[Record] = []
    for index, (role, name, value) in enumerate(items):
        writer.role, writer.record = role, name
        try:
            writer.dump(value)
        # Whatever a value's own __reduce__ raises is its failure, not ours.
        except Exception as error:
            return Graph(memoryview(b""), [], []), index, error
        records.append((role, name, stream.tell(), len(buffers)))
    # Not `getbuffer`: a view of a BytesIO must not outlive it, whatever the collector does first.
    found = Graph(memoryview(stream.getvalue()), records, buffers)
    found.modules, found.files = writer.modules, writer.files
    found.types, found.words = writer.types, writer.words
    found.bytecode, found.upstreams = writer.bytecode, writer.upstreams
    return found, -1, None


class _Source:
    """The stream as a file; without `peek`, so that the unpickler reads no byte ahead."""

    def __init__(self, stream: memoryview) -> None:
        self._stream = stream
        self.position = 0

    def read(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        return bytes(self._stream[start : self.position])

    def readinto(self, target: Any) -> int:
        view = memoryview(target).cast("B")
        piece = self._stream[self.position : self.position + view.nbytes]
        view[: piece.nbytes] = piece
        self.position += piece.nbytes
        return piece.nbytes

    def readline(self) -> bytes:
        end = self.position
        while end < self._stream.nbytes and self._stream[end] != 10:
            end += 1
        return self.read(end + 1 - self.position)


@dataclass
class Loaded:
    """One record, read: its value, or why it can't be read."""

    role: str
    name: str
    value: Any = None
    error: Optional[BaseException] = None


class _Reader:
    """Reads records one by one, and goes on behind one that can't be read."""

    def __init__(self, stream: memoryview, buffers: Sequence[Buffer]) -> None:
        self._source = _Source(stream)
        self._stream = stream
        self._buffers = buffers
        self._broken: Mapping[int, Exception] = {}
        self._unpickler: Any = pickle.Unpickler(self._source, buffers=iter(buffers))

    def read(self) -> Any:
        """Return the next record's value.

        Raises
        ------
        Exception
            What rebuilding it raised.
        """
        return self._unpickler.load()

    def skip(self, start: int, first: int, end: int, used: int) -> None:
        """Go on at `end`, where `used` buffers are used, as if the record had been read.

        Parameters
        ----------
        start, first
            Where it begins, and how many buffers are before it.
        """
        # Only needed when something has failed.
        from nbbatch.wire.salvage import salvage

        count, memo = self._memoized(start), self._unpickler.memo.copy()
        known = {number: value for number, value in memo.items() if number < count}
        self._source.position = start
        found = salvage(self._source, iter(self._buffers[first:]), known, self._broken)
        self._source.position, self._broken = end, found.broken
        # Python's own unpickler: that in C can't be given a memo.
        self._unpickler = pickle._Unpickler(self._source, buffers=iter(self._buffers[used:]))
        self._unpickler.memo = found

    def _memoized(self, end: int) -> int:
        """Count the objects that the stream up to `end` puts into the memo."""
        import pickletools

        file, count = io.BytesIO(self._stream[:end]), 0
        while file.tell() < end:
            count += sum(code.name == "MEMOIZE" for code, _, _ in pickletools.genops(file))
        return count


def load(
    stream: Buffer,
    records: Sequence[Sequence[Any]],
    buffers: Sequence[Buffer],
    namespace: Optional[Dict[str, Any]] = None,
) -> Iterator[Loaded]:
    """Read a graph whose seal was checked, record by record.

    Parameters
    ----------
    namespace
        The dict that the token of the notebook's namespace stands for.
    """
    reader = _Reader(memoryview(stream), buffers)
    start = first = 0
    for role, name, end, used in records:
        _reading.append({} if namespace is None else namespace)
        try:
            loaded = Loaded(role, name, reader.read())
        # Whatever a value's own code raises while it is rebuilt is that value's failure.
        except Exception as error:
            loaded = Loaded(role, name, error=error)
            if end < records[-1][2]:
                reader.skip(start, first, end, used)
        finally:
            _reading.pop()
        yield loaded
        start, first = end, used
