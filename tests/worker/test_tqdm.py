"""tqdm's bars in a job: as text as ever, and on the card, with or without widgets in the image."""

from __future__ import annotations

import re

import pytest

from nbbatch.facts import JobFacts
from nbbatch.futures.watching.changes import changed
from tests.worker import cells

pytestmark = pytest.mark.thorough

CELLS = {
    "plain": "from tqdm import tqdm, trange\nfor x in tqdm([1, 2, 3], desc='plain'): pass",
    "auto": "from tqdm.auto import tqdm as auto\nfor x in auto(iter('abcd'), desc='auto'): pass",
    "notebook": "from tqdm.notebook import tqdm as nb, trange as nbrange\n"
    "for x in nbrange(4, desc='notebook', display=False): pass\n"
    "nb(total=2, colour='green', desc='half').update()",
    "deprecated": "import tqdm as t\nfor x in t.tqdm_notebook(range(5), desc='old'): pass",
    "asyncio": "from tqdm.asyncio import tqdm as at\nimport asyncio\n"
    "async def main():\n"
    "    async def one(n): return n\n"
    "    async for x in at(agen(), total=3, desc='async'): pass\n"
    "    return await at.gather(*map(one, range(6)), desc='gather')\n"
    "async def agen():\n"
    "    for n in range(3): yield n\n"
    "asyncio.run(main())",
    "contrib": "from tqdm.contrib import tenumerate, tmap\n"
    "from tqdm.contrib.concurrent import thread_map\n"
    "list(tmap(str, [1, 2], desc='map')), thread_map(str, [1, 2, 3], desc='threads')",
    "nested": "for i in trange(2, desc='outer'):\n"
    "    for j in trange(3, desc='kept'): pass\n"
    "    for j in trange(3, desc='left', leave=False): pass\n"
    "    for j in tqdm(range(3), desc='by place', leave=None): pass\n"
    "for j in tqdm(range(3), desc='first place', leave=None): pass",
    "bytes": "bar = tqdm(total=12 << 20, unit='B', unit_scale=True, desc='get')\n"
    "bar.update(3 << 20); bar.close()\n"
    "bar = tqdm(total=4, unit='B', unit_scale=512, desc='blocks'); bar.update(2); bar.close()",
    "changing": "bar = tqdm(desc='grows'); bar.update(5); bar.total = 10; bar.refresh()\n"
    "bar.reset(total=8); bar.update(2); bar.set_description('grown'); bar.set_postfix(loss=0.5)\n"
    "bar.close()",
    "disabled": "for x in tqdm([1], disable=True): pass\nfor x in tqdm([1], disable=None): pass\n"
    "tqdm([1], delay=60).close()",
    "resumed": "bar = tqdm(total=10, initial=7, desc='resumed'); bar.update(); bar.close()",
    "fails": "for x in tqdm([1, 2, 3], desc='fails'):\n    if x == 2: raise KeyError(x)",
    "pandas": "import pandas as pd\ntqdm.pandas(desc='pandas')\n"
    "int(pd.Series([1, 2]).progress_apply(lambda x: x).sum())",
    "subclass": "class Own(tqdm):\n    @property\n    def n(self): raise RuntimeError\n"
    "    @n.setter\n    def n(self, value): pass\n"
    "    def refresh(self, *a, **k): return super().refresh(*a, **k) and 'fine'\n"
    "    def display(self, *a, **k): return True\n"
    "own = Own(total=3); own.refresh()",
}


@pytest.fixture(scope="module", params=["as installed", "no widgets"])
def frames(request, tmp_path_factory):
    """Run all cells once as this environment is, and once with neither IPython nor widgets."""
    without = "sys.modules['IPython'] = sys.modules['ipywidgets'] = None"
    before = "" if request.param == "as installed" else without
    folder = tmp_path_factory.mktemp("tqdm")
    return dict(zip(CELLS, cells.run(*CELLS.values(), folder=folder, before=before)))


