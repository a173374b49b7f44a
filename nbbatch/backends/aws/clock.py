"""AWS's clock, where this machine's is off.

A signature holds for some minutes around the time that it names. boto3 takes this machine's clock
for it, and gives up where that is refused; here the time is taken from the refusal itself, and
what is signed from then on names AWS's.
"""

from __future__ import annotations

import email.utils
import logging
import re
import threading
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Clock", "too_far"]

#: Seconds that any service of AWS puts up with, and some more for the way.
_TOLERATED = 240.0
_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SAID = re.compile(r"signature (expired|not yet current)", re.IGNORECASE)
#: How botocore writes the time that it signs.
_STAMP = "%Y%m%dT%H%M%SZ"

_log = logging.getLogger(__name__)


def too_far(error: Mapping[str, Any]) -> bool:
    """Tell whether a request was refused for the time that it names."""
    return error.get("Code") in _CODES or bool(_SAID.search(str(error.get("Message", ""))))


class Clock:
    """What the time is at AWS, as far as this machine's clock was refused; thread-safe.

    Parameters
    ----------
    now
        This machine's clock.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._ahead = 0.0

    def learn(self, headers: Mapping[str, str]) -> bool:
        """Take AWS's time from an answer; tell whether what was signed has named another one."""
        there = _date(headers)
        if there is None:
            return False
        with self._lock:
            ahead = there - self._now()
            if abs(ahead - self._ahead) <= _TOLERATED:
                return False
            self._ahead = ahead if abs(ahead) > _TOLERATED else 0.0
            _log.warning("%s; what is sent names AWS's time", self.told(headers))
        return True

    def told(self, headers: Mapping[str, str]) -> str:
        """Say how far this machine's clock is off, by AWS's answer; ``""`` where it can't tell."""
        there = _date(headers)
        if there is None:
            return ""
        ahead = round((self._now() - there) / 60)
        word = "ahead of" if ahead > 0 else "behind"
        return f"this machine's clock is {abs(ahead)} minutes {word} AWS's"

    def sign(self, request: Any = None, **_: Any) -> None:
        """Have a request signed with AWS's time; a handler of botocore's ``before-sign``."""
        if self._ahead:
            request.context = _Context(request.context, self._ahead)


class _Context(dict[str, Any]):
    """A request's context, into which botocore writes the time before it signs that."""

    def __init__(self, context: Mapping[str, Any], ahead: float) -> None:
        super().__init__(context)
        self._ahead = timedelta(seconds=ahead)

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "timestamp":
            value = (datetime.strptime(value, _STAMP) + self._ahead).strftime(_STAMP)
        super().__setitem__(name, value)


def _date(headers: Mapping[str, str]) -> float | None:
    date = email.utils.parsedate_tz(headers.get("Date") or "")
    return None if date is None else float(email.utils.mktime_tz(date))
