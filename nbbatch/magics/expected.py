"""Variables that detached cells will have bound: a later ``%%batch`` cell may use them at once.

Such a variable travels as a reference to what the detached cell's job will leave. It counts until
the notebook binds the name anew: by a cell of its own, or because the results have arrived.
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from nbbatch.capture import Cell, analyse
from nbbatch.capture.names import parse
from nbbatch.errors import UpstreamError
from nbbatch.futures.job import Job
from nbbatch.magics.namespace import remembered
from nbbatch.wire.upstream import Promised, Reference

__all__ = ["expect", "expected"]

_NOTHING = object()


@dataclass(frozen=True)
class _Expected:
    """What a name will stand for.

    Attributes
    ----------
    sure
        Whether the cell binds it whatever happens, as long as it runs to its end.
    needs
        What else of the notebook's it uses by name: it is a function or a class.
    """

    job: Job[Any]
    before: Callable[[], Any]
    sure: bool
    needs: frozenset[str]


class _StandIn(Promised):
    def __init__(self, job: Job[Any], name: str, fallback: tuple[Any, ...]) -> None:
        self._reference = Reference(job, name, fallback)

    def promised(self) -> Reference:
        return self._reference


_known: weakref.WeakKeyDictionary[Any, dict[str, _Expected]] = weakref.WeakKeyDictionary()


def expect(shell: Any, job: Job[Any], cell: Cell, out: Collection[str] | None) -> None:
    """Remember which variables a detached cell will have bound.

    Parameters
    ----------
    out
        The only ones that it returns; None where it returns all.
    """
    sure, functions, imports = _bound(parse(cell.source))
    namespace = shell.user_ns
    names = set(out) if out is not None else cell.names.binds | cell.names.deletes
    found = _known.setdefault(shell, {})
    for name in names:
        # An import is no result: where the notebook has the module, it is the same one.
        if name in imports and isinstance(namespace.get(name), ModuleType):
            continue
        found[name] = _Expected(
            job,
            remembered(namespace.get(name, _NOTHING)),
            name in sure and name not in cell.names.deletes,
            functions.get(name, frozenset()),
        )


def expected(shell: Any, names: Collection[str]) -> tuple[dict[str, Promised], set[str]]:
    """Return what stands for those of `names` that detached cells will bind.

    Returns
    -------
    tuple
        The stand-ins, and the names that these will use besides.

    Raises
    ------
    UpstreamError
        Such a cell has failed, and the notebook has no variable of that name.
    """
    stand_ins: dict[str, Promised] = {}
    more: set[str] = set()
    left = set(names)
    while left:
        new = dict(_standing(shell, left - set(stand_ins)))
        stand_ins.update({name: stand_in for name, (stand_in, _) in new.items()})
        left = set().union(*(needs for _, needs in new.values())) - more
        more |= left
    return stand_ins, more


def _standing(
    shell: Any, names: Collection[str]
) -> Iterator[tuple[str, tuple[Promised, frozenset[str]]]]:
    known, namespace = _known.get(shell, {}), shell.user_ns
    for name in sorted(names):
        each = known.get(name)
        if each is None:
            continue
        now = namespace.get(name, _NOTHING)
        if each.before() is not now or _failed(name, each.job, namespace):
            del known[name]
            continue
        fallback = () if each.sure or now is _NOTHING else (now,)
        yield name, (_StandIn(each.job, name, fallback), each.needs)


def _failed(name: str, job: Job[Any], namespace: Mapping[str, Any]) -> bool:
    """Tell whether a cell has failed, and so has left a variable as it was."""
    if not job.done() or job.facts.outcome == "ok":
        return False
    if name not in namespace:
        raise UpstreamError(
            f"there is no variable {name}",
            f"job {job.id} ({job.name}) was to bind it, and has failed: {job.facts.message}",
            "run that cell again, then this one",
        )
    return True


def _bound(tree: ast.Module) -> tuple[set[str], dict[str, frozenset[str]], set[str]]:
    """Say what a cell's statements bind whatever happens: all, the functions, the modules.

    Functions and classes are given with what they read.
    """
    sure: set[str] = set()
    functions: dict[str, frozenset[str]] = {}
    imports: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            functions[statement.name] = analyse(ast.unparse(statement)).reads
            sure.add(statement.name)
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            imports |= {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            sure |= {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
    return sure, functions, imports
