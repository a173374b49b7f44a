"""Calls back right after a module was imported by whoever needs it; imports nothing itself."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable

Callback = Callable[[], None]


class _Finder:
    """First on `sys.meta_path`: lets the others find a module, and listens to its loader."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Callback]] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any | None:
        if name not in self.waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find and finder is not self else None
            if spec is not None:
                self._listen(name, spec.loader)
                return spec
        return None

    def _listen(self, name: str, loader: Any) -> None:
        original = loader.exec_module

        def exec_module(module: Any) -> None:
            original(module)
            # One loader may serve several modules, as that of a zip does.
            if module.__name__ == name:
                loader.exec_module = original
                for callback in self.waiting.pop(name, []):
                    callback()

        # A loader that takes no attributes: the module works, what waits for it does not.
        with contextlib.suppress(AttributeError):
            loader.exec_module = exec_module


_FINDER = _Finder()


def after_import(name: str, callback: Callback) -> None:
    """Call `callback` once, after module `name` was imported; at once where it is already."""
    if sys.modules.get(name) is not None:
        callback()
        return
    _FINDER.waiting.setdefault(name, []).append(callback)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
