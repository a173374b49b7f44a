"""`@batch` functions of every kind, and the modules that travel with them."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbbatch import batch
from nbbatch.errors import NotPicklableError
from nbbatch.session import Session
from nbbatch.wire import keys
from tests.integration.conftest import Notebook, until

pytestmark = pytest.mark.usefixtures("local_session")


def test_environment() -> None:
    """Variables of the option reach the function; those of nbbatch stay its own."""

    @batch(environment={"MODE": "fast", "EMPTY": ""})
    def read() -> tuple[str | None, str | None]:
        import os

        return os.environ.get("MODE"), os.environ.get("EMPTY")

    assert read() == ("fast", "")


def test_arguments() -> None:
    """Positional, named and default arguments arrive, arrays among the defaults too."""
    weights = np.arange(3)

    @batch
    def every(a: int, /, b: int, *more: int, c: Any = weights, **named: int) -> Any:
        return a, b, more, c.sum(), named

    assert every.submit(1, 2, 3, 4, x=5).result(60) == (1, 2, (3, 4), 3, {"x": 5})
    assert every.submit(1, b=2, c=np.ones(2)).result(60) == (1, 2, (), 2, {})
    assert every.local(1, 2) == (1, 2, (), 3, {})
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'b'"):
        every.submit(1).result(60)


def test_calling_shows_and_returns(capsys: pytest.CaptureFixture[str]) -> None:
    """A call waits, shows what the job prints, and returns its value."""

    @batch(cpu=2)
    def loud(value: int) -> int:
        print("said in the job")
        return value + 1

    assert loud(1) == 2
    assert "said in the job" in capsys.readouterr().out
    assert repr(loud.options(memory=512)).startswith("<@batch(cpu=2, memory=512) ")


def test_callables_of_every_kind() -> None:
    """Lambdas, partials, methods, closures, recursive and decorated functions travel."""

    class Model:
        scale = 3

        def __init__(self, factor: int) -> None:
            self.factor = factor

        @batch
        def fit(self, x: int) -> int:
            return self.factor * x * self.scale

        @batch
        @classmethod
        def scaled(cls, x: int) -> int:
            return cls.scale * x

        def __call__(self, x: int) -> int:
            return x + self.factor

    def traced(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return ["traced", function(*args)]

        return wrapper

    @batch
    @traced
    def decorated(x: int) -> int:
        return x

    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    started: list[tuple[Any, Any]] = [
        (batch(lambda x: x + 1).submit(1), 2),
        (batch(functools.partial(pow, 2)).submit(10), 1024),
        (batch(functools.partial(lambda a, b: a - b, b=1)).submit(3), 2),
        (Model(2).fit.submit(5), 30),
        (Model.scaled.submit(5), 15),
        (batch(Model(4)).submit(1), 5),
        (batch(factorial).submit(5), 120),
        (decorated.submit(7), ["traced", 7]),
        (batch(len).submit("abc"), 3),
    ]
    assert [job.result(60) for job, _ in started] == [wanted for _, wanted in started]


def test_inside_a_job() -> None:
    """There, decorated functions just run, whichever way they are called."""

    @batch
    def inner(x: int) -> int:
        if x < 0:
            raise ValueError("negative")
        return x * 2

    @batch
    def outer() -> list[Any]:
        from nbbatch import batch, current

        @batch(cpu=8)
        def made_there(x: int) -> int:
            return x + 1

        future: Future[int] = inner.submit(2)
        failed = type(inner.submit(-1).exception()).__name__
        values = [inner(1), future.result(), inner.local(3), inner.options(cpu=3)(4)]
        return [*values, failed, made_there(1), bool(current), current.job_name]

    assert outer.submit().result(60) == [2, 4, 6, 8, "ValueError", 2, True, "outer"]
    failing = batch(lambda: inner(-1)).submit()
    error = failing.exception(60)
    assert error is not None
    files = {entry.filename for entry in traceback.extract_tb(error.__traceback__)}
    assert files == {__file__}


def test_coroutines() -> None:
    """An ``async`` function is awaited in the job, and its call can be awaited here."""

    @batch
    async def slow(x: int) -> int:
        await asyncio.sleep(0)
        return x * 2

    assert slow.submit(2).result(60) == 4

    async def main() -> list[int]:
        return [await slow(1), *await asyncio.gather(slow(2), slow(3))]

    assert asyncio.run(main()) == [2, 4, 6]


def test_a_result_that_cannot_be_rebuilt() -> None:
    """Of a library that the kernel lacks, say: the error says what that takes, for each item."""

    @batch
    def odd(x: int) -> Any:
        class Back:
            def __reduce__(self) -> Any:
                return __import__, ("nowhere.part",)

        return Back() if x else x

    error = odd.submit(1).exception(60)
    results = list(odd.map(range(2)).results(60, return_exceptions=True))

    assert results[0] == 0
    for each in (error, results[1]):
        assert isinstance(each, NotPicklableError)
        assert each.what.startswith("what job ")
        assert each.cause == "ModuleNotFoundError: No module named 'nowhere'"
        assert each.hint.startswith("install nowhere here too")


def test_a_function_that_comes_back(notebook: Notebook) -> None:
    """A function decorated in a cell is one in the notebook, and starts jobs there."""
    notebook.run("from nbbatch import batch\nfactor = 3")
    notebook.batch("@batch(memory=512)\ndef scaled(x):\n    return x * factor\ninside = scaled(1)")
    assert notebook["inside"] == 3
    assert notebook.run("scaled.submit(2).result(60)") == 6
    notebook.run("factor = 5")
    assert notebook.run("scaled.submit(2).result(60)") == 10


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a directory with a module and a package of one's own."""
    folder = tmp_path / "project"
    package = folder / "ownpackage"
    (package / "deep").mkdir(parents=True)
    (folder / "ownhelpers.py").write_text(
        "from nbbatch import batch\nSTATE = 1\n\n"
        "@batch\ndef decorated(n):\n    return 1 if n == 0 else n * decorated(n - 1)\n\n"
        "def version():\n    return STATE\n\ndef fail():\n    raise KeyError('from the module')\n"
        "class Own(Exception): pass\ndef fail_own():\n    raise Own('mine')\n"
    )
    (package / "__init__.py").write_text("from .deep.core import compute\n")
    (package / "deep" / "__init__.py").write_text("")
    (package / "deep" / "core.py").write_text(
        "from importlib import resources\nfrom nbbatch import batch\n"
        "from ..constants import TEN\n\n"
        "@batch\ndef compute(x):\n    from .. import constants\n"
        "    data = resources.files('ownpackage').joinpath('data.txt').read_text()\n"
        "    return x * TEN * constants.TEN, data\n"
    )
    (package / "constants.py").write_text("TEN = 10\n")
    (package / "data.txt").write_text("payload")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [n for n in sys.modules if n.startswith(("ownhelpers", "ownpackage"))]:
        del sys.modules[name]


