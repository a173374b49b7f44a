"""The magics: those that every image has, and the one error for all others."""

from __future__ import annotations

import io
import pickle
import sys

import pytest

from nbbatch.worker.notebook import arguments, magics, scripts, timing
from tests.worker import cells

CELLS = [
    "x, text, nested = 3, 'abc', {'a': [1]}",
    "%time x + 1",
    "%time y = x",
    "r = %time 'value'\nr",
    "%%time\nz = x\nz + 1",
    "%%time\n1 / 0",
    "%timeit -n 2 -r 3 x",
    "%timeit -n1 -r1 -q x",
    "o = %timeit -n 1 -r 2 -o -q x\no.loops, o.repeat, len(o.all_runs), o.best <= o.worst",
    "o",
    "%%timeit -n 1 -r 1 q = 5\nassert q == 5",
    "%who_ls",
    "%who",
    "%who str int",
    "%who bytes",
    "%whos",
    "big = 'long ' * 50\n%whos str",
    "%env NBBATCH_A=1",
    "%env NBBATCH_A",
    "%env NBBATCH_A two words",
    "%set_env NBBATCH_A={x}",
    "import os; os.environ['NBBATCH_A']",
    "env = %env\nenv['NBBATCH_A']",
    "here = %pwd\nhere == os.getcwd()",
    "%mkdir -p sub\n%cd -q sub\nos.path.basename(os.getcwd())",
    "%cd -q ..\nos.path.exists('sub')",
    "%cd -q -\n%cd -q ..\nos.path.exists('sub')",
    "%%writefile made.py\nprint('made', __name__)\nfrom_file = [1]\n",
    "%%writefile made.py\nprint('made', __name__)\nfrom_file = [1]\n",
    "%%writefile -a made.py\nprint('more')\n",
    "%run made.py\nfrom_file",
    "%run -n made\nfrom_file",
    "%cat made.py",
    "%%bash\necho out\necho err >&2",
    "%%bash\nexit 3",
    "%%bash --no-raise-error\nexit 3",
    "%%bash --out got --err lost\necho out; echo err >&2",
    "got, lost",
    "%%bash -s one {x}\necho $1 $2",
    "%%sh\necho sh",
    "%%script cat\n{x} as it is",
    "%%python3\nprint(6 * 7)",
    "%%html\n<b>x</b>",
    "%%html --isolated\n<b>x</b>",
    "%%markdown\n*x*",
    "%%latex\n$x$",
    "%%javascript\nalert(1)",
    "%%svg\n<svg/>",
    "%%capture kept\nimport sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay(1)\n2",
    "kept.stdout, kept.stderr, len(kept.outputs)",
    "kept.show()",
    "kept.outputs[0]",
    "str(kept)",
    "%%capture --no-stderr only\nprint('a'); print('b', file=sys.stderr)",
    "only.stdout, only.stderr",
    "%%capture\nprint('nothing')",
    "%precision 3\n3.14159, [2.5]",
    "3.14159",
    "%precision %e\n1234.5",
    "%precision\n3.14159",
    "%sx echo from sx",
    "%load_ext autoreload\n%autoreload 2",
    "def f(a, b=1):\n    'Says.'\n    %time a\n    return a\nf(7)",
    "def g(inner): \n    %timeit -n 1 -r 1 inner\ng(1)",
    "%reset -f\n'x' in globals()",
]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Run the table once in a real kernel."""
    return cells.in_notebook(*CELLS, folder=tmp_path_factory.mktemp("kernel"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Run the table once without IPython."""
    return cells.run(*CELLS, folder=tmp_path_factory.mktemp("bare"), before=cells.HIDDEN)


@pytest.mark.parametrize("number", range(len(CELLS)), ids=[c.replace("\n", "|") for c in CELLS])
def test_as_in_a_kernel(number, kernel, bare):
    """What a magic writes, shows, returns and raises is as in a real kernel."""
    assert cells.kept(kernel[number]) == cells.as_outputs(bare[number])


def alone(*sources, folder, **options):
    return cells.run(*sources, folder=folder, before=cells.HIDDEN, **options)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%prun x", "%prun can't be run in this job"),
        ("%%cython\nx", "%%cython can't be run in this job"),
        ("%load_ext line_profiler", "%load_ext line_profiler can't be run in this job"),
        ("%timeitt x", "did you mean %timeit?"),
        ("%%captura x\nx", "did you mean %%capture?"),
    ],
)
def test_a_magic_that_needs_ipython(tmp_path, cell, said):
    """The error names the magic, says what is missing, and what to do."""
    (frames,) = alone(cell, folder=tmp_path)
    error = frames[-1]

    assert "UsageError" == error["ename"]
    assert said in error["evalue"]
    assert "cause: it needs IPython, which the image does not have" in error["evalue"]
    assert "choose an image with IPython (--image)" in error["evalue"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%env NBBATCH_NOT_SET", "has no such variable"),
        ("%set_env A", "it has no value"),
        ("%reset", "%reset -f"),
        ("%matplotlib nonsense", "no such backend"),
        ("%precision abc", "a number or a format"),
        ("%run", "the line names no file"),
        ("%run book.ipynb", "it is a notebook"),
        ("%%time x\ny", "takes no statement"),
        ("%%capture a b\nx", "one variable only"),
        ("%%capture --no-such a\nx", "--no-stdout, --no-stderr, --no-display"),
        ("%%script\nx", "names no program"),
        ("%%bash --out\nx", "names no program|has no value"),
        ("%%writefile\nx", "the line names 0"),
        ("%config InlineBackend.figure_format = 'gif'", "figure formats are png"),
    ],
)
def test_a_magic_used_wrongly(tmp_path, cell, said):
    """The error says what the magic takes."""
    (frames,) = alone(cell, folder=tmp_path)

    assert "UsageError" == frames[-1]["ename"]
    assert any(part in frames[-1]["evalue"] for part in said.split("|"))


