"""Which part of a value does not pickle, as a path that a person can follow.

From the value down: as long as one of the parts fails by itself, the fault lies there.
"""

from __future__ import annotations

import types
from typing import Any, Iterator, Set, Tuple

from nbbatch.errors import describe_type
from nbbatch.wire.graph import pickler

_DEPTH = 30
_WIDTH = 10_000


class _Sink:
    """A file that forgets what is written to it."""

    def write(self, data: Any) -> int:
        return len(data)


def fails(value: Any) -> bool:
    """Tell whether `value` does not pickle."""
    try:
        pickler(_Sink(), buffer_callback=lambda _: False).dump(value)
    # Whatever a value's own __reduce__ raises is the answer here.
    except Exception:
        return True
    return False


def blame(value: Any, path: str) -> Tuple[str, Any]:
    """Return the path to the deepest part at fault, and the part.

    Parameters
    ----------
    value
        A value that does not pickle.
    path
        What `value` is called, e.g. ``model``; parts are appended: ``model.layers[2].lock``.
    """
    seen: Set[int] = {id(value)}
    for _ in range(_DEPTH):
        for step, part in _parts(value):
            if id(part) not in seen and fails(part):
                seen.add(id(part))
                path, value = path + step, part
                break
        else:
            break
    return path, value


def sentence(name: str, value: Any, error: BaseException) -> str:
    """Say in one line what does not pickle: variable, type, path and reason."""
    path, part = blame(value, name)
    where = f"{name} ({describe_type(value)})"
    if path != name:
        where += f", at {path} ({describe_type(part)})"
    return f"{where}: {error}"


def _parts(value: Any) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in list(value.items())[:_WIDTH]:
            yield f"[{key!r}]", item
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value[:_WIDTH]):
            yield f"[{index}]", item
    elif isinstance(value, (set, frozenset)):
        for item in list(value)[:_WIDTH]:
            yield f"{{{item!r:.40}}}", item
    elif isinstance(value, types.FunctionType):
        yield from _function_parts(value)
    elif not isinstance(value, (type, types.ModuleType)):
        yield from _attributes(value)


def _function_parts(func: types.FunctionType) -> Iterator[Tuple[str, Any]]:
    cells = zip(func.__code__.co_freevars, func.__closure__ or ())
    for name, cell in cells:
        try:
            yield f"'s variable {name}", cell.cell_contents
        except ValueError:
            continue
    for name in func.__code__.co_names:
        if name in func.__globals__:
            yield f"'s global {name}", func.__globals__[name]
    for index, default in enumerate(func.__defaults__ or ()):
        yield f"'s default {index}", default


def _attributes(value: Any) -> Iterator[Tuple[str, Any]]:
    bound = getattr(value, "__self__", None)
    if bound is not None:
        yield ".__self__", bound
    for name, item in list(getattr(value, "__dict__", {}).items()):
        yield f".{name}", item
    for kind in type(value).__mro__:
        names = kind.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if hasattr(value, name):
                yield f".{name}", getattr(value, name)
