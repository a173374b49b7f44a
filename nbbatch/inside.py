"""`nbbatch.current`: what a job can know about itself. Also importable inside jobs.

Standard library only, Python 3.9 and newer: it travels with the worker.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Dict, Mapping, Optional

from nbbatch.errors import UsageError
from nbbatch.wire import keys

__all__ = ["Current", "current", "in_job"]

_ENV_CURRENT = "NBBATCH_CURRENT"


def in_job() -> bool:
    """Tell whether this process runs inside a job."""
    return _ENV_CURRENT in os.environ


class Current:
    """The job that this process runs in.

    The variables that AWS Batch sets are documented at
    https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html; the local backend
    sets the same ones.
    """

    def __bool__(self) -> bool:
        """Whether this process runs inside a job."""
        return in_job()

    def __repr__(self) -> str:
        if not in_job():
            return "<nbbatch.current: not in a job>"
        return f"<nbbatch.current: job {self.job_id}, attempt {self.attempt} of {self.attempts}>"

    def _facts(self) -> Dict[str, Any]:
        text = os.environ.get(_ENV_CURRENT)
        if text is None:
            raise UsageError(
                "nbbatch.current knows nothing here",
                "this process is not inside a job",
                "test it first: if nbbatch.current: ...",
            )
        facts: Dict[str, Any] = json.loads(text)
        return facts

    @property
    def job_id(self) -> str:
        """The job's id, minted by nbbatch."""
        return str(self._facts()["job_id"])

    @property
    def job_name(self) -> str:
        """The job's name."""
        return str(self._facts()["job_name"])

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return int(self._facts()["attempt"])

    @property
    def attempts(self) -> int:
        """How often the job may be started in all."""
        return int(self._facts()["attempts"])

    @property
    def resources(self) -> Mapping[str, Any]:
        """What was asked for: ``cpu``, ``gpu``, ``memory`` (MiB), ``image``."""
        return dict(self._facts()["resources"])

    @property
    def tempdir(self) -> str:
        """A folder for temporary files."""
        return tempfile.gettempdir()

    @property
    def batch_job_id(self) -> str:
        """AWS Batch's id of the job; an array child's ends in ``:INDEX``."""
        return self._variable(keys.ENV_BATCH_JOB) or ""

    @property
    def queue(self) -> str:
        """The name of the job queue."""
        return self._variable(keys.ENV_BATCH_QUEUE) or ""

    @property
    def array_index(self) -> Optional[int]:
        """The job's index in its array; None outside one."""
        return self._number(keys.ENV_BATCH_ARRAY_INDEX)

    @property
    def node_index(self) -> Optional[int]:
        """The node's index in its multi-node job; None outside one."""
        return self._number(keys.ENV_BATCH_NODE_INDEX)

    @property
    def num_nodes(self) -> int:
        """The number of nodes of the job."""
        return self._number(keys.ENV_BATCH_NUM_NODES) or 1

    @property
    def main_ip(self) -> str:
        """The main node's private address; of use on the other nodes of a multi-node job."""
        return self._variable(keys.ENV_BATCH_MAIN_NODE_ADDRESS) or "127.0.0.1"

    def _variable(self, name: str) -> Optional[str]:
        self._facts()
        return os.environ.get(name)

    def _number(self, name: str) -> Optional[int]:
        value = self._variable(name)
        return int(value) if value else None


current = Current()
