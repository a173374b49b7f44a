"""The states that a job comes through, and why it may end without an outcome."""

from __future__ import annotations

from enum import Enum


class State(str, Enum):
    """The states of an AWS Batch job, used by every backend.

    https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
    """

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def final(self) -> bool:
        """Whether a job in this state will never leave it."""
        return self in (State.SUCCEEDED, State.FAILED)

    def __str__(self) -> str:
        return self.value


class Loss(str, Enum):
    """Why a job ended without an outcome, as far as its backend can tell."""

    MEMORY = "memory"
    TIMEOUT = "timeout"
    SPOT = "spot"
    IMAGE = "image"
    CANCELLED = "cancelled"
    EXIT = "exit"
    UNKNOWN = "unknown"
