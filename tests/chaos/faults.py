"""What goes wrong on the way to a service of AWS, and how often: seeded."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: How often each fault comes where a test says nothing else: about every ninth request.
USUAL: Mapping[str, float] = {
    "throttled": 0.03,
    "failed": 0.02,
    "reset before": 0.02,
    "reset after": 0.02,
    "cut": 0.01,
    "slow": 0.01,
    "skewed": 0.003,
}
#: S3's limit for how far a client's clock may be off.
_SKEW = 900


class Asked(NamedTuple):
    """A request, as a rule of the test's own sees it."""

    method: str
    path: str
    token: str


@dataclass
class Faults:
    """What goes wrong, and how often.

    Attributes
    ----------
    rates
        Chances of the faults that come at random, by their names.
    ahead
        Seconds by which the service's clock is ahead of this machine's.
    expired
        Session tokens that are not taken any more.
    rule
        Names the fault of a request, or None for what chance says; called before it is sent on.
    slowness
        Seconds that a slow answer takes.
    """

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    ahead: float = 0.0
    expired: set[str] = field(default_factory=set)
    rule: Callable[[Asked], str | None] = lambda asked: None
    slowness: float = 0.5

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()
        #: How often each fault was injected; ``""`` counts requests that went through.
        self.seen: Counter[str] = Counter()

    def next(self, asked: Asked, sent_at: float | None) -> str:
        """Name the fault of a request; ``""`` for none."""
        fault = self._fault(asked, sent_at)
        with self._lock:
            self.seen[fault] += 1
        return fault

    def _fault(self, asked: Asked, sent_at: float | None) -> str:
        if asked.token in self.expired:
            return "expired"
        if sent_at is not None and abs(time.time() + self.ahead - sent_at) > _SKEW:
            return "skewed"
        ruled = self.rule(asked)
        if ruled is not None:
            return ruled
        with self._lock:
            drawn = self._random.random()
        for fault, rate in self.rates.items():
            if drawn < rate:
                return fault
            drawn -= rate
        return ""
