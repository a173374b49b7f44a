"""Runs commands whose output is seen while they run, and that never outlive an interruption."""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import sys
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

#: The end to read from, and the one to write to.
Pipe = tuple[int, int]

_SHELLS = ("bash", "zsh", "ksh", "dash", "sh")
#: Python's own output comes at once, though no terminal reads it.
_DEFAULTS = {"TERM": "xterm-color", "PYTHONUNBUFFERED": "1"}
_READ = 1 << 16
#: Seconds between SIGTERM and SIGKILL for a command that is interrupted.
GRACE = 2.0
#: Seconds to wait for output once the command itself has ended: others may hold its pipes.
_LINGER = 0.1


def shell() -> str:
    """Choose the shell for ``!command``: the user's own where it is a usual one."""
    import shutil

    own = os.environ.get("SHELL", "")
    if os.path.basename(own) in _SHELLS and os.access(own, os.X_OK):
        return own
    return shutil.which("bash") or shutil.which("sh") or "/bin/sh"


def run(arguments: Sequence[str], target: Any = None) -> int:
    """Run a command; copy what it writes to `target`, by default `sys.stdout`, as it comes.

    Both its streams go there, through a terminal, as in IPython: in their order, line by line.

    Returns
    -------
    int
        Its exit code; negative where a signal ended it.
    """
    return _run(arguments, "", [_terminal()], [target or sys.stdout])


def script(arguments: Sequence[str], text: str, outputs: Mapping[str, Any]) -> int:
    """Run a command with `text` on its stdin, and its two streams apart.

    `outputs` are the files for ``stdout`` and ``stderr``, by default `sys`' own. Returns the exit
    code as `run` does.
    """
    targets = {"stdout": sys.stdout, "stderr": sys.stderr, **outputs}
    pipes = [os.pipe(), os.pipe()]
    return _run(arguments, text, pipes, [targets["stdout"], targets["stderr"]])


def output(arguments: Sequence[str]) -> str:
    """Run a command and return all that it wrote, to stdout or stderr."""
    import io

    sink = io.StringIO()
    _run(arguments, "", [os.pipe()], [sink])
    return sink.getvalue().replace("\r\n", "\n")


def _run(arguments: Sequence[str], text: str, pipes: Sequence[Pipe], targets: Sequence[Any]) -> int:
    """Run a command that writes to `pipes`, stdout's first; copy each to the target beside it."""
    process = None
    try:
        with _undisturbed():
            process = _start(arguments, text, pipes)
        _copy(process, {pipe[0]: _Copy(target) for pipe, target in zip(pipes, targets)})
        return process.wait()
    except BaseException:
        if process is not None:
            kill(process)
        raise
    finally:
        for reader, _ in pipes:
            os.close(reader)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put signals off while a process is started: one that no variable holds can't be ended."""
    import threading

    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not None]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    came: list[int] = []
    before = {n: signal.signal(n, lambda number, _: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        for number in came:
            signal.raise_signal(number)


def kill(process: subprocess.Popen[Any]) -> None:
    """End a command and all that it started: SIGTERM, and a little later SIGKILL."""
    for number, wait in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        end = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)


def _start(arguments: Sequence[str], text: str, pipes: Sequence[Pipe]) -> subprocess.Popen[Any]:
    import subprocess

    sys.stdout.flush()
    try:
        with _stdin(text) as stdin:
            return subprocess.Popen(
                arguments,
                stdin=stdin,
                stdout=pipes[0][1],
                stderr=pipes[-1][1],
                start_new_session=True,
                env={**_DEFAULTS, **os.environ, "PAGER": "cat", "GIT_PAGER": "cat"},
            )
    finally:
        for _, writer in pipes:
            os.close(writer)


def _stdin(text: str) -> IO[bytes]:
    """Return a file to read `text` from: a file can't block the writer as a pipe would."""
    if not text:
        return open(os.devnull, "rb")
    import tempfile

    file = tempfile.TemporaryFile()
    file.write(text.encode("utf-8", "surrogateescape"))
    file.seek(0)
    return file


def _terminal() -> tuple[int, int]:
    """Return a terminal so that programs write each line at once; else a pipe."""
    try:
        import pty
        import termios

        reader, writer = pty.openpty()
        mode = termios.tcgetattr(writer)
        mode[1] &= ~termios.OPOST
        termios.tcsetattr(writer, termios.TCSANOW, mode)
    except (ImportError, OSError):
        return os.pipe()
    return reader, writer


class _Copy:
    """Decodes what comes from a descriptor and writes it to a text file."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __call__(self, data: bytes) -> None:
        text = self._decoder.decode(data, final=not data)
        if text:
            self._target.write(text)
            self._target.flush()


def _copy(process: subprocess.Popen[Any], copies: dict[int, _Copy]) -> None:
    """Copy until all writers are gone, or the command is and what it left has been read."""
    import selectors

    ended: float | None = None
    with selectors.DefaultSelector() as selector:
        for descriptor in copies:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(_LINGER / 2)
            # Where both wait the order is lost: stdout is the likelier first.
            for key, _ in sorted(ready, key=lambda each: list(copies).index(each[0].fd)):
                data = _read(key.fd)
                copies[key.fd](data)
                if not data:
                    selector.unregister(key.fd)
            if ready:
                continue
            # What it wrote last may have come after the look: there is another one in any case.
            if ended is None:
                ended = time.monotonic() if process.poll() is not None else None
            elif time.monotonic() - ended >= _LINGER:
                return


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ)
    # A terminal whose last writer is gone.
    except OSError:
        return b""
