"""Why jobs wait: asks AWS about their queues, a few calls a minute for all jobs together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from nbbatch.backends.aws import families
from nbbatch.backends.aws.instances import Instances
from nbbatch.backends.aws.places import Places
from nbbatch.backends.aws.waiting import Place, Wait, explain
from nbbatch.errors import AccessDeniedError, NbbatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbbatch.backends.aws.cache import Cache
    from nbbatch.backends.aws.clients import Clients

Answer = TypeVar("Answer")


class Explainer:
    """Explains waits. What AWS does not tell, for want of a permission or otherwise, is left out.

    Parameters
    ----------
    clock
        Seconds since the epoch.
    """

    def __init__(
        self, clients: Clients, cache: Cache, clock: Callable[[], float] = time.time
    ) -> None:
        self._places = Places(clients)
        self._instances = Instances(clients, cache)
        self._clock = clock
        #: What this user may not ask: asked once.
        self._denied: set[str] = set()

    def explain(self, waits: Iterable[Wait]) -> dict[str, str]:
        """Return why jobs wait, by their ids; three calls for each queue, however many jobs."""
        now, places = self._clock(), dict[str, Place]()
        found: dict[str, str] = {}
        for wait in waits:
            if wait.queue not in places:
                places[wait.queue] = self._place(wait.queue)
            found[wait.id] = explain(wait, places[wait.queue], now)
        return found

    def _place(self, name: str) -> Place:
        queue = self._ask("queue", lambda: self._places.queue(name)) or {}
        environments = self._ask("environments", lambda: self._places.environments(queue)) or []
        front = self._ask("front", lambda: self._places.front(name))
        types = {
            item["computeEnvironmentArn"]: self._instances.largest(families.named(item)) or ()
            for item in environments
        }
        return Place(queue, environments, front, types)

    def _ask(self, what: str, question: Callable[[], Answer]) -> Answer | None:
        if what in self._denied:
            return None
        try:
            return question()
        except AccessDeniedError:
            self._denied.add(what)
        except NbbatchError:
            # Next minute, perhaps: an explanation is a help, and no job depends on it.
            pass
        return None
