"""What the calls to IPython in a transformed cell read and bind, written as plain Python.

IPython's transformer turns ``!ls {path}`` into ``get_ipython().system('ls {path}')``: a string
from which the name is looked up only when it runs. Here such calls are replaced, for the
analysis alone, by expressions and statements that look the same names up in the same order.
"""

from __future__ import annotations

import ast
import string
from collections.abc import Callable, Container, Iterator
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from nbbatch.capture.bytecode import names_after

__all__ = ["Expander", "ends_silently_inside"]

#: Line magics that run a statement, and the letters of their options that take a value.
_STATEMENT: Final = {
    "lprun": tuple("fmDTsu"),
    "memit": tuple("rti"),
    "mprun": tuple("fT"),
    "prun": tuple("DlsT"),
    "time": (),
    "timeit": tuple("nrpv"),
}
#: Cell magics whose body is Python.
_PYTHON_BODY: Final = frozenset({"capture", "prun", "time", "timeit"})
#: Magics whose line IPython leaves as it is.
_NOT_EXPANDED: Final = frozenset({"debug", "prun", "time", "timeit"})
#: Options of the script magics that name a variable to bind.
_BINDING_OPTIONS: Final = ("--out", "--err", "--proc")
_SHELL: Final = frozenset({"system", "getoutput"})

Parse = Callable[[str, int], ast.Module]
_Tree = TypeVar("_Tree", bound=ast.AST)


class _Call(NamedTuple):
    """``get_ipython().METHOD(arguments)``, the arguments constant strings."""

    node: ast.Call
    method: str
    arguments: tuple[str, ...]


class Expander(ast.NodeTransformer):
    """Replaces calls to IPython in a tree; `needs` then has what they need of IPython.

    Parameters
    ----------
    parse_line
        Parses the statement in a magic's line, transformed by IPython; None where it is none.
    parse_body
        Parses the body of a nested cell magic that stands below a given line of the cell.
    """

    def __init__(self, parse_line: Callable[[str], ast.Module | None], parse_body: Parse) -> None:
        self.needs: set[str] = set()
        self._parse_line = parse_line
        self._parse_body = parse_body
        #: Statements that run before the one being visited is through.
        self._before: list[ast.stmt] = []

    def expanded(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return what stands for `statement`."""
        result = self.visit(statement)
        return result if isinstance(result, list) else [statement]

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        """Visit `node`; statements that its magics run come before it."""
        if not isinstance(node, ast.stmt):
            result: ast.AST = super().visit(node)
            return result
        outer, self._before = self._before, []
        statement: ast.stmt = super().visit(node)
        before, self._before = self._before, outer
        return [*before, statement] if before else statement

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Note that IPython itself is asked for."""
        if node.id == "get_ipython":
            self.needs.add("get_ipython")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace a call that IPython's transformer wrote."""
        call = _ipython_call(node)
        if call is None:
            return self.generic_visit(node)
        self.needs.add(_need(call))
        looked_up = ast.Tuple(list(self._looked_up(call)), ast.Load())
        return _moved(looked_up, node)

    def _looked_up(self, call: _Call) -> Iterator[ast.expr]:
        """Yield what a call looks up, and put the statements that it runs before."""
        first, *rest = call.arguments
        if call.method in _SHELL:
            yield from _expansions(first)
            return
        line = rest[0] if rest else ""
        if first in ("pinfo", "pinfo2"):
            yield from _names(line.lstrip("?").partition(".")[0].partition("[")[0])
        elif first not in _NOT_EXPANDED:
            yield from _expansions(line)
        if call.method == "run_line_magic":
            yield from self._line_statement(call.node, first, line)
        elif len(rest) > 1:
            self._cell_magic(call.node, first, line, rest[1])

    def _line_statement(self, node: ast.Call, magic: str, line: str) -> Iterator[ast.expr]:
        if magic in _STATEMENT:
            functions, statement = _without_options(line, _STATEMENT[magic])
            yield from (expression for name in functions for expression in _names(name))
            tree = self._parse_line(statement)
            if tree is not None:
                self._run_before(magic, _moved(tree, node).body)

    def _cell_magic(self, node: ast.Call, magic: str, line: str, body: str) -> None:
        if magic in _PYTHON_BODY:
            tree = ast.increment_lineno(self._parse_body(body, node.lineno), node.lineno)
            setup = self._setup(node, line) if magic == "timeit" else []
            self._run_before(magic, [*setup, *tree.body])
        for name in _bound_by_line(magic, line):
            binding = ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None))
            self._before.append(_moved(binding, node))

    def _setup(self, node: ast.Call, line: str) -> list[ast.stmt]:
        """Return what stands in the line of a ``%%timeit``."""
        tree = self._parse_line(_without_options(line, _STATEMENT["timeit"])[1])
        return _moved(tree, node).body if tree is not None else []

    def _run_before(self, magic: str, statements: list[ast.stmt]) -> None:
        flat = [new for statement in statements for new in self.expanded(statement)]
        if flat and magic == "timeit":
            # It runs in a function of its own: what it binds is gone afterwards.
            condition = ast.copy_location(ast.Constant(True), flat[0])
            flat = [ast.copy_location(ast.If(condition, flat, []), flat[0])]
        self._before += flat


