"""Magics that run something else: other interpreters, files, pip; and ``%%capture``."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, Callable

from nbbatch.errors import UsageError
from nbbatch.worker.notebook import arguments, commands

if TYPE_CHECKING:
    from nbbatch.wire.frames import Frame
    from nbbatch.worker.notebook.display import Display
    from nbbatch.worker.notebook.shell import Shell

_SCRIPT = {"--no-raise-error": False, "--out": True, "--err": True}
_CAPTURE = {"--no-stdout": False, "--no-stderr": False, "--no-display": False}


def script(shell: Shell, line: str, cell: str) -> None:
    """Run the cell as the input of the program on the line.

    Raises
    ------
    CalledProcessError
        It ended with another exit code than 0, and there is no ``--no-raise-error``.
    """
    options, command = arguments.long(shlex.split(line), _SCRIPT)
    if not command:
        raise UsageError(
            "%%script has nothing to run", "the line names no program", "for example %%script bash"
        )
    outputs = {n: io.StringIO() for n in ("stdout", "stderr") if f"--{n[3:]}" in options}
    code = commands.script(command, cell, outputs)
    for name, sink in outputs.items():
        shell.user_ns[options[f"--{name[3:]}"]] = sink.getvalue()
    if code and "--no-raise-error" not in options:
        import subprocess

        raise subprocess.CalledProcessError(code, cell)


def interpreter(program: str) -> Callable[[Shell, str, str], None]:
    """Make the magic that runs a cell with one program."""

    def run(shell: Shell, line: str, cell: str) -> None:
        words = shlex.split(line)
        count = 0
        while count < len(words) and words[count].partition("=")[0] in _SCRIPT:
            count += 2 if _SCRIPT[words[count].partition("=")[0]] and "=" not in words[count] else 1
        ordered = [*words[:count], program, *words[count:]]
        script(shell, " ".join(map(shlex.quote, ordered)), cell)

    run.__doc__ = f"Run the cell with {program}."
    return run


def python(shell: Shell, line: str, cell: str) -> None:
    """Run the cell in another process of this Python."""
    interpreter(sys.executable)(shell, line, cell)


def pip(shell: Shell, line: str) -> None:
    """Run pip for this Python.

    Raises
    ------
    UsageError
        The image has no pip, or pip failed.
    """
    import importlib.util

    if importlib.util.find_spec("pip") is None:
        raise UsageError(
            f"%pip {line.strip()} can't be run",
            f"{sys.executable} has no pip in this image",
            "choose an image with pip, or with the package itself (--image)",
        )
    code = commands.run([sys.executable, "-m", "pip", *shlex.split(line)])
    shell.user_ns["_exit_code"] = code
    importlib.invalidate_caches()
    _see_user_site()


def _see_user_site() -> None:
    """Let imports find what pip put into the user's own directory, if that is new."""
    import site

    directory = site.getusersitepackages()
    if site.ENABLE_USER_SITE and os.path.isdir(directory) and directory not in sys.path:
        sys.path.append(directory)


def run_file(shell: Shell, line: str) -> None:
    """Run a Python file and take over its variables; ``-i`` runs it in the cell's namespace."""
    options, rest = arguments.short(line, "inGte")
    words = shlex.split(rest)
    if not words:
        raise UsageError("%run has nothing to run", "the line names no file", "%run FILE.py")
    path = os.path.expanduser(words[0])
    if not os.path.exists(path) and os.path.exists(path + ".py"):
        path += ".py"
    if path.endswith(".ipynb"):
        raise UsageError(
            f"%run {words[0]} can't be run in a job", "it is a notebook", "nbbatch run NOTEBOOK"
        )
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    name = os.path.splitext(os.path.basename(path))[0] if "n" in options else "__main__"
    _run_code(shell, code, [path, *words[1:]], name, shared="i" in options)


