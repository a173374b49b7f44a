"""Jobs in real containers, where the host has what it takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.containers.rig import Rig, containers, missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Give an account with one queue, whose jobs run in containers."""
    lacking = missing()
    if lacking and "NBBATCH_REQUIRE_CONTAINERS" in os.environ:
        pytest.fail(lacking)
    if lacking:
        pytest.skip(lacking)
    with containers(tmp_path_factory.mktemp("rig")) as found:
        yield found
