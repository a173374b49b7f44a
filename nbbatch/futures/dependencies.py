"""The jobs that another one waits for, as their backend knows them."""

from __future__ import annotations

from collections.abc import Iterable

from nbbatch.backends.base import Backend
from nbbatch.errors import OptionError
from nbbatch.futures.records.locating import located
from nbbatch.futures.records.registry import Record, Registry


def resolve(wanted: Iterable[str], registry: Registry, backend: Backend) -> dict[str, str]:
    """Return the backend's ids of jobs given by id or name, or by the backend's own id.

    Each by the job's own id, or by the backend's where that is all that is known of it.

    Those that are known to have succeeded are left out: nobody has to wait for them.

    Raises
    ------
    OptionError
        There is no such job, or it has failed.
    """
    found: dict[str, str] = {}
    for word in wanted:
        record = registry.find(word, backend.store.url)
        if record is None:
            found[word] = _own(word, backend)
        elif record.outcome in ("", "ok"):
            record = located(record, backend.runner, registry)
            _check_started(word, record)
            found |= {} if record.outcome else {record.id: record.batch_job_id}
        else:
            raise _refused(
                word,
                f"it has ended without success ({record.outcome}): {record.message}",
                "run that job again, and depend on the new one",
            )
    return found


def _own(word: str, backend: Backend) -> str:
    """Take an id of the backend's own."""
    if not backend.runner.describe([word]):
        raise _refused(
            word,
            f"there is no such job of yours on {backend.store.url}, nor does its backend know one",
            "%batch jobs lists those there are",
        )
    return word


def _check_started(word: str, record: Record) -> None:
    if not record.batch_job_id:
        raise _refused(word, "it was never started", "run that job again, and depend on that one")


def _refused(word: str, cause: str, hint: str) -> OptionError:
    return OptionError(f"depends_on = {word!r} can't be used", cause, hint)
