"""``clean``, in a notebook and in a terminal: its line, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.cleaning import Cleaner
from nbbatch.errors import OptionError, UsageError
from nbbatch.options import kinds
from nbbatch.session import current_session

__all__ = ["tidied"]

#: Seconds after which a job that is over is old.
_OLD = 30 * 86400
_FLAGS = "[--older-than 30d] [--dry-run] [--cache]"


def tidied(words: Sequence[str], command: str) -> str:
    """Clean as a line says; return what went and what stayed.

    Raises
    ------
    UsageError, OptionError
        The line can't be read; nothing was removed.
    """
    rest, older, switches = list(words), _OLD, set()
    while rest:
        word = rest.pop(0)
        flag, _, value = word.partition("=")
        if flag == "--older-than":
            older = _seconds(value or (rest.pop(0) if rest else ""), command)
        elif word in ("--dry-run", "--cache"):
            switches.add(word)
        else:
            raise UsageError(
                f"{command} does not take {word}",
                "unknown flag" if word.startswith("-") else "it takes no such word",
                f"{command} {_FLAGS}",
            )
    session = current_session()
    cleaner = Cleaner(session.settings, session.backend, session.key_of, session.shared, older)
    dry = "--dry-run" in switches
    return (
        cleaner.forget_results(dry=dry) if "--cache" in switches else cleaner.clean(dry=dry)
    ).text()


def _seconds(text: str, command: str) -> int:
    try:
        return int(kinds.age(text))
    except kinds.Refused as refused:
        raise OptionError(
            f"--older-than {text or 'without a value'} can't be used",
            f"it takes {refused}",
            f"{command} --older-than 30d",
        ) from None
