"""Which modules travel, with which files, and how they arrive."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from nbbatch.capture import modules
from nbbatch.capture.modules import LocalModule, local_modules, pack
from nbbatch.errors import UsageError
from nbbatch.wire.files import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
from pathlib import Path


@pytest.fixture(autouse=True)
def python_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore what the import system knows after each test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(directory: Path, *files: str, **texts: str) -> None:
    """Write empty files by path, and Python files by name with their text."""
    for path in files:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).touch()
    for name, text in texts.items():
        (directory / f"{name}.py").write_text(text)


def travelling(found: list[LocalModule]) -> dict[str, list[str]]:
    """Say which files travel for each module."""
    return {module.name: [name for name, _ in module.files] for module in found}


def test_module_beside_the_notebook(tmp_path: Path) -> None:
    """A file travels, and so does what it imports; dotted names count by their top."""
    write(tmp_path, mine_a="import mine_b.c\nimport os, numpy", mine_b="from mine_c import x")
    write(tmp_path, mine_c="def f():\n    import mine_d", mine_e="")
    write(tmp_path, mine_d="importlib.import_module('mine_f')", mine_f="")

    found = local_modules(["mine_a.x"], search_dir=tmp_path)

    assert travelling(found) == {
        "mine_a": ["mine_a.py"],
        "mine_b": ["mine_b.py"],
        "mine_c": ["mine_c.py"],
        "mine_d": ["mine_d.py"],
        "mine_f": ["mine_f.py"],
    }
    assert {module.root for module in found} == {tmp_path}


def test_package_travels_whole(tmp_path: Path) -> None:
    """All of a package's files travel, data too; what tools leave in it does not."""
    write(tmp_path, "mine/__init__.py", "mine/data/x.csv", "mine/deep/er/m.py", "mine/.hidden")
    write(tmp_path, "mine/__pycache__/m.pyc", "mine/.git/config", "mine/.venv/lib/x.py")
    write(tmp_path, "mine/node_modules/x.js", "mine/.ipynb_checkpoints/m.py")

    found = local_modules(["mine"], search_dir=tmp_path)

    assert travelling(found) == {
        "mine": ["mine/.hidden", "mine/__init__.py", "mine/data/x.csv", "mine/deep/er/m.py"]
    }


def test_namespace_package(tmp_path: Path) -> None:
    """A package without __init__.py travels; a folder without code is none."""
    write(tmp_path, "mine/part/m.py", "logs/run-1/out.txt", "logs/__pycache__/m.pyc")

    assert travelling(local_modules(["mine", "logs"], search_dir=tmp_path)) == {
        "mine": ["mine/part/m.py"]
    }


@pytest.mark.parametrize(
    "name",
    [
        *("numpy", "hypothesis", "pytest", "json", "os", "sys", "zipimport", "asyncio.events"),
        *("nbbatch", "cloudpickle", "__main__", "no_such_module", "not a name", ""),
    ],
)
def test_stays(name: str, tmp_path: Path) -> None:
    """What is installed, built in, brought by the worker or nowhere does not travel."""
    assert local_modules([name], search_dir=tmp_path) == []


def test_folder_does_not_shadow_an_installed_package(tmp_path: Path) -> None:
    """A folder named as an installed package, as tools make them, is not that package."""
    write(tmp_path, "hypothesis/run.py", "mine/run.py", "env/site-packages/mine/__init__.py")
    sys.path.append(str(tmp_path / "env/site-packages"))

    assert local_modules(["hypothesis", "mine"], search_dir=tmp_path) == []


def test_own_file_named_as_a_standard_module(tmp_path: Path) -> None:
    """A file beside the notebook wins over a standard module that is not loaded yet."""
    write(tmp_path, this="", json="")

    assert "this" not in sys.modules
    assert travelling(local_modules(["this", "json"], search_dir=tmp_path)) == {"this": ["this.py"]}


def test_elsewhere_on_the_path(tmp_path: Path) -> None:
    """Any directory on sys.path counts, except those of installations."""
    write(tmp_path, "src/mine_a.py", "lib/site-packages/mine_b.py", "x/dist-packages/mine_c.py")
    sys.path += [str(tmp_path / place) for place in ("src", "lib/site-packages")]
    sys.path.append(str(tmp_path / "x/dist-packages"))

    found = local_modules(["mine_a", "mine_b", "mine_c"], search_dir=tmp_path)

    assert travelling(found) == {"mine_a": ["mine_a.py"]}
    assert found[0].root == tmp_path / "src"


def test_loaded_module_decides(tmp_path: Path) -> None:
    """The module that the kernel has loaded travels, not one that it would load now."""
    write(tmp_path, "one/mine.py", "two/mine.py")
    sys.path.insert(0, str(tmp_path / "one"))
    __import__("mine")

    found = local_modules(["mine"], search_dir=tmp_path / "two")

    assert [module.root for module in found] == [tmp_path / "one"]


