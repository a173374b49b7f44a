"""The house as docs/architecture.md draws it: who may import whom, and how large rooms get."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nbbatch"

#: A room to the rooms that it may import; each is a floor below it, or beside it.
BELOW = {
    "errors": set(),
    "facts": set(),
    "options": {"errors"},
    "wire": {"errors"},
    "inside": {"errors", "wire"},
    "bars": {"errors", "wire"},
    "foldercache": set(),
    "notes": set(),
    "origin": set(),
    "worker": {"errors", "wire"},
    "metaflow": {"errors"},
    "prices": {"errors"},
    "config": {"errors", "metaflow", "options", "prices"},
    "capture": {"errors", "foldercache", "libraries", "wire"},
    "setup": {"backends", "config", "errors"},
    "backends": {"errors", "facts", "foldercache", "notes", "options", "wire", "worker"},
    "libraries": {"backends", "errors", "foldercache", "notes", "wire", "worker"},
    "futures": {"errors", "facts", "backends", "notes", "options", "wire"},
    "widgets": {"facts"},
    "supply": {"backends", "capture", "errors", "facts", "futures", "libraries", "options", "wire"},
    "sending": {"backends", "capture", "errors", "options", "wire"},
    "caching": {"backends", "errors", "futures", "options", "sending", "supply", "wire"},
    "session": {
        "caching",
        "capture",
        "backends",
        "config",
        "errors",
        "facts",
        "futures",
        "options",
        "sending",
        "supply",
        "wire",
        "worker",
    },
    "cleaning": {"backends", "config", "errors", "facts", "futures", "libraries", "wire", "worker"},
    "tidying": {"cleaning", "errors", "options", "session"},
    "follow": {"errors", "facts", "futures", "widgets", "wire"},
    "listing": {"config", "options", "prices", "session", "widgets"},
    "monitoring": {"follow", "listing", "origin", "session", "widgets"},
    "doctor": {"errors", "facts", "session", "worker"},
    "decorators": {"calling", "errors", "futures", "inside", "options"},
    "catching": set(),
    "calling": {
        "caching",
        "capture",
        "catching",
        "follow",
        "futures",
        "options",
        "origin",
        "session",
        "wire",
    },
    "executor": {
        "backends",
        "calling",
        "capture",
        "config",
        "errors",
        "facts",
        "futures",
        "options",
        "origin",
        "session",
        "widgets",
        "wire",
    },
    "joblib": {"executor", "worker"},
    "magics": {
        "backends",
        "caching",
        "calling",
        "capture",
        "catching",
        "doctor",
        "errors",
        "follow",
        "futures",
        "joblib",
        "listing",
        "monitoring",
        "options",
        "origin",
        "session",
        "tidying",
        "wire",
    },
    "notebook": {"errors"},
    "cli": {
        "doctor",
        "errors",
        "follow",
        "listing",
        "magics",
        "notebook",
        "session",
        "setup",
        "tidying",
    },
}

#: The one place that may import a library, at any depth.
DOORS = {
    "boto3": "backends/aws",
    "botocore": "backends/aws",
    "anywidget": "widgets",
    "nbclient": "notebook",
    "cloudpickle": "wire",
    "packaging": "libraries",
    "rattler": "libraries/conda",
    "uv": "libraries",
}

#: Longer than the house's 300 lines, each with its reason.
LONG = {
    "capture/flow.py": "one small method for each kind of statement in Python's grammar",
}
HARD_LIMIT = 350


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Return the dotted names that a module imports, anywhere in it; type-only ones too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(path: Path) -> set[str]:
    """Return the rooms that a module imports from."""
    names = (name.split(".") for name in imports(path))
    return {parts[1] for parts in names if parts[0] == "nbbatch" and len(parts) > 1}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_go_down(path: Path) -> None:
    """A module imports only what lies below its room."""
    if room(path) == "__init__":
        return
    rooms = own(path) - {room(path), "__version__"}

    assert rooms <= BELOW[room(path)]


def test_the_map_has_no_circle() -> None:
    """The allowed arrows themselves can be sorted into floors."""
    placed: set[str] = set()
    while len(placed) < len(BELOW):
        next_floor = {name for name, below in BELOW.items() if below <= placed} - placed
        assert next_floor, f"a circle among {set(BELOW) - placed}"
        placed |= next_floor


@pytest.mark.parametrize("library", DOORS)
def test_one_door(library: str) -> None:
    """A library is imported in one room."""
    users = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        if any(name.split(".")[0] == library for name in imports(path))
    }

    assert users
    assert all(user.startswith(DOORS[library]) for user in users)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_are_small(path: Path) -> None:
    """A module fits on a few screens."""
    name = str(path.relative_to(PACKAGE))

    assert len(path.read_text().splitlines()) <= HARD_LIMIT or name in LONG


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_functions_are_small(path: Path) -> None:
    """No function is longer than a screen."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name


def test_import_is_inert() -> None:
    """`import nbbatch` and its extension hook load none of the heavy libraries."""
    code = (
        "import sys, nbbatch\n"
        "class Shell:\n"
        "    def register_magic_function(self, *a): pass\n"
        "nbbatch.load_ipython_extension(Shell())\n"
        "heavy = {'boto3', 'botocore', 'IPython', 'ipywidgets', 'anywidget', 'cloudpickle'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_the_map_in_the_docs_names_every_room() -> None:
    """docs/architecture.md leaves no room out."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()

    assert [name for name in BELOW if name not in page] == []
