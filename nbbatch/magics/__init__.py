"""``%%batch`` and ``%batch``: a line becomes a request, results become variables.

==============  ================================================================
`line`          the line's grammar, derived from the table of options
`grid`          the axes of a sweep, and their points
`sweep`         a cell swept over a grid, as one array job
`cell`          ``%%batch``: capture, submit, follow, write the namespace
`expected`      variables that detached cells will have bound
`awaited`       ``%%batch`` in a kernel: a cell that awaits, so that its page lives
`commands`      ``%batch jobs|logs|cancel|attach|config|doctor``
`arrivals`      results of detached cells, written when they come
`completing`    what Tab offers after ``%batch``
`namespace`     the only place that writes the notebook's namespace
==============  ================================================================
"""

from __future__ import annotations

from typing import Any

from nbbatch.joblib import announce
from nbbatch.magics.awaited import AWAITED, awaits, plain_input

__all__ = ["register"]


def register(shell: Any) -> None:
    """Register the magics; what they need is loaded when they are first used."""

    def batch(line: str, cell: str | None = None) -> Any:
        if cell is None:
            from nbbatch.magics.commands import run_command

            return run_command(shell, line)
        from nbbatch.magics.cell import run_cell

        return run_cell(shell, line, cell)

    def awaited(line: str, cell: str) -> Any:
        from nbbatch.magics.cell import run_cell_async

        plain_input(shell)
        return run_cell_async(shell, line, cell)

    def describe() -> str:
        from nbbatch.magics.line import help_text

        return help_text()

    # IPython asks for it on ``%%batch?``.
    batch.getdoc = describe  # type: ignore[attr-defined]
    shell.register_magic_function(batch, "line_cell", "batch")
    shell.register_magic_function(awaited, "cell", AWAITED)
    awaits(shell)
    announce()
    _complete(shell)
    _draw_jobs(shell)


def _complete(shell: Any) -> None:
    """Have Tab know the commands; a shell that is none of IPython's has no such hook."""

    def complete(_shell: Any, event: Any) -> list[str]:
        from nbbatch.magics.completing import complete

        return complete(event.line)

    if hasattr(shell, "set_hook"):
        shell.set_hook("complete_command", complete, str_key="%batch")


def _draw_jobs(shell: Any) -> None:
    """Have a job that has ended show its folded card, where it is a cell's last expression.

    One that lives has its live card; what stands in an output would soon be wrong.
    """

    def draw(job: Any) -> str | None:
        from nbbatch.follow import folded

        table = getattr(job, "_repr_html_", None)
        return folded(job) if table is None else table()

    formatter = getattr(shell, "display_formatter", None)
    if formatter is not None:
        formatter.formatters["text/html"].for_type_by_name("nbbatch.futures.job", "Job", draw)
