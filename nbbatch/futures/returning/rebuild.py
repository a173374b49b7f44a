"""Exceptions that happened elsewhere, with the traceback that they had there."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import linecache
import os
import sys
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nbbatch import errors
from nbbatch.errors import RemoteError
from nbbatch.wire.spec import Failure

#: Where nbbatch itself is: `errors` is at its top.
_PACKAGE = os.path.dirname(os.path.abspath(errors.__file__))


def rebuild(
    failures: Sequence[Failure],
    objects: dict[int, BaseException],
    where: str,
    *,
    whole: bool = False,
) -> BaseException:
    """Return the raised exception, with those behind it and the tracebacks of the job.

    Parameters
    ----------
    failures
        The chain, the raised one first.
    objects
        The exceptions that could be unpickled, by their index in the chain.
    where
        What to call the job in the message of an exception that could not.
    whole
        Whether the job's frames are all that is to be shown: a cell has no caller here.
    """
    chain = [objects.get(i) or _stand_in(item, where) for i, item in enumerate(failures)]
    for error, failure in zip(chain, failures, strict=True):
        error.__traceback__ = _traceback(failure)
        if isinstance(error, ModuleNotFoundError) and error.name and "." not in error.name:
            add_note(error, _how_to_bring(error.name))
    for error, behind, failure in zip(chain, chain[1:], failures, strict=False):
        if failure.link == "cause":
            error.__cause__ = behind
        else:
            error.__context__ = behind
    show_without_own_frames(chain[0], chain[0].__traceback__ if whole else None)
    return chain[0]


def _how_to_bring(module: str) -> str:
    """Say what gives a job a module that it did not find."""
    try:
        here = module in sys.modules or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        here = False
    if here:
        return f"{module} is here: with --env auto it goes along where the code imports it by name"
    return f"{module} isn't here either: install it, or --pypi NAME of the package that has it"


def add_note(error: BaseException, note: str) -> None:
    """Add a line below an exception's message; Python before 3.11 only keeps it."""
    # Exceptions with slots take no attribute, and no note.
    with contextlib.suppress(AttributeError, TypeError):
        setattr(error, "__notes__", [*getattr(error, "__notes__", ()), note])  # noqa: B010


def _stand_in(failure: Failure, where: str) -> RemoteError:
    error = RemoteError(
        f"{failure.ename}: {failure.evalue}",
        f"raised in {where}; its type can't be rebuilt in this process",
        "the traceback is the job's own",
    )
    error.ename = failure.ename
    return error


class _Marker(Exception):
    """Raised in code that exists only to have a frame of the right name and line."""


def _traceback(failure: Failure) -> types.TracebackType | None:
    """Build a traceback like the one that the job had: Python makes them only by raising."""
    joined: types.TracebackType | None = None
    for filename, line, function, text, first in reversed(failure.frames):
        frame, instruction = _frame(_here(filename, line, text), line, function, first)
        joined = types.TracebackType(joined, frame, instruction, line)
    return joined


def _here(filename: str, line: int, text: str) -> str:
    """Return a library's file of this process that has the line which the job's had, if any."""
    if not text or _has(filename, line, text):
        return filename
    parts = Path(filename).parts
    tails = (os.path.join(*parts[start:]) for start in range(1, len(parts)))
    folders = [os.path.abspath(folder) for folder in sys.path]
    places = (os.path.join(folder, tail) for tail in tails for folder in folders)
    return next((place for place in places if _has(place, line, text)), filename)


def _has(filename: str, line: int, text: str) -> bool:
    return linecache.getline(filename, line).rstrip("\n") == text


def _frame(filename: str, line: int, function: str, first: int) -> tuple[types.FrameType, int]:
    """Return a frame in `function`, which begins at line `first`, and stands at `line`."""
    namespace: dict[str, Any] = {"_Marker": _Marker, "__name__": "", "__file__": filename}
    try:
        exec(_code(filename, line, function, first), namespace)  # noqa: S102 - our own text
    except _Marker as marker:
        entry = marker.__traceback__
        while entry is not None and entry.tb_next is not None:
            entry = entry.tb_next
        if entry is not None:
            return entry.tb_frame, entry.tb_lasti
    raise AssertionError("the frame's code did not raise")


def _code(filename: str, line: int, function: str, first: int) -> types.CodeType:
    if function == "<module>" or line < first:
        return compile("\n" * (line - 1) + "raise _Marker", filename, "exec")
    body = "\n" * (line - first) + " raise _Marker"
    code = compile("\n" * (first - 1) + "def f():" + body + "\nf()", filename, "exec")
    constants = tuple(
        _renamed(item, function) if isinstance(item, types.CodeType) else item
        for item in code.co_consts
    )
    return code.replace(co_consts=constants)


def _renamed(code: types.CodeType, name: str) -> types.CodeType:
    if sys.version_info >= (3, 11):
        return code.replace(co_name=name, co_qualname=name)
    return code.replace(co_name=name)


class _Renderer:
    """How IPython shows the exception: the user's frames here, then the job's; none of ours."""

    def __init__(self, error: BaseException, only: types.TracebackType | None) -> None:
        self._error = error
        self._only = only

    def __call__(self) -> list[str]:
        from IPython import get_ipython

        error = self._error
        entries = list(_own_frames_left_out(self._only or error.__traceback__))
        shell = get_ipython()
        return list(shell.InteractiveTB.structured_traceback(type(error), error, _joined(entries)))

    def __reduce__(self) -> tuple[Any, ...]:
        # The exception may travel to another job, where this class does not exist.
        return functools.partial, (list,)


def show_without_own_frames(error: BaseException, only: types.TracebackType | None = None) -> None:
    """Have IPython show `error` without nbbatch's frames, or with the frames `only`."""
    # What stands in for the job's exception is shown with the traceback that that one had.
    if isinstance(error, RemoteError) or not hasattr(error, "_render_traceback_"):
        # Exceptions with slots take no attribute: they are shown as they are.
        with contextlib.suppress(AttributeError):
            error._render_traceback_ = _Renderer(error, only)  # type: ignore[attr-defined]


def _own_frames_left_out(
    entry: types.TracebackType | None,
) -> Iterable[types.TracebackType]:
    machinery = (_PACKAGE, _ipython())
    while entry is not None:
        if not entry.tb_frame.f_code.co_filename.startswith(machinery):
            yield entry
        entry = entry.tb_next


def _ipython() -> str:
    module = sys.modules.get("IPython")
    return os.path.dirname(str(module.__file__)) if module is not None else _PACKAGE


def _joined(entries: Sequence[types.TracebackType]) -> types.TracebackType | None:
    joined: types.TracebackType | None = None
    for entry in reversed(entries):
        joined = types.TracebackType(joined, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return joined
