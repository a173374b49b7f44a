"""Matplotlib's figures: each shown once, as images, with or without IPython in the image."""

from __future__ import annotations

import base64
import os
import struct

import pytest

from nbbatch.worker.notebook.display import Display
from nbbatch.worker.notebook.figures import Figures
from tests.worker import cells

pytestmark = pytest.mark.thorough

START = "import matplotlib.pyplot as plt"
LINE = "plt.plot([1, 2, 3])"
PLOT = f"{LINE}; plt.title('t')"
CELLS = [
    START,
    PLOT + "; None",
    "x = " + LINE,
    "fig, axes = plt.subplots(1, 2, figsize=(4, 2)); None",
    "fig",
    "plt.figure(); plt.plot([1]); plt.figure(); plt.plot([2]); None",
    "plt.plot([1]); plt.show(); print('after')",
    "display(fig)",
    "import matplotlib.figure\nown = matplotlib.figure.Figure(); own.subplots().plot([1]); own",
    "plt.figure(); None",
    "plt.hist([1, 2, 2])",
]


#: Run after the table, in this order, and not in the kernel.
MORE = {
    "shown once": "plt.close('all')\nfig = plt.figure(); plt.plot([1])\nfig",
    "not again": "plt.get_fignums()",
    "not drawable": "plt.title('$\\\\frac{{$'); print('still here')",
    "retina": f"%config InlineBackend.figure_format = 'retina'\n{PLOT}; None",
    "svg": f"%config InlineBackend.figure_format = 'svg'\n{PLOT}; None",
    "both": f"%config InlineBackend.figure_formats = ['png', 'pdf']\n{PLOT}; None",
    "settings": "%config InlineBackend.rc = {'figure.figsize': (2, 1)}\n"
    "%config InlineBackend.print_figure_kwargs = {'bbox_inches': None}\n"
    f"%config InlineBackend.close_figures = False\n{PLOT}; None",
    "left open": "plt.get_fignums()",
}


@pytest.fixture(scope="module", autouse=True)
def fonts():
    """Have a list of fonts."""
    cells.list_fonts()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Run the table once in a real kernel, with its inline backend."""
    return cells.in_notebook(*CELLS, folder=tmp_path_factory.mktemp("kernel"))


@pytest.fixture(scope="module", params=["bare", "connected"])
def ours(tmp_path_factory, request):
    """Run everything once without IPython, and once with it."""
    before = cells.HIDDEN if request.param == "bare" else ""
    start = "" if before else "import IPython"
    every = [start, *CELLS, *MORE.values()]
    return cells.run(*every, folder=tmp_path_factory.mktemp(request.param), before=before)[1:]


@pytest.fixture
def more(ours):
    """Return what the further cells showed, by their names."""
    return dict(zip(MORE, ours[len(CELLS) :], strict=True))


def seen(outputs):
    """Reduce outputs to their kind, their types and the size of their image."""
    result = []
    for kind, *rest in outputs:
        if kind == "stream":
            result.append((kind, *rest))
            continue
        data = rest[0]
        image = base64.b64decode(data.get("image/png", ""))
        size = struct.unpack(">II", image[16:24]) if image else None
        result.append((kind, sorted(data), data["text/plain"], size))
    return result


@pytest.mark.parametrize("number", range(len(CELLS)), ids=[c[:40] for c in CELLS])
def test_as_in_a_kernel(number, kernel, ours):
    """The figures are those of a kernel's inline backend, of the same size."""
    expected = seen(cells.kept(kernel[number]))
    if CELLS[number] == "fig":
        # A kernel shows a figure that is the last expression a second time.
        expected = [output for output in expected if output[0] == "execute_result"]

    assert expected == seen(cells.as_outputs(ours[number]))


def size(frame):
    """Return a PNG's size in pixels."""
    return struct.unpack(">II", base64.b64decode(frame["data"]["image/png"])[16:24])


def test_a_figure_shown_as_result_is_not_shown_again(more):
    """A pyplot figure that is the last expression is one output, and closed."""
    assert ["result"] == [frame["kind"] for frame in more["shown once"]]
    assert "image/png" in more["shown once"][0]["data"]
    assert "[]" == more["not again"][0]["data"]["text/plain"]


def test_retina(more, ours):
    """A retina figure has twice the pixels and says at which size it is shown."""
    small, large = size(ours[1][-1]), size(more["retina"][-1])

    assert pytest.approx(2 * small[0], abs=4) == large[0]
    assert {"width": large[0] // 2, "height": large[1] // 2} == (
        more["retina"][-1]["metadata"]["image/png"]
    )


def test_formats(more):
    """`%config` chooses the formats, one or several."""
    assert more["svg"][-1]["data"]["image/svg+xml"].startswith("<?xml")
    assert "image/png" not in more["svg"][-1]["data"]
    assert ["application/pdf", "image/png", "text/plain"] == sorted(more["both"][-1]["data"])


def test_settings_of_the_inline_backend(more):
    """The other settings that matter: rcParams, savefig's options, and figures left open."""
    assert "<Figure size 200x100 with 1 Axes>" == more["settings"][-1]["data"]["text/plain"]
    assert (200, 100) == size(more["settings"][-1])
    assert "[1]" == more["left open"][0]["data"]["text/plain"]


def test_a_figure_that_cannot_be_drawn(more):
    """The error is told, and the cell goes on."""
    frames = more["not drawable"]

    assert "still here\n" == cells.texts(frames)
    assert "ValueError" in cells.texts(frames, "stderr")
    assert ["text/plain"] == list(frames[-1]["data"])


@pytest.mark.parametrize(
    ("inherited", "used"),
    [
        (None, "agg"),
        ("module://matplotlib_inline.backend_inline", "agg"),
        ("svg", "svg"),
    ],
)
def test_the_backend(monkeypatch, inherited, used):
    """A notebook's own backend is replaced, a user's choice stays."""
    # First of all, so that it is as before afterwards.
    monkeypatch.setenv("MPLBACKEND", inherited or "")
    if inherited is None:
        monkeypatch.delenv("MPLBACKEND")
    Figures(Display(lambda frame: None)).install()

    assert used == os.environ["MPLBACKEND"]


def test_matplotlib_is_not_imported_for_nothing(tmp_path):
    """A cell that draws nothing loads nothing."""
    (frames,) = cells.run(
        "import sys; [m for m in sys.modules if m.startswith(('matplotlib', 'IPython', 'numpy'))]",
        folder=tmp_path,
    )

    assert "[]" == frames[0]["data"]["text/plain"]
