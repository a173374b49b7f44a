"""Results that stay in the store until somebody looks at them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import nbbatch
from nbbatch import batch, errors
from nbbatch.futures.lazy import Lazy
from nbbatch.session import current_session

pytestmark = pytest.mark.thorough

_PATIENCE = 60.0


class Reads:
    """What this process reads of what jobs have left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from nbbatch.wire import parts

        self.sizes: list[int] = []
        read = parts.read

        def seen(store: Any, envelope: Any, index: int, **more: Any) -> Any:
            if envelope.kind == "outcome":
                self.sizes.append(envelope.parts[index].size)
            return read(store, envelope, index, **more)

        monkeypatch.setattr(parts, "read", seen)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def test_a_lazy_cell(notebook: Any, reads: Reads) -> None:
    """What stands for its variables tells what they are, and fetches them when they are used."""
    body = "import math\nmodel = list(range(1000))\nblock = bytearray(5 << 20)\nsame = model"
    notebook.batch(body, "--lazy")
    model, block = notebook["model"], notebook["block"]
    text = repr(block)
    assert isinstance(block, Lazy)
    assert "lazy block (bytearray)" in text and ".result() fetches it" in text
    assert "5,24" in text
    assert notebook.run("model") is model
    assert notebook["math"].pi > 3
    assert dir(model) == ["result"]
    assert reads.sizes == []

    assert sum(model) == 499500 and len(block) == 5 << 20
    assert reads.sizes
    assert model.result() is notebook["same"].result()
    assert "here>" in repr(model)


def test_it_does_not_pass_through_the_kernel(notebook: Any, reads: Reads) -> None:
    """Used by a later cell, or given to a function, it goes from store to job."""
    notebook.batch("data = bytearray(3 << 20); data[0] = 7", "--lazy")
    count = batch(lambda data: (len(data), data[0]))
    assert count.submit(notebook["data"]).result(_PATIENCE) == (3 << 20, 7)
    sizes = list(reads.sizes)
    notebook.batch("first = data[0]; size = len(data)")

    assert (notebook["first"], notebook["size"]) == (7, 3 << 20)
    assert max([*sizes, *reads.sizes]) < 100_000
    assert isinstance(notebook["data"], Lazy)


def test_it_is_sent_as_it_is_here_once_it_is_here(notebook: Any) -> None:
    """Who has looked at it may have changed it."""
    notebook.batch("data = [1]", "--lazy")
    notebook.run("data.append(2)")
    notebook.batch("found = sum(data)")

    assert notebook["found"] == 3


def test_changed_in_place_by_a_later_cell(notebook: Any) -> None:
    """The change comes back, under every name that it has here."""
    notebook.batch("data = [1]", "--lazy")
    notebook.run("alias = data")
    notebook.batch("data.append(2)")

    assert notebook["data"] == [1, 2]
    assert notebook["alias"] is notebook["data"]


@pytest.mark.usefixtures("local_session")
def test_a_lazy_function(reads: Reads) -> None:
    """A call returns what stands for its value."""
    found = batch(lazy=True)(lambda: np.arange(1000))()
    assert isinstance(found, Lazy)
    assert "numpy.ndarray" in repr(found)
    assert reads.sizes == []
    assert batch(lambda x: int(x.sum())).submit(found).result(_PATIENCE) == 499500
    assert reads.sizes != [8000]

    assert found.sum() == 499500
    assert np.max(np.asarray(found)) == 999
    assert (found[3], found[:2].tolist(), (1 + found)[0], (found + found)[1]) == (3, [0, 1], 1, 2)


@pytest.mark.usefixtures("local_session")
def test_what_it_does_as_its_value() -> None:
    """Python's operators, and its functions, find the value."""
    lazy = batch(lazy=True)
    number, text, function = lazy(lambda: 7)(), lazy(lambda: "ab")(), lazy(lambda: abs)()
    assert (number + 1, 10 - number, -number, number == 7, number < 8) == (8, 3, -7, True, True)
    assert (int(number), float(number), round(number), list(range(number))[-1]) == (7, 7.0, 7, 6)
    assert (str(text), f"{text:>3}", text.upper(), "a" in text, len(text)) == (
        "ab", " ab", "AB", True, 2,
    )  # fmt: skip
    assert function(-3) == 3
    assert {number: 1}[7] == 1
    assert bool(number) and [*text] == ["a", "b"]
    assert pickle.loads(pickle.dumps(number)) == 7


def test_a_lazy_cell_that_fails(notebook: Any) -> None:
    """Its exception is raised as ever, and what it had bound is here."""
    error = notebook.failing("x = [1]\n1 / 0", "--lazy")

    assert isinstance(error, ZeroDivisionError)
    assert notebook["x"] == [1]


def test_a_lazy_detached_cell(notebook: Any) -> None:
    """Attached later, it is as lazy."""
    job = notebook.batch("x = [1]", "--lazy --detach")
    assert job.wait(_PATIENCE)
    notebook.run(f"%batch attach {job.id}")

    assert isinstance(notebook["x"], Lazy)
    assert notebook["x"] == [1]
    assert nbbatch.attach(job.id).lazy


def test_a_lazy_value_that_is_gone(notebook: Any) -> None:
    """It is missed when it is looked at, and by the job that is given it."""
    notebook.batch("data = bytearray(1 << 20)", "--lazy")
    data = notebook["data"]
    store = current_session().backend.store
    store.delete([key for key, _, _ in store.list("blobs/")])
    with pytest.raises(errors.NotFoundError, match="gone"):
        data.result()
    error = notebook.failing("len(data)")

    assert isinstance(error, errors.NotFoundError)
    assert "data" in notebook
