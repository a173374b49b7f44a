"""Functions and classes that travel by value: what of them does, by cloudpickle's rules."""

from __future__ import annotations

import types
from typing import Any, Dict, Optional

from cloudpickle import cloudpickle

#: What differs between two definitions of the same class, or is made anew with each.
_INCIDENTAL = ("__module__", "__firstlineno__", "__static_attributes__", "__dict__", "__weakref__")
#: Py_TPFLAGS_HEAPTYPE: what no compiled code has defined for good.
_MADE_HERE = 1 << 9


def name_of(value: Any) -> Optional[str]:
    """Return the name by which any process can import a function or class; None where none can."""
    if isinstance(value, type) and not value.__flags__ & _MADE_HERE:
        return f"{value.__module__}:{value.__qualname__}"
    if not cloudpickle._should_pickle_by_reference(value):
        return None
    found = cloudpickle._lookup_module_and_qualname(value)
    # Classes without a name of their own, as that of None.
    module, path = found or (value.__module__, value.__qualname__)
    return f"{getattr(module, '__name__', module)}:{path}"


def globals_of(function: types.FunctionType) -> Dict[str, Any]:
    """Return the globals that a function uses, by name."""
    names = cloudpickle._extract_code_globals(function.__code__)
    there = function.__globals__
    return {name: there[name] for name in names if name in there}


def members_of(kind: type) -> Dict[str, Any]:
    """Return what a class defines itself."""
    members: Dict[str, Any] = cloudpickle._class_getstate(kind)[0]
    return {name: value for name, value in members.items() if name not in _INCIDENTAL}
