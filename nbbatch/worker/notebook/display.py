"""`display` and the last expression, by IPython's public semantics and without IPython."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Callable

from nbbatch.wire.frames import Frame, frame
from nbbatch.worker.notebook import mime

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from nbbatch.worker.notebook.mime import Bundle, Choice

_UNDERSCORES = ("_", "__", "___")


class DisplayHandle:
    """A display that can be changed later."""

    def __init__(self, owner: Display, display_id: str | None = None) -> None:
        self._owner = owner
        self.display_id = display_id or new_id()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} display_id={self.display_id}>"

    def display(self, obj: Any, **options: Any) -> None:
        """Show it once more, with the same id."""
        self._owner.display(obj, display_id=self.display_id, **options)

    def update(self, obj: Any, **options: Any) -> None:
        """Show `obj` in its place."""
        self._owner.update_display(obj, display_id=self.display_id, **options)


def new_id() -> str:
    """Mint a display id."""
    return os.urandom(16).hex()


class Display:
    """Turns values into ``display``, ``result`` and ``clear`` frames.

    Parameters
    ----------
    emit
        Takes each frame.
    namespace
        Where the last results are kept as ``_``, ``__`` and ``___``.

    Attributes
    ----------
    formatter
        Formats in place of the repr protocol, once the image's IPython is loaded.
    publisher
        Takes what `publish` is given; `send`, or IPython's, which others may replace for a while.
    renderers
        By qualified type name: what shows values of types that have no repr methods.
    after_result
        Called with each last expression that was shown.
    """

    def __init__(
        self,
        emit: Callable[[Frame], None],
        namespace: MutableMapping[str, Any] | None = None,
    ) -> None:
        self._emit = emit
        self._namespace = namespace if namespace is not None else {}
        self._last: dict[str, Any] = {}
        self._capturing: list[Callable[[Frame], None]] = []
        self.formatter: Callable[..., Any] | None = None
        self.publisher: Callable[..., Any] = self.send
        self.renderers: dict[str, Callable[[Any], dict[str, Any]]] = {}
        self.after_result: Callable[[Any], None] = lambda value: None
        self.floats = ""

    def format(self, obj: Any, include: Choice = None, exclude: Choice = None) -> Bundle:
        """Return an object's MIME bundle and metadata; empty ones where it showed itself."""
        if self.formatter is not None:
            data, metadata = self.formatter(obj, include, exclude)
            return dict(data), dict(metadata)
        own = mime.method(obj, "_ipython_display_")
        if own is not None and _shown_by(own):
            return {}, {}
        data, metadata = mime.bundle(obj, include, exclude, self.floats)
        for kind, answer in self._rendered(obj).items():
            if mime.wanted(kind, include, exclude):
                mime.add(data, metadata, kind, answer)
        return data, metadata

    def _rendered(self, obj: Any) -> dict[str, Any]:
        for cls in type(obj).__mro__:
            renderer = self.renderers.get(f"{cls.__module__}.{cls.__qualname__}")
            if renderer is not None:
                return _rendered_by(renderer, obj)
        return {}

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
    ) -> None:
        """Show a MIME bundle as it is."""
        self.publisher(data, metadata, transient=transient, update=update)

    def send(
        self,
        data: Any,
        metadata: Any = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
    ) -> None:
        """Make the frame of a MIME bundle."""
        fit, about = mime.packed(data, metadata)
        display_id = (transient or {}).get("display_id")
        self._send(
            frame("display", data=fit, metadata=about, display_id=display_id, update=bool(update))
        )

    # As many options as the builtin of the same name has.
    def display(  # noqa: PLR0913
        self,
        *objs: Any,
        include: Choice = None,
        exclude: Choice = None,
        metadata: dict[str, Any] | None = None,
        transient: dict[str, Any] | None = None,
        display_id: Any = None,
        raw: bool = False,
        clear: bool = False,
        update: bool = False,
        **ignored: Any,
    ) -> DisplayHandle | None:
        """Show objects; with a `display_id` (True for a new one), return a handle on them."""
        transient = dict(transient or {})
        if display_id:
            transient["display_id"] = new_id() if display_id is True else display_id
        if update and "display_id" not in transient:
            raise TypeError("display_id required for update_display")
        if not objs and display_id:
            objs, raw = ({},), True
        if clear:
            self.clear_output(wait=True)
        for obj in objs:
            data, about = (obj, {}) if raw else self.format(obj, include, exclude)
            if data or raw:
                _merge(about, metadata or {})
                self.publish(data, about, transient=transient, update=update)
        return DisplayHandle(self, transient["display_id"]) if display_id else None

    def update_display(self, obj: Any, *, display_id: str, **options: Any) -> None:
        """Show `obj` in the place of what has this `display_id`."""
        self.display(obj, display_id=display_id, update=True, **options)

    def clear_output(self, wait: bool = False) -> None:
        """Clear the cell's outputs, with `wait` only when the next one comes."""
        self._send(frame("clear", wait=bool(wait)))

    def show_result(self, value: Any) -> None:
        """Show the cell's last expression; None shows nothing."""
        if value is None:
            return
        self._remember(value)
        data, metadata = self.format(value)
        if data:
            self.publish_result(data, metadata)
        self.after_result(value)

    def publish_result(self, data: Any, metadata: Any = None) -> None:
        """Show the MIME bundle of a last expression."""
        fit, about = mime.packed(data, metadata)
        self._send(frame("result", data=fit, metadata=about))

    def notice(self, text: str) -> None:
        """Say something that is not the user's code's."""
        self._emit(frame("notice", text=text))

    @contextlib.contextmanager
    def captured(self, take: Callable[[Frame], None]) -> Iterator[None]:
        """Give the frames to `take` for a while, and not to the notebook."""
        self._capturing.append(take)
        try:
            yield
        finally:
            self._capturing.remove(take)

    def _send(self, item: Frame) -> None:
        (self._capturing[-1] if self._capturing else self._emit)(item)

    def _remember(self, value: Any) -> None:
        """Keep the last three results, unless the user's own variables have those names."""
        space, missing = self._namespace, object()
        if any(space.get(n, missing) is not self._last.get(n, missing) for n in _UNDERSCORES):
            return
        values = [value, *(self._last.get(name, "") for name in _UNDERSCORES[:2])]
        self._last = dict(zip(_UNDERSCORES, values))
        space.update(self._last)


def _rendered_by(renderer: Callable[[Any], dict[str, Any]], obj: Any) -> dict[str, Any]:
    try:
        return renderer(obj)
    # A figure that can't be drawn is told of; the cell goes on, as in IPython.
    except Exception as error:
        mime.tell(error)
        return {}


def _shown_by(own: Callable[[], Any]) -> bool:
    try:
        own()
    except NotImplementedError:
        return False
    # As IPython: it is told, and the other representations are tried.
    except Exception as error:
        mime.tell(error)
        return False
    return True


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
