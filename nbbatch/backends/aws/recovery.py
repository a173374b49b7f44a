"""What boto3's clients do not get over by themselves: credentials, clocks, answers cut off.

A kernel lives for days, and credentials for hours. Those that refresh themselves (SSO, roles) do
so; keys that another program writes into a file, or a person into the environment, are read once
and held for good. Where AWS refuses what is held, they are looked up again; where there are
others now, they take the place of the old ones, and the call goes on with them.

botocore takes an answer that breaks off for a whole one, and reads what came of it: half of a
list as no list at all.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.credentials import Credentials
from botocore.exceptions import ConnectionClosedError

from nbbatch.backends.aws import codes
from nbbatch.backends.aws.clock import too_far
from nbbatch.backends.aws.pauses import backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbbatch.backends.aws.clock import Clock

__all__ = ["Recovery", "whole"]

_REFUSED = frozenset(codes.CREDENTIALS.split())
#: What a HEAD, whose answer has no text, is refused with.
_BARE = frozenset({"400", "403"})
#: Seconds within which what was looked up for one call is new to others that failed too.
_FRESH = 30.0
#: Tries of a call, of all kinds, up to which it is worth one more at once.
_TRIES = 6


class Recovery:
    """Looks credentials, and the time, up again; a handler of botocore's ``needs-retry``.

    Parameters
    ----------
    aws_clock
        What is signed names its time.
    look_up
        Finds what a new process would sign with; None for nothing.
    clock
        Seconds, from any beginning.
    """

    def __init__(
        self,
        aws_clock: Clock,
        held: Callable[[], Any],
        look_up: Callable[[], Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws_clock = aws_clock
        self._held = held
        self._look_up = look_up
        self._clock = clock
        self._lock = threading.Lock()
        self._renewed_at = float("-inf")

    def __call__(self, response: Any = None, attempts: int = 1, **_: Any) -> int | None:
        """Return the seconds until the next try where one is worth it now, else None."""
        if response is None:
            return None
        http, parsed = response
        error = parsed.get("Error", {})
        code = str(error.get("Code", ""))
        skewed, again = too_far(error), attempts < _TRIES
        refused = code in _REFUSED or (code in _BARE and http.status_code >= 400)
        if not (skewed or refused):
            return None
        if again and self._aws_clock.learn(http.headers):
            return 0
        if skewed:
            return self._once_more(http, error, again=again)
        return 0 if again and self.renew() else None

    def _once_more(self, http: Any, error: dict[str, Any], *, again: bool) -> int | None:
        """Try again what was refused for a time that is AWS's own: it was long on its way."""
        if again:
            return 0
        error["Message"] = self._aws_clock.told(http.headers) or error.get("Message", "")
        return None

    def renew(self) -> bool:
        """Take other credentials where there are any; tell whether a try is worth it."""
        with self._lock:
            held, found = self._held(), self._look_up()
            # Others renew themselves.
            if {type(held), type(found)} != {Credentials}:
                return False
            new = found.get_frozen_credentials()
            if new == held.get_frozen_credentials():
                # Another call may have been faster.
                return self._clock() - self._renewed_at < _FRESH
            held.access_key, held.secret_key, held.token = new[:3]
            self._renewed_at = self._clock()
            return True


def whole(tries: int) -> Callable[..., float | None]:
    """Return a handler of ``needs-retry`` that takes no answer which broke off.

    Parameters
    ----------
    tries
        Of one call, at most; 1 for what must not be sent twice.
    """

    def check(
        response: Any = None, operation: Any = None, attempts: int = 1, **_: Any
    ) -> float | None:
        if response is None or operation.has_streaming_output:
            return None
        http = response[0]
        promised = str(http.headers.get("Content-Length") or "")
        if not promised or operation.http["method"] == "HEAD":
            return None
        if len(http.content) >= int(promised):
            return None
        if attempts < tries:
            return backoff(attempts - 1)
        cause = f"the answer broke off after {len(http.content)} of {promised} bytes"
        raise ConnectionClosedError(endpoint_url=http.url, error=cause)

    return check
