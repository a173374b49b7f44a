"""Jobs and settings as text, for ``%batch`` and the terminal."""

from __future__ import annotations

import itertools
import os

from nbbatch import config, prices
from nbbatch.options import table
from nbbatch.session import current_session
from nbbatch.widgets.monitor.table import table_text

__all__ = ["describe_settings", "list_jobs"]

#: Jobs that are listed where nobody asks for all.
_LISTED = 100


def list_jobs(of: str = "", most: int | None = _LISTED) -> str:
    """Write this user's jobs as a table, the newest first.

    Parameters
    ----------
    of
        The only notebook whose jobs are listed, as `nbbatch.origin` names it; ``""`` for all.
    most
        How many, None for every one.
    """
    session = current_session()
    found = (record for record in session.jobs(elsewhere=True) if of in ("", record.notebook))
    listed = session.facts(list(itertools.islice(found, most)))
    return table_text(listed, sum(1 for _ in found))


def describe_settings() -> str:
    """Write the settings in force, each with where it came from."""
    settings = current_session().settings
    rows: list[tuple[str, object]] = [("backend", settings.backend), ("home", settings.home)]
    rows += [(name, getattr(settings, name)) for name in ("s3_root", "region", "profile")]
    given = config.given_secret(os.environ)
    rows.append(("secret", "NBBATCH_SECRET" if given else settings.home / "secret"))
    rows.append(("prices", prices.words(settings.prices)))
    rows += [(option.name, settings.defaults.get(option.name)) for option in table()]
    return "\n".join(
        f"{name:<16} {value}  ({settings.sources.get(name, 'default')})"
        for name, value in rows
        if value
    )