def _run_code(shell: Shell, code: Any, argv: list[str], name: str, shared: bool) -> None:
    space = shell.user_ns if shared else {"__name__": name, "__file__": argv[0]}
    before_argv, before_path = sys.argv, list(sys.path)
    sys.argv = argv
    sys.path.insert(0, os.path.dirname(os.path.abspath(argv[0])))
    try:
        exec(code, space)
    except SystemExit as leaving:
        if leaving.code not in (None, 0):
            print(f"%run: {argv[0]} left with {leaving.code}", file=sys.stderr)
    finally:
        sys.argv, sys.path[:] = before_argv, before_path
        own = {k: v for k, v in space.items() if not k.startswith("__")}
        shell.user_ns.update(own)


class RichOutput:
    """One captured display."""

    def __init__(self, display: Display, frame: Frame) -> None:
        self._display = display
        self.data: dict[str, Any] = frame["data"]
        self.metadata: dict[str, Any] = frame["metadata"]
        self.transient = {"display_id": frame["display_id"]} if frame.get("display_id") else {}
        self.update = frame.get("update", False)

    def display(self) -> None:
        """Show it now."""
        self._display.publish(
            self.data, self.metadata, transient=self.transient, update=self.update
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.data, self.metadata

    def __reduce__(self) -> Any:
        return _rebuild_output, (self.data, self.metadata, self.transient, self.update)


class CapturedIO:
    """What a ``%%capture`` cell wrote and displayed."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._texts: dict[str, io.StringIO | None] = {"stdout": None, "stderr": None}
        self._frames: list[Frame] = []

    @property
    def stdout(self) -> str:
        """What it wrote to stdout."""
        return self._text("stdout")

    @property
    def stderr(self) -> str:
        """What it wrote to stderr."""
        return self._text("stderr")

    @property
    def outputs(self) -> list[RichOutput]:
        """What it displayed."""
        return [RichOutput(self._display, item) for item in self._frames if "data" in item]

    def show(self) -> None:
        """Write and display all of it now."""
        sys.stdout.write(self.stdout)
        sys.stderr.write(self.stderr)
        for item in self.outputs:
            item.display()

    __call__ = show

    def __str__(self) -> str:
        return self.stdout

    def __reduce__(self) -> Any:
        # It travels to the kernel, where IPython's own class does the same.
        rich = [item.__reduce__()[1] for item in self.outputs]
        return _rebuild, (self.stdout, self.stderr, rich)

    def _text(self, name: str) -> str:
        sink = self._texts[name]
        return sink.getvalue() if sink is not None else ""

    @contextlib.contextmanager
    def taking(self, display: bool, **texts: bool) -> Any:
        """Take what is written and displayed for a while."""
        redirect = {"stdout": contextlib.redirect_stdout, "stderr": contextlib.redirect_stderr}
        with contextlib.ExitStack() as stack:
            for name in (name for name, wanted in texts.items() if wanted):
                sink = self._texts[name] = io.StringIO()
                stack.enter_context(redirect[name](sink))
            if display:
                stack.enter_context(self._display.captured(self._frames.append))
            yield


def _rebuild(stdout: str, stderr: str, rich: list[Any]) -> Any:
    from IPython.utils.capture import CapturedIO as Known

    keys = ("data", "metadata", "transient", "update")
    return Known(io.StringIO(stdout), io.StringIO(stderr), [dict(zip(keys, r)) for r in rich])


def _rebuild_output(*fields: Any) -> Any:
    from IPython.utils import capture as known

    build: Any = known.RichOutput
    return build(*fields)


def capture(shell: Shell, line: str, cell: str) -> None:
    """Run the cell and keep what it writes and displays, in the variable on the line if any."""
    words = sorted(shlex.split(line), key=lambda word: not word.startswith("--"))
    options, names = arguments.long(words, _CAPTURE)
    if len(names) > 1:
        raise UsageError(f"%%capture {line.strip()} can't be run", "it takes one variable only")
    kept = CapturedIO(shell.display)
    with kept.taking(
        display="--no-display" not in options,
        stdout="--no-stdout" not in options,
        stderr="--no-stderr" not in options,
    ):
        shell.run_cell(cell)
    for name in names:
        shell.user_ns[name] = kept
