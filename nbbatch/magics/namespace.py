"""The only place that writes the notebook's namespace; and what stood there before."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from nbbatch.futures.returning.results import Results

__all__ = ["bind", "remembered", "write_results"]

_GONE = object()


def bind(shell: Any, values: Mapping[str, Any]) -> None:
    """Bind names, as a cell would."""
    shell.user_ns.update(values)
    # What a cell binds counts as the user's own, for %who and for completion.
    for name in values:
        shell.user_ns_hidden.pop(name, None)


def write_results(shell: Any, results: Results) -> None:
    """Write what came back from a cell, all of it at once; warn about what did not."""
    namespace: dict[str, Any] = shell.user_ns
    followers = dict(_followers(namespace, results.variables, results.changed))
    for name in results.deleted:
        namespace.pop(name, None)
    bind(shell, {**followers, **results.variables})
    for reason in results.lost.values():
        warnings.warn_explicit(f"stays in the job: {reason}", RuntimeWarning, "<nbbatch>", 1)


def remembered(value: Any) -> Callable[[], Any]:
    """Remember which object it was, and keep it alive only where there is no other way."""
    try:
        found = weakref.ref(value)
    except TypeError:
        return lambda: value
    return lambda: found() if found() is not None else _GONE


def _followers(
    namespace: Mapping[str, Any], values: Mapping[str, Any], changed: Collection[str]
) -> Iterator[tuple[str, Any]]:
    """Yield the other names of objects that were changed in place: they see the change too."""
    moved = {id(namespace[name]): values[name] for name in changed if name in namespace}
    for name, value in namespace.items():
        if id(value) in moved and name not in values:
            yield name, moved[id(value)]