def test_modules_beside_the_notebook(notebook: Notebook, beside: Path) -> None:
    """Modules and packages of one's own travel, data files and relative imports included."""
    notebook.run("import ownhelpers, ownpackage\nfrom ownpackage import compute")
    notebook.batch(
        "import os, subprocess, sys\nseen = ownhelpers.version()\nvalue = compute(2)\n"
        "command = [sys.executable, '-c', 'import ownhelpers; print(ownhelpers.STATE)']\n"
        "child = subprocess.run(command, capture_output=True, text=True).stdout\n"
        "ownhelpers.STATE = 5\nplace = os.path.dirname(ownhelpers.__file__)"
    )
    assert notebook["seen"] == 1
    assert notebook["value"] == (200, "payload")
    assert notebook["child"] == "1\n"
    # The worker cleans up after its job's outcome is there.
    until(lambda: not Path(notebook["place"]).exists())
    assert notebook.run("compute.submit(3).result(60)") == (300, "payload")
    assert notebook.run("ownhelpers.decorated.submit(5).result(60)") == 120
    assert notebook.run("ownhelpers.decorated.options(cpu=2).submit(3).result(60)") == 6
    error = notebook.failing("ownhelpers.fail()")
    assert isinstance(error, KeyError)
    assert "raise KeyError('from the module')" in notebook.shown(error)
    own = notebook.failing("ownhelpers.fail_own()")
    assert type(own) is sys.modules["ownhelpers"].Own


