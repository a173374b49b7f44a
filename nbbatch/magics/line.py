"""The line of ``%%batch``: flags derived from the table of options, and the cell's own."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nbbatch.errors import OptionError
from nbbatch.magics.grid import Axis, without_axes
from nbbatch.options import Option, option_named, table, unknown

__all__ = ["CellLine", "help_text", "parse_line", "parse_options"]

#: Flags of the cell alone: name, metavar or None for a switch, help.
CELL_FLAGS: dict[str, tuple[str | None, str]] = {
    "in": ("NAME,NAME", "send these variables too, though the cell does not name them"),
    "out": ("NAME,NAME", "return these variables and no others; nothing is compared"),
    "for": ("NAME=VALUES", "run it once for each value, all at once; several make a grid"),
    "detach": (None, "return at once; the result is a Job"),
    "as": ("NAME", "bind the Job to this name"),
    "dry-run": (None, "print the requests and send nothing"),
}


@dataclass(frozen=True)
class CellLine:
    """A parsed line.

    Attributes
    ----------
    options
        Values as typed, by option name; checked when they are merged.
    names_in, names_out
        ``--in`` and ``--out``; None where ``--out`` was not given.
    axes
        The parameters of a sweep, see `nbbatch.magics.grid`.
    """

    options: dict[str, Any] = field(default_factory=dict)
    names_in: tuple[str, ...] = ()
    names_out: tuple[str, ...] | None = None
    detach: bool = False
    as_name: str | None = None
    dry_run: bool = False
    axes: tuple[Axis, ...] = ()


def parse_line(line: str) -> CellLine:
    """Read the line of a ``%%batch`` cell.

    Raises
    ------
    OptionError
        An unknown flag (the nearest one is named), a flag without its value, a stray word,
        or a value of the wrong kind or out of range.
    """
    options: dict[str, Any] = {}
    own: dict[str, str] = {}
    line, axes = without_axes(line)
    for flag, value in _pairs(_words(line)):
        name = flag.lstrip("-")
        if name in CELL_FLAGS:
            _put(own, name, value, flag)
        elif option_named(flag).many:
            options.setdefault(option_named(flag).name, []).append(value)
        else:
            _put(options, option_named(flag).name, value, flag)
    options = {name: _taken(name, value) for name, value in options.items()}
    out = own.get("out")
    return CellLine(
        options=options,
        names_in=_names("--in", own.get("in", "")),
        names_out=None if out is None else _names("--out", out),
        detach="detach" in own,
        as_name=_name("--as", own["as"]) if "as" in own else None,
        dry_run="dry-run" in own,
        axes=axes,
    )


def parse_options(line: str, command: str) -> dict[str, Any]:
    """Read a line that has a job's options and none of a cell's, as that of ``%batch doctor``.

    Raises
    ------
    OptionError
        As for `parse_line`, or a flag of the cell alone.
    """
    parsed = parse_line(line)
    if parsed != CellLine(options=parsed.options):
        flags = ", ".join(f"--{name}" for name in CELL_FLAGS)
        raise OptionError(
            f"{command} takes the options of a job alone",
            f"{flags} say what a cell does",
            f"{command} --queue my-queue --gpu 1, for example",
        )
    return parsed.options


def _put(target: dict[str, Any], name: str, value: str, flag: str) -> None:
    if name in target:
        raise OptionError(f"{flag} is given twice", "it has one value", "keep one")
    target[name] = value


def _taken(name: str, value: Any) -> Any:
    # A single value may be all of them at once, as JSON.
    lonely = isinstance(value, list) and len(value) == 1
    return option_named(name).take(value[0] if lonely else value)


#: All up to a comment, which begins where a word could: ``NAME#KEY`` is a word.
_CODE = re.compile(r"""([^\s"'\\#]|(?<=\S)\#|\\.|"(\\.|[^"\\])*"|'[^']*'|\s)*""")


def _words(line: str) -> list[str]:
    found = _CODE.match(line)
    code = found[0] if found is not None else ""
    try:
        return shlex.split(code if line[len(code) :].startswith("#") else line)
    except ValueError as error:
        raise OptionError(
            "the line of %%batch can't be read", str(error), "close the quotation mark"
        ) from None


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield flags with their values; that of a switch says whether it is on."""
    rest = deque(words)
    while rest:
        word = rest.popleft()
        flag, equals, value = word.partition("=")
        if not flag.startswith("--"):
            raise _stray(word)
        if not equals and _negated(flag):
            yield "--" + flag.removeprefix("--no-"), "false"
        elif _takes_value(flag):
            yield flag, value if equals else _next(rest, flag)
        elif equals and flag[2:] in CELL_FLAGS:
            raise OptionError(f"{flag} takes no value", f"it was given {value!r}", flag)
        else:
            yield flag, value or "true"


def _negated(flag: str) -> bool:
    """Tell whether it turns something off: ``--no-tmpfs-tempdir``."""
    if not flag.startswith("--no-"):
        return False
    name = flag.removeprefix("--no-").replace("-", "_")
    return any(option.negatable and option.name == name for option in table())


def _takes_value(flag: str) -> bool:
    name = flag[2:]
    if name in CELL_FLAGS:
        return CELL_FLAGS[name][0] is not None
    try:
        return not option_named(flag).switch
    except OptionError:
        known = [option.name for option in table()] + [n.replace("-", "_") for n in CELL_FLAGS]
        raise unknown(flag, known) from None


def _next(rest: deque[str], flag: str) -> str:
    if rest and not rest[0].startswith("--"):
        return rest.popleft()
    if flag[2:] not in CELL_FLAGS and option_named(flag).bare:
        return ""
    raise OptionError(f"{flag} has no value", "it takes one", _example(flag))


def _example(flag: str) -> str:
    own = CELL_FLAGS.get(flag[2:])
    return f"{flag} {own[0]}" if own else option_named(flag).example


def _stray(word: str) -> OptionError:
    if word.startswith("-"):
        return OptionError(
            f"{word} is not an option", "options begin with two dashes", "--cpu 4, for example"
        )
    return OptionError(
        f"{word!r} stands alone on the line of %%batch",
        "every value follows its option",
        f"--name {word}, or --image {word}, if that is what it is",
    )


_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def _names(flag: str, text: str) -> tuple[str, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    return tuple(dict.fromkeys(_name(flag, word) for word in words))


def _name(flag: str, word: str) -> str:
    if _IDENTIFIER.fullmatch(word) is None:
        raise OptionError(
            f"{flag} {word} can't be used", "it takes names of variables", f"{flag} x,y"
        )
    return word


#: Of the help's lines: their width, and where what an option means begins.
_WIDTH, _COLUMN = 96, 32
_HEAD = """\
%%batch OPTIONS above a cell runs it as a job, as if it had run here.
@batch(...) above a function takes the same options: shared_memory=1024 is --shared-memory 1024."""


def help_text() -> str:
    """Describe every flag, for ``%%batch?`` and ``%batch help``: the commonest group first."""
    groups: dict[str, list[str]] = {}
    for option in table():
        groups.setdefault(option.group, []).extend(_row(_shown(option), _meaning(option)))
    own = [line for name in CELL_FLAGS for line in _row(_own_flag(name), CELL_FLAGS[name][1])]
    first, *rest = groups.items()
    blocks = [first, ("Of the cell", own), *rest]
    return "\n\n".join([_HEAD, *("\n".join([f"{name}:", *lines]) for name, lines in blocks)])


def _shown(option: Option) -> str:
    return option.flag.replace("--", "--[no-]", 1) if option.switch else option.example


def _own_flag(name: str) -> str:
    metavar = CELL_FLAGS[name][0]
    return f"--{name} {metavar}" if metavar else f"--{name}"


def _meaning(option: Option) -> str:
    default = option.shown_default
    notes = [default and f"{default} by default", option.only]
    return "; ".join([option.help, *filter(None, notes)])


def _row(flag: str, meaning: str) -> list[str]:
    """Return the lines of one flag; a long one has a line of its own."""
    indent = " " * _COLUMN
    lines = textwrap.wrap(meaning, _WIDTH - _COLUMN)
    head = f"  {flag}"
    if len(head) > _COLUMN - 2:
        return [head, *(indent + line for line in lines)]
    return [head.ljust(_COLUMN) + lines[0], *(indent + line for line in lines[1:])]
