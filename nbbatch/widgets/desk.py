"""What a page asks of a kernel while a cell waits for a job.

A kernel handles one message after the other, so what a page asks waits until the cell ends: a
click on a widget, and all that a page which is loaded again must know before it can show one.
Newer versions of ipykernel let clicks (comm messages) pass by a cell that awaits, and no more.
While a cell waits here, blocked or awaiting, messages of these kinds are handled as they come,
the others in their order when the cell has ended, as ever.

It lies between a kernel's socket and its handlers, where ipykernel 6 and 7 have no public place
for it: where the kernel is not made as expected, nothing is changed.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["serving"]

#: Widgets' messages, and the two questions that a page begins with.
_LIVE = {"comm_open", "comm_msg", "comm_close", "comm_info_request", "kernel_info_request"}
#: `zmq.POLLIN`; only a kernel has that library loaded.
_POLLIN = 1


@contextlib.contextmanager
def serving() -> Iterator[Callable[[], None]]:
    """Serve the page for as long as the block lasts.

    Yields
    ------
    callable
        Takes what has come; where the event loop does not run, somebody must call it.
    """
    desk = _desk()
    if desk is None:
        yield lambda: None
        return
    with desk.open():
        yield desk.look


def _desk() -> _Desk | None:
    """Find this kernel's desk; only its main thread may read the socket."""
    ipykernel = sys.modules.get("ipykernel.kernelbase")
    if ipykernel is None or threading.current_thread() is not threading.main_thread():
        return None
    if not ipykernel.Kernel.initialized():
        return None
    kernel = ipykernel.Kernel.instance()
    try:
        return _Desk(kernel, _stream(kernel), _ident(kernel))
    # Neither as in ipykernel 6 nor as in 7.
    except (AttributeError, KeyError, LookupError):
        return None


def _stream(kernel: Any) -> Any:
    """Return the stream by which the main thread gets the messages of the shell channel."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        return kernel.shell_stream
    return thread.manager.get_shell_channel_to_subshell_pair(None).to_stream


def _ident(kernel: Any) -> Any:
    """Return whom the kernel asks where the cell calls `input`."""
    if hasattr(kernel, "_shell_parent_ident"):
        return kernel._get_shell_context_var(kernel._shell_parent_ident)
    return kernel._parent_ident["shell"]


class _Desk:
    """Handles some messages at once and passes the others on."""

    def __init__(self, kernel: Any, stream: Any, ident: Any) -> None:
        self._kernel = kernel
        self._stream = stream
        self._cell = ident, kernel.get_parent("shell")
        self._pass_on: Callable[[Any], Any] = stream._recv_callback

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        self._stream.on_recv(self._take, copy=False)
        try:
            yield
        finally:
            self._stream.on_recv(self._pass_on, copy=False)

    def look(self) -> None:
        # One by one: a handler that sends marks the stream as flushed, and it would wait forever.
        while self._stream.flush(_POLLIN, limit=1):
            pass

    def _take(self, message: Any) -> Any:
        if self._kind(message) not in _LIVE:
            return self._pass_on(message)
        # What the kernel notes about the message it handles must not become that of the cell.
        return contextvars.copy_context().run(self._handle, message)

    def _kind(self, message: Any) -> str:
        # Not checked: the handler checks the signature, and takes each one only once.
        session = self._kernel.session
        try:
            _, frames = session.feed_identities(message, copy=False)
            return str(session.unpack(frames[1].bytes)["msg_type"])
        # It is for the kernel to say what is wrong with it.
        except Exception:
            return ""

    def _handle(self, message: Any) -> None:
        kernel = self._kernel
        interrupt = kernel.saved_sigint_handler
        try:
            with contextlib.suppress(StopIteration):
                kernel.dispatch_shell(message).send(None)
        finally:
            kernel.saved_sigint_handler = interrupt
            kernel.set_parent(*self._cell, channel="shell")
            # The handled message has left the kernel "idle" in the eyes of the page.
            kernel._publish_status("busy", "shell")
