"""The image's own IPython, connected to our displays the moment someone imports it.

Importing IPython costs about as much as a whole trivial job, so that nothing here does it unless
a magic needs it. Where the user's code does (``from IPython.display import HTML``), a shell is
made on the cell's namespace, and `get_ipython` and `display` become IPython's own. It keeps no
history, writes nothing into the home directory and leaves nothing to do at exit.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from nbbatch.worker.notebook.figures import FIGURE
from nbbatch.worker.notebook.shell import Shell, set_builtins

_IMAGES = ("image/png", "image/jpeg", "image/svg+xml", "application/pdf")
#: Magics that are about the process or the figures: ours, in every image.
_OURS = ("matplotlib", "pip", "ls")
#: This one lets an error pass, and takes what every part of ours shows.
_OUR_CELLS = ("capture",)


def load(shell: Shell) -> Any | None:
    """Import IPython and return its shell; None where the image has none that works."""
    if shell.real is None and importlib.util.find_spec("IPython") is not None:
        try:
            import IPython  # noqa: F401
        # A broken installation is as good as none.
        except Exception as error:
            _tell(shell, error)
    return shell.real


def connect(shell: Shell) -> None:
    """Make IPython's shell; the user's import succeeds whatever happens here."""
    try:
        shell.real = real = _make(shell)
    except Exception as error:
        _tell(shell, error)
        return
    from IPython.display import display

    def publish(*data: Any, **options: Any) -> None:
        # Looked up each time: what captures output puts another publisher there for a while.
        real.display_pub.publish(*data, **options)

    shell.display.formatter = real.display_formatter.format
    shell.display.publisher = publish
    real.events.register("post_execute", shell.figures.flush)
    set_builtins(lambda: real, display)


def _tell(shell: Shell, error: BaseException) -> None:
    shell.display.notice(
        f"the image's IPython can't be used ({type(error).__name__}: {error}): "
        "displays and magics are nbbatch's own"
    )


def _make(shell: Shell) -> Any:
    import atexit
    import tempfile

    from traitlets.config import Config

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.HistoryManager.hist_file = ":memory:"
    main = sys.modules["__main__"]
    module = main if vars(main) is shell.user_ns else None
    # Some versions make a directory for the profile; none is needed afterwards.
    with tempfile.TemporaryDirectory() as home:
        real = _shell_class(shell).instance(
            config=settings, ipython_dir=home, user_ns=shell.user_ns, user_module=module
        )
    real.db = {}
    atexit.unregister(real.atexit_operations)
    _show_figures(shell, real)
    return real


def _show_figures(shell: Shell, real: Any) -> None:
    formatters = real.display_formatter.formatters
    module, _, name = FIGURE.rpartition(".")
    for mime in _IMAGES:

        def draw(figure: Any, mime: str = mime) -> Any:
            return shell.figures.draw(figure, mime)

        formatters[mime].for_type_by_name(module, name, draw)
    if shell.display.floats:
        formatters["text/plain"].float_precision = shell.display.floats


#: `InteractiveShell`, which only `_shell_class` may import.
_Base: Any = object


class _Overrides(_Base):  # type: ignore[misc,unused-ignore]
    """What an `InteractiveShell` on the cell's namespace does otherwise."""

    ours: Shell

    def init_sys_modules(self) -> None:
        """Leave ``__main__`` as it is."""

    def init_virtualenv(self) -> None:
        """Leave `sys.path` as it is."""

    def init_user_ns(self) -> None:
        """Add only what displays and magics need: the rest would be the user's variables."""
        super().init_user_ns()
        for name in ("get_ipython", "exit", "quit", "open"):
            if self.user_ns.get(name) is self.user_ns_hidden.get(name):
                self.user_ns.pop(name, None)

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        if magic_name in _OURS or _about_figures(magic_name, line):
            return self.ours.run_line_magic(magic_name, line, _stack_depth + 1)
        return super().run_line_magic(magic_name, line, _stack_depth + 1)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        if magic_name in _OUR_CELLS:
            return self.ours.run_cell_magic(magic_name, line, cell)
        return super().run_cell_magic(magic_name, line, cell)

    def system(self, cmd: str) -> None:
        self.ours.system(self.var_expand(cmd, depth=1))

    system_piped = system_raw = system

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        """Write a traceback where errors go: it is not the cell's own."""
        sys.stderr.write("\n".join(stb) + "\n")

    def enable_matplotlib(self, gui: Any = None) -> tuple[str, str]:
        return "inline", "agg"


def _shell_class(shell: Shell) -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    publisher, hook = _publisher_class(shell), _hook_class(shell)

    class WorkerShell(_Overrides, InteractiveShell):  # type: ignore[misc,unused-ignore]
        """An `InteractiveShell` on the cell's namespace."""

        ours = shell

        def __init__(self, **options: Any) -> None:
            self.display_pub_class = publisher
            self.displayhook_class = hook
            start: Any = super().__init__
            start(**options)

    return WorkerShell


def _about_figures(name: str, line: str) -> bool:
    return (name == "config" and line.startswith("InlineBackend.")) or (
        name == "load_ext" and line.strip() == "nbbatch"
    )


def _publisher_class(shell: Shell) -> Any:
    from IPython.core.displaypub import DisplayPublisher

    class Publisher(DisplayPublisher):  # type: ignore[misc,unused-ignore]
        def publish(self, data: Any, metadata: Any = None, *ignored: Any, **options: Any) -> None:
            kept = {name: options[name] for name in ("transient", "update") if name in options}
            shell.display.send(data, metadata, **kept)

        def clear_output(self, wait: bool = False) -> None:
            shell.display.clear_output(wait)

    return Publisher


def _hook_class(shell: Shell) -> Any:
    from IPython.core.displayhook import DisplayHook

    class Hook(DisplayHook):  # type: ignore[misc,unused-ignore]
        """Shows the last expression of a cell within the cell, as `run_cell` runs one."""

        def write_output_prompt(self) -> None:
            pass

        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
            shell.display.publish_result(format_dict, md_dict)

        def update_user_ns(self, result: Any) -> None:
            pass

        def log_output(self, format_dict: Any) -> None:
            pass

        def finish_displayhook(self) -> None:
            pass

    return Hook
