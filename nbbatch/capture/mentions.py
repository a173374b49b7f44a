"""What a file of a local module mentions: modules that it imports, and words."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nbbatch.capture.names import imported, imported_by_call, words_of

__all__ = ["Mentions", "mentions"]


class Mentions(NamedTuple):
    """What a file mentions.

    Attributes
    ----------
    imports
        The modules that it may import; see `nbbatch.capture.names.CellNames`.
    words
        See `nbbatch.wire.words`.
    """

    imports: frozenset[str]
    words: frozenset[str]


_read: dict[Path, tuple[tuple[int, int], Mentions]] = {}


def mentions(path: Path) -> Mentions:
    """Return what a file mentions; it is read again only when it has changed."""
    facts = path.stat()
    version = (facts.st_mtime_ns, facts.st_size)
    known = _read.get(path)
    if known is None or known[0] != version:
        nodes = list(_nodes(path))
        imports = frozenset(name for node in nodes for name in _imports(node))
        words = frozenset(word for node in nodes for word in words_of(node))
        known = _read[path] = (version, Mentions(imports, words))
    return known[1]


def _nodes(path: Path) -> Iterator[ast.AST]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from ast.walk(ast.parse(path.read_bytes()))
    except (SyntaxError, ValueError, RecursionError):
        return  # a template, or for another Python: it fails where it is imported, or never


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level):
        yield from imported(node)
    elif isinstance(node, ast.Call):
        yield from imported_by_call(node)
