"""`Sweep`: a cell that ran once for each point of a grid; a job, and the table of its results."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from nbbatch.errors import NbbatchError
from nbbatch.futures.array.job import ArrayJob

__all__ = ["ERROR", "Sweep"]

#: The column that says why there is no result.
ERROR = "error"
#: Rows that are shown: these many of the first and as many of the last; and letters of a value.
_SHOWN, _LETTERS = 15, 60

Row = dict[str, Any]


class Sweep(ArrayJob[Row]):
    """A cell swept over a grid of parameters (``%%batch --for lr=[0.1, 0.01]``).

    ::

        sweep                      # the table, as far as it has come
        sweep.to_pandas()          # all of it, as a DataFrame
        sweep[3]["loss"]           # one row: its parameters and what the cell bound
        sweep.points               # the parameters alone
        sweep.errors()             # {index: exception} of those points that have failed
        sweep.retry_failed()       # the same sweep, of which those are tried again
    """

    #: Gives the parameters of each point.
    given: Callable[[], Sequence[Mapping[str, Any]]] | None = None

    @functools.cached_property
    def points(self) -> Sequence[Mapping[str, Any]]:
        """The parameters of each row."""
        first = self.first
        found = first.given() if isinstance(first, Sweep) and first.given is not None else ()
        return tuple(found)

    def __repr__(self) -> str:
        return super().__repr__().replace("<ArrayJob", "<Sweep").replace(" items, ", " points, ")

    def rows(self, *, wait: bool = True) -> Iterator[Row]:
        """Yield all rows in order; of a point that failed with its exception as ``error``.

        Parameters
        ----------
        wait
            Whether those that are still to come are waited for; else they have no result.
        """
        over = None if wait else set(self.ended())
        for index in range(len(self)):
            yield self._told(index, known=over is None or index in over)

    def _told(self, index: int, *, known: bool) -> Row:
        if not known:
            return dict(self.points[index])
        try:
            return self[index]
        # Whatever the cell has raised there.
        except Exception as error:
            return {**self.points[index], ERROR: error}

    def to_pandas(self) -> Any:
        """Wait for all points and return the table as a `pandas.DataFrame`.

        There is a column for each parameter and each variable; where points have failed, also
        one with their exceptions.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise NbbatchError(
                "the table can't be made a DataFrame",
                f"{error}",
                "pip install pandas, or sweep.rows() for plain dicts",
            ) from error
        rows = list(self.rows())
        # Without this pandas would spread arrays and lists over rows.
        columns = {name: pd.Series([r.get(name) for r in rows]) for name in _columns(rows)}
        return pd.DataFrame(columns)

    def _repr_html_(self) -> str:
        head, rows = self._table()
        cells = "".join(f"<th>{html.escape(name)}</th>" for name in ["", *head])
        lines = [f"<tr>{cells}</tr>"]
        for number, row in rows:
            texts = [str(number), *row] if number is not None else ["…"] * (len(head) + 1)
            lines.append("<tr>" + "".join(f"<td>{html.escape(t)}</td>" for t in texts) + "</tr>")
        return f"<table>{''.join(lines)}</table><p>{html.escape(self._summary())}</p>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        head, rows = self._table()
        lines = [["", *head]]
        for number, row in rows:
            lines.append([str(number), *row] if number is not None else ["…"] * (len(head) + 1))
        widths = [max(len(line[i]) for line in lines) for i in range(len(head) + 1)]
        for line in lines:
            cells = (text.rjust(width) for text, width in zip(line, widths, strict=True))
            printer.text("  ".join(cells).rstrip() + "\n")
        printer.text(self._summary())

    def _summary(self) -> str:
        count = f"{len(self):,} point{'s' if len(self) != 1 else ''}"
        failed = len(self.errors())
        done = sum(1 for _ in self.ended())
        word = f", {done:,} done" if done < len(self) else ""
        return f"{count}{word}" + (f", {failed:,} failed" if failed else "")

    def _table(self) -> tuple[list[str], list[tuple[int | None, list[str]]]]:
        """Return the names of the columns, and those rows that are shown, as texts."""
        size, over = len(self), set(self.ended())
        every = list(range(size))
        chosen = every if size <= 2 * _SHOWN else [*every[:_SHOWN], *every[-_SHOWN:]]
        rows = {index: self._told(index, known=index in over) for index in chosen}
        head = _columns(list(rows.values()))
        shown: list[tuple[int | None, list[str]]] = []
        for index, row in rows.items():
            if shown and index - 1 not in rows:
                shown.append((None, []))
            shown.append((index, [_text(row[name]) if name in row else "" for name in head]))
        return head, shown


def _columns(rows: Sequence[Row]) -> list[str]:
    """Return the names of all columns, in the order in which they come; the errors' is last."""
    names = dict.fromkeys(name for row in rows for name in row if name != ERROR)
    return [*names, *([ERROR] if any(ERROR in row for row in rows) else [])]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, BaseException):
        text = f"{type(value).__name__}: {value}"
    else:
        try:
            text = repr(value)
        # A repr may do anything; the table is about the others too.
        except Exception as error:
            text = f"<{type(value).__name__}: {type(error).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
