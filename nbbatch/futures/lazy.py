"""Results that stay in the store until somebody here looks at them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from nbbatch.errors import NotFoundError
from nbbatch.futures.job import Job
from nbbatch.futures.returning.results import Results
from nbbatch.futures.telling.labels import MAIN
from nbbatch.wire import spec
from nbbatch.wire.upstream import Promised, Reference

__all__ = ["Lazy", "lazy_results", "lazy_value"]

#: How a worker tells of a module: with its name.
_MODULE = "module "


class Lazy(Promised):
    """Stands for a result that is in the store; see the option `lazy`.

    It is fetched, once, by `result`, or by whatever needs the value: an attribute, an operator, a
    loop. Its repr fetches nothing, and given to another job it does not pass through here.
    """

    def __init__(self, job: Job[Any], name: str | None) -> None:
        # Names that the value has must not be hidden by its own.
        self._nbbatch_job = job
        self._nbbatch_name = name
        self._nbbatch_value: tuple[Any, ...] = ()

    def result(self) -> Any:
        """Return the value; the first time it is fetched.

        Raises
        ------
        NbbatchError
            It is gone, was altered, or can't be rebuilt here.
        """
        if not self._nbbatch_value:
            self._nbbatch_value = (self._nbbatch_fetched(),)
        return self._nbbatch_value[0]

    def _nbbatch_fetched(self) -> Any:
        job, name = self._nbbatch_job, self._nbbatch_name
        if name is None:
            return job.result()
        found = job.results()
        if name in found.variables:
            return found.variables[name]
        if found.error is not None:
            raise found.error
        raise NotFoundError(
            f"{name} of job {job.id} ({job.name}) can't be had",
            found.lost.get(name, "the job has left no such variable"),
            f"use it in a %%batch cell, or %batch logs {job.id}",
        )

    def promised(self) -> Reference:
        """Return what travels in its place: the value as it is here, once it is here."""
        if self._nbbatch_value:
            return Reference(None, fallback=self._nbbatch_value)
        return Reference(self._nbbatch_job, self._nbbatch_name)

    def __repr__(self) -> str:
        job, name = self._nbbatch_job, self._nbbatch_name or ""
        kind, size = _about(job, name)
        what = " ".join(filter(None, [name, kind and f"({kind})"]))
        where = "here" if self._nbbatch_value else f"{size} in the store; .result() fetches it"
        return f"<lazy {what or 'result'} of job {job.id} ({job.name}): {where}>"

    def __reduce__(self) -> Any:
        # Elsewhere it is the value itself.
        return operator.itemgetter(0), ((self.result(),),)

    def __getattr__(self, name: str) -> Any:
        # What shows, completes or copies things asks for such names, and must not fetch.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.result(), name)

    def __dir__(self) -> list[str]:
        return dir(self.result()) if self._nbbatch_value else ["result"]

    def __hash__(self) -> int:
        return hash(self.result())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.result())

    def __bool__(self) -> bool:
        return bool(self.result())

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        import numpy as np

        return np.asarray(self.result(), *args, **kwargs)


def _plain(value: Any) -> Any:
    return value.result() if isinstance(value, Lazy) else value


def _forward(name: str, work: Callable[..., Any]) -> None:
    """Have a method of Python's own do `work` with the value: it is looked up at the type."""

    def method(self: Lazy, *args: Any, **kwargs: Any) -> Any:
        return work(self.result(), *map(_plain, args), **kwargs)

    setattr(Lazy, f"__{name}__", method)


def _backward(name: str, work: Callable[..., Any]) -> None:
    setattr(Lazy, f"__r{name}__", lambda self, other: work(other, self.result()))


for _name in [
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "getitem",
    "setitem",
    "delitem",
    "contains",
    "index",
    "neg",
    "pos",
    "abs",
    "invert",
]:
    _forward(_name, getattr(operator, _name))
for _name in [
    "add",
    "sub",
    "mul",
    "matmul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "lshift",
    "rshift",
    "and_",
    "xor",
    "or_",
]:
    _forward(_name.strip("_"), getattr(operator, _name))
    _backward(_name.strip("_"), getattr(operator, _name))
for _work in (len, int, float, complex, round, reversed, next, str, format, divmod):
    _forward(_work.__name__, _work)
_forward("call", lambda value, *args, **kwargs: value(*args, **kwargs))


def lazy_value(job: Job[Any]) -> Any:
    """Return what a call's job has returned: what stands for it, where that is asked for."""
    ended_well = job.wait() and job.lazy and job.facts.outcome == "ok"
    return Lazy(job, None) if ended_well else job.result()


def lazy_results(job: Job[Any]) -> Results:
    """Return what a cell's job has left: what stands for it, where that is asked for.

    Of a cell that has failed the variables themselves: its exception has to be fetched anyway.
    """
    strand = job.strand(MAIN)
    outcome = strand.outcome
    if not job.lazy or outcome is None or job.facts.outcome != "ok":
        return job.results()
    results = Results()
    results.changed, results.deleted = outcome.changed, outcome.deleted
    results.lost.update(dict(outcome.unreturned))
    kinds = dict(outcome.kinds)
    for role, name, _, _ in outcome.records:
        if role == spec.VARIABLE:
            module = kinds.get(name, "").partition(_MODULE)[2]
            results.variables[name] = _imported(module) if module else Lazy(job, name)
            if results.variables[name] is None:
                results.variables[name] = Lazy(job, name)
    return results


def _imported(module: str) -> Any:
    """Return a module, where it is here too: there is nothing to fetch of it."""
    try:
        return import_module(module)
    # Whatever it raises while it is imported: whoever uses it is told when they do.
    except Exception:
        return None


def _about(job: Job[Any], name: str) -> tuple[str, str]:
    """Return the type of a variable, or of the result, and how large it is."""
    strand = job.strand(MAIN)
    outcome, envelope = strand.outcome, strand.envelope
    if outcome is None or envelope is None:
        return "", ""
    size = start = used = 0
    for _, each, end, buffers in outcome.records:
        if each == name:
            parts = envelope.parts[1 + used : 1 + buffers]
            size = end - start + sum(part.size for part in parts)
        start, used = end, buffers
    return dict(outcome.kinds).get(name, ""), f"{size:,} bytes"