def ends_silently_inside(tree: ast.Module, ends_silently: Callable[[str], bool]) -> bool:
    """Tell whether a cell is one cell magic whose Python body ends with a semicolon."""
    last = tree.body[-1] if tree.body else None
    call = _ipython_call(last.value) if isinstance(last, ast.Expr) else None
    return (
        call is not None
        and call.method == "run_cell_magic"
        and call.arguments[0] in _PYTHON_BODY
        and ends_silently(call.arguments[-1])
    )


def _ipython_call(node: ast.AST) -> _Call | None:
    """Recognise the calls that IPython's transformer writes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    owner, method = node.func.value, node.func.attr
    if not isinstance(owner, ast.Call) or not isinstance(owner.func, ast.Name):
        return None
    texts = [item.value for item in node.args if isinstance(item, ast.Constant)]
    arguments = tuple(text for text in texts if isinstance(text, str))
    known = method in _SHELL or method in ("run_line_magic", "run_cell_magic")
    if owner.func.id != "get_ipython" or not known or not arguments:
        return None
    return _Call(node, method, arguments) if len(arguments) == len(node.args) else None


def _need(call: _Call) -> str:
    name = call.arguments[0]
    if call.method in _SHELL:
        return call.method
    if name in ("pinfo", "pinfo2"):
        return "pinfo"
    return f"magic:{name}" if call.method == "run_line_magic" else f"cell-magic:{name}"


def _expansions(text: str) -> Iterator[ast.expr]:
    """Yield what IPython looks up in ``{expression}`` and ``$name`` of a command."""
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError:
        return  # such a text is left as it is
    for literal, name, spec, _ in fields:
        for found in names_after("$", literal):
            yield ast.Name(found, ast.Load())
        if name:
            # There is no format here: what looks like one is the end of a slice.
            yield from _names(f"{name}:{spec}" if spec else name)


def _names(text: str) -> Iterator[ast.expr]:
    try:
        yield ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return


def _without_options(line: str, with_value: Container[str]) -> tuple[list[str], str]:
    """Split the options from a magic's line: the functions given by ``-f``, the statement."""
    functions: list[str] = []
    rest = line.strip()
    while rest.startswith("-"):
        option, _, rest = rest.partition(" ")
        rest = rest.lstrip()
        if option == "--":
            break
        if option[1:] in with_value:
            value, _, rest = rest.partition(" ")
            functions += [value] if option == "-f" else []
            rest = rest.lstrip()
    return functions, rest


def _bound_by_line(magic: str, line: str) -> list[str]:
    words = line.replace("=", " ").split()
    if magic == "capture":
        names = [word for word in words if not word.startswith("-")]
    else:
        pairs = pairwise(words)
        names = [word for option, word in pairs if option in _BINDING_OPTIONS]
    return [name for name in names if name.isidentifier()]


def _moved(node: _Tree, place: ast.expr) -> _Tree:
    """Give everything in `node` the position of `place`."""
    for inner in ast.walk(node):
        ast.copy_location(inner, place)
    return node
