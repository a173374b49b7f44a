"""Libraries that are unpacked beside the code: who wants one waits, and nobody is fooled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nbbatch.wire.keys import ENV_STORE

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
    return Layer(name, "1.0", (piece,), (name,), requires)

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
    "import of what requires it": "import third\nassert third.value == 3",
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
        timeout=60,
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
