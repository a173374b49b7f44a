"""The backend on this machine: a directory and real processes, no server and no network.

==============  =================================================================
`runner`        the runner port
`folder`        what lies on disk about one job, read and made by the kernel
`secrets`       what Batch would give to a job, read here
`machine`       what this machine can give to a job
`errors`        what the operating system refuses
`examination`   what can be told about this machine
`workers`       the worker's zip, unpacked once
`supervisor`    the script that runs beside each job
`supervise`     its parts
==============  =================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from nbbatch.backends.base import Backend
from nbbatch.backends.local.errors import as_backend_errors
from nbbatch.backends.local.runner import GRACE, LocalRunner
from nbbatch.backends.local.secrets import ReadSecrets, no_secrets
from nbbatch.facts import Finding
from nbbatch.options import Options
from nbbatch.wire import keys
from nbbatch.wire.store import Buffer, Kept
from nbbatch.worker.stores.vouching import VouchingDirectory

__all__ = ["LocalRunner", "LocalStore", "local_backend"]


class LocalStore(VouchingDirectory):
    """The job's own directory store, and how a job is told where it is."""

    def environment(self) -> Mapping[str, str]:
        """Return what the job must know to open this store."""
        return {keys.ENV_STORE: self.url}

    def put(self, key: str, pieces: Sequence[Buffer], *, if_absent: bool = False) -> bool:
        """Write an object; see `nbbatch.wire.store.Store.put`."""
        with as_backend_errors():
            return super().put(key, pieces, if_absent=if_absent)

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        with as_backend_errors():
            return super().get(key)

    def read_into(self, key: str, offset: int, view: memoryview) -> None:
        """Fill `view` from `offset` on; see `nbbatch.wire.store.Store.read_into`."""
        with as_backend_errors():
            super().read_into(key, offset, view)

    def keep(self, folder: str, data: Buffer) -> Kept | None:
        """Have an object with these bytes; see `nbbatch.wire.store.VouchingStore.keep`."""
        with as_backend_errors():
            return super().keep(folder, data)

    def take(self, key: str, voucher: str, view: memoryview) -> bool:
        """Fill `view`; see `nbbatch.wire.store.VouchingStore.take`."""
        with as_backend_errors():
            return super().take(key, voucher, view)

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; see `nbbatch.backends.base.ClientStore.delete`."""
        with as_backend_errors():
            super().delete(keys)


def local_backend(home: Path, grace: float = GRACE, secrets: ReadSecrets = no_secrets) -> Backend:
    """Open the backend on this machine.

    Parameters
    ----------
    home
        nbbatch's own directory; made with the first job.
    grace
        Seconds that a stopped job has between SIGTERM and SIGKILL.
    secrets
        Reads secrets, by their sources.
    """
    store = LocalStore(str(home / "store"))
    runner = LocalRunner(home, store, grace, secrets)

    def examine(options: Options) -> Iterator[Finding]:
        # Seldom asked for, and it needs modules that no job needs.
        from nbbatch.backends.local import examination

        return examination.examine(home, store, runner, options)

    return Backend("local", store, runner, examine)
