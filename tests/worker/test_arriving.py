"""Libraries that are unpacked beside the code: who wants one waits, and nobody is fooled."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from nbbatch.errors import ImageError
from nbbatch.wire import layers
from nbbatch.wire.keys import ENV_STORE
from nbbatch.wire.layers import Layer, Piece
from nbbatch.worker.run import fetching, values
from nbbatch.worker.run.bringing import Marks
from nbbatch.worker.stores import open_store
from tests.disks import fill, small_disk

#: Each in a process of its own, as a hook that hears of everything stays for good. Pieces of
#: `second` come only when there is a file called `go`.
HEAD = """
import os, sys, threading, time
from nbbatch.wire import layers
from nbbatch.wire.layers import Chunk, Layer
from nbbatch.worker.run import arriving, fetching
from nbbatch.worker.stores import open_store

folder, go = os.path.join(os.getcwd(), "site"), os.path.join(os.getcwd(), "go")
os.mkdir(folder)
store = open_store(os.environ)

def layer(name, text, requires=()):
    said = f"Name: {name}\\nVersion: 1.0\\n"
    files = {f"{name}/__init__.py": text, f"{name}-1.0.dist-info/METADATA": said}
    chunks = [Chunk(n, 0o644, 0, memoryview(t.encode())) for n, t in files.items()]
    piece, data = layers.pack(chunks)
    store.put(layers.key(piece.digest), [data])
    return Layer(name, "1.0", (piece,), (name,), requires, linked=name == "second")

first = layer("first", "value = 1")
second = layer("second", "value = 2")
third = layer("third", "value = 3", ("second",))
(held,) = second.pieces
plain = fetching.load

def load(store, piece):
    while piece == held and not os.path.exists(go):
        time.sleep(0.01)
    return plain(store, piece)

fetching.load = load
sys.path.insert(0, folder)

def begin():
    found = arriving.Arrivals([first, second, third], folder, lambda: None)
    found.start()
    found.there()
    return found

def let_go():
    open(go, "w").close()

def later():
    threading.Timer(0.3, let_go).start()

def is_there():
    return os.path.exists(os.path.join(folder, "second", "__init__.py"))
"""
WAITS = {
    "import": "import second",
    "import of what may link to it": "import third\nassert third.value == 3",
    "version": "from importlib.metadata import version\nassert version('second') == '1.0'",
    "all versions": "from importlib.metadata import distributions\n"
    "assert 'second' in {each.metadata['Name'] for each in distributions()}",
    "listing": "assert 'second' in os.listdir(folder)",
    "scan of the path": "import pkgutil\n"
    "assert 'second' in {each.name for each in pkgutil.iter_modules([folder])}",
    "process": "import subprocess\nsubprocess.run(['true'], check=True)",
    "shell": "os.system('true')",
    "spawned process": "import multiprocessing\n"
    "process = multiprocessing.get_context('spawn').Process(target=print)\nprocess.start()\n"
    "process.join()",
}


def run(folder: Path, body: str) -> str:
    """Run a body in a process and return what it prints."""
    environ = {ENV_STORE: f"file://{folder}/store", "PATH": "/usr/bin:/bin"}
    root = str(Path(__file__).parents[2])
    guarded = "\n".join(f"    {line}" for line in body.splitlines())
    script = folder / "script.py"
    script.write_text(
        f"if __name__ == '__main__':\n    import sys\n    sys.path.insert(1, {root!r})\n"
        + "\n".join(f"    {line}" for line in HEAD.splitlines())
        + f"\n{guarded}\n"
    )
    (folder / "store").mkdir()
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", WAITS)
def test_who_wants_it_waits(tmp_path: Path, what: str) -> None:
    """Until it is whole; what needs it not goes on."""
    said = run(
        tmp_path,
        "begin()\nimport first\nassert not is_there()\nlater()\n"
        f"{WAITS[what]}\nassert is_there()\nprint('done')",
    )

    assert said.splitlines()[-1] == "done"


#: A library of which a part comes late, and who looks into that part.
LATE = """
def put(name, text):
    piece, data = layers.pack([Chunk(name, 0o644, 0, memoryview(text))])
    store.put(layers.key(piece.digest), [data])
    return piece

held = put("fourth/tests/__init__.py", b"value = 7")
fourth = Layer("fourth", "1.0", (put("fourth/__init__.py", b"value = 5"), held), ("fourth",))
arriving.Arrivals([fourth], folder, lambda: None).start()
import fourth as it
assert it.value == 5
assert not os.path.exists(os.path.join(folder, "fourth", "tests"))
"""
LOOKS = {
    "import": "import fourth.tests\nassert fourth.tests.value == 7",
    "file": "assert open(os.path.join(folder, 'fourth', 'tests', '__init__.py')).read()",
    "process": "import subprocess\nsubprocess.run(['true'], check=True)",
    "spawned process": WAITS["spawned process"],
}


@pytest.mark.parametrize("what", LOOKS)
def test_who_wants_what_is_late_waits(tmp_path: Path, what: str) -> None:
    """Tests, and what compilers read; the library itself runs without."""
    said = run(
        tmp_path,
        f"{LATE}\nlater()\n{LOOKS[what]}\n"
        "assert os.path.exists(os.path.join(folder, 'fourth', 'tests'))\nprint('done')",
    )

    assert said.splitlines()[-1] == "done"


def test_what_looks_at_no_library_is_started_at_once(tmp_path: Path) -> None:
    """As libraries do when they are imported."""
    said = run(
        tmp_path,
        "import subprocess\nbegin()\nprint(subprocess.check_output(['uname']) != b'')\n"
        "print(is_there())",
    )

    assert said == "True\nFalse\n"


def test_what_came_in_the_same_tick_is_found(tmp_path: Path) -> None:
    """A folder's time of change tells nothing then; all the other folders are not read again."""
    run(
        tmp_path,
        """
def unpack(data, place):
    plain_unpack(data, place)
    os.utime(place, (1, 1))

class Elsewhere:
    asked = 0
    def invalidate_caches(self):
        Elsewhere.asked += 1

plain_unpack, fetching.unpack = fetching.unpack, unpack
os.utime(folder, (1, 1))
sys.path_importer_cache["/elsewhere"] = Elsewhere()
begin()
from importlib.metadata import version
import first
assert version("first") == "1.0"
later()
import second
assert version("second") == "1.0"
assert Elsewhere.asked == 0
""",
    )


