"""Many jobs at once in real containers: a map, a sweep, an executor."""

from __future__ import annotations

import os
from typing import Any

import pytest

import nbbatch
from nbbatch.joblib import announce
from tests.containers.rig import Rig
from tests.containers.test_round_trip import account, same_python

__all__ = ["account"]

pytestmark = pytest.mark.containers


@same_python
def test_a_map(account: Rig) -> None:
    """A container for each child; one fails, the others are there; it is tried again."""

    @nbbatch.batch(memory="256M")
    def work(n: int) -> tuple[int, bool]:
        print("item", n)
        if n == 3 and "AGAIN" not in os.environ:
            raise ValueError(f"no data for {n}")
        return n * n, os.getpid() < 50

    job = work.map(range(6), chunksize=2)
    with pytest.raises(ValueError, match="no data for 3"):
        job.result(600)
    errors = job.errors()
    again = job.retry_failed(environment={"AGAIN": "1"})

    assert {index: str(error) for index, error in errors.items()} == {3: "no data for 3"}
    assert [job[n] for n in (0, 1, 2, 4, 5)] == [(n * n, True) for n in (0, 1, 2, 4, 5)]
    assert "item 4" in job.logs(child=2)
    assert again.result(600) == [(n * n, True) for n in range(6)]
    assert again.errors() == {}


@same_python
def test_an_executor(account: Rig) -> None:
    """One container makes call after call."""
    with nbbatch.BatchExecutor(1, memory="256M") as executor:
        found = list(executor.map(pow, range(20), [2] * 20))
        pids = {executor.submit(os.getpid).result(600) for _ in range(3)}

    assert found == [n * n for n in range(20)]
    assert len(pids) == 1
    assert max(pids) < 50


@same_python
def test_a_grid_search(account: Rig) -> None:
    """scikit-learn's ``n_jobs`` goes out to an image that has no scikit-learn, for the same."""
    from joblib import parallel_config
    from sklearn.datasets import load_iris
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    announce()
    samples, classes = load_iris(return_X_y=True)
    grid = {"C": [0.1, 1, 10]}
    with parallel_config(backend="nbbatch", max_workers=1, memory="1G"):
        there = GridSearchCV(SVC(), grid, n_jobs=-1).fit(samples, classes)
    here = GridSearchCV(SVC(), grid).fit(samples, classes)

    assert len(nbbatch.jobs()) == 1
    assert there.best_params_ == here.best_params_
    assert list(there.cv_results_["mean_test_score"]) == list(here.cv_results_["mean_test_score"])


def test_a_sweep(account: Rig, shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell for each point, on an image with nothing but Python."""
    shell.run_cell("base = [10]").raise_error()
    line = "%%batch --for lr=[0.5, 1] --for seed=range(2) --memory 256M"
    shell.run_cell(f"{line}\nloss = base[0] * lr + seed").raise_error()
    found = shell.user_ns["sweep"]

    assert [tuple(row.values()) for row in found] == [
        (0.5, 0, 5.0), (0.5, 1, 6.0), (1, 0, 10), (1, 1, 11),
    ]  # fmt: skip
    assert "4 points" in capsys.readouterr().out
