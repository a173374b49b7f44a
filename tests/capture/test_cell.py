"""From a cell's text to plain Python: IPython's syntax, positions, errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from nbbatch.capture.cell import Cell, parse_cell
from nbbatch.errors import CellError

Transform = Callable[[str], str]


@pytest.fixture(scope="module")
def shell() -> InteractiveShell:
    """Give a real shell; it writes no history."""
    InteractiveShell.clear_instance()
    # Its file is the user's, and another process may take it away meanwhile.
    return InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))


@pytest.fixture(params=["shell", "standard"])
def transform(request: pytest.FixtureRequest, shell: InteractiveShell) -> Transform | None:
    """Give the transformer of a shell, or none: IPython's standard one."""
    return shell.transform_cell if request.param == "shell" else None


def facts(cell: Cell) -> tuple[str, str, str]:
    """Say what a cell reads, binds and needs."""
    used = (cell.names.reads, cell.names.binds, cell.needs_ipython)
    read, bound, needed = (" ".join(sorted(part)) for part in used)
    return read, bound, needed


@pytest.mark.parametrize(
    ("body", "reads", "binds", "needs"),
    [
        ("y = x", "x", "y", ""),
        ("!ls {folder} $name", "folder name", "", "system"),
        ("folder = 1\n!ls {folder}", "", "folder", "system"),
        ("!echo {rows[1:2]} {len(x)!r} {[i for i in ys]}", "len rows x ys", "", "system"),
        ("!awk '{print $1}' {broken", "", "", "system"),
        ("!awk '{print $1}' file", "", "", "system"),
        ("files = !ls {folder}\nfiles", "folder", "files", "getoutput"),
        ("!!ls $folder", "folder", "", "getoutput"),
        ("def f():\n    x = !ls {folder}\n    return x", "folder", "f", "getoutput"),
        ("for d in ds:\n    !ls {d}", "ds", "d", "system"),
        ("%matplotlib inline\nplot()", "plot", "", "magic:matplotlib"),
        ("%cd {folder}", "folder", "", "magic:cd"),
        ("%time y = f(x)\ny", "f x", "y", "magic:time"),
        ("%timeit -n 3 -r2 f(x)", "f x", "", "magic:timeit"),
        ("%timeit y = f()\nprint(y)", "f print y", "y", "magic:timeit"),
        ("t = %timeit -o f(x)\nt", "f x", "t", "magic:timeit"),
        ("%prun -s cumulative f(x)", "f x", "", "magic:prun"),
        ("%lprun -f g f(x)", "f g x", "", "magic:lprun"),
        ("%time 1 2 3", "", "", "magic:time"),
        ("%time !ls {x}", "x", "", "magic:time system"),
        ("x?", "x", "", "pinfo"),
        ("x.y??", "x", "", "pinfo"),
        ("%%time\ny = f(x)", "f x", "y", "cell-magic:time"),
        ("\n\n%%time\ny = x", "x", "y", "cell-magic:time"),
        ("%%timeit -n 3 k = setup\ny = f(k, x)", "f setup x", "k y", "cell-magic:timeit"),
        ("%%prun\ny = f(x)", "f x", "y", "cell-magic:prun"),
        ("%%capture out\n!ls {d}\ny = 1", "d", "out y", "cell-magic:capture system"),
        ("%%capture\n%%time\ny = x", "x", "y", "cell-magic:capture cell-magic:time"),
        ("%%bash --out o --err=e $u\necho {z} $k", "u", "e o", "cell-magic:bash"),
        ("%%html\n<b>{x}</b>", "", "", "cell-magic:html"),
        ("get_ipython().user_ns", "", "", "get_ipython"),
        ("ip = get_ipython()", "", "ip", "get_ipython"),
        ("a = 1; !ls {a}; b", "b", "a", ""),
    ],
)
def test_ipython_syntax(
    body: str, reads: str, binds: str, needs: str, transform: Transform | None
) -> None:
    """Commands and magics read and bind what they look up when they run."""
    if body.startswith("a = 1; "):
        body = "a = 1; get_ipython().system('ls {a}'); b"
        needs = "system"

    assert facts(parse_cell(body, transform, "<cell>", 2)) == (reads, binds, needs)


