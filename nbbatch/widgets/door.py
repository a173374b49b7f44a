"""The way by which a click reaches a kernel whose main thread is busy with a cell.

Comm messages wait until the cell ends (on ipykernel 6 and 7.4; not on 7.0 to 7.3). The channel
that answers `input()` does not: only the main thread reads it, and only when it wants to. So the
page also sends the click as such an answer, and the cell that waits for a job looks for one in
each step. `input()` itself throws away what came before it asked, so a click that nobody took
harms nothing.

Whatever hears from its page registers here by its key. A page sends each message on both ways
where it can't know which one is open, and names it by an id, so that it is heard once.
"""

from __future__ import annotations

import json
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Listener", "Message", "answers", "attended", "clicks", "listen", "serve"]

#: What a page says: ``ask`` names what it wants, ``id`` tells it from its other messages.
Message = dict[str, Any]

#: Ids that a listener remembers: the slower way may be as far behind as a cell is long.
IDS = 10_000

_listeners: weakref.WeakValueDictionary[str, Listener] = weakref.WeakValueDictionary()


class Listener:
    """Passes on what a page says, each message once; from any thread."""

    def __init__(self, handle: Callable[[Message], None]) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._heard: OrderedDict[str, None] = OrderedDict()

    def hear(self, message: object) -> None:
        """Take a message, whichever way it came."""
        if not isinstance(message, dict) or not isinstance(message.get("ask"), str):
            return
        if self._new(str(message.get("id", ""))):
            self._handle(message)

    def _new(self, id_: str) -> bool:
        with self._lock:
            if id_ in self._heard:
                return False
            if id_:
                self._heard[id_] = None
            while len(self._heard) > IDS:
                self._heard.popitem(last=False)
            return True


def listen(key: str, handle: Callable[[Message], None]) -> Listener:
    """Let messages with this key reach `handle`, for as long as the returned listener is kept.

    What comes as a comm message is to be given to the listener, too.
    """
    listener = Listener(handle)
    _listeners[key] = listener
    return listener


def serve(receive: Callable[[], Any] | None = None) -> None:
    """Pass on what waits at the door, to whomever it is for; only in the kernel's main thread."""
    for key, message in clicks(receive or answers):
        listener = _listeners.get(key)
        if listener is not None:
            listener.hear(message)


def clicks(receive: Callable[[], Any]) -> Iterator[tuple[str, Message]]:
    """Yield (key of a widget, what its page says) for each message that waits.

    Parameters
    ----------
    receive
        Returns the next answer's text, None where there is no more.
    """
    while (text := receive()) is not None:
        click = _read(text)
        if click is not None:
            yield click


def _read(text: str) -> tuple[str, Message] | None:
    try:
        message = dict(json.loads(text)["nbbatch"])
        return str(message.pop("key")), message
    except (ValueError, TypeError, KeyError):
        return None


def answers() -> str | None:
    """Return the text of the next waiting answer; only for the kernel's main thread."""
    kernel = _kernel()
    socket = getattr(kernel, "stdin_socket", None)
    if kernel is None or socket is None:
        return None
    try:
        _, message = kernel.session.recv(socket)
    except ValueError:  # not signed with the kernel's key
        return ""
    return None if message is None else str(message["content"].get("value", ""))


def attended() -> bool:
    """Whether a person may be watching: whoever runs notebooks in bulk answers no `input()`."""
    kernel = _kernel()
    parent = kernel.get_parent() if kernel is not None else {}
    return bool(parent.get("content", {}).get("allow_stdin", kernel is not None))


def _kernel() -> Any:
    ipython = sys.modules.get("IPython")
    return getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
