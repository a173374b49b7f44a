"""Makes ``joblib.parallel_config(backend="nbbatch")`` known to joblib; loads neither.

`%load_ext nbbatch` does that; in a script, ``import nbbatch.joblib``. What scikit-learn and others
spread with ``n_jobs`` then goes out to jobs::

    with joblib.parallel_config(backend="nbbatch", n_jobs=16, cpu=2, memory=8000):
        GridSearchCV(model, grid, n_jobs=-1).fit(X, y)
"""

from __future__ import annotations

import sys

from nbbatch.worker.notebook.imports import after_import

#: The backend's name.
NAME = "nbbatch"


def announce() -> None:
    """Name the backend to joblib: now, or as soon as somebody imports it."""
    after_import("joblib.parallel", _announce)


def _announce() -> None:
    sys.modules["joblib.parallel"].EXTERNAL_BACKENDS[NAME] = _register


def _register() -> None:
    """Give joblib the backend, when it is first wanted."""
    from joblib.parallel import register_parallel_backend

    from nbbatch.executor.joblib import NbbatchBackend

    register_parallel_backend(NAME, NbbatchBackend)


announce()
