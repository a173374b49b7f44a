"""The image's own IPython: loaded when it is needed, connected to our displays."""

from __future__ import annotations

import os

import pytest

from tests.worker import cells

LOADED = "import sys; 'IPython' in sys.modules"


def plain(frames):
    return [f["data"]["text/plain"] for f in frames if f["kind"] in ("display", "result")]


def test_not_loaded_for_what_we_can_do(tmp_path):
    """Commands, common magics and displays don't import IPython."""
    said = cells.run(
        "display(1)", "!true", "%time 1", "%%capture\nprint(1)", LOADED, folder=tmp_path
    )

    assert ["False"] == plain(said[-1])


def test_loaded_by_the_users_import(tmp_path):
    """IPython's own classes show as in a notebook, from the first import on."""
    source = (
        "from IPython.display import HTML, Markdown, SVG, display, clear_output, update_display\n"
        "display(HTML('<b>x</b>'), display_id='one')\n"
        "update_display(Markdown('*x*'), display_id='one')\n"
        "clear_output(wait=True)\n"
        "SVG('<svg/>')"
    )
    (frames,) = cells.run(source, folder=tmp_path)

    assert ["display", "display", "clear", "result"] == [frame["kind"] for frame in frames]
    assert "<b>x</b>" == frames[0]["data"]["text/html"]
    assert [("one", False), ("one", True)] == [
        (frame["display_id"], frame["update"]) for frame in frames[:2]
    ]
    assert frames[2]["wait"]
    assert "<svg/>" in frames[3]["data"]["image/svg+xml"]


def test_loaded_by_a_magic_that_we_lack(tmp_path):
    """A magic that is not in our table is IPython's; what it runs sees the namespace."""
    said = cells.run(
        "x = 20",
        "%prun -q -r x",
        "%alias_magic t time",
        "%t y = x + 1",
        "%%t\nz = y + 1\nz",
        "get_ipython().__class__.__mro__[2].__name__",
        folder=tmp_path,
    )

    assert "pstats.Stats" in plain(said[1])[0]
    assert "Wall time:" in cells.texts(said[3])
    assert ["22"] == plain(said[4])
    assert ["'InteractiveShell'"] == plain(said[5])


def test_an_unknown_magic_is_ipythons_error(tmp_path):
    """With IPython, its own error is the one that is raised."""
    (frames,) = cells.run("%no_such_magic", folder=tmp_path)

    assert "UsageError" == frames[-1]["ename"] or "not found" in cells.texts(frames, "stderr")


def test_an_extension(tmp_path):
    """`%load_ext` loads extensions, and their magics run."""
    (tmp_path / "shout.py").write_text(
        "def load_ipython_extension(ip):\n"
        "    def shout(line, cell=None):\n"
        "        print((cell or line).upper())\n"
        "    ip.register_magic_function(shout, 'line_cell', 'shout')\n"
    )
    before = f"sys.path.insert(0, {str(tmp_path)!r})"
    said = cells.run("%load_ext shout", "%%shout\nhello", folder=tmp_path, before=before)

    assert "HELLO\n\n" == cells.texts(said[1])


def test_the_namespace_stays_the_users(tmp_path):
    """Connecting adds no name that would be taken for the user's."""
    said = cells.run(
        "before = None; before = set(globals())",
        "import IPython",
        "sorted(set(globals()) - before - {'IPython'})",
        folder=tmp_path,
    )
    names = eval(plain(said[2])[0])

    assert set(names) <= {"In", "Out", "_", "__", "___", "_dh", "_ih", "_oh", "__builtin__"}


def test_nothing_is_written_into_the_home(tmp_path):
    """No profile, no history."""
    home = tmp_path / "home"
    home.mkdir()
    cells.run(
        "import IPython", "%prun -q 1", "%cd -q .", folder=tmp_path,
        environment={"HOME": str(home), "IPYTHONDIR": str(home / "ipython")},
    )  # fmt: skip

    assert [] == os.listdir(home)


def test_commands_and_capture_after_it_is_loaded(tmp_path):
    """Commands stream through us, captures take everything, errors pass."""
    said = cells.run(
        "import IPython\nx = 4",
        "!echo {x} $x; echo err >&2; exit 2",
        "_exit_code",
        "%%capture kept\n!echo inside\ndisplay(1)\n2",
        "kept.stdout, len(kept.outputs)",
        "%%capture\n1 / 0",
        "from IPython.utils.capture import capture_output\n"
        "with capture_output() as c:\n    display(3); print('x')",
        "len(c.outputs), c.stdout",
        "get_ipython().run_cell('display(5)\\n6');",
        folder=tmp_path,
    )

    assert "4 4\nerr\n" == cells.texts(said[1])
    assert ["2"] == plain(said[2])
    assert [] == said[3]
    assert ["('inside\\n', 2)"] == plain(said[4])
    assert "ZeroDivisionError" == said[5][-1]["ename"]
    assert [] == said[6]
    assert ["(1, 'x\\n')"] == plain(said[7])
    assert ["5", "6"] == plain(said[8])[:2]


def test_a_widget_shows_its_text(tmp_path):
    """A widget's model ends with the job: its text is what is left."""
    (frames,) = cells.run("import ipywidgets\nipywidgets.IntSlider(3)", folder=tmp_path)

    assert {"text/plain": "IntSlider(value=3)"} == frames[-1]["data"]


def test_no_history_and_no_thread(tmp_path):
    """No database is open and no thread was started."""
    said = cells.run(
        "import IPython, threading",
        "get_ipython().history_manager.enabled",
        "[t.name for t in threading.enumerate() if 'istory' in t.name]",
        folder=tmp_path,
    )

    assert [["False"], ["[]"]] == [plain(frames) for frames in said[1:]]


BROKEN = """
import importlib.abc
class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise RuntimeError("half installed")
sys.meta_path.insert(0, Broken())
"""


@pytest.mark.parametrize("name", ["IPython.core.displaypub", "traitlets.config.configurable"])
def test_a_broken_ipython_is_as_good_as_none(tmp_path, name):
    """What can't be imported is said once, and our own displays go on."""
    said = cells.run("%prun 1", "display(2)", folder=tmp_path, before=BROKEN.format(name=name))

    assert "the image's IPython can't be used" in said[0][0]["text"]
    assert "half installed" in said[0][0]["text"]
    assert "UsageError" == said[0][-1]["ename"]
    assert ["2"] == plain(said[1])


def test_hidden_ipython(tmp_path):
    """The tests that run without IPython do run without it."""
    (frames,) = cells.run("import IPython", folder=tmp_path, before=cells.HIDDEN)

    assert "ModuleNotFoundError" == frames[-1]["ename"]
