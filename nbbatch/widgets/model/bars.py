"""Progress that the job itself reports, as bars."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Bar"]


@dataclass(frozen=True)
class Bar:
    """One loop's progress.

    Attributes
    ----------
    text
        ``120 of 500 it, 35/s, 11 s left``.
    fraction
        None where the end is not known.
    closed
        Whether the loop is over.
    """

    label: str
    text: str
    fraction: float | None
    closed: bool = False
