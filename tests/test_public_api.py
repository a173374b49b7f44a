"""The public names are what `__all__` says."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import nbbatch
from nbbatch import errors


def test_every_public_name_exists() -> None:
    """Each name of `nbbatch.__all__` can be had, and the list is sorted."""
    assert nbbatch.__all__ == sorted(nbbatch.__all__)
    for name in nbbatch.__all__:
        assert getattr(nbbatch, name) is not None


def test_public_names_survive_the_import_of_all_modules() -> None:
    """No module of the package takes the place of a public name."""
    code = (
        "import pkgutil, importlib, nbbatch\n"
        "for m in pkgutil.walk_packages(nbbatch.__path__, 'nbbatch.'):\n"
        "    if not m.name.endswith(('__main__', '.supervisor')): importlib.import_module(m.name)\n"
        "print([n for n in nbbatch.__all__ if type(getattr(nbbatch, n)).__name__ == 'module'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_unknown_names_are_attribute_errors() -> None:
    """A name that does not exist fails as usual."""
    with pytest.raises(AttributeError, match="no attribute 'bach'"):
        _ = nbbatch.bach


def test_the_error_tree_is_drawn() -> None:
    """Every error class is public and stands in the drawing."""
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.NbbatchError)
    }

    assert classes == set(errors.__all__)
    assert [name for name in classes if name not in str(errors.__doc__)] == []


@pytest.mark.parametrize("name", ["nbbatch.session", "nbbatch.decorators", "nbbatch.options"])
def test_lists_of_names_are_true(name: str) -> None:
    """What a module lists, it has."""
    module = importlib.import_module(name)

    assert [n for n in module.__all__ if not hasattr(module, n)] == []
