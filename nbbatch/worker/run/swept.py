"""Runs a cell once for each point of a grid: parameters are variables, what it binds is a row."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import Any, Callable, Dict, List

from nbbatch.wire import spec
from nbbatch.wire.spec import JobSpec
from nbbatch.worker.run import cell, values
from nbbatch.worker.run.changes import Snapshot

#: What a cell binds on its way to a result.
_TOOLS = (FunctionType, ModuleType, type)
#: The value of a cell's last expression, in a row.
RESULT = "result"


class Swept:
    """The cell, as a function of a point."""

    def __init__(
        self, job: JobSpec, namespace: Dict[str, Any], show: Callable[[Any], None]
    ) -> None:
        self._job = job
        self._namespace = namespace
        self._show = show

    def __call__(self, point: Dict[str, Any]) -> Dict[str, Any]:
        """Run the cell; return the parameters, what it bound, and its last expression's value.

        Raises
        ------
        BaseException
            What the cell raised.
        """
        namespace = self._namespace
        shown: List[Any] = []
        kept = dict(namespace)
        namespace.update(point)
        before = Snapshot(namespace, {}, compare=False)

        def show(value: Any) -> None:
            shown.append(value)
            self._show(value)

        try:
            cell.run_cell(self._job, namespace, show)
            return {**point, **self._travelling(self._row(before, shown))}
        finally:
            # The next point must not see what this one has left.
            namespace.clear()
            namespace.update(kept)

    def _row(self, before: Snapshot, shown: List[Any]) -> Dict[str, Any]:
        namespace, out = self._namespace, self._job.out
        if out is not None:
            return {name: namespace[name] for name in out if name in namespace}
        row = {
            name: namespace[name]
            for name in before.bound()
            if not name.startswith("_") and not isinstance(namespace[name], _TOOLS)
        }
        for value in shown:
            if value is not None and not any(value is other for other in row.values()):
                row.setdefault(RESULT, value)
        return row

    def _travelling(self, row: Dict[str, Any]) -> Dict[str, Any]:
        """Leave out, and name, what does not pickle."""
        items = [(spec.VARIABLE, name, value) for name, value in row.items()]
        found = values.dump(items, self._namespace, self._job.python)
        for name, reason in values.unreturned(found):
            print(f"stays in the job: {reason}", file=sys.stderr)
            del row[name]
        return row
