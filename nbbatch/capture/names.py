"""Which names a piece of plain Python reads from around it, and which it binds.

Where the flow is uncertain, a name counts as read. There is one exception: what a function or a
class calls by its own name is itself, though a decorator or a metaclass could call it so early
that the name still has its value from before.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Final, cast

from nbbatch.capture.bytecode import function_globals, index_functions
from nbbatch.capture.flow import Flow
from nbbatch.wire import words

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

__all__ = [
    "CellNames",
    "analyse",
    "analyse_tree",
    "compile_tree",
    "function_globals",
    "parse",
    "wanted",
]

_FLAGS: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_NAMESPACE_CALLS: Final = frozenset({"exec", "eval", "globals"})
_OWN_NAMESPACE_CALLS: Final = frozenset({"locals", "vars"})
_IMPORT_CALLS: Final = frozenset({"import_module", "__import__"})
#: A module's own attributes: the other side has its own.
_MODULE_OWN: Final = frozenset(vars(ModuleType(""))) | {"__builtins__", "__file__"}


@dataclass(frozen=True)
class CellNames:
    """What a cell does with the names around it.

    Attributes
    ----------
    reads
        Names that may be looked up outside the cell, builtins among them.
    binds
        Names that may be bound at top level, by a function's ``global`` too.
    deletes
        Names that may be deleted at top level.
    imports
        The modules imported anywhere in the cell, by statements or by their names in a call; of
        ``from a import b`` both ``a`` and ``a.b``, which may be one.
    words
        What attributes are called, and short texts; see `nbbatch.wire.words`.
    star_imports
        Modules imported with ``*``, in order; what they bind is not known here.
    dynamic
        Whether names are looked up by ``exec``, ``eval``, ``globals()``, ``locals()`` or
        ``vars()``, so that `reads` may lack some.
    """

    reads: frozenset[str]
    binds: frozenset[str]
    deletes: frozenset[str]
    imports: frozenset[str]
    words: frozenset[str]
    star_imports: tuple[str, ...]
    dynamic: bool


def analyse(source: str) -> CellNames:
    """Say which names `source`, plain Python, reads and binds.

    Raises
    ------
    SyntaxError
        `source` does not compile.
    """
    tree = parse(source)
    return analyse_tree(tree, compile_tree(tree))


def analyse_tree(tree: ast.Module, *code: CodeType) -> CellNames:
    """Do as `analyse` for a parsed cell; `code` has all its functions, compiled."""
    scopes = Flow(index_functions(*code)).run(tree.body)
    mentions = _Mentions()
    for node in ast.walk(tree):
        mentions.note(node)
    return CellNames(
        frozenset(scopes.reads),
        frozenset(scopes.binds),
        frozenset(scopes.deletes),
        frozenset(mentions.imports),
        frozenset(mentions.words),
        tuple(mentions.stars),
        mentions.dynamic,
    )


def parse(source: str, filename: str = "<cell>") -> ast.Module:
    """Parse a cell, top-level ``await`` allowed."""
    with warnings.catch_warnings():
        # A doubtful escape is worth one warning, where the cell runs.
        warnings.simplefilter("ignore")
        flags = _FLAGS | ast.PyCF_ONLY_AST
        tree = compile(source, filename, "exec", flags, dont_inherit=True)
    return cast("ast.Module", tree)


def compile_tree(tree: ast.Module, filename: str = "<cell>") -> CodeType:
    """Compile a parsed cell as it will run: top-level ``await`` allowed, assertions on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(tree, filename, "exec", _FLAGS, dont_inherit=True, optimize=0)
    return cast("CodeType", code)


def wanted(
    names: CellNames | Iterable[str],
    namespace: Mapping[str, object],
    hidden: Container[str] = (),
) -> list[str]:
    """Return the names read that `namespace` has and `hidden` has not, sorted."""
    reads = set(names.reads if isinstance(names, CellNames) else names) - _MODULE_OWN
    return sorted(name for name in reads if name in namespace and name not in hidden)


class _Mentions:
    """What is seen anywhere in a cell, whatever its flow."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.words: set[str] = set()
        self.stars: list[str] = []
        self.dynamic = False

    def note(self, node: ast.AST) -> None:
        self.words.update(words_of(node))
        if isinstance(node, ast.Name):
            self.dynamic |= node.id in _NAMESPACE_CALLS
        elif isinstance(node, ast.Call):
            # With an argument these look into that object.
            self.dynamic |= _called(node) in _OWN_NAMESPACE_CALLS and not node.args
            self.imports.update(imported_by_call(node))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.update(imported(node))
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                self.stars.append("." * node.level + (node.module or ""))


def words_of(node: ast.AST) -> Iterator[str]:
    """Yield the words of an attribute, or of a text; see `nbbatch.wire.words`."""
    if isinstance(node, ast.Attribute):
        yield from words.of_name(node.attr)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from words.of_text(node.value)


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def imported_by_call(node: ast.Call) -> Iterator[str]:
    """Yield the module that a call of ``import_module`` or ``__import__`` names, if it does."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else _called(node)
    first = node.args[0] if node.args else None
    text = first.value if isinstance(first, ast.Constant) else None
    # A relative one is of the same package.
    if name in _IMPORT_CALLS and isinstance(text, str) and not text.startswith("."):
        yield text


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the modules that a statement may import; relative ones by what is said of them."""
    names = [alias.name for alias in node.names if alias.name != "*"]
    if isinstance(node, ast.Import) or not node.module:
        yield from names
    else:
        yield node.module
        yield from (f"{node.module}.{name}" for name in names)
