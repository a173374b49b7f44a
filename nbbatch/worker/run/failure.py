"""An exception as plain data: its chain, and frames without those of the worker."""

from __future__ import annotations

import linecache
import os
from typing import Any, Callable, Iterator, List, Mapping, Optional, Tuple

from nbbatch.wire.spec import Failure

_LONGEST = 100
_CHAIN = 10


def chain(error: Optional[BaseException]) -> List[Tuple[BaseException, str]]:
    """Return the exception and those behind it, each with its link to the next."""
    result: List[Tuple[BaseException, str]] = []
    current: Optional[BaseException] = error
    while current is not None and len(result) < _CHAIN:
        following, link = _behind(current)
        if any(following is seen for seen, _ in result):
            following, link = None, ""
        result.append((current, link))
        current = following
    return result


def _behind(error: BaseException) -> Tuple[Optional[BaseException], str]:
    if error.__cause__ is not None:
        return error.__cause__, "cause"
    if error.__context__ is not None and not error.__suppress_context__:
        return error.__context__, "context"
    return None, ""


def _package() -> str:
    """Return where nbbatch lies, as frames name it: bytecode in the zip has names of its own."""
    path = _behind.__code__.co_filename
    for _ in range(3):
        path = os.path.dirname(path)
    return path


_OWN = _package()


def failures(error: BaseException, named: Callable[[str], str] = str) -> Tuple[Failure, ...]:
    """Describe an exception and those behind it; `named` tells what a file is to be called."""
    return tuple(
        Failure(qualified(type(item)), text_of(item), tuple(_frames(item, named)), link)
        for item, link in chain(error)
    )


def qualified(kind: type) -> str:
    """Name a type as tracebacks do: builtins and the notebook's own without a module."""
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def text_of(error: BaseException) -> str:
    """Return an exception's text, also where its ``__str__`` raises."""
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"


def _frames(
    error: BaseException, named: Callable[[str], str]
) -> Iterator[Tuple[str, int, str, str, int]]:
    entries: List[Any] = []
    entry: Any = error.__traceback__
    while entry is not None:
        if not entry.tb_frame.f_code.co_filename.startswith(_OWN):
            entries.append(entry)
        entry = entry.tb_next
    if len(entries) > _LONGEST:
        # Where it began and where it happened; in between are the turns of a recursion.
        entries = entries[: _LONGEST // 2] + entries[-_LONGEST // 2 :]
    for entry in entries:
        code = entry.tb_frame.f_code
        line = linecache.getline(code.co_filename, entry.tb_lineno).rstrip("\n")
        yield named(code.co_filename), entry.tb_lineno, code.co_name, line, code.co_firstlineno


_LINKS = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}


def lines(found: Tuple[Failure, ...], labels: Mapping[str, str]) -> Tuple[str, ...]:
    """Write a traceback, the deepest exception first; `labels` name the notebook's cells."""
    result: List[str] = []
    for index in range(len(found) - 1, -1, -1):
        failure = found[index]
        result.append("Traceback (most recent call last):\n")
        for name, number, function, line, _ in failure.frames:
            place = f'Cell "{labels[name]}"' if name in labels else f'File "{name}"'
            result.append(f"  {place}, line {number}, in {function}\n    {line.strip()}\n")
        text = f"{failure.ename}: {failure.evalue}" if failure.evalue else failure.ename
        result.append(f"{text}\n")
        if index:
            result.append(f"\n{_LINKS[found[index - 1].link]}\n\n")
    return tuple(result)
