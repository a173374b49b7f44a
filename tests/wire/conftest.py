from __future__ import annotations

from pathlib import Path

import pytest

from nbbatch.worker.stores.directory import DirectoryStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Give an empty store."""
    return DirectoryStore(tmp_path / "store")