@pytest.mark.parametrize(
    "line", ["%xmode Plain", "%pdb on", "%config Application.log_level = 1", "%matplotlib widget"]
)
def test_what_has_no_effect_is_said(tmp_path, line):
    """A magic that can't change anything in a job is passed over with a notice."""
    (frames,) = alone(line, folder=tmp_path)

    assert ["notice"] == [frame["kind"] for frame in frames]
    assert line in frames[0]["text"]


@pytest.mark.parametrize("line", ["%matplotlib", "%matplotlib inline", "%load_ext nbbatch"])
def test_what_is_so_already_is_silent(tmp_path, line):
    """A magic that asks for what every job does is accepted without a word."""
    assert [[]] == alone(line, folder=tmp_path)


def test_help(tmp_path):
    """`x?` prints the signature and the documentation, `x??` the source."""
    define = "def f(a, *, b=2):\n    '''Does f.'''\n    return a"
    asked = ["f?", "f??", "nothing_there?", "%time?", "import json\njson.dumps?", "f(1)?"]
    said = alone(define, *asked, folder=tmp_path)

    texts = [cells.texts(frames) for frames in said[1:]]
    assert "Signature:  f(a, *, b=2)\n" in texts[0]
    assert "Docstring:  Does f.\n" in texts[0]
    assert define in texts[1]
    assert "Object `nothing_there` not found.\n" == texts[2]
    assert "Run a statement once" in texts[3]
    assert "json/__init__.py" in texts[4]


def test_lsmagic_names_what_there_is(tmp_path):
    """The list is the table."""
    (frames,) = alone("%lsmagic", folder=tmp_path)

    for name in magics.LINE:
        assert f"%{name}" in cells.texts(frames)
    for name in magics.CELL:
        assert f"%%{name}" in cells.texts(frames)


def test_pip_of_this_python(tmp_path):
    """`%pip` runs the pip of the Python that runs the cell."""
    said = alone("%pip --version", "_exit_code", folder=tmp_path)

    assert f"python {sys.version_info[0]}.{sys.version_info[1]}" in cells.texts(said[0])
    assert "0" == said[1][0]["data"]["text/plain"]


def test_no_pip(tmp_path):
    """Without pip the error says so."""
    said = cells.run("%pip install x", folder=tmp_path, python=[sys.executable, "-I", "-S"])

    assert "has no pip in this image" in said[0][-1]["evalue"]


def test_capture_lets_errors_pass(tmp_path):
    """A cell that fails under %%capture fails; output is not captured any more."""
    failed, after = alone("%%capture kept\nprint('a')\n1 / 0", "print('seen')", folder=tmp_path)

    assert ["ZeroDivisionError"] == [frame.get("ename") for frame in failed]
    assert "seen\n" == cells.texts(after)


def test_captured_output_travels(tmp_path):
    """What was captured becomes IPython's own class where there is IPython."""
    kept = scripts.CapturedIO(None)
    kept._texts["stdout"] = io.StringIO("out")
    kept._frames.append({"data": {"text/plain": "1"}, "metadata": {}, "display_id": "x"})
    there = pickle.loads(pickle.dumps(kept))
    one = pickle.loads(pickle.dumps(kept.outputs[0]))

    assert ("out", "") == (there.stdout, there.stderr)
    assert [{"text/plain": "1"}] * 2 == [there.outputs[0].data, one.data]
    assert {"IPython.utils.capture"} == {type(there).__module__, type(one).__module__}
    assert {"display_id": "x"} == one.transient


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ns"),
        (1.234e-9, "1.23 ns"),
        (9.9999e-7, "1e+03 ns"),
        (0.0625, "62.5 ms"),
        (59.9, "59.9 s"),
        (61, "1min 1s"),
        (3600 * 25 + 1, "1d 1h 1s"),
    ],
)
def test_durations(seconds, words):
    """Durations are written as IPython writes them."""
    from IPython.core.magics.execution import _format_time

    assert words == timing.in_words(seconds) == _format_time(seconds)


@pytest.mark.parametrize(
    ("line", "options", "rest"),
    [
        ("-n 10 -r3 x - 1", {"n": "10", "r": "3"}, "x - 1"),
        ("-qo x", {"q": "", "o": ""}, "x"),
        ("-x + 1", {}, "-x + 1"),
        ("-1", {}, "-1"),
        ("-n", {"n": ""}, ""),
        ("", {}, ""),
    ],
)
def test_short_options(line, options, rest):
    """Options are taken from the front; an expression that begins with a minus is none."""
    assert (options, rest) == arguments.short(line, "n:r:qo")
