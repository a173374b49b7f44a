"""Jobs and settings as text, for ``%batch`` and the terminal."""

from __future__ import annotations

import time

from nbbatch import prices
from nbbatch.facts import JobFacts
from nbbatch.options import table
from nbbatch.session import current_session

__all__ = ["describe_settings", "list_jobs"]


def list_jobs(found: list[JobFacts]) -> str:
    """Write jobs as a table, the newest first."""
    if not found:
        return "no jobs yet"
    rows = [
        (facts.id, facts.name, str(facts.state), _ago(facts.submitted_at), facts.message)
        for facts in found
    ]
    head = ("ID", "NAME", "STATE", "SUBMITTED", "")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(4)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in [head, *rows]
    )


def _ago(then: float) -> str:
    passed = max(0, int(time.time() - then))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed // size} {unit} ago"
    return f"{passed} s ago"


def describe_settings() -> str:
    """Write the settings in force, each with where it came from."""
    settings = current_session().settings
    rows: list[tuple[str, object]] = [("backend", settings.backend), ("home", settings.home)]
    rows += [(name, getattr(settings, name)) for name in ("s3_root", "region", "profile")]
    rows.append(("prices", prices.words(settings.prices)))
    rows += [(option.name, settings.defaults.get(option.name)) for option in table()]
    return "\n".join(
        f"{name:<16} {value}  ({settings.sources.get(name, 'default')})"
        for name, value in rows
        if value
    )
