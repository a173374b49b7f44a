"""Magics that change or show the process's surroundings: directory, environment, formats."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, Callable

from nbbatch.errors import UsageError
from nbbatch.worker.notebook import commands
from nbbatch.worker.notebook.imports import after_import

if TYPE_CHECKING:
    from nbbatch.worker.notebook.shell import Shell

_SECRET = ("key", "token", "secret", "password")
_INLINE = ("", "inline", "agg")
_GUIS = ("auto", "widget", "ipympl", "notebook", "nbagg", "tk", "qt", "qt5", "qt6", "osx", "gtk3")


def cd(shell: Shell, line: str) -> None:
    """Change the working directory; ``-`` is the one before, ``-q`` prints nothing."""
    quiet = line.startswith("-q")
    target = line[2:].strip() if quiet else line.strip()
    if target == "-":
        target = shell.directories[-1] if shell.directories else os.getcwd()
    here = os.getcwd()
    os.chdir(os.path.expanduser(target.strip("\"'") or "~"))
    shell.directories.append(here)
    if not quiet:
        print(os.getcwd())


def pwd(shell: Shell, line: str) -> str:
    """Return the working directory."""
    return os.getcwd()


def env(shell: Shell, line: str) -> Any | None:
    """Return the environment or one variable, or set one: ``NAME=value`` or ``NAME value``."""
    name = line.strip()
    if not name:
        hide = [key for key in os.environ if any(word in key.lower() for word in _SECRET)]
        return {**os.environ, **dict.fromkeys(hide, "<hidden>")}
    if "=" in name or " " in name:
        set_env(shell, line)
        return None
    if name not in os.environ:
        raise UsageError(f"%env {name} can't be shown", "the environment has no such variable")
    return os.environ[name]


def set_env(shell: Shell, line: str) -> None:
    """Set a variable of the environment."""
    name, found, value = line.strip().partition("=" if "=" in line else " ")
    if not found:
        raise UsageError(f"%set_env {line} sets nothing", "it has no value", "%set_env NAME=value")
    os.environ[name.strip()] = value.strip()
    print(f"env: {name.strip()}={value.strip()}")


def matplotlib(shell: Shell, line: str) -> None:
    """Show figures as images, which is all that a job can do."""
    name = line.strip().lower()
    if name in ("-l", "--list"):
        return print("Available matplotlib backends: ['agg', 'inline']")
    if name in _GUIS:
        shell.display.notice(
            f"%matplotlib {line.strip()} needs the notebook's own kernel: "
            "figures are shown as images here"
        )
    elif name not in _INLINE:
        raise UsageError(
            f"%matplotlib {line.strip()} can't be used",
            "there is no such backend here",
            "%matplotlib inline",
        )
    return None


def config(shell: Shell, line: str) -> None:
    """Set what ``%config InlineBackend`` sets; all else has no meaning in a job."""
    name, found, value = (part.strip() for part in line.partition("="))
    setting = _FIGURES.get(name) if found else None
    if setting is None:
        return shell.display.notice(f"%config {line.strip()} has no effect in a job")
    try:
        setting(shell, eval(value, shell.user_ns))
    except (ValueError, TypeError) as error:
        raise UsageError(f"%config {line.strip()} can't be used", str(error)) from None
    return None


def _set_formats(shell: Shell, value: Any) -> None:
    shell.figures.set_formats(value)


def _set_print_options(shell: Shell, value: Any) -> None:
    shell.figures.print_options = {"bbox_inches": "tight", **value}


def _set_close(shell: Shell, value: Any) -> None:
    shell.figures.close = bool(value)


def _set_rc(shell: Shell, value: Any) -> None:
    settings = dict(value)
    after_import("matplotlib", lambda: sys.modules["matplotlib"].rcParams.update(settings))


_FIGURES: dict[str, Callable[[Shell, Any], None]] = {
    "InlineBackend.figure_format": _set_formats,
    "InlineBackend.figure_formats": _set_formats,
    "InlineBackend.print_figure_kwargs": _set_print_options,
    "InlineBackend.close_figures": _set_close,
    "InlineBackend.rc": _set_rc,
}


def precision(shell: Shell, line: str) -> str:
    """Set how floats are shown: a number of decimals, or a format as ``%.3e``."""
    text = line.strip()
    style = f"%.{int(text)}f" if text.isdigit() else text
    try:
        style and style % 3.14159
    except (ValueError, TypeError):
        raise UsageError(
            f"%precision {text} can't be used", "it takes a number or a format as %e"
        ) from None
    shell.display.floats = style
    if text.isdigit() and "numpy" in sys.modules:
        sys.modules["numpy"].set_printoptions(precision=int(text))
    return style or "%r"


def reset(shell: Shell, line: str) -> None:
    """Delete the user's variables; ``-f`` says that no question is needed."""
    if "-f" not in line.split():
        raise UsageError("%reset deletes nothing", "a job can't ask whether it may", "%reset -f")
    for name in [name for name in shell.user_ns if not name.startswith("__")]:
        del shell.user_ns[name]


def writefile(shell: Shell, line: str, cell: str) -> None:
    """Write the cell to a file; ``-a`` appends to it."""
    words = shlex.split(line)
    append = bool(words) and words[0] in ("-a", "--append")
    names = words[1:] if append else words
    if len(names) != 1:
        raise UsageError("%%writefile takes one file", f"the line names {len(names)}")
    path = os.path.expanduser(names[0])
    done = ("Appending to" if append else "Overwriting") if os.path.exists(path) else "Writing"
    print(f"{done} {path}")
    with open(path, "a" if append else "w", encoding="utf-8") as file:
        file.write(cell)


def alias(command: str) -> Callable[[Shell, str], None]:
    """Make the magic that runs one command of the shell."""

    def run(shell: Shell, line: str) -> None:
        code = commands.run([commands.shell(), "-c", f"{command} {line}"])
        shell.user_ns["_exit_code"] = code

    run.__doc__ = f"Run {command}."
    return run


def shown_as(mime: str, name: str) -> Callable[[Shell, str, str], None]:
    """Make the magic that displays its cell as one MIME type."""

    def show(shell: Shell, line: str, cell: str) -> None:
        about = {mime: {"isolated": True}} if "--isolated" in line.split() else {}
        text = f"<IPython.core.display.{name} object>"
        shown = cell.rstrip() if name == "SVG" else cell
        shell.display.publish({mime: shown, "text/plain": text}, about)

    show.__doc__ = f"Display the cell as {mime}."
    return show
