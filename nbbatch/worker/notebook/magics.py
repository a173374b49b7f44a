"""The table of magics that work in any image, and the error for all others.

A line magic is a function of the shell and the line, a cell magic one of the shell, the line and
the cell. What the table lacks is looked for in the image's own IPython, if it has one.
"""

from __future__ import annotations

import difflib
from typing import Any, Callable

from nbbatch.errors import UsageError
from nbbatch.worker.notebook import inspecting, scripts, settings, timing
from nbbatch.worker.notebook.shell import Shell

LineMagic = Callable[[Shell, str], Any]
CellMagic = Callable[[Shell, str, str], Any]

#: Extensions without any effect in a job: modules are loaded afresh in each.
_HARMLESS = ("autoreload", "nbbatch")
#: Take their text as it is: braces and dollars in it are Python's.
_VERBATIM = ("time", "timeit", "pinfo", "pinfo2", "config", "precision")


def load_ext(shell: Shell, line: str) -> Any:
    """Load an extension: one that means nothing here is passed over, others need IPython."""
    if line.strip() in _HARMLESS:
        return None
    found = shell.fallback()
    if found is None:
        raise unsupported(f"%load_ext {line.strip()}")
    return found.run_line_magic("load_ext", line)


def accepted(shell: Shell, line: str) -> None:
    """Do nothing: what it would change does not exist in a job, or is so already."""


def ignored(name: str) -> LineMagic:
    """Make a magic that does nothing and says so."""

    def tell(shell: Shell, line: str) -> None:
        shell.display.notice(f"%{name} {line}".strip() + " has no effect in a job")

    tell.__doc__ = "Do nothing, and say so."
    return tell


def lsmagic(shell: Shell, line: str) -> None:
    """Print the names of all magics."""
    print("Available line magics:\n" + "  ".join(f"%{name}" for name in sorted(LINE)))
    print("\nAvailable cell magics:\n" + "  ".join(f"%%{name}" for name in sorted(CELL)))


def sx(shell: Shell, line: str) -> Any:
    """Run a command and return its lines."""
    return shell.getoutput(line)


LINE: dict[str, LineMagic] = {
    "time": timing.time_line,
    "timeit": timing.timeit_line,
    "pinfo": inspecting.pinfo,
    "pinfo2": inspecting.pinfo2,
    "who": inspecting.who,
    "who_ls": inspecting.who_ls,
    "whos": inspecting.whos,
    "cd": settings.cd,
    "config": settings.config,
    "env": settings.env,
    "matplotlib": settings.matplotlib,
    "precision": settings.precision,
    "pwd": settings.pwd,
    "reset": settings.reset,
    "set_env": settings.set_env,
    "pip": scripts.pip,
    "run": scripts.run_file,
    "sx": sx,
    "load_ext": load_ext,
    "reload_ext": load_ext,
    "lsmagic": lsmagic,
    "autoreload": accepted,
    "aimport": accepted,
    "ls": settings.alias("ls -F"),
    "ll": settings.alias("ls -lF"),
    "less": settings.alias("cat"),
    "more": settings.alias("cat"),
    **{name: settings.alias(name) for name in ("cat", "cp", "mkdir", "mv", "rm", "rmdir")},
    **{name: ignored(name) for name in ("colors", "pdb", "xmode", "automagic", "logstop")},
}
CELL: dict[str, CellMagic] = {
    "time": timing.time_cell,
    "timeit": timing.timeit_cell,
    "capture": scripts.capture,
    "script": scripts.script,
    "python": scripts.python,
    "python3": scripts.python,
    **{name: scripts.interpreter(name) for name in ("bash", "sh", "perl", "ruby")},
    "writefile": settings.writefile,
    "file": settings.writefile,
    "html": settings.shown_as("text/html", "HTML"),
    "HTML": settings.shown_as("text/html", "HTML"),
    "markdown": settings.shown_as("text/markdown", "Markdown"),
    "latex": settings.shown_as("text/latex", "Latex"),
    "javascript": settings.shown_as("application/javascript", "Javascript"),
    "js": settings.shown_as("application/javascript", "Javascript"),
    "svg": settings.shown_as("image/svg+xml", "SVG"),
    "SVG": settings.shown_as("image/svg+xml", "SVG"),
}


def run_line(shell: Shell, name: str, line: str) -> Any:
    """Run a line magic.

    Raises
    ------
    UsageError
        It needs IPython, and the image has none.
    """
    found = LINE.get(name)
    if found is not None:
        return found(shell, line if name in _VERBATIM else shell.var_expand(line))
    real = shell.fallback()
    if real is None:
        raise unsupported(f"%{name}")
    return real.run_line_magic(name, line)


def run_cell(shell: Shell, name: str, line: str, cell: str) -> Any:
    """Run a cell magic.

    Raises
    ------
    UsageError
        It needs IPython, and the image has none.
    """
    found = CELL.get(name)
    if found is not None:
        return found(shell, line if name in _VERBATIM else shell.var_expand(line), cell)
    real = shell.fallback()
    if real is None:
        raise unsupported(f"%%{name}")
    return real.run_cell_magic(name, line, cell)


def unsupported(magic: str) -> UsageError:
    """Build the error for a magic that can't be run here, naming the nearest that can."""
    sign = "%%" if magic.startswith("%%") else "%"
    names: list[str] = list(CELL if sign == "%%" else LINE)
    near = difflib.get_close_matches(magic.lstrip("%").split()[0], names, 1, 0.75)
    return UsageError(
        f"{magic} can't be run in this job",
        "it needs IPython, which the image does not have",
        (f"did you mean {sign}{near[0]}? Else " if near else "")
        + "choose an image with IPython (--image), or write it without the magic",
    )


def add(function: Callable[..., Any], kind: str, name: str) -> None:
    """Put a magic of someone else's into the table, called as IPython would."""
    if kind in ("line", "line_cell"):
        LINE[name] = lambda shell, line: function(line)
    if kind in ("cell", "line_cell"):
        CELL[name] = lambda shell, line, cell: function(line, cell)
