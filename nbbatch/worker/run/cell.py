"""Runs a cell's source in a namespace, as a notebook would."""

from __future__ import annotations

import ast
import linecache
import sys
from types import CodeType, CoroutineType
from typing import Any, Callable, Dict, List, Optional, Tuple

from nbbatch import errors
from nbbatch.wire.spec import JobSpec

_COROUTINE = 0x80  # inspect.CO_COROUTINE, without the cost of importing inspect


def remember_source(filename: str, text: str) -> None:
    """Let tracebacks and `inspect.getsource` find the lines of code that has no file here."""
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)


def compile_cell(job: JobSpec) -> Tuple[Optional[CodeType], Optional[CodeType]]:
    """Compile a cell: its statements, and its last expression apart where its value is shown.

    Line numbers are those of the notebook's cell, where the body starts at `JobSpec.first_line`.

    Raises
    ------
    ImageError
        The kernel's Python takes it, and this one does not.
    """
    tree = _parsed(job)
    ast.increment_lineno(tree, job.first_line - 1)
    last: Optional[ast.expr] = None
    body: List[ast.stmt] = tree.body
    if body and isinstance(body[-1], ast.Expr) and not job.silent:
        last = body[-1].value
        body = body[:-1]
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    statements = expression = None
    if body:
        module = ast.Module(body=body, type_ignores=[])
        statements = compile(module, job.filename, "exec", flags, dont_inherit=True)
    if last is not None:
        expression = compile(ast.Expression(last), job.filename, "eval", flags, dont_inherit=True)
    return statements, expression


def _parsed(job: JobSpec) -> ast.Module:
    try:
        return ast.parse(job.source, job.filename)
    except SyntaxError as error:
        here = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if job.python == here:
            raise
        line = (error.lineno or 1) + job.first_line - 1
        raise errors.ImageError(
            f"{job.name} can't run on Python {here}",
            f"{error.msg}, line {line} of the cell: the kernel's Python {job.python} takes it",
            f"--python {job.python}, or an image that has it: --image python:{job.python}",
        ) from None


class _Loop:
    """An event loop that exists only once a cell awaits something."""

    def __init__(self) -> None:
        self._loop: Any = None

    def run(self, coroutine: Any) -> Any:
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        if self._loop is None:
            return
        import asyncio

        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()


def run_cell(job: JobSpec, namespace: Dict[str, Any], show: Callable[[Any], None]) -> None:
    """Run a cell; `show` takes the value of its last expression.

    Raises
    ------
    BaseException
        What the cell raised.
    """
    statements, expression = compile_cell(job)
    loop = _Loop()
    try:
        if statements is not None:
            _evaluate(statements, namespace, loop)
        if expression is not None:
            show(_evaluate(expression, namespace, loop))
    finally:
        loop.close()


def _evaluate(code: CodeType, namespace: Dict[str, Any], loop: _Loop) -> Any:
    value = eval(code, namespace)
    return loop.run(value) if code.co_flags & _COROUTINE else value


def run_call(function: Any, arguments: Any) -> Any:
    """Call a function with (args, kwargs); a coroutine is awaited."""
    args, kwargs = arguments
    value = function(*args, **kwargs)
    if not isinstance(value, CoroutineType):
        return value
    import asyncio

    return asyncio.run(value)