def test_editable_install_by_finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a finder hook of an editable install finds travels, under its imported name."""
    write(tmp_path, "code/__init__.py", "code/m.py", "single.py")
    finder = tmp_path / "finder.py"
    finder.write_text(
        "from importlib.util import spec_from_file_location as at\n"
        "class Finder:\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        if name == 'mine_p': return at(name, {str(tmp_path / 'code/__init__.py')!r})\n"
        f"        if name == 'mine_m': return at(name, {str(tmp_path / 'single.py')!r})\n"
    )
    namespace: dict[str, object] = {}
    exec(finder.read_text(), namespace)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, namespace["Finder"]])

    found = local_modules(["mine_p", "mine_m"], search_dir=tmp_path / "elsewhere")

    assert travelling(found) == {
        "mine_m": ["mine_m.py"],
        "mine_p": ["mine_p/__init__.py", "mine_p/m.py"],
    }


@pytest.mark.parametrize("editable", [True, False])
def test_editable_install_by_record(editable: bool, tmp_path: Path) -> None:
    """The record of an editable install makes its project local, its environments excepted."""
    project = tmp_path / "conda/site-packages/project"
    write(project, "mine_a.py", ".venv/lib/site-packages/mine_b.py")
    site = tmp_path / "env/site-packages"
    write(site, "project-1.dist-info/direct_url.json", "other-1.dist-info/METADATA")
    record = {"url": project.as_uri(), "dir_info": {"editable": editable}}
    (site / "project-1.dist-info/direct_url.json").write_text(json.dumps(record))
    sys.path += [str(site), str(project), str(project / ".venv/lib/site-packages")]

    found = local_modules(["mine_a", "mine_b"], search_dir=tmp_path)

    assert travelling(found) == ({"mine_a": ["mine_a.py"]} if editable else {})


def test_editable_install_by_its_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources and what was built of them lie apart, and only the loader knows where."""
    write(tmp_path, "code/__init__.py", "code/core.c", "build/core.so", "data/some.txt")
    inner = SimpleNamespace(name="inner", iterdir=lambda: [tmp_path / "data/some.txt"])
    inner.is_dir = lambda: True
    parts = [tmp_path / "code/__init__.py", tmp_path / "build/core.so", inner]
    files = SimpleNamespace(iterdir=lambda: parts)

    class Loader(SourceFileLoader):
        def get_resource_reader(self, name: str) -> Any:
            return SimpleNamespace(files=lambda: files)

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            origin = str(tmp_path / "code/__init__.py")
            places = [str(tmp_path / "loader.py/mine_s")]
            loader = Loader(name, origin)
            found = spec_from_file_location(
                name, origin, loader=loader, submodule_search_locations=places
            )
            return found if name == "mine_s" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])

    found = local_modules(["mine_s"], search_dir=tmp_path / "elsewhere")

    assert travelling(found) == {
        "mine_s": ["mine_s/__init__.py", "mine_s/core.so", "mine_s/inner/some.txt"]
    }


@pytest.mark.parametrize("editable", [True, False])
def test_what_an_editable_install_has_compiled(editable: bool, tmp_path: Path) -> None:
    """It lies where libraries are installed, beside what is installed as ever."""
    site = tmp_path / "env/site-packages"
    write(site, "mine_c/__init__.py", "mine_c/core.so", "mine_l.py", "project-1.dist-info/METADATA")
    (site / "project-1.dist-info/RECORD").write_text("mine_c/__init__.py,,\nmine_c/core.so,,\n")
    record = {"url": (tmp_path / "project").as_uri(), "dir_info": {"editable": editable}}
    (site / "project-1.dist-info/direct_url.json").write_text(json.dumps(record))
    sys.path.append(str(site))

    found = local_modules(["mine_c", "mine_l"], search_dir=tmp_path)

    files = ["mine_c/__init__.py", "mine_c/core.so", "project-1.dist-info/METADATA"]
    assert travelling(found) == ({"mine_c": files} if editable else {})


def test_an_editable_install_that_is_new(tmp_path: Path) -> None:
    """Its folder's time need not tell: its clock may not have ticked in between."""
    site, now = tmp_path / "env/site-packages", time.time_ns() + 10**12
    sys.path.append(str(site))
    for name in ("one", "two"):
        project = tmp_path / f"conda/site-packages/{name}"
        write(project, f"mine_{name}.py")
        write(site, f"{name}-1.dist-info/direct_url.json")
        record = {"url": project.as_uri(), "dir_info": {"editable": True}}
        (site / f"{name}-1.dist-info/direct_url.json").write_text(json.dumps(record))
        os.utime(site, ns=(now, now))
        sys.path.append(str(project))

        found = local_modules([f"mine_{name}"], search_dir=tmp_path)
        assert travelling(found) == {f"mine_{name}": [f"mine_{name}.py"]}


