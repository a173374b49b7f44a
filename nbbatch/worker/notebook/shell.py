"""What `get_ipython()` returns in an image without IPython: magics, commands, the namespace."""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any, Callable

from nbbatch.worker.notebook.imports import after_import

if TYPE_CHECKING:
    from types import FrameType

    from nbbatch.worker.notebook.display import Display
    from nbbatch.worker.notebook.figures import Figures

_COROUTINE = 0x80  # inspect.CO_COROUTINE, without the cost of importing inspect


#: A shell says this plus N of a command that signal N ended.
_SIGNALS = 128


class Shell:
    """The part of IPython's `InteractiveShell` that transformed cells and libraries use.

    Attributes
    ----------
    user_ns
        The namespace in which the cell runs.
    local
        The variables of the function that calls a magic, while that magic runs.
    fallback
        Finds the image's own IPython for a magic that is not in the table; None if it has none.
    real
        IPython's shell, once it is loaded.
    """

    def __init__(self, namespace: dict[str, Any], display: Display, figures: Figures) -> None:
        self.user_ns = namespace
        self.display = display
        self.figures = figures
        self.local: dict[str, Any] = {}
        self.directories: list[str] = []
        self.config: dict[str, Any] = {}
        self.fallback: Callable[[], Any | None] = lambda: None
        self.real: Any = None
        self._loop: Any = None

    @property
    def user_global_ns(self) -> dict[str, Any]:
        """The same namespace: a cell has no other."""
        return self.user_ns

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """Run ``%magic_name line`` and return its value."""
        from nbbatch.worker.notebook import magics

        return self._in_scope(
            sys._getframe(_stack_depth), lambda: magics.run_line(self, magic_name, line)
        )

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """Run ``%%magic_name line`` with `cell` below it and return its value."""
        from nbbatch.worker.notebook import magics

        return self._in_scope(
            sys._getframe(1), lambda: magics.run_cell(self, magic_name, line, cell)
        )

    def magic(self, text: str) -> Any:
        """Run a line magic as written, without its ``%``."""
        name, _, line = text.lstrip("%").partition(" ")
        return self.run_line_magic(name, line, _stack_depth=2)

    def system(self, cmd: str) -> None:
        """Run ``!cmd``: its output appears while it runs, `_exit_code` is set at its end."""
        from nbbatch.worker.notebook import commands

        text = self._expanded(cmd, sys._getframe(1))
        code = commands.run([commands.shell(), "-c", text])
        # As IPython says it: -N where signal N ended the command.
        self.user_ns["_exit_code"] = _SIGNALS - code if code > _SIGNALS else code

    system_raw = system_piped = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """Run ``x = !cmd``: return what it wrote, as a list of lines unless `split` is false."""
        from nbbatch.worker.notebook import commands
        from nbbatch.worker.notebook.listing import SList

        text = self._expanded(cmd, sys._getframe(1 + depth))
        output = commands.output([commands.shell(), "-c", text])
        return SList(output.splitlines()) if split else output

    def var_expand(self, cmd: str, depth: int = 0) -> str:
        """Replace ``{expression}`` and ``$name`` by their values."""
        return self._expanded(cmd, sys._getframe(1 + depth))

    def ev(self, expr: str) -> Any:
        """Evaluate an expression in the namespace."""
        return eval(expr, self.user_ns)

    def ex(self, cmd: str) -> None:
        """Run statements in the namespace."""
        exec(cmd, self.user_ns)

    def push(self, variables: Any, interactive: bool = True) -> None:
        """Set variables: from a mapping, or by their names from the caller."""
        if isinstance(variables, (str, list, tuple)):
            names = variables.split() if isinstance(variables, str) else variables
            there = sys._getframe(1)
            variables = {name: eval(name, there.f_globals, there.f_locals) for name in names}
        self.user_ns.update(variables)

    def run_cell(self, raw_cell: str, *ignored: Any, **options: Any) -> None:
        """Run code as a cell of its own; what it raises passes through."""
        self.display.show_result(self.execute(self.transform_cell(raw_cell), "<run_cell>"))
        self.finish()

    def finish(self) -> None:
        """Do what belongs to the end of a cell: show its open figures."""
        self.figures.flush()
        if self.real is not None:
            self.real.events.trigger("post_execute")

    def transform_cell(self, raw_cell: str) -> str:
        """Turn IPython's syntax into plain Python."""
        if self.real is not None:
            return str(self.real.transform_cell(raw_cell))
        from nbbatch.worker.notebook.transform import to_python

        return to_python(raw_cell)

    def execute(self, source: str, filename: str) -> Any:
        """Run plain Python in the namespace and return the value of its last expression."""
        import ast

        from nbbatch.worker.run.cell import remember_source

        remember_source(filename, source)
        body = ast.parse(source, filename).body
        last = body[-1] if body and isinstance(body[-1], ast.Expr) else None
        if last is not None:
            body = body[:-1]
        if body:
            self._evaluate(ast.Module(body, []), filename, "exec")
        return self._evaluate(ast.Expression(last.value), filename, "eval") if last else None

    def set_next_input(self, s: str, replace: bool = False) -> None:
        """Do nothing: there is no next cell here."""

    def register_magic_function(
        self, func: Any, magic_kind: str = "line", magic_name: str = ""
    ) -> None:
        """Add a magic, as extensions do."""
        from nbbatch.worker.notebook import magics

        magics.add(func, magic_kind, magic_name or func.__name__)

    def _evaluate(self, tree: Any, filename: str, mode: str) -> Any:
        import ast

        code = compile(tree, filename, mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        value = eval(code, self.user_ns, self.local or self.user_ns)
        return self._await(value) if code.co_flags & _COROUTINE else value

    def _await(self, coroutine: Any) -> Any:
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(coroutine)

    def _in_scope(self, frame: FrameType, run: Callable[[], Any]) -> Any:
        """Run a magic that sees the variables of the function in which it stands."""
        before = self.local
        self.local = _locals(frame, self.user_ns)
        try:
            return run()
        finally:
            self.local = before

    def _expanded(self, text: str, frame: FrameType) -> str:
        from nbbatch.worker.notebook.expand import expand

        return expand(text, {**self.user_ns, **self.local, **_locals(frame, self.user_ns)})


def _locals(frame: FrameType, namespace: dict[str, Any]) -> dict[str, Any]:
    """Return a function's own variables; none for a frame that runs in `namespace` itself."""
    if frame.f_globals is not namespace or frame.f_locals is namespace:
        return {}
    return dict(frame.f_locals)


def install(namespace: dict[str, Any], display: Display, figures: Figures) -> Shell:
    """Make `get_ipython` and `display` builtins, as IPython does, and the namespace's shell.

    The image's own IPython takes the shell's place as soon as something imports it.
    """
    shell = Shell(namespace, display, figures)
    figures.install()
    set_builtins(lambda: shell, display.display)
    shell.fallback = lambda: _ipython().load(shell)
    after_import("IPython", lambda: _ipython().connect(shell))
    return shell


def _ipython() -> Any:
    """Return the module that connects IPython: few cells need it."""
    from nbbatch.worker.notebook import ipython

    return ipython


def set_builtins(get_ipython: Callable[[], Any], display: Callable[..., Any]) -> None:
    """Make both names known everywhere."""
    vars(builtins).update(get_ipython=get_ipython, display=display)
