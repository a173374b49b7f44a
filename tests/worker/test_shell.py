"""Commands, expansion and what else `get_ipython()` does in an image without IPython."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from nbbatch.worker.notebook import commands
from nbbatch.worker.notebook.expand import expand
from nbbatch.worker.notebook.layout import WIDTH
from nbbatch.worker.notebook.listing import SList
from nbbatch.worker.notebook.transform import to_python
from tests.worker import cells
from tests.worker.pythons import pythons

CELLS = [
    "x = 5; name = 'a b'; d = {'k': 'v'}; l = [1, 2, 3]\nclass O: attr = 'at'",
    "!echo {x} $x '$x' {name!r} {d['k']} {l[0:2]} $O.attr",
    "!echo {{x}} $$x",
    "!echo $NOT_A_NAME {x}; echo $HOME | wc -l",
    "!echo {undefined}",
    "!printf 'a\\nb'; exit 3",
    "_exit_code",
    "!kill -9 $$",
    "_exit_code",
    "found = !printf 'one 1\\ntwo 2\\n'; echo three 3 >&2",
    "found, type(found).__name__, found.n, found.s, found.l is found",
    "found.grep('o'), found.grep('O', prune=True), found.fields(0), found.fields(1, 0)",
    "found.fields(), found.grep(lambda line: '2' in line), found.sort(1, nums=True)",
    "!!echo two bangs",
    "def f(inner):\n    !echo {inner} {x}\n    got = !echo $inner\n    return got\nf('local')",
    "get_ipython().getoutput('echo a; echo b', split=False)",
    "get_ipython().var_expand('{x} and $name')",
    "get_ipython().ev('x + 1')",
    "get_ipython().ex('y = x * 2'); y",
    "get_ipython().push({'z': 1}); z",
    "get_ipython().user_ns is globals()",
    "get_ipython().run_cell('w = 3\\nprint(w)\\n'); w",
    "get_ipython().run_line_magic('who_ls', 'int')",
    "get_ipython().set_next_input('never')",
    "!for i in 1 2 3; do echo out $i; echo err $i >&2; done",
    "!true",
]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Run the table once in a real kernel."""
    return cells.in_notebook(*CELLS, folder=tmp_path_factory.mktemp("kernel"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Run the table once without IPython."""
    return cells.run(*CELLS, folder=tmp_path_factory.mktemp("bare"), before=cells.HIDDEN)


@pytest.mark.parametrize("number", range(len(CELLS)), ids=[c.split("\n")[0][:40] for c in CELLS])
def test_as_in_a_kernel(number, kernel, bare):
    """What a command writes, and what becomes of it, is as in a real kernel."""
    assert cells.kept(kernel[number]) == cells.as_outputs(bare[number])


SOURCES = [
    "x = 1\n",
    "!ls {x}\n",
    "!!ls\n",
    "  !ls\n",
    "if x:\n    !ls\n    y = !ls -l\n    %cd /tmp\n",
    "x = %time f(1)\n",
    "a, b = !ls\n",
    "a.b['c d'] = !ls\n",
    "s = '''\n!ls\n%time\n'''\n",
    "x = [\n  5\n  %3\n]\n",
    "y = 5 \\\n  % 3\n",
    "x?\n",
    "x.y??\n",
    "?x\n",
    "%%time\nx = 1\n!ls\n",
    "%%bash -s a\necho\n",
    "!echo a \\\n  b\n",
    "a == 1 or b != 2\n",
    "f(a=1, b='!')  # x = !no\n",
    "def f():\n    '''Doc?'''\n    %timeit -n 1 f\n    return 1\n",
    "%matplotlib inline\nimport os\n",
]


@pytest.mark.parametrize("source", SOURCES)
def test_transformed_as_by_ipython(source):
    """The text below a cell magic becomes the same calls that IPython makes of it."""
    expected = TransformerManager().transform_cell(source)

    assert compiled(expected) == compiled(to_python(source))


def compiled(source):
    import ast

    return ast.dump(ast.parse(source))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a + 1}", "3"),
        ("{a!r:>3}", "{a!r:>3}"),
        ("{b[1:2]}", "[2]"),
        ("$a$a ${a}", "22 $2"),
        ("'$a' $a", "'$a' 2"),
        ("awk '{print}'", "awk '<built-in function print>'"),
        ("{1/0} $a", "{1/0} $a"),
        ("} {", "} {"),
        ("$$a {{a}}", "$a {a}"),
        ("plain", "plain"),
    ],
)
def test_expand(text, expected):
    """Values replace what names them; what can't be evaluated leaves the text alone."""
    assert expected == expand(text, {"a": 2, "b": [1, 2]})


def test_lines_come_while_the_command_runs(tmp_path):
    """Each line is seen before the command has ended, from programs that know a terminal too."""
    flag = tmp_path / "flag"
    program = (
        "import os, time\nprint('first')\n"
        f"while not os.path.exists({str(flag)!r}): time.sleep(0.01)\nprint('second')"
    )

    class Out:
        text = ""

        def write(self, text):
            self.text += text
            if "first" in self.text:
                flag.touch()

        def flush(self):
            pass

    out = Out()
    assert 0 == commands.run([sys.executable, "-c", program], target=out)
    assert "first\nsecond\n" == out.text


def test_text_on_stdin():
    """A command reads the text that it is given, however long, and else nothing."""
    text = "line\n" * 100_000
    counted = commands.script(["sh", "-c", f"test $(wc -l) = {text.count(chr(10))}"], text, {})

    assert 0 == counted
    assert 0 == commands.run(["sh", "-c", 'test -z "$(cat)"'])


def test_a_command_in_the_background_is_not_waited_for(capfd):
    """What a command leaves running does not hold the cell."""
    commands.run(["sh", "-c", "sleep 60 & echo $!"])
    pid = int(capfd.readouterr().out)

    os.kill(pid, signal.SIGKILL)


def test_last_words_are_read(monkeypatch):
    """Also where they come, and the command ends, between two looks, and this process is slow."""
    monkeypatch.setattr(commands, "_LINGER", 0)
    reader, writer = os.pipe()
    words, out = [b"last"], io.StringIO()

    class Ending:
        """Writes, and has ended, when it is asked whether it has."""

        def poll(self):
            if words:
                os.write(writer, words.pop())
            return 0

    commands._copy(Ending(), {reader: commands._Copy(out)})
    os.close(reader)
    os.close(writer)

    assert out.getvalue() == "last"


@pytest.mark.parametrize("trapped", [False, True])
def test_an_interruption_ends_the_command_and_all_it_started(trapped, monkeypatch, tmp_path):
    """An exception in the main thread, as a signal raises it, leaves no process behind."""
    monkeypatch.setattr(commands, "GRACE", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    trap = "trap '' TERM; " if trapped else ""
    script = f"{trap}exec 9>{pipe}; (while :; do sleep 0.05; done)"
    reader = []

    def interrupt():
        # Opened once the script has opened it too.
        reader.append(os.open(pipe, os.O_RDONLY))
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        commands.run(["sh", "-c", script])
    thread.join()

    # The end of the pipe: nobody holds its other end any more.
    assert b"" == os.read(reader[0], 1)
    os.close(reader[0])


def test_a_program_that_does_not_exist():
    """It raises what subprocess raises, and leaves no descriptor open."""
    before = set(os.listdir("/dev/fd"))
    with pytest.raises(FileNotFoundError):
        commands.run(["no-such-program-anywhere"])

    # What others had open may have been closed meanwhile.
    assert set(os.listdir("/dev/fd")) <= before


def test_no_descriptor_stays_open(capfd):
    """Commands close what they open."""
    before = set(os.listdir("/dev/fd"))
    commands.run(["true"])
    commands.output(["sh", "-c", "echo a; echo b >&2"])

    # What others had open may have been closed meanwhile.
    assert set(os.listdir("/dev/fd")) <= before


def test_the_shell_is_the_users_own(monkeypatch):
    """`SHELL` is used where it is a usual shell, and one is found where it is not."""
    monkeypatch.setenv("SHELL", "/bin/sh")
    assert "/bin/sh" == commands.shell()
    monkeypatch.setenv("SHELL", "/usr/sbin/nologin")
    assert os.path.basename(commands.shell()) in ("bash", "sh")


def test_slist_edges(tmp_path):
    """Fields that a line lacks are left out; paths are those that exist."""
    assert ["b"] == SList(["a", "b c"]).grep("c").fields(0)
    assert ["a"] == SList(["a b", "c"]).fields(5, 0)[:1]
    assert [tmp_path] == SList([str(tmp_path), "/no/such"]).p


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_on_a_bare_python(python, tmp_path):
    """Without any package, on each Python there is, cells, magics and commands work."""
    said = cells.run(
        "import sys; sys.version_info[:2]",
        "{'a': [1] * 60}",
        "%time print('timed')",
        "%%capture kept\nprint('kept')\n!echo kept too",
        "kept.stdout",
        "!echo {1 + 1}",
        "%%bash\necho $((2 + 3))",
        "await __import__('asyncio').sleep(0, 'awaited')",
        "%no_such_magic",
        folder=tmp_path,
        python=[python, "-I", "-S"],
    )

    assert "1,\n" in said[1][0]["data"]["text/plain"]
    assert max(map(len, said[1][0]["data"]["text/plain"].splitlines())) <= WIDTH
    assert cells.texts(said[2]).startswith("timed\nCPU times: user")
    assert "'kept\\nkept too\\n'" == said[4][0]["data"]["text/plain"]
    assert ("2\n", "5\n") == (cells.texts(said[5]), cells.texts(said[6]))
    assert "'awaited'" == said[7][0]["data"]["text/plain"]
    assert "UsageError" == said[8][0]["ename"]
