"""What others do with an executor: joblib and scikit-learn, Dask."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from math import sqrt
from typing import Any

import pytest

import nbbatch
from nbbatch import BatchExecutor
from nbbatch.session import Session

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("local_session")]


@pytest.fixture(autouse=True)
def given_up() -> Iterator[None]:
    """End the executors that joblib has held: exceptions hold what was under way."""
    yield
    gc.collect()


def spread(**settings: Any) -> Any:
    """Have joblib use us; it is told, as `%load_ext nbbatch` tells it."""
    import joblib

    from nbbatch.joblib import announce

    announce()
    return joblib.parallel_config(backend="nbbatch", **settings)


def test_joblib() -> None:
    """Values in order, as a list and as a generator; the workers stay from call to call."""
    from joblib import Parallel, delayed

    def where(n: int) -> tuple[int, int]:
        import os

        return n, os.getpid()

    def fail(n: int) -> None:
        raise KeyError(n)

    with spread(n_jobs=2):
        first = Parallel()(delayed(where)(n) for n in range(10))
        again = list(Parallel(return_as="generator")(delayed(where)(n) for n in range(10)))
        with pytest.raises(KeyError):
            Parallel()(delayed(fail)(n) for n in range(3))
        assert Parallel()(delayed(sqrt)(n) for n in (4, 9)) == [2, 3]

    assert [n for n, _ in first] == [n for n, _ in again] == list(range(10))
    assert len({pid for _, pid in [*first, *again]}) <= 2


def test_how_many_workers() -> None:
    """``n_jobs`` counts from the most there are; the settings are those of an executor."""
    from joblib import effective_n_jobs

    with spread(max_workers=7, cpu=0.25):
        assert effective_n_jobs(-1) == 7
        assert effective_n_jobs(-3) == 5
        assert effective_n_jobs(3) == 3
        with pytest.raises(ValueError, match="no meaning"):
            effective_n_jobs(0)
    assert nbbatch.jobs() == []


def test_a_single_worker() -> None:
    """It is not this process, unless one job is asked for."""
    from joblib import Parallel, delayed

    with spread(max_workers=1):
        there = Parallel(n_jobs=-1)(delayed(os.getpid)() for _ in range(3))
        with Parallel(n_jobs=-1) as held:
            again = held(delayed(os.getpid)() for _ in range(3))
        here = Parallel(n_jobs=1)(delayed(os.getpid)() for _ in range(3))

    assert len({*there, *again}) == len(nbbatch.jobs()) == 1
    assert {*here} == {os.getpid()} != {*there}


def test_scikit_learn() -> None:
    """A grid search gives the same with us and without."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    X, y = load_iris(return_X_y=True)
    grid = {"C": [0.1, 1, 10], "gamma": [0.1, 1]}
    # One call at a time, so one worker: each loads scikit-learn, which takes the longest here.
    with spread(max_workers=2):
        ours = GridSearchCV(SVC(), grid, n_jobs=-1, pre_dispatch=1).fit(X, y)
    here = GridSearchCV(SVC(), grid).fit(X, y)

    assert len(nbbatch.jobs()) == 1
    assert ours.best_params_ == here.best_params_
    assert list(ours.cv_results_["mean_test_score"]) == list(here.cv_results_["mean_test_score"])


def test_joblib_is_told_without_being_loaded() -> None:
    """Whatever is imported first, and neither is imported for the other's sake."""
    code = (
        "import sys, nbbatch.joblib\n"
        "assert not {'joblib', 'nbbatch.executor'} & set(sys.modules)\n"
        "import joblib\n"
        "assert 'nbbatch.executor' not in sys.modules\n"
        "joblib.parallel_config(backend='nbbatch')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (run.returncode, run.stderr) == (0, "")


def test_load_ext_tells_joblib(shell: Any) -> None:
    """In a notebook nothing more is needed."""
    from joblib import parallel

    assert "nbbatch" in {*parallel.EXTERNAL_BACKENDS, *parallel.BACKENDS}


def test_dask(local_session: Session) -> None:
    """It schedules a graph over an executor."""
    import dask

    roots = [dask.delayed(sqrt)(n) for n in (1, 4, 9)]
    with BatchExecutor(2) as executor:
        assert dask.delayed(sum)(roots).compute(scheduler=executor) == 6
