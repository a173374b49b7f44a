"""What a job has said and kept so far, as whoever holds it may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbbatch.backends.base import Backend
from nbbatch.futures.described import Described
from nbbatch.futures.returning.kept import kept, kept_names
from nbbatch.futures.telling.archive import Archive
from nbbatch.wire.checkpoints import Owner


class Told(Described):
    """A job whose story and checkpoints can be read at any time."""

    _backend: Backend

    def logs(self, node: int | None = None) -> str:
        """Return all that the job has printed so far, or else what its container said.

        Parameters
        ----------
        node
            Of a multi-node job, the only one to return; without it each line says whose it is.
        """
        return self._archive().logs(node)

    def _archive(self) -> Archive:
        tellers, attempt = self._tracker.tellers, self.facts.attempt
        last_resort = self._container_log if self.facts.outcome else None
        return Archive(self._backend.store, tellers, attempt, last_resort)

    def _container_log(self, node: int) -> Iterator[str]:
        id_ = f"{self.batch_job_id}#{node}" if self.nodes > 1 else self.batch_job_id
        return self._backend.runner.log(id_)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The notebook outputs so far: streams, displays, result, error, in their order.

        Of several nodes, one after the other.
        """
        return self._archive().outputs()

    def checkpoints(self) -> list[str]:
        """Return the names of what the job keeps (`nbbatch.current.checkpoint`)."""
        return kept_names(self._backend.store, self.id)

    def checkpoint(self, name: str = "checkpoint", path: str | None = None) -> Any:
        """Return what the job keeps under a name; files are written to `path`, if it is given.

        Raises
        ------
        NotFoundError
            It keeps nothing of that name, or not yet.
        NbbatchError
            It can't be rebuilt here, or was altered.
        """
        return kept(self._backend.store, Owner(self.id, self._key), name, path)
