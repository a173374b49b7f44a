"""Magics that tell about names: ``%who``, ``%whos``, ``x?`` and ``x??``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nbbatch.worker.notebook.mime import plain

if TYPE_CHECKING:
    from nbbatch.worker.notebook.shell import Shell

#: Characters of a value that are shown whole, and bytes that are not repeated in kb.
_LONG, _SMALL = 50, 100_000
_NONE = "Interactive namespace is empty."
_NO_MATCH = "No variables match your requested type."


def who_ls(shell: Shell, line: str) -> list[str]:
    """Return the names of the user's variables, of all types or of those named."""
    types = set(line.split())
    names = (name for name in shell.user_ns if not name.startswith("_"))
    return sorted(n for n in names if not types or type(shell.user_ns[n]).__name__ in types)


def who(shell: Shell, line: str) -> None:
    """Print the names of the user's variables."""
    names = who_ls(shell, line)
    if not names:
        return print(_NO_MATCH if line.strip() else _NONE)
    for start in range(0, len(names), 9):
        row = "".join(f"{name}\t " for name in names[start : start + 9])
        print(row, end="" if start + 9 > len(names) else "\n")
    return print()


def whos(shell: Shell, line: str) -> None:
    """Print the user's variables with their types and a little of their content."""
    names = who_ls(shell, line)
    if not names:
        return print(_NO_MATCH if line.strip() else _NONE)
    rows = [(n, type(shell.user_ns[n]).__name__, _content(shell.user_ns[n])) for n in names]
    first = max(len("Variable"), *(len(row[0]) for row in rows)) + 3
    second = max(len("Type"), *(len(row[1]) for row in rows)) + 3
    print(f"{'Variable':<{first}}{'Type':<{second}} Data/Info")
    print("-" * (first + second + 10))
    for name, kind, content in rows:
        print(f"{name:<{first}}{kind:<{second}} {content}")
    return None


def _content(value: Any) -> str:
    kind = type(value).__name__
    if kind in ("dict", "list", "tuple"):
        return f"n={len(value)}"
    if kind in ("DataFrame", "Series"):
        return f"Shape: {value.shape}"
    if kind == "ndarray":
        return _array(value)
    try:
        text = str(value).replace("\n", "\\n")
    except Exception:
        text = f"<object with id {id(value)} (str() failed)>"
    return text if len(text) < _LONG else f"{text[:25]}<...>{text[-25:]}"


def _array(value: Any) -> str:
    shape = "x".join(map(str, value.shape))
    size = value.size * value.itemsize
    text = f"{shape}: {value.size} elems, type `{value.dtype}`, {size} bytes"
    if size < _SMALL:
        return text
    return f"{text} ({size / 1024} kb)" if size < 1 << 20 else f"{text} ({size / (1 << 20)} Mb)"


def pinfo(shell: Shell, line: str) -> None:
    """Print an object's signature, documentation and place."""
    _describe(shell, line, source=False)


def pinfo2(shell: Shell, line: str) -> None:
    """Print the same, and the source where there is any."""
    _describe(shell, line, source=True)


def _describe(shell: Shell, line: str, source: bool) -> None:
    name = line.strip().strip("?")
    found, value = _find(shell, name)
    if not found:
        return print(f"Object `{name}` not found.")
    import inspect

    facts = {"Signature": _signature(name, value)} if callable(value) else {}
    facts["Type"] = type(value).__name__
    if not callable(value) and not inspect.ismodule(value):
        facts["String form"] = plain(value)
    code = _asked(inspect.getsource, value) if source else ""
    if code:
        facts["Source"] = "\n" + code.rstrip()
    else:
        facts["Docstring"] = _asked(inspect.getdoc, value) or "<no docstring>"
    facts["File"] = _asked(inspect.getsourcefile, value)
    for title, text in facts.items():
        if text:
            gap = "" if text.startswith("\n") else " " * max(1, 11 - len(title))
            print(f"{title}:{gap}{text}")
    return None


def _find(shell: Shell, name: str) -> Any:
    """Evaluate a dotted name, and nothing else: ``x?`` must not run code."""
    if name.startswith("%") or not name:
        return _magic(name.lstrip("%"))
    if not all(part.isidentifier() for part in name.split(".")):
        return False, None
    try:
        return True, eval(name, shell.user_ns, shell.local or shell.user_ns)
    except Exception:
        return False, None


def _magic(name: str) -> Any:
    table = sys.modules["nbbatch.worker.notebook.magics"]
    found = table.LINE.get(name) or table.CELL.get(name)
    return found is not None, found


def _signature(name: str, value: Any) -> str:
    import inspect

    try:
        return f"{name.rpartition('.')[2]}{inspect.signature(value)}"
    except (TypeError, ValueError):
        return ""


def _asked(ask: Any, value: Any) -> str:
    try:
        return ask(value) or ""
    # Most objects have no file or source; inspect says so in several ways.
    except Exception:
        return ""
