"""Which files of tests are loaded, and in which order: a pytest plugin.

Each process of a run loads all files, and what they load. Of those whose tests are all left out by
their markers it need not.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

#: The folders of tests in which files take long. They are begun first, and by themselves: what is
#: begun last keeps one process busy while the others have nothing left to do.
_FIRST = ("worker", "integration", "executor", "chaos", "backends", "setup", "libraries")
#: Those of many tests that take no time.
_LAST = ("options", "wire", "widgets", "magics")
#: What a file says of all its tests.
_OF_ALL = re.compile(r"^pytestmark = (\[\n.*?^\]|[^\n]*)", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"\bmark\.(\w+)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file, or a folder, alone of which no test can be chosen, unless somebody names it."""
    expression = config.option.markexpr
    if not expression or any(arg.partition("::")[0].endswith(".py") for arg in config.args):
        return None
    known = {line.partition(":")[0].strip() for line in config.getini("markers")}
    chosen = Expression.compile(expression)
    files = list(collection_path.rglob("test_*.py")) if collection_path.is_dir() else []
    if collection_path.match("test_*.py"):
        files = [collection_path]
    texts = (file.read_text("utf-8") for file in files)
    return True if files and not any(_may_be_chosen(t, chosen, known) for t in texts) else None


def _may_be_chosen(text: str, chosen: Expression, known: set[str]) -> bool:
    """Tell whether a test may have markers that are asked for, by what the file mentions."""
    of_all = {name for found in _OF_ALL.findall(text) for name in _MARK.findall(found)} & known
    of_some = sorted((set(_MARK.findall(text)) & known) - of_all)
    return any(
        chosen.evaluate(lambda name, **_: name in of_all or name in some)
        for size in range(len(of_some) + 1)
        for some in itertools.combinations(of_some, size)
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that take long before the others; within a file the order stays."""

    def place(item: pytest.Item) -> int:
        folder = item.path.parent.name
        if folder in _FIRST:
            return _FIRST.index(folder)
        return len(_FIRST) + (folder in _LAST or item.path.stem == "test_architecture")

    items.sort(key=place)