def test_what_is_said_of_an_editable_install(tmp_path: Path) -> None:
    """Its metadata travels beside it, of the innermost one; nothing about this machine does."""
    inner = tmp_path / "outer/inner"
    write(inner, "src/mine_a/__init__.py", "src/mine_a/m.py")
    site = tmp_path / "env/site-packages"
    for root in (inner, inner.parent):
        name = f"{root.name}-1.dist-info"
        write(site, f"{name}/METADATA", f"{name}/RECORD", f"{name}/entry_points.txt")
        record = {"url": root.as_uri(), "dir_info": {"editable": True}}
        (site / name / "direct_url.json").write_text(json.dumps(record))
    sys.path += [str(site), str(inner / "src")]

    found = local_modules(["mine_a"], search_dir=tmp_path)

    assert travelling(found) == {
        "mine_a": [
            "mine_a/__init__.py",
            "mine_a/m.py",
            "inner-1.dist-info/METADATA",
            "inner-1.dist-info/entry_points.txt",
        ]
    }


def test_links(tmp_path: Path) -> None:
    """Links are followed; a loop ends, and a link to nowhere is left out."""
    write(tmp_path, "mine/__init__.py", "mine/sub/m.py", "outside/data.csv")
    (tmp_path / "mine/sub/loop").symlink_to(tmp_path / "mine")
    (tmp_path / "mine/data").symlink_to(tmp_path / "outside")
    (tmp_path / "mine/gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "mine/pipe")

    assert travelling(local_modules(["mine"], search_dir=tmp_path)) == {
        "mine": ["mine/__init__.py", "mine/data/data.csv", "mine/sub/m.py"]
    }


def test_extension_module(tmp_path: Path) -> None:
    """A compiled module travels with its own file name."""
    name = f"mine_x{modules.importlib.machinery.EXTENSION_SUFFIXES[0]}"
    write(tmp_path, name)

    assert travelling(local_modules(["mine_x"], search_dir=tmp_path)) == {"mine_x": [name]}


def test_broken_sources_travel(tmp_path: Path) -> None:
    """A file that does not parse still travels: it may be a template, or for another Python."""
    write(tmp_path, mine="print 'x'\nimport mine_b", mine_b="")

    assert travelling(local_modules(["mine"], search_dir=tmp_path)) == {"mine": ["mine.py"]}


def test_changed_imports_are_seen(tmp_path: Path) -> None:
    """What was read of a file holds until the file changes."""
    write(tmp_path, mine_a="", mine_b="")
    assert travelling(local_modules(["mine_a"], search_dir=tmp_path)).keys() == {"mine_a"}

    write(tmp_path, mine_a="import mine_b")

    both = {"mine_a", "mine_b"}
    assert travelling(local_modules(["mine_a"], search_dir=tmp_path)).keys() == both


def test_too_large(tmp_path: Path) -> None:
    """Too much is refused, with the name of the module and of the largest file."""
    write(tmp_path, "mine/__init__.py", "mine/small.bin", "mine/weights.bin")
    os.truncate(tmp_path / "mine/small.bin", 1 << 20)
    os.truncate(tmp_path / "mine/weights.bin", modules.MAX_BYTES)

    with pytest.raises(UsageError) as caught:
        local_modules(["mine"], search_dir=tmp_path)

    error = caught.value
    assert "'mine'" in error.what
    assert "weights.bin (50.0 MB)" in error.cause
    assert error.hint


def test_file_that_can_not_be_read(tmp_path: Path) -> None:
    """A file that is gone when it is packed is named."""
    write(tmp_path, mine="")
    found = local_modules(["mine"], search_dir=tmp_path)
    (tmp_path / "mine.py").unlink()

    with pytest.raises(UsageError, match=r"mine\.py"):
        pack(found)


def test_packed_bytes_are_stable(tmp_path: Path) -> None:
    """Equal files are equal bytes, wherever they are and whenever they were written."""
    for place in ("one", "two"):
        write(tmp_path / place, "mine/__init__.py")
        write(tmp_path / place / "mine", b="x = 1", a="y = 2")
    os.utime(tmp_path / "two/mine/a.py", (1, 1))

    one, two = (
        pack(local_modules(["mine"], search_dir=tmp_path / place)) for place in ("one", "two")
    )

    assert one == two


def test_packed_modules_arrive(tmp_path: Path) -> None:
    """What was packed can be imported from where it is unpacked."""
    write(tmp_path, "here/mine/__init__.py", "here/mine/data.bin", "here/mine/ünïcode.txt")
    write(tmp_path / "here/mine", m="value = 'mine'")
    (tmp_path / "here/mine/m.py").chmod(0o755)
    (tmp_path / "here/mine/data.bin").write_bytes(bytes(range(256)))

    unpack(pack(local_modules(["mine"], search_dir=tmp_path / "here")), str(tmp_path / "there"))

    sys.path.insert(0, str(tmp_path / "there"))
    assert __import__("mine.m").m.value == "mine"
    assert (tmp_path / "there/mine/data.bin").read_bytes() == bytes(range(256))
    assert (tmp_path / "there/mine/ünïcode.txt").exists()
    assert os.access(tmp_path / "there/mine/m.py", os.X_OK)
    assert not os.access(tmp_path / "there/mine/data.bin", os.X_OK)
