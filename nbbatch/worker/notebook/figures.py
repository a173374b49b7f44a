"""Matplotlib's figures as images under the cell, with no help from IPython.

Nothing here imports matplotlib: what is to be done waits for the user's code to do so.
"""

from __future__ import annotations

import io
import os
import struct
import sys
from typing import TYPE_CHECKING, Any

from nbbatch.worker.notebook.imports import after_import

if TYPE_CHECKING:
    from nbbatch.worker.notebook.display import Display

FIGURE = "matplotlib.figure.Figure"
_MIME = {
    "png": "image/png",
    "retina": "image/png",
    "png2x": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}


class Figures:
    """Shows pyplot's open figures, each once, and closes them.

    Attributes
    ----------
    formats
        As in ``%config InlineBackend.figure_formats``.
    print_options
        Given to `savefig`, as in ``%config InlineBackend.print_figure_kwargs``.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self.formats: tuple[str, ...] = ("png",)
        self.print_options: dict[str, Any] = {"bbox_inches": "tight"}
        self.close = True

    def install(self) -> None:
        """Choose a backend that draws to memory, unless the user has chosen one."""
        # A notebook's own backend is inherited from the kernel, and needs one.
        if os.environ.get("MPLBACKEND", "module:").startswith("module:"):
            os.environ["MPLBACKEND"] = "agg"
        self._display.renderers[FIGURE] = self.render
        self._display.after_result = self.forget
        after_import("matplotlib.pyplot", self._connect)

    def _connect(self) -> None:
        def show(*args: Any, **options: Any) -> None:
            """Show all open figures below the cell."""
            self.flush()

        sys.modules["matplotlib.pyplot"].show = show  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Show all open figures, in the order of their numbers, and close them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None or not hasattr(pyplot, "get_fignums"):
            return
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            try:
                self._display.display(figure)
            finally:
                if self.close:
                    pyplot.close(figure)

    def forget(self, value: Any) -> None:
        """Close a figure that was shown as the last expression, so that it isn't shown again."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None or not hasattr(pyplot, "close"):
            return
        if any(f"{c.__module__}.{c.__qualname__}" == FIGURE for c in type(value).__mro__):
            pyplot.close(value)

    def set_formats(self, value: Any) -> None:
        """Take formats as ``%config`` does: one name, or several.

        Raises
        ------
        ValueError
            A name that matplotlib's inline backend does not have either.
        """
        names = (value,) if isinstance(value, str) else tuple(value)
        unknown = [name for name in names if name not in _MIME]
        if unknown:
            raise ValueError(f"figure formats are {', '.join(_MIME)}, not {unknown[0]!r}")
        self.formats = names

    def render(self, figure: Any) -> dict[str, Any]:
        """Draw a figure in each of the formats; one without any content is drawn in none."""
        return {_MIME[name]: self._draw(figure, name) for name in self.formats}

    def draw(self, figure: Any, mime: str) -> Any:
        """Draw a figure as one MIME type; None where that is not asked for."""
        names = [name for name in self.formats if _MIME[name] == mime]
        return self._draw(figure, names[-1]) if names else None

    def _draw(self, figure: Any, name: str) -> Any:
        if not figure.axes and not figure.lines:
            return None
        retina = name in ("retina", "png2x")
        options = {
            "format": "png" if retina else name,
            "facecolor": figure.get_facecolor(),
            "edgecolor": figure.get_edgecolor(),
            "dpi": figure.dpi * (2 if retina else 1),
            **self.print_options,
        }
        sink = io.BytesIO()
        figure.savefig(sink, **options)
        data = sink.getvalue()
        if name == "svg":
            return data.decode("utf-8")
        return (data, _half(data)) if retina else data


def _half(png: bytes) -> dict[str, int]:
    """Return half of a PNG's size in pixels, at which a retina figure is shown."""
    width, height = struct.unpack(">II", png[16:24])
    return {"width": width // 2, "height": height // 2}
