"""The whole text of a job on show, on disk, so that any lines of it are one seek away.

The text is kept as it arrived, in records: which stream, how many bytes, and the bytes. Every so
often an entry of the index notes where a record begins, and the `Cursor` there. The index is
halved when it is full, so a log of any length needs the same memory. Short logs stay in memory:
most jobs print little, and a process has only so many files.
"""

from __future__ import annotations

import os
import struct
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from nbbatch.widgets.log.lines import Cursor
from nbbatch.widgets.log.text import Line

__all__ = ["Lost", "Spool"]

_HEAD = struct.Struct("<HI")
#: A record's text; longer ones are split.
RECORD_CHARS = 32_000
#: Read at once; the longest record is shorter.
BLOCK = 1 << 20
#: Up to here a log is kept in memory.
MEMORY = 1 << 18
#: Bytes from one entry of the index to the next, at first; and how many entries there may be.
STRIDE = 1 << 16
ENTRIES = 4096


class Lost(Exception):
    """The spool has no text, and says why."""


class Spool:
    """Takes text at its end, from one thread at a time; gives any of it to any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._end = 0
        self._size = 0
        self._index: list[tuple[int, int, Cursor]] = [(0, 0, Cursor())]
        self._stride = STRIDE
        self._cursor = Cursor()
        self._lost = ""

    @property
    def lost(self) -> str:
        """Why nothing is kept, in a few words; empty while all is."""
        return self._lost

    @property
    def lines(self) -> int:
        """How many lines are finished."""
        return self._cursor.number

    @property
    def size(self) -> int:
        """How many bytes of text there are."""
        return self._size

    def append(self, name: str, text: str) -> int:
        """Keep a text; where that fails it forgets all, and says so from then on.

        Returns
        -------
        int
            How many newlines the text has.
        """
        data: list[bytes] = []
        end, before = self._end, self._cursor.number
        for at in range(0, len(text), RECORD_CHARS):
            piece = text[at : at + RECORD_CHARS]
            if end - self._index[-1][1] >= self._stride:
                self._mark(end)
            body = piece.encode("utf-8", "replace")
            data += (_HEAD.pack(self._number(name), len(body)), body)
            end += _HEAD.size + len(body)
            self._size += len(body)
            self._cursor.skip(name, piece)
        self._put(b"".join(data))
        return self._cursor.number - before

    def _put(self, data: bytes) -> None:
        with self._lock:
            if self._lost:
                return
            try:
                self._write(data)
            except OSError as error:
                self._drop(f"the text has no room on disk ({error.strerror or error})")

    def _number(self, name: str) -> int:
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name)

    def _mark(self, end: int) -> None:
        self._index.append((self._cursor.number, end, self._cursor.copy()))
        if len(self._index) > ENTRIES:
            self._index = self._index[::2]
            self._stride *= 2

    def _write(self, data: bytes) -> None:
        if self._file is None and self._end + len(data) <= MEMORY:
            self._memory += data
        else:
            if self._file is None:
                self._file = _unlinked()
                data = bytes(self._memory) + data
                self._memory = bytearray()
                self._end = 0
            _write_all(self._file, data)
        self._end += len(data)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Free what it holds."""
        with self._lock:
            self._drop("the card has ended")

    def _drop(self, why: str) -> None:
        self._lost = self._lost or why
        self._memory = bytearray()
        self._end = 0
        del self._index[1:]
        if self._file is not None:
            self._file.close()
            self._file = None

    def raw(self, at: int) -> tuple[bytes, int, bool]:
        """Return the text's bytes from a place on, the next place, and whether that is the end.

        Parameters
        ----------
        at
            0, or what an earlier call gave as the next place.

        Raises
        ------
        Lost
        """
        block = self._block(at)
        next_ = block[-1][2] if block else at
        return b"".join(body for _, body, _ in block), next_, not block or next_ >= self._end

    def read(self, line: int) -> tuple[Cursor, Iterator[Line]]:
        """Return a cursor at or before a line, and the text from there to the end, in pieces.

        Raises
        ------
        Lost
            Here, or from the iterator.
        """
        with self._lock:
            self._check()
            index = self._index
            low, high = 0, len(index)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if index[middle][0] <= line else (low, middle)
            _, at, cursor = index[low]
        return cursor.copy(), self._text(at)

    def _text(self, at: int) -> Iterator[Line]:
        while True:
            block = self._block(at)
            if not block:
                return
            for number, body, _ in block:
                yield self._names[number], body.decode("utf-8")
            at = block[-1][2]

    def _block(self, at: int) -> list[tuple[int, bytes, int]]:
        """Return the records of one read: stream, bytes, and where the next one begins."""
        data = self._bytes(at)
        records, start = [], 0
        while start + _HEAD.size <= len(data):
            number, length = _HEAD.unpack_from(data, start)
            start += _HEAD.size + length
            if start > len(data):
                break
            records.append((number, data[start - length : start], at + start))
        return records

    def _bytes(self, at: int) -> bytes:
        with self._lock:
            self._check()
            count = max(0, min(BLOCK, self._end - at))
            if self._file is None:
                return bytes(self._memory[at : at + count])
            return os.pread(self._file.fileno(), count, at)

    def _check(self) -> None:
        if self._lost:
            raise Lost(self._lost)


def _unlinked() -> IO[bytes]:
    """Make a file without a name, so that nothing is left behind, however this process ends."""
    return tempfile.TemporaryFile(prefix="nbbatch-log-", buffering=0)


def _write_all(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