@pytest.mark.parametrize(
    ("body", "silent"),
    [
        ("x;", True),
        ("x;  # shown", True),
        ("x;\n\n# end\n", True),
        ("if x:\n    y;\n", True),
        ("x  # ;", False),
        ("';'", False),
        ("f'{x};'", False),
        ("x; y", False),
        ("x;\ny", False),
        ("", False),
        ("%%time\nx;", True),
        ("%%html\nx;", False),
        ("!ls ;", False),
    ],
)
def test_silent(body: str, silent: bool, transform: Transform | None) -> None:
    """A semicolon silences where it is the last token, and nowhere else."""
    assert parse_cell(body, transform, "<cell>", 2).silent is silent


@pytest.mark.parametrize(
    ("body", "is_async"),
    [
        ("await f()", True),
        ("async for x in y: pass", True),
        ("async with x: pass", True),
        ("[x async for x in y]", True),
        ("async def f(): await g()", False),
        ("x = 1", False),
    ],
)
def test_async(body: str, is_async: bool) -> None:
    """An await counts at top level only."""
    assert parse_cell(body).is_async is is_async


@pytest.mark.parametrize(
    "body",
    [
        "x = 1\n\n!ls\n%cd x\ny = 2\n",
        "\n\nx = 1\ny = 2",
        "!pip install \\\n  a \\\n  b\ny = 2",
        "if x:\n    !ls \\\n      -l\n    z = 1\ny = 2",
        "  x = 1\n  y = 2",
        "'''a\n!b\n'''\nx?\ny = 2",
        "x = '\f'\n\ny = 2",
    ],
)
def test_lines_stay(body: str, transform: Transform | None) -> None:
    """A line of the body is the same line of the plain Python."""
    source = parse_cell(body, transform, "<cell>", 2).source
    number = next(i for i, line in enumerate(body.split("\n")) if line.strip() == "y = 2")

    assert source.split("\n")[number] == "y = 2"


def test_cell_keeps_its_place() -> None:
    """Filename and first line are handed on; plain Python comes out as it went in."""
    cell = parse_cell("x = 1\n", None, "In[3]", 2)

    assert (cell.source, cell.filename, cell.first_line) == ("x = 1\n", "In[3]", 2)


@pytest.mark.parametrize(
    ("body", "line", "cause"),
    [
        ("x = 1\ny = = 2", 3, ["y = = 2", "    ^"]),
        ("\n\n%%time\na = 1\nb = )", 6, ["b = )", "    ^"]),
        ("%%capture\n%%time\nb = )", 4, ["b = )", "    ^"]),
        ("  x = 1\n  y = 1 z", 3, ["  y = 1 z"]),
        ("!ls\nb = 1 +", 3, ["b = 1 +", "       ^"]),
        ("!ls \\\n  -l\nbad bad", 4, ["bad bad", "    ^^^"]),
        ("x = 1\nreturn 5", 3, ["return 5", "^^^^^^^^"]),
        ("for x in y:\n\tz = é é", 3, ["\tz = é é", "\t      ^"]),
        ("x = f(\n", 2, ["x = f("]),
    ],
)
def test_syntax_error(body: str, line: int, cause: list[str], transform: Transform | None) -> None:
    """An error names the line of the notebook's cell, shows it with a caret, and says what next."""
    with pytest.raises(CellError) as caught:
        parse_cell(body, transform, "<cell>", 2)

    error = caught.value
    shown = [part.removeprefix("    ") for part in error.cause.split("\n")[1:]]
    assert error.what == f"line {line} of the cell does not parse"
    assert shown[0] == cause[0]
    assert len(cause) == 1 or shown[1].startswith(cause[1])
    assert f"line {line}" in error.hint
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_lines_in_messages_are_those_of_the_cell() -> None:
    """Python's own text counts lines in the notebook's cell too."""
    with pytest.raises(CellError, match="on line 2"):
        parse_cell("for i in x:\nprint(1)", None, "<cell>", 2)


@pytest.mark.parametrize("body", ["x\0", "(" * 5000, "x = '\udc80'"])
def test_no_text_breaks_it(body: str) -> None:
    """What can't be a program at all is refused in the same way."""
    with pytest.raises(CellError) as caught:
        parse_cell(body, None, "<cell>", 2)

    assert caught.value.hint


def test_doubtful_escape_is_no_error() -> None:
    """A warning of the compiler is left to where the cell runs."""
    assert parse_cell(r"x = '\d'").names.binds == {"x"}
