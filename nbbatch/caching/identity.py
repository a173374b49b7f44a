"""All that a job's result depends on, as far as it can be told beforehand, digested.

What can't: the time, the network, files that the code reads, chance. Whoever uses the cache knows
that; `docs/cache.md` says so.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nbbatch import __version__
from nbbatch.backends.base import Target
from nbbatch.caching.canonical import digest_of
from nbbatch.options import Options, kept
from nbbatch.sending import Work
from nbbatch.supply import said_in
from nbbatch.wire import spec

__all__ = ["INCIDENTAL", "Tally", "identity"]

#: Options that change where and how a job runs and how it is shown, not what it computes. Every
#: other one counts, one that is new included.
INCIDENTAL: Final = frozenset(
    {
        *("cpu", "memory", "shared_memory", "max_swap", "swappiness", "ephemeral_storage"),
        *("queue", "iam_role", "execution_role", "service_account", "platform_version"),
        *("platform_capabilities", "assign_public_ip", "library_cache", "requirements"),
        *("name", "timeout", "retries", "minutes_between_retries", "retry_on", "depends_on"),
        *("catch", "print_exception", "cache", "init_process", "ulimits"),
        *("use_tmpfs", "tmpfs_tempdir", "tmpfs_size", "log_driver", "log_options"),
        *("aws_batch_tags", "tags", "propagate_tags", "share_identifier", "scheduling_priority"),
    }
)


def identity(work: Work, options: Options, target: Target, libraries: Mapping[str, str]) -> bytes:
    """Digest what is to run, on what, with what.

    Parameters
    ----------
    libraries
        Those of the kernel that the job computes with, by name, with their versions.

    Raises
    ------
    Exception
        A value can't be digested; see `canonical.digest_of`.
    """
    captured = work.captured
    counted = {name: value for name, value in kept(options).items() if name not in INCIDENTAL}
    whole = {
        "nbbatch": __version__,
        "python": sys.version_info[:2],
        "place": (target.name, target.python),
        "options": counted,
        "requirements": said_in(options.requirements),
        "libraries": dict(libraries),
        "modules": hashlib.sha256(captured.modules).digest(),
        "code": _code(work.spec),
        "values": list(captured.items),
        "items": None if work.items is None else work.items.identity,
    }
    return digest_of(whole, vars(sys.modules["__main__"]))


class Tally(Iterator[Any]):
    """Items on their way, which are told from others once they have passed; none is held."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._namespace = vars(sys.modules["__main__"])
        self._hash = hashlib.sha256()

    def __next__(self) -> Any:
        item = next(self._items)
        try:
            self._hash.update(digest_of(item, self._namespace))
        # It runs the item's own code, which may raise anything: these items are like no others.
        except Exception:
            self._hash.update(os.urandom(32))
        return item

    def digest(self) -> bytes:
        """Return what tells these items from others."""
        return self._hash.digest()


def _code(job: spec.JobSpec) -> tuple[Any, ...]:
    """Say what a cell does; where its lines stand, and its comments, do not matter."""
    source = ast.dump(ast.parse(job.source)) if job.source else ""
    return job.kind, source, job.silent, job.needs, job.out
