"""A session on this machine, and proof that nothing of an executor outlives its test."""

from __future__ import annotations

from tests.integration.conftest import notebook, nothing_left

__all__ = ["notebook", "nothing_left"]
