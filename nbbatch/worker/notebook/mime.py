"""A value's MIME bundle: its rich reprs by IPython's protocol, made fit to travel as JSON."""

from __future__ import annotations

import binascii
import json
import sys
from collections.abc import Container
from typing import Any, Callable, Optional

#: MIME values by type, and their metadata by type.
Bundle = tuple[dict[str, Any], dict[str, Any]]
#: Names the types to take, or is None for all of them.
Choice = Optional[Container[str]]

#: In the order in which IPython asks.
METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    "image/png": "_repr_png_",
    "application/pdf": "_repr_pdf_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
    "application/json": "_repr_json_",
    "application/javascript": "_repr_javascript_",
}
#: A view of a model that lives in the job's process, and ends with it.
WIDGET = "application/vnd.jupyter.widget-view+json"
#: Larger MIME values make a notebook that no browser opens.
LARGEST = 25 << 20
_PREVIEW = 10_000


def bundle(value: Any, include: Choice = None, exclude: Choice = None, floats: str = "") -> Bundle:
    """Ask a value for its representations; one that raises is told on stderr and left out."""
    data, metadata = _mimebundle(value, include, exclude)
    if "text/plain" not in data and wanted("text/plain", include, exclude):
        data["text/plain"] = plain(value, floats)
    for mime, name in METHODS.items():
        if mime not in data and wanted(mime, include, exclude):
            add(data, metadata, mime, _ask(value, name))
    return data, metadata


def add(data: dict[str, Any], metadata: dict[str, Any], mime: str, answer: Any) -> None:
    """Put into a bundle what a repr method said: nothing, a value, or one with metadata."""
    if isinstance(answer, tuple) and len(answer) == len(("data", "metadata")):
        answer, about = answer
        if answer is not None and about is not None:
            metadata[mime] = about
    if answer is not None:
        data[mime] = answer


def wanted(mime: str, include: Choice, exclude: Choice) -> bool:
    """Tell whether a type is among those asked for."""
    return not (include and mime not in include) and not (exclude and mime in exclude)


def _mimebundle(value: Any, include: Choice, exclude: Choice) -> Bundle:
    answer = _ask(value, "_repr_mimebundle_", include=include, exclude=exclude)
    data, metadata = answer if isinstance(answer, tuple) else (answer, None)
    kept = {k: v for k, v in (data or {}).items() if wanted(k, include, exclude)}
    return kept, {k: v for k, v in (metadata or {}).items() if wanted(k, include, exclude)}


def method(value: Any, name: str) -> Callable[..., Any] | None:
    """Find a protocol method, not on classes, nor on objects that claim to have any attribute."""
    try:
        if isinstance(value, type) or hasattr(value, "_ipython_canary_method_should_not_exist_"):
            return None
        found = getattr(value, name, None)
    except Exception:
        return None
    return found if callable(found) else None


def _ask(value: Any, name: str, **options: Any) -> Any:
    found = method(value, name)
    if found is None:
        return None
    try:
        return found(**options)
    except NotImplementedError:
        return None
    # A repr that fails must not fail the cell: the value itself is fine.
    except Exception as error:
        tell(error)
        return None


def tell(error: BaseException) -> None:
    """Write an exception to stderr, from the frame below the caller's on."""
    import traceback

    trace = error.__traceback__.tb_next if error.__traceback__ else None
    sys.stderr.write("".join(traceback.format_exception(type(error), error, trace)))


def plain(value: Any, floats: str = "") -> str:
    """Return the text of a value; where its ``__repr__`` raises, say so in its place."""
    # Loaded with the first value that is shown: many cells show none.
    from nbbatch.worker.notebook.pretty import pretty

    try:
        return pretty(value, floats=floats)
    except Exception as error:
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        return f"<{name} at 0x{id(value):x}: its repr raised {type(error).__name__}: {error}>"


def packed(data: Any, metadata: Any) -> Bundle:
    """Make a bundle fit to travel: JSON values only, none of them too large."""
    fit: dict[str, Any] = {}
    notes = []
    for mime, value in data.items():
        if mime == WIDGET and len(data) > 1:
            continue
        fitting = jsonable(value)
        size = len(fitting if isinstance(fitting, str) else json.dumps(fitting))
        if size <= LARGEST:
            fit[str(mime)] = fitting
        else:
            notes.append(f"[{mime} of {size / (1 << 20):.0f} MiB is too large to show]")
            if mime == "text/plain":
                fit[mime] = fitting[:_PREVIEW]
    if notes:
        fit["text/plain"] = "\n".join([*filter(None, [fit.get("text/plain")]), *notes])
    return fit, jsonable(dict(metadata or {}))


def jsonable(value: Any) -> Any:
    """Turn a value into plain JSON: bytes as base64, what JSON does not know as text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return binascii.b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    return str(value)
