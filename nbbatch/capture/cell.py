"""From the text of a notebook cell to plain Python and the names that it uses."""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from nbbatch.capture.magics import Expander, ends_silently_inside
from nbbatch.capture.names import CellNames, analyse_tree, compile_tree, parse
from nbbatch.errors import CellError

__all__ = ["Cell", "parse_cell"]

Transform = Callable[[str], str]
_Made = TypeVar("_Made")

_NO_CODE: Final = frozenset(
    {tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.DEDENT}
)


@dataclass(frozen=True)
class Cell:
    """A cell, ready to be sent.

    Attributes
    ----------
    source
        Plain Python; its lines are those of the body, as far as IPython keeps them.
    names
        What it reads and binds, what its magics and commands look up included.
    silent
        Whether the value of the last expression is not to be shown: it ends with ``;``.
    is_async
        Whether there is an ``await`` at top level.
    filename, first_line
        Where it stands: line 1 of `source` is line `first_line` of the notebook's cell.
    needs_ipython
        What it asks of IPython: ``magic:NAME``, ``cell-magic:NAME``, ``system``,
        ``getoutput``, ``pinfo``, or ``get_ipython`` for any other use.
    """

    source: str
    names: CellNames
    silent: bool
    is_async: bool
    filename: str
    first_line: int
    needs_ipython: frozenset[str]


def parse_cell(
    body: str, transform: Transform | None = None, filename: str = "<cell>", first_line: int = 1
) -> Cell:
    """Make plain Python of a cell's body, and find out what it uses.

    Parameters
    ----------
    transform
        The shell's `transform_cell`; with None, IPython's standard one.
    first_line
        The line of the notebook's cell at which the body begins.

    Raises
    ------
    CellError
        The body, or the body of a cell magic in it, does not parse.
    """
    reader = _Reader(transform or _standard_transform(), filename)
    text = _Text(body, first_line)
    source = reader.plain(text)
    tree = reader.parse(text, source)
    code = text.guard(source, lambda: compile_tree(tree, filename))
    silent = _ends_silently(source) or ends_silently_inside(tree, _ends_silently)
    needs: set[str] = set()
    codes = [code]
    if "get_ipython" in source:
        changed, needs = reader.expand(text, tree, source)
        codes.append(compile_tree(changed))
    names = analyse_tree(tree, *codes)
    return Cell(
        source=source,
        names=replace(names, reads=names.reads - {"get_ipython"}),
        silent=silent,
        is_async=bool(code.co_flags & inspect.CO_COROUTINE),
        filename=filename,
        first_line=first_line,
        needs_ipython=frozenset(needs),
    )


def _standard_transform() -> Transform:
    # Slow to import, and a notebook's magic brings its own.
    from IPython.core.inputtransformer2 import TransformerManager

    manager = TransformerManager()  # type: ignore[no-untyped-call]
    transform: Transform = manager.transform_cell
    return transform


@dataclass(frozen=True)
class _Text:
    """Some lines as the user wrote them, and where they stand in the notebook's cell."""

    body: str
    first_line: int

    def guard(self, source: str, work: Callable[[], _Made]) -> _Made:
        """Do `work` on `source`, the plain Python of this text; tell its errors in place."""
        try:
            return work()
        except SyntaxError as error:
            raise self._syntax_error(source, error) from None
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            # A null byte, a lone surrogate, a million brackets.
            raise CellError(
                "the cell does not parse",
                f"{type(error).__name__}: {error}",
                "correct the cell and run it again; nothing was submitted",
            ) from None

    def _syntax_error(self, source: str, error: SyntaxError) -> CellError:
        lines, plain = self.body.split("\n"), source.split("\n")
        number = min(max(error.lineno or 1, 1), len(plain))
        written, read = lines[min(number, len(lines)) - 1], plain[number - 1]
        where = f"line {self.first_line + min(number, len(lines)) - 1} of the cell"
        # Where IPython changed the line, only its own version has a place for the caret.
        shown = written if written.strip() == read.strip() else read
        shift = len(shown) - len(shown.lstrip()) - (len(read) - len(read.lstrip()))
        return CellError(
            f"{where} does not parse",
            f"{self._message(source, error)}\n{_pointed(shown, shift, error)}",
            f"correct {where} and run it again; nothing was submitted",
        )

    def _message(self, source: str, error: SyntaxError) -> str:
        """Return the error's text; a line that it mentions is counted in the notebook's cell."""
        try:
            parse("\n" * (self.first_line - 1) + source)
        except SyntaxError as same:
            error = same
        return f"{type(error).__name__}: {error.msg}"


