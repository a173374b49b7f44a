"""How values are pickled: as cloudpickle does, and what the other side must know of them noted."""

from __future__ import annotations

import opcode
import pickle
import sys
import types
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Set, Tuple

import cloudpickle

from nbbatch.wire import spec, tensors, words

if TYPE_CHECKING:
    from nbbatch.wire.upstream import Reference

_HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
#: Where types of the standard library are that one Python has moved, by where it says they are.
_HOMES = {"pathlib._local": "pathlib"}
_IMPORT, _FROM = opcode.opmap["IMPORT_NAME"], opcode.opmap["IMPORT_FROM"]


class Pickler(cloudpickle.Pickler):  # type: ignore[misc, unused-ignore]
    """cloudpickle, with the notebook's namespace by token and notes on what it met.

    Parameters
    ----------
    namespace
        The dict that stands for the notebook's namespace; None where there is none.
    token
        What is pickled in its place.
    with_globals
        Whether the globals that such functions use travel with them. Towards the job they
        must; on the way back they come as values of their own, if they changed.
    reader
        The minor version of the Python that will read it, where functions are refused that are
        bytecode of another; empty for any.
    """

    def __init__(
        self,
        file: Any,
        namespace: Optional[Dict[str, Any]],
        token: Any,
        with_globals: bool,
        buffer_callback: Any,
        reader: str,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._own_globals = namespace
        self._with_globals = with_globals
        self._reader = reader
        self._tensors = tensors.Sharing()
        self.modules: Dict[str, str] = {}
        self.types: Set[str] = set()
        self.record = self.role = ""
        self.upstreams: Dict[str, Any] = {}
        # Where nobody has loaded it, there is no object of it: a trivial job does not pay for it.
        upstream = sys.modules.get("nbbatch.wire.upstream")
        self._promised: Optional[type] = getattr(upstream, "Promised", None)
        self.files: Set[str] = set()
        self.words: Set[str] = set()
        self.bytecode = False
        if namespace is not None:
            self.globals_ref[id(namespace)] = token

    def reducer_override(self, obj: Any) -> Any:
        reduced = self._tensors.reduce(obj)
        if reduced is not None:
            return reduced
        if type(obj) is type and obj.__module__ in _HOMES:
            return getattr, (sys.modules[_HOMES[obj.__module__]], obj.__qualname__)
        # Not `isinstance`: a proxy may do anything to tell whose instance it pretends to be.
        if self._promised is not None and issubclass(type(obj), self._promised):
            return self._refer(obj.promised())
        reduced = super().reducer_override(obj)
        if isinstance(obj, types.ModuleType):
            self._note(obj.__name__)
        elif reduced is NotImplemented:
            self._note_module(obj)
        return reduced

    def _refer(self, found: "Reference") -> Tuple[Any, ...]:
        """Write a reference to what another job leaves."""
        from nbbatch.wire import upstream

        if found.job is None:
            return upstream.same, found.fallback
        job = found.job.id
        self.upstreams[job] = found.job
        # Whoever is called with a job wants its result; what sees one by its name asks it for that.
        if found.name is None and self.role in (spec.VARIABLE, spec.FUNCTION):
            return upstream.future_of, (job,)
        return upstream.value_of, (job, found.name, *found.fallback)

    def _note_module(self, obj: Any) -> None:
        """Note where something comes from that is pickled by its name."""
        name: Any
        if isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
            name, path = obj.__module__, obj.__qualname__
        else:
            # Made from their class, unless they have a home themselves, as decorated functions.
            own = getattr(obj, "__dict__", {})
            name, path = own.get("__module__"), own.get("__qualname__", "")
        if isinstance(name, str) and "<locals>" not in path:
            self._note(name)
            self.types.add(name.partition(".")[0])

    def _note(self, module: str) -> None:
        self.modules.setdefault(module, self.record)

    def _dynamic_function_reduce(self, func: types.FunctionType) -> Any:
        if self._reader not in ("", _HERE):
            made = f"{func.__qualname__} is bytecode of Python {_HERE}"
            raise pickle.PicklingError(f"{made}, and the notebook has Python {self._reader}")
        self.bytecode = True
        self.files.add(func.__code__.co_filename)
        for module in imported(func.__code__):
            self._note(module)
        self.words.update(words.of_code(func.__code__))
        reduced = super()._dynamic_function_reduce(func)
        if func.__globals__ is self._own_globals and not self._with_globals:
            reduced[2][1]["__globals__"] = {}
        return reduced


def imported(code: types.CodeType) -> Iterator[str]:
    """Yield the modules that a function's code may import, inner functions included.

    Of ``from a import b`` both ``a`` and ``a.b``, which may be one.
    """
    raw, high, module = code.co_code, 0, ""
    for at in range(0, len(raw), 2):
        number = raw[at + 1] | high
        high = number << 8 if raw[at] == opcode.EXTENDED_ARG else 0
        if raw[at] == _IMPORT:
            module = code.co_names[number]
            yield module
        elif raw[at] == _FROM:
            yield f"{module}.{code.co_names[number]}"
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from imported(const)