def test_an_edited_module(notebook: Notebook, beside: Path, local_session: Session) -> None:
    """Each job has the modules as they are on disk when it is started."""
    notebook.batch("import ownhelpers\nseen = ownhelpers.version()")
    assert notebook["seen"] == 1
    path = beside / "ownhelpers.py"
    path.write_text(path.read_text().replace("STATE = 1", "STATE = 2"))
    notebook.run("del ownhelpers")
    notebook.batch("import ownhelpers\nseen = ownhelpers.version()")
    assert notebook["seen"] == 2


LARGE = """
import resource, sys
import numpy as np
from nbbatch import batch

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

@batch
def work(array):
    import resource
    array += 1
    return array, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

batch(lambda: np.ones(1)).submit().result()
array = np.zeros(256 << 17)
array[:] = 1
before = peak()
job = work.submit(array)
job.wait()
sent = peak() - before
result, there = job.result()
assert result[0] == result[-1] == 2 and result.nbytes == 256 << 20
assert result.flags.writeable
print(sent, peak() - before, there)
"""


@pytest.mark.thorough
def test_a_large_array(tmp_path: Path) -> None:
    """It is copied whole nowhere: neither here nor in the job is there room for another one."""
    command = [sys.executable, "-c", LARGE]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    sent, received, there = map(int, answer.stdout.split())
    assert sent < 64
    assert received < 256 + 64
    assert there < 256 + 128


def test_an_unchanged_array_is_sent_once(local_session: Session) -> None:
    """Large arguments are known by their content, whatever job they are for."""
    array = np.arange(1 << 18)
    started = [batch(lambda x: int(x.sum())).submit(array) for _ in range(3)]
    assert len({job.result(60) for job in started}) == 1
    assert len(list(local_session.backend.store.list(keys.BLOBS))) == 1


def test_a_start_that_fails_leaves_what_others_use(local_session: Session) -> None:
    """What a job that was not started had written is removed, but not what was there before."""
    from dataclasses import replace

    from nbbatch.errors import BackendError

    store = local_session.backend.store
    array, other = np.arange(1 << 18), np.ones(1 << 18)
    assert batch(lambda x: len(x)).submit(array).result(60) == 1 << 18
    before = {key for key, _, _ in store.list("")}

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(local_session.backend.runner, name)

        def start(self, launch: Any) -> str:
            raise BackendError("not today", "no reason", "try again")

    again = Session(local_session.settings)
    again.backend = replace(again.backend, runner=Refusing())
    from nbbatch.session import present

    present._current = again
    with pytest.raises(BackendError, match="not today"):
        batch(lambda x, y: len(x)).submit(array, other)
    assert {key for key, _, _ in store.list("")} == before
    assert len(list(again.jobs())) == 1


@pytest.mark.torch
def test_torch_tensors(torch: Any) -> None:
    """Tensors share memory there as here, parameters stay parameters, gradients are kept on."""
    base = torch.arange(6.0)
    model = torch.nn.Linear(2, 1)
    tied = {"base": base, "view": base.view(2, 3), "row": base[1:3], "half": base.half()}
    leaf = torch.ones(2, requires_grad=True)

    def work(tied: Any, model: Any, leaf: Any) -> Any:
        tied["base"][1] = 50
        loss = model(torch.ones(1, 2)).sum() + (leaf * 2).sum()
        loss.backward()
        return tied, model, leaf

    tied, trained, leaf = batch(work).submit(tied, model, leaf).result(120)
    assert tied["view"][0, 1] == tied["row"][0] == 50
    tied["base"][2] = 7
    assert tied["view"][0, 2] == 7
    assert tied["half"].dtype is torch.float16
    assert isinstance(trained.weight, torch.nn.Parameter)
    assert torch.equal(trained.weight, model.weight)
    assert leaf.requires_grad
    assert leaf.is_leaf