def progress(frames):
    """Return what a job's facts say after these frames."""
    facts = changed(JobFacts("id", "name", "local"), frames)
    return [(p.label, p.done, p.total, p.closed) for p in facts.progress]


@pytest.mark.parametrize(
    ("name", "bars"),
    [
        ("plain", [("plain", 3, 3, True)]),
        ("auto", [("auto", 4, None, True)]),
        ("notebook", [("notebook", 4, 4, True), ("half", 1, 2, True)]),
        ("deprecated", [("old", 5, 5, True)]),
        ("asyncio", [("async", 3, 3, True), ("gather", 6, 6, True)]),
        ("contrib", [("map", 2, 2, True), ("threads", 3, 3, True)]),
        ("nested", [("outer", 2, 2, True), ("kept", 3, 3, True), ("first place", 3, 3, True)]),
        ("bytes", [("get", 3 << 20, 12 << 20, True), ("blocks", 1024, 2048, True)]),
        ("changing", [("grown, loss=0.5", 2, 8, True)]),
        ("disabled", []),
        ("resumed", [("resumed", 8, 10, True)]),
        ("fails", [("fails", 1, 3, True)]),
        ("pandas", [("pandas", 2, 2, True)]),
        ("subclass", []),
    ],
)
def test_bars_of_all_kinds(frames, name, bars):
    """What tqdm shows as text stands in the facts, too, with figures and not as a text."""
    assert progress(frames[name]) == bars


def test_the_text_is_as_ever(frames):
    """tqdm writes where and what it writes without us; its notebook bars are texts."""
    for name in ("plain", "auto", "notebook", "nested", "pandas"):
        text = cells.texts(frames[name], "stderr")
        assert re.search(r"(it/s|s/it)\]", text), name
        assert "Warning" not in text.replace("DeprecationWarning", ""), name
    assert cells.texts(frames["disabled"], "stderr") == ""
    assert [f["kind"] for f in frames["notebook"] if f["kind"] in ("display", "error")] == []


def test_whatever_goes_wrong_with_us_tqdm_goes_on(frames):
    """A bar that we can't read is used as before."""
    (result,) = [f for f in frames["subclass"] if f["kind"] in ("result", "error")]

    assert result["data"] == {"text/plain": "'fine'"}
    assert [f["ename"] for f in frames["fails"] if f["kind"] == "error"] == ["KeyError"]


def test_nothing_is_loaded_without_need(tmp_path):
    """A job without a bar loads neither tqdm nor what would tell of it."""
    source = "import sys\nsorted(n for n in sys.modules if 'tqdm' in n or n.endswith('.bars'))"
    (frames,) = cells.run(source, folder=tmp_path)

    assert [f["data"]["text/plain"] for f in frames] == ["[]"]


def test_a_tqdm_like_no_other(tmp_path):
    """A module of that name without what we know of it is imported as it is."""
    package = tmp_path / "tqdm"
    package.mkdir()
    (package / "__init__.py").write_text("from tqdm.std import tqdm")
    (package / "std.py").write_text("def tqdm(xs): return xs")
    (frames,) = cells.run("from tqdm import tqdm\nlist(tqdm('ab'))", folder=tmp_path)

    assert [f["data"]["text/plain"] for f in frames] == ["['a', 'b']"]


def test_what_is_counted_and_not_drawn_is_told(tmp_path):
    """A bar that is moved by hand and gets stuck says all of it, though its text does not yet."""
    bar = "bar = tqdm(total=5, mininterval=3600, maxinterval=3600)"
    source = f"from tqdm import tqdm\n{bar}\nbar.update()\nbar.update()"
    stuck, after = cells.run(source, "del bar", folder=tmp_path)

    assert progress(stuck) == [("", 2, 5, False)]
    assert "2/5" not in cells.texts(stuck, "stderr")
    assert progress(after) == [("", 2, 5, True)]
