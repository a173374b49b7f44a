"""IPython's syntax to plain Python, for code that only the far side sees.

A cell is transformed before it travels; the body of ``%%time`` or ``%%capture`` is not, since it
is that magic's own text.
"""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASSIGN = re.compile(
    r"(?P<left>[A-Za-z_][\w.,\[\]'\" *()]*?)\s*=\s*(?P<sign>!|%(?!\s))(?P<rest>.*)"
)
_INDENT = re.compile(r"[ \t]+(?=\S)")
_HELP = re.compile(r"(?P<a>\?{0,2})\s*(?P<name>[\w.*%]+)\s*(?P<b>\?{0,2})")
_MAGIC = re.compile(r"%(?P<name>[A-Za-z_][\w.]*)\s*(?P<line>.*)", re.DOTALL)


def to_python(source: str) -> str:
    """Return `source` with every magic, command and ``?`` as a call of `get_ipython()`."""
    source = source if source.endswith("\n") else source + "\n"
    indent = _INDENT.match(source)
    if indent:
        source = re.sub(f"^{indent[0]}", "", source, flags=re.MULTILINE)
    if not any(sign in source for sign in "!%?"):
        return source
    if source.startswith("%%"):
        head, _, body = source[2:].partition("\n")
        name, _, line = head.partition(" ")
        return _call("run_cell_magic", name, line.strip(), body) + "\n"
    return "".join(_translated(text) for text in _statements(source))


def _statements(source: str) -> Iterator[str]:
    """Cut into pieces that each begin where a statement's line begins."""
    lines = source.splitlines(keepends=True)
    while lines:
        size = _span(lines)
        yield "".join(lines[:size])
        del lines[:size]


def _span(lines: list[str]) -> int:
    if _special(lines[0].strip()):
        for number, line in enumerate(lines):
            if not line.rstrip("\n").endswith("\\"):
                return number + 1
        return len(lines)
    for number in range(1, len(lines) + 1):
        if not _open("".join(lines[:number])):
            return number
    return 1


def _open(text: str) -> bool:
    """Tell whether a string, a bracket or a backslash goes on in the next line."""
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError as error:
        return "EOF" in str(error) or "unterminated triple" in str(error)
    # An indented line, seen alone.
    except SyntaxError:
        return False
    return False


def _special(text: str) -> bool:
    if text.startswith(("!", "%", "?")):
        return True
    if text.endswith("?") and _HELP.fullmatch(text):
        return True
    match = _ASSIGN.fullmatch(text)
    return match is not None and match["rest"].strip() != "" and "==" not in match["left"]


def _translated(statement: str) -> str:
    text = statement.strip()
    if not _special(text):
        return statement
    indent = statement[: len(statement) - len(statement.lstrip())]
    return indent + _expression(text.replace("\\\n", " ")) + "\n"


def _expression(text: str) -> str:
    help_ = _HELP.fullmatch(text)
    if help_ and (help_["a"] or help_["b"]):
        twice = "??" in (help_["a"], help_["b"])
        return _call("run_line_magic", "pinfo2" if twice else "pinfo", help_["name"])
    if text.startswith("!!"):
        return _call("getoutput", text[2:])
    if text.startswith("!"):
        return _call("system", text[1:])
    if text.startswith("%"):
        return _call("run_line_magic", *_named(text))
    match = _ASSIGN.fullmatch(text)
    assert match is not None
    left, rest = match["left"], match["rest"]
    if match["sign"] == "!":
        return f"{left} = {_call('getoutput', rest)}"
    return f"{left} = {_call('run_line_magic', *_named('%' + rest))}"


def _named(text: str) -> tuple[str, str]:
    match = _MAGIC.fullmatch(text)
    return (match["name"], match["line"]) if match else (text[1:], "")


def _call(method: str, *arguments: str) -> str:
    return f"get_ipython().{method}({', '.join(map(repr, arguments))})"
