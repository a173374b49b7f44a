"""Which earlier result a job may take in place of being run, as the option ``cache`` says.

Loaded with every session; what it needs is loaded for those who use it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nbbatch.backends.base import Backend
from nbbatch.futures.records.registry import Record
from nbbatch.futures.watching.tracker import Tracker
from nbbatch.options import Options
from nbbatch.options.kinds import REFRESH
from nbbatch.sending import Work
from nbbatch.supply import Supply

if TYPE_CHECKING:
    from nbbatch.caching.identity import Tally
    from nbbatch.caching.results import Earlier, Results

__all__ = ["Reuse"]


class Reuse:
    """Earlier results for the jobs of one session.

    Parameters
    ----------
    secret
        The user's: results are theirs alone.
    """

    def __init__(self, backend: Backend, secret: bytes, supply: Supply) -> None:
        self._backend = backend
        self._secret = secret
        self._supply = supply

    def name(self, work: Work, options: Options) -> str:
        """Name a job's result; ``""`` where it is not to be kept, or can't be told from others."""
        # What an executor's worker computes is the calls that come to it later.
        told = work.spec.kind != "serve" and (work.items is None or work.items.identity)
        if options.cache is False or work.source is not None or not told:
            return ""
        from nbbatch.caching.identity import identity

        target = self._backend.runner.target(options)
        libraries = self._supply.versions(work.captured, options)
        try:
            return self._results.name(identity(work, options, target, libraries))
        # It runs the values' own code, which may raise anything.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            said = f"{work.spec.name} is run without the cache: its input can't be told: {reason}"
            warnings.warn(said, RuntimeWarning, stacklevel=4)
            return ""

    def find(self, name: str, options: Options) -> Earlier | None:
        """Return the job whose result will do; it costs one read of the store."""
        if not name or options.cache == REFRESH:
            return None
        oldest = None if options.cache is True else float(options.cache)
        return self._results.find(name, oldest)

    def keep(self, record: Record, tracker: Tracker) -> None:
        """Keep the result of a job that has succeeded."""
        self._results.keep(record, tracker)

    @cached_property
    def _results(self) -> Results:
        from nbbatch.caching.results import Results

        return Results(self._backend.store, self._secret)


def tallied(items: Iterator[Any], options: Options) -> Tally | None:
    """Return items that are told from others as they pass; None where nobody wants that."""
    if options.cache is False:
        return None
    from nbbatch.caching.identity import Tally

    return Tally(items)


def told(earlier: Earlier) -> str:
    """Say where a result comes from."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(earlier.at))
    return f"computed on {when} by job {earlier.record.id}; nothing was run now"
