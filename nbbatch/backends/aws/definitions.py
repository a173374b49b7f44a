"""Job definitions that are not ours: looked at once a day, for what can be overridden in them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.errors import translated
from nbbatch.backends.aws.requests import Shape, shape_of
from nbbatch.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbatch.backends.aws.cache import Cache
    from nbbatch.backends.aws.clients import Clients

_DAY = 86_400.0
_KIND = "shapes"
#: What to do where there is none of a name.
NO_DEFINITION = "--job-definition NAME; aws batch describe-job-definitions lists them"


class Definitions:
    """Looks definitions up by name, ``name:revision`` or ARN; thread-safe."""

    def __init__(self, clients: Clients, cache: Cache) -> None:
        self._clients = clients
        self._cache = cache

    def known(self, name: str) -> Shape | None:
        """Return what is remembered; asks nobody."""
        found = self._cache.get(_KIND, name, _DAY)
        return Shape(**{**found, "ranges": tuple(found["ranges"])}) if found else None

    def get(self, name: str) -> Shape:
        """Return the shape of a definition.

        Raises
        ------
        NotFoundError
            There is none of that name that is ACTIVE.
        """
        found = self.known(name)
        if found is None:
            found = shape_of(self._look_up(name))
            self._cache.set(_KIND, name, asdict(found))
        return found

    def forget(self, name: str) -> None:
        """Ask again next time."""
        self._cache.forget(_KIND, name)

    def _look_up(self, name: str) -> dict[str, Any]:
        with translated(f"can't look up the job definition {name}"):
            found: list[dict[str, Any]] = list(self._asked(name))
        active = [d for d in found if d.get("status", "ACTIVE") == "ACTIVE"]
        if not active:
            raise NotFoundError(
                f"AWS Batch job definition {name} not found",
                f"there is none of that name, or none that is ACTIVE, in {self._clients.region}",
                NO_DEFINITION,
            )
        return max(active, key=lambda definition: int(definition.get("revision", 0)))

    def _asked(self, name: str) -> Iterator[dict[str, Any]]:
        last = name.rpartition("/")[2]
        named: Any = {"jobDefinitions": [name]}
        if ":" not in last:
            named = {"jobDefinitionName": last, "status": "ACTIVE"}
        pages: Any = self._clients.batch.get_paginator("describe_job_definitions")
        for page in pages.paginate(**named):
            yield from page["jobDefinitions"]
