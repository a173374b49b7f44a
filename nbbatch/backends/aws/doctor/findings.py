"""From answers and errors to findings."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from nbbatch.errors import AccessDeniedError, NbbatchError, as_error
from nbbatch.facts import Finding, Verdict

Told = TypeVar("Told")
#: Yields findings, and returns what the next examination needs to know.
Looking = Generator[Finding, None, Told]


def ok(name: str, found: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(name, Verdict.OK, found)


def wrong(name: str, error: NbbatchError) -> Finding:
    """Say that something is wrong, in the error's own words."""
    return Finding(name, Verdict.WRONG, error.what, error.cause, error.hint)


def untold(name: str, found: str, error: NbbatchError) -> Finding:
    """Say that something can't be told: jobs don't need the permission, only the examination."""
    hint = error.hint
    if isinstance(error, AccessDeniedError):
        hint = "nothing, where jobs run; jobs don't need that permission"
    return Finding(name, Verdict.SKIPPED, found, error.cause, hint)


def guarded(name: str, looking: Looking[Told], otherwise: Told) -> Looking[Told]:
    """Let an examination end with a finding where it would raise."""
    try:
        return (yield from looking)
    # An examination that breaks off with an exception would help nobody.
    except Exception as error:
        yield wrong(name, as_error(error, f"{name}: this can't be examined"))
        return otherwise
