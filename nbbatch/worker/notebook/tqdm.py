"""tqdm's bars, shown on the card, too; what tqdm writes stays as it is.

Nothing here imports tqdm: it is connected when the user's code does so.
"""

from __future__ import annotations

import functools
import sys
import time
import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from nbbatch.worker.notebook.bars import Bar, Bars

#: Where a tqdm keeps its bar.
_OURS = "_nbbatch_bar"


def connect(name: str, bars: Callable[[], Bars]) -> None:
    """Connect the module of tqdm's that has just been imported."""
    if name == "tqdm.notebook":
        _write_as_text(sys.modules[name])
    else:
        _tell_all(sys.modules[name].tqdm, bars)


def _tell_all(base: Any, bars: Callable[[], Bars]) -> None:
    """Have tqdm's own class tell its bars whenever it draws them.

    All of tqdm's classes are made from this one, and those of other libraries are, too.
    """
    refresh, close = base.refresh, base.close

    @functools.wraps(refresh)
    def refresh_and_tell(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = refresh(self, *args, **kwargs)
        _quietly(_tell, self, bars)
        return result

    @functools.wraps(close)
    def close_and_tell(self: Any, *args: Any, **kwargs: Any) -> Any:
        end = _quietly(_end, self)
        try:
            return close(self, *args, **kwargs)
        finally:
            if end is not None:
                _quietly(end)

    base.refresh, base.close = refresh_and_tell, close_and_tell


def _write_as_text(module: Any) -> None:
    """Have bars made for notebooks written as text: a widget has no kernel in a job."""

    class tqdm_notebook(sys.modules["tqdm.std"].tqdm):  # type: ignore[misc]  # noqa: N801
        """A bar as text, and on the job's card."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("display", None)
            # As the class in whose place it stands does.
            kwargs["disable"] = bool(kwargs.get("disable", False))
            super().__init__(*args, **kwargs)

    tqdm_notebook.__module__ = module.__name__
    tqdm_notebook.__qualname__ = "tqdm_notebook"
    module.tqdm_notebook = module.tqdm = tqdm_notebook


def _quietly(work: Callable[..., Any], *args: Any) -> Any:
    """Do our part; whatever goes wrong with it, tqdm goes on."""
    try:
        return work(*args)
    except Exception:
        return None


def _tell(bar: Any, bars: Callable[[], Bars]) -> None:
    if bar.disable:
        return
    ours = bar.__dict__.get(_OURS)
    if ours is None:
        ours = bars().open(_label(bar), _scaled(bar, bar.total), str(bar.unit), _scaled(bar, bar.n))
        ours.look = functools.partial(_quietly, _look, weakref.ref(bar), ours)
        setattr(bar, _OURS, ours)


def _look(found: Callable[[], Any], ours: Bar) -> None:
    """Copy what an open bar says now: of late it may have been moved, and not drawn."""
    bar = found()
    if bar is None:
        ours.close()
    elif not ours.closed:
        _copy(bar, ours)


def _copy(bar: Any, ours: Bar) -> None:
    ours.label = _label(bar)
    ours.total = _scaled(bar, bar.total)
    ours.passed = _scaled(bar, bar.n)
    # Not there before the first drawing; set again by `reset`.
    ours.started = getattr(bar, "start_t", None) or time.time()


def _scaled(bar: Any, amount: Any) -> Any:
    """Return an amount in the bar's unit; `unit_scale` may say how many of it one turn is."""
    scale = bar.unit_scale
    return amount if amount is None or scale in (True, False, None) else amount * scale


def _label(bar: Any) -> str:
    """Return the description, and what `set_postfix` says, as tqdm puts them around its bar."""
    parts = [str(bar.desc or "").rstrip().rstrip(":"), str(bar.postfix or "")]
    return ", ".join(part for part in parts if part)


def _end(bar: Any) -> Optional[Callable[[], None]]:
    """Return what is to be done when `bar` is closed, if it is not closed yet."""
    ours = bar.__dict__.get(_OURS)
    if ours is None or getattr(bar, "disable", True):
        return None
    leave = bar.leave if bar.leave is not None else not bar.pos

    def end() -> None:
        _copy(bar, ours)
        ours.close(gone=not leave)

    return end
