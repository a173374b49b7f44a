"""A clean environment for every test, and a session whose jobs really run, on this machine."""

from __future__ import annotations

import functools
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import create_loader
from hypothesis import HealthCheck, settings
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import nbbatch
from nbbatch.session import Session, current_session
from tests import kernels
from tests.bombs import Bomb

pytest_plugins = ["tests.choosing", "tests.servers"]

#: How long something takes says nothing here, and each run tries the same examples: others are
#: tried with ``--hypothesis-profile=default``.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

_OURS = ("AWS_", "NBBATCH_", "METAFLOW_")
#: Set by whoever runs the suite, for the suite.
_REQUIRED = {f"NBBATCH_REQUIRE_{what}" for what in ("BROWSER", "CONTAINERS", "CPYTHON", "TORCH")}
_KEPT = {"NBBATCH_TEST_ARTIFACTS", "NBBATCH_TEST_CPYTHON", *_REQUIRED}


@pytest.fixture(scope="session", autouse=True)
def own_kernels() -> Iterator[None]:
    """Keep what kernels share from other processes, and from the developer's own."""
    with kernels.to_themselves():
        yield


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """Each session of boto3 reads the models of services anew, MBs of them: here all share them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", functools.cache(create_loader))
        yield


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide the developer's own settings and credentials; forget the test's own afterwards."""
    for name in list(os.environ):
        if name.startswith(_OURS) and name not in _KEPT:
            monkeypatch.delenv(name)
    monkeypatch.setenv("NBBATCH_HOME", str(tmp_path / "nbbatch-home"))
    monkeypatch.setenv("METAFLOW_HOME", str(tmp_path / "no-metaflow"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    yield
    from nbbatch.session import present

    present._arguments.clear()
    present._current = None


@pytest.fixture
def local_session() -> Session:
    """Return this process's session, on the local backend in a folder of the test's own."""
    nbbatch.configure(backend="local")
    return current_session()


@pytest.fixture
def shell() -> Iterator[Any]:
    """Give a new shell; its namespace is ``__main__`` for as long as the test runs."""
    main = sys.modules["__main__"]
    InteractiveShell.clear_instance()
    # No file of its history, which all processes would share, nor a thread that writes it.
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nbbatch")
    try:
        yield shell
    finally:
        shell.reset(new_session=False)
        InteractiveShell.clear_instance()
        sys.modules["__main__"] = main


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """Name the file that a bomb leaves; there must be none at the end."""
    path = tmp_path / "canary"
    pickle.loads(pickle.dumps(Bomb(path)))
    assert path.exists(), "the bomb is a dud"
    path.unlink()
    yield path
    assert not path.exists()
