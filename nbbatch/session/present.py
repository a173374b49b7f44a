"""The session of this process: made from the configuration on first use, anew after a change."""

from __future__ import annotations

import itertools
import os
from typing import Any

from nbbatch import config
from nbbatch.config import Settings
from nbbatch.facts import JobFacts
from nbbatch.futures.job import Job
from nbbatch.session.session import Session

__all__ = ["attach", "configure", "current_session", "jobs", "session_with"]

_arguments: dict[str, Any] = {}
_current: Session | None = None


def current_session() -> Session:
    """Return the session of this process, made from the configuration on first use."""
    global _current
    if _current is None:
        _current = Session(config.configured(_arguments, os.environ))
    return _current


def session_with(**settings: Any) -> Session:
    """Return the session of this process, or another where settings differ; see `configure`."""
    if not settings:
        return current_session()
    return Session(config.configured({**_arguments, **settings}, os.environ))


def configure(**settings: Any) -> Settings:
    """Set where jobs run and what they get by default, for this process.

    Parameters
    ----------
    settings
        ``backend``, ``s3_root``, ``region``, ``profile``, ``endpoint_url``, ``registry``,
        ``home``, ``prices`` (what an hour costs: ``{"vcpu": 0.04, "memory": 0.0045, "gpu": 0.5,
        "p3.2xlarge": 3.06, "currency": "USD"}``, memory by the GB; the card of a job on AWS
        then counts what it costs), and any option (``image``, ``queue``, ...). None takes a
        setting back.

    Raises
    ------
    ConfigurationError, OptionError
        The settings as they were stay in force.
    """
    global _current
    merged = {k: v for k, v in {**_arguments, **settings}.items() if v is not None}
    resolved = config.configured(merged, os.environ)
    _arguments.clear()
    _arguments.update(merged)
    _current = None
    return resolved


def attach(id: str) -> Job[Any]:
    """Return a job that was started earlier, from this or another kernel of this user."""
    return current_session().attach(id)


def jobs() -> list[JobFacts]:
    """Return what is known about this user's jobs on this backend, the newest first."""
    session = current_session()
    return session.facts(list(itertools.islice(session.jobs(elsewhere=True), 100)))