def _pointed(line: str, shift: int, error: SyntaxError) -> str:
    """Draw `line` with carets below what `error` is about."""
    start = max((error.offset or 1) - 1 + shift, 0)
    end = (error.end_offset or 0) - 1 + shift if error.end_lineno == error.lineno else 0
    start = min(start, len(line))
    width = max(min(end, len(line)) - start, 1)
    indent = "".join("\t" if char == "\t" else " " for char in line[:start])
    return f"    {line.rstrip()}\n    {indent}{'^' * width}"


@dataclass(frozen=True)
class _Reader:
    """Transforms and parses a cell's text, and the texts inside it."""

    transform: Transform
    filename: str

    def plain(self, text: _Text) -> str:
        """Return `text` as plain Python, the empty lines at its head kept."""
        source = text.guard(text.body, lambda: self.transform(text.body))
        head = _empty_head(text.body) - _empty_head(source)
        return _with_all_lines("\n" * head + source, text.body)

    def parse(self, text: _Text, source: str) -> ast.Module:
        return text.guard(source, lambda: parse(source, self.filename))

    def expand(self, text: _Text, tree: ast.Module, source: str) -> tuple[ast.Module, set[str]]:
        """Write what `tree` asks of IPython as plain Python, in place.

        Returns
        -------
        tuple
            The statements that are new, and what they need of IPython.
        """

        def parse_body(body: str, above: int) -> ast.Module:
            inner = _Text(body, text.first_line + above)
            source = self.plain(inner)
            parsed = self.parse(inner, source)
            inner.guard(source, lambda: compile_tree(parsed, self.filename))
            return parsed

        expander = Expander(self._parse_line, parse_body)
        lines, end = source.split("\n"), 0
        body: list[ast.stmt] = []
        changed: list[ast.stmt] = []
        for statement in tree.body:
            start, end = min(end, statement.lineno - 1), statement.end_lineno or end
            asks = any("get_ipython" in line for line in lines[start:end])
            new = expander.expanded(statement) if asks else []
            changed += new
            body += new or [statement]
        tree.body = body
        return ast.Module(changed, []), expander.needs

    def _parse_line(self, statement: str) -> ast.Module | None:
        try:
            tree = parse(self.transform(statement), self.filename)
            compile_tree(tree)
        except (SyntaxError, ValueError):
            return None  # the magic itself knows better what is wrong
        return tree


def _empty_head(text: str) -> int:
    """Count the empty lines at the head of `text`."""
    return next((i for i, line in enumerate(_lines(text)) if line.strip()), 0)


def _lines(text: str) -> list[str]:
    """Split `text` as Python counts lines; a form feed or the like ends none."""
    return text.removesuffix("\n").split("\n")


def _with_all_lines(source: str, body: str) -> str:
    """Give back the lines that IPython took from commands continued with a backslash."""
    written, plain = _lines(body), _lines(source)
    if len(plain) >= len(written):
        return source
    lines: list[str] = []
    for line in plain:
        at = len(lines)
        lines.append(line)
        while "get_ipython()" in line and written[at : at + 1] and written[at].endswith("\\"):
            lines.append("")
            at += 1
    return "\n".join(lines) + "\n" if len(lines) == len(written) else source


def _ends_silently(source: str) -> bool:
    """Tell whether the last thing in `source`, comments aside, is a semicolon."""
    if ";" not in source:
        return False
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, tokenize.TokenError):
        return False
    code = [token for token in tokens if token.type not in _NO_CODE]
    return bool(code) and code[-1].type == tokenize.OP and code[-1].string == ";"
