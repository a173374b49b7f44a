"""From pieces of text, in the order in which they arrived, to numbered lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbbatch.widgets.log.text import LINE_CHARS, RAW_CHARS, Line, collapsed, plain, styles

__all__ = ["Cursor"]

_NO_STYLE = ("\x1b[0m", "\x1b[m")


@dataclass
class _Stream:
    """What one stream has written since its last newline, and the style in which it began."""

    begun: str = ""
    style: str = ""


class Cursor:
    """A place in a job's text: the number of the next line, and what has begun already.

    A line is finished by its newline and gets its number then, counted over all streams from 0;
    so page and kernel, which read the same text, call a line by the same number. A style holds
    for its stream until it is changed, also in later lines.
    """

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self._streams: dict[str, _Stream] = {}

    def copy(self) -> Cursor:
        """Return another one at the same place."""
        other = Cursor(self.number)
        other._streams = {name: replace(stream) for name, stream in self._streams.items()}
        return other

    def restart(self) -> None:
        """Let the next line of each stream say its style itself: nothing before it is read."""
        for stream in self._streams.values():
            stream.begun = stream.style + stream.begun

    def unfinished(self, name: str) -> str:
        """Return what a stream has written since its last newline."""
        stream = self._streams.get(name)
        return stream.begun if stream is not None else ""

    def begun(self) -> list[Line]:
        """Return the unfinished line of each stream that has one, with its style."""
        return [(name, s.style + s.begun) for name, s in self._streams.items() if s.begun]

    def skip(self, name: str, text: str, newlines: int | None = None) -> None:
        """Pass a piece of text, without regard to its lines; cheap.

        Parameters
        ----------
        newlines
            How many it has, where they are counted already: that is most of the work.
        """
        stream = self._streams.setdefault(name, _Stream())
        at = text.rfind("\n")
        if at >= 0:
            if "\x1b" in stream.begun or "\x1b" in text:
                self._restyle(stream, stream.begun + text[:at])
            self.number += text.count("\n") if newlines is None else newlines
            stream.begun = ""
        self._begin(name, stream, text[at + 1 :])

    def feed(self, name: str, text: str) -> list[str]:
        """Pass a piece of text, and return the lines that it finishes."""
        stream = self._streams.setdefault(name, _Stream())
        *lines, last = text.split("\n")
        if lines:
            lines[0] = stream.begun + lines[0]
            stream.begun = ""
            self.number += len(lines)
            if any("\x1b" in line for line in lines):
                self._restyle(stream, "\n".join(lines))
        self._begin(name, stream, last)
        return lines

    def _begin(self, name: str, stream: _Stream, text: str) -> None:
        if not text:
            return
        stream.begun = collapsed(stream.begun + text)
        if len(stream.begun) > RAW_CHARS:
            stream.begun = stream.begun[-RAW_CHARS:]
        # Set again: the stream that wrote last is the lowest.
        self._streams[name] = self._streams.pop(name)

    def _restyle(self, stream: _Stream, text: str) -> None:
        style = styles(stream.style + text)
        stream.style = "" if style in _NO_STYLE else style


def clipped(line: str) -> str:
    """Cut a line that is too long for a page to its end; it loses its colours then."""
    line = collapsed(line)
    return line if len(line) <= RAW_CHARS else "…" + plain(line[-RAW_CHARS:])[1 - LINE_CHARS :]