def test_what_is_waited_for_comes_first() -> None:
    """Before what was to come earlier; the last wish counts most."""
    waiting = [
        fetching._Load(Layer(name, "1", ()), Piece(name, 1), "") for name in ("a", "b", "c", "b")
    ]
    order = fetching.Order()
    order.prefer(["c"])
    order.prefer(["b"])
    assert [order.wanted(name).is_set() for name in "abc"] == [False, True, True]

    assert [order.take(waiting).layer.name for _ in range(4)] == ["b", "b", "c", "a"]


def test_the_unpacking_ends_with_the_job(tmp_path: Path) -> None:
    """It does not go on for nobody."""
    said = run(
        tmp_path,
        "held_by = os.path.join(folder, '.arriving', 'second')\nbegin()\nprint(held_by)",
    )

    with Path(said.strip()).open("rb") as mark:
        fcntl.flock(mark, fcntl.LOCK_SH)
        assert mark.read() == b""


def test_all_of_it_comes(tmp_path: Path) -> None:
    """Nobody waits any more then."""
    said = run(
        tmp_path,
        "let_go()\nfound = begin()\nfound.all()\nimport third, second\nprint(second.value)",
    )

    assert said == "2\n"


def test_what_is_gone_is_known_before_the_code(tmp_path: Path) -> None:
    """So that the job can start again."""
    said = run(
        tmp_path,
        "fetching.load = plain\nstore.delete([layers.key(held.digest)])\n"
        "try:\n    begin()\nexcept Exception as error:\n    print(type(error).__name__, error)",
    )

    assert said.startswith("NotFoundError layers/")
    assert "sent anew" in said


def test_what_was_altered_is_not_unpacked(tmp_path: Path) -> None:
    """Its import is refused, and no code of it was run."""
    said = run(
        tmp_path,
        "store.put(layers.key(held.digest), [b'print(1)'])\nbegin()\nlet_go()\n"
        "try:\n    import second\nexcept Exception as error:\n    print(type(error).__name__)\n"
        "print(is_there())",
    )

    assert said == "SealError\nFalse\n"


def test_a_killed_process_is_noticed(tmp_path: Path) -> None:
    """Whoever waits is told, instead of waiting for ever."""
    said = run(
        tmp_path,
        "import signal\n"
        "begin()\nimport first\n"
        "me = os.getpgid(0)\n"
        "others = [int(n) for n in os.listdir('/proc') if n.isdigit() and int(n) != os.getpid()]\n"
        "for n in others:\n"
        "    try:\n"
        "        if b'script.py' in open(f'/proc/{n}/cmdline', 'rb').read()"
        " and os.getcwd() == os.readlink(f'/proc/{n}/cwd'):\n"
        "            os.kill(n, signal.SIGKILL)\n"
        "    except OSError:\n        pass\n"
        "try:\n    import second\nexcept Exception as error:\n    print(type(error).__name__)\n",
    )

    assert said == "ProcessDiedError\n"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Though there is no room to write it down."""
    with small_disk(tmp_path / "disk", 1) as disk:
        marks = Marks(str(disk))
        marks.hold(["second"])
        fill(disk)
        marks.tell(ImageError("the libraries can't be had", "the disk is full", "more disk"))
        marks.leave()
        with pytest.raises(ImageError, match="can't be had") as caught:
            marks.wait("second")

    assert (caught.value.cause, caught.value.hint) == ("the disk is full", "more disk")


def test_where_nothing_may_be_run_nothing_is_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled code can't be loaded from there."""
    monkeypatch.chdir(tmp_path)
    with small_disk(tmp_path / "disk", 1, run=False) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        assert values._runs() in ("/var/tmp", str(tmp_path))


class Told(fetching.Heed):
    """Lets pieces come once nothing is known to be missing."""

    def __init__(self) -> None:
        self.known = threading.Event()

    def there(self) -> None:
        """Let them come."""
        self.known.set()


@pytest.mark.parametrize(("allowed", "asked"), [(True, 0), (False, 2)])
def test_that_nothing_is_missing_is_one_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool, asked: int
) -> None:
    """And one for each piece where the names may not be listed."""
    store = open_store({ENV_STORE: f"file://{tmp_path}/store"})
    pieces = []
    for name in ("a", "b"):
        piece, data = layers.pack([layers.Chunk(name, 0o644, 0, memoryview(b"x"))])
        store.put(layers.key(piece.digest), [data])
        pieces.append(piece)
    heed, sizes = Told(), []
    get, size, listing = store.get, store.size, store.list

    def listed(prefix: str) -> Any:
        if not allowed:
            raise PermissionError(prefix)
        return listing(prefix)

    monkeypatch.setattr(store, "get", lambda key: heed.known.wait(120) and get(key))
    monkeypatch.setattr(store, "size", lambda key: sizes.append(key) or size(key))
    monkeypatch.setattr(store, "list", listed)
    fetching.fetch(store, [(Layer("it", "1", tuple(pieces)), str(tmp_path / "site"))], heed)

    assert len(sizes) == asked
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["a", "b"]
