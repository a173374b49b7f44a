"""What a job needs and what becomes of it, from distributions that the tests make."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nbbatch.backends.base import Target
from nbbatch.errors import LibraryError
from nbbatch.libraries.installed import Installed
from nbbatch.libraries.needs import find_needs
from nbbatch.libraries.plan import Way, check_obtainable, make_plan, misfits
from nbbatch.libraries.targets import kernel_target
from nbbatch.libraries.telling import described
from tests.libraries.shop import Made, install

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHER = "3.9" if HERE != "3.9" else "3.10"
MACHINE = os.uname().machine
COMPILED = f"cp{HERE.replace('.', '')}-cp{HERE.replace('.', '')}"
IMAGE = Target("image", HERE, MACHINE, "glibc 2.36", known=True)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give an installation directory."""
    return tmp_path / "site-packages"


def put(site: Path, name: str, version: str = "1.0", **facts: object) -> None:
    """Install a distribution of one module."""
    facts.setdefault("files", {f"{name.replace('-', '_')}/__init__.py": ""})
    install(Made(name, version, **facts), site)  # type: ignore[arg-type]


def names(
    site: Path, *wants: str, target: Target = IMAGE, words: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return what is needed for some modules, with the reasons."""
    imported = dict.fromkeys(wants, "it is imported")
    needs = find_needs(imported, (), Installed([site]), target, words)
    return {name: need.reason for name, need in needs.here.items()} | dict(needs.missing)


def way(site: Path, name: str, target: Target = IMAGE) -> Way:
    """Return how a distribution comes to a target."""
    needs = find_needs({name: "it is imported"}, (), Installed([site]), target)
    return make_plan(needs, target).items[0].way


def test_what_is_needed_and_why(site: Path) -> None:
    """A distribution, what it requires there, and no more."""
    put(site, "my-lib", requires=["Dep_One[fast]>=1", "other; sys_platform == 'win32'"])
    put(site, "dep-one", requires=["speed; extra == 'fast'", "slow; extra == 'slow'"])
    put(site, "speed")
    put(site, "slow")
    put(site, "other")

    assert names(site, "my_lib.deep") == {
        "my-lib": "it is imported",
        "dep-one": "my-lib needs it",
        "speed": "dep-one needs it",
    }


def test_what_only_the_target_needs(site: Path) -> None:
    """A requirement of the container's platform alone, which nobody has installed here."""
    put(site, "lib", requires=[f"driver>=2; python_version == '{OTHER}'"])

    assert names(site, "lib", target=replace(IMAGE, python=OTHER)) == {
        "lib": "it is imported",
        "driver>=2": "lib needs it there",
    }
    assert names(site, "lib") == {"lib": "it is imported"}


def test_an_optional_one_that_is_in_use(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an extra would bring goes along where the kernel has loaded it."""
    put(site, "lib", requires=["engine; extra == 'fast'", "checks; extra == 'test'"])
    put(site, "engine")
    put(site, "checks")
    assert names(site, "lib") == {"lib": "it is imported"}
    monkeypatch.setitem(sys.modules, "engine", os)
    monkeypatch.setitem(sys.modules, "checks", os)

    found = names(site, "lib")

    assert found["engine"] == "lib uses it, and the kernel has loaded it"
    assert "checks" not in found


@pytest.mark.parametrize(
    ("extra", "counts"),
    [
        *((name, True) for name in ("parallel", "device", "scipy", "docker", "performance")),
        *((name, False) for name in ("all", "dev-tools", "my_tests", "docs", "ci", "perf")),
    ],
)
def test_which_extras_count(
    site: Path, monkeypatch: pytest.MonkeyPatch, extra: str, counts: bool
) -> None:
    """Those for people who work on a distribution do not; a part of a word says nothing."""
    put(site, "lib", requires=[f"engine; extra == '{extra}'"])
    put(site, "engine")
    monkeypatch.setitem(sys.modules, "engine", os)

    assert ("engine" in names(site, "lib")) is counts


def test_what_the_kernel_itself_has_loaded(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That says nothing of the code: a bar of tqdm's needs no widgets there, nor IPython."""
    put(site, "lib", requires=["ipywidgets; extra == 'notebook'"])
    put(site, "ipywidgets", requires=["ipython"])
    put(site, "ipython")
    monkeypatch.setitem(sys.modules, "ipywidgets", os)

    assert set(names(site, "lib")) == {"lib"}
    assert set(names(site, "lib", "ipywidgets")) == {"lib", "ipython", "ipywidgets"}


def test_what_shows_something(site: Path) -> None:
    """What a library looks for and does not require, so that it shows there what it shows here."""
    put(site, "plotly")
    assert set(names(site, "plotly")) == {"plotly"}
    put(site, "ipython", requires=["traits"])
    put(site, "traits")

    assert set(names(site, "plotly")) == {"plotly", "ipython", "traits"}


def test_circles_end(site: Path) -> None:
    """Two that require each other."""
    put(site, "a", requires=["b"])
    put(site, "b", requires=["a", "!!no requirement"])

    assert set(names(site, "a")) == {"a", "b"}


def test_a_shared_package(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a namespace, those parts that are named, else those that are loaded, or all of them."""
    put(site, "ns-one", files={"ns/one/__init__.py": ""})
    put(site, "ns-two", files={"ns/two.cpython-311-x86_64-linux-gnu.so": ""})
    put(site, "ns-deep", files={"ns/deep/three/__init__.py": ""})
    assert set(names(site, "ns")) == {"ns-one", "ns-two", "ns-deep"}
    assert set(names(site, "ns", "ns.two")) == {"ns-two"}
    monkeypatch.setitem(sys.modules, "ns.one", os)

    assert set(names(site, "ns")) == {"ns-one"}
    assert set(names(site, "ns.two.name")) == {"ns-two"}
    assert set(names(site, "ns.deep", "ns.deep.other")) == {"ns-deep"}
    assert set(names(site, "ns", "ns.deep.three")) == {"ns-one", "ns-deep"}


def test_editable_ones_travel_as_files(site: Path) -> None:
    """They are the notebook's own modules, not libraries."""
    put(site, "mine")
    (site / "mine-1.0.dist-info" / "direct_url.json").write_text(
        '{"url": "file:///home/ann/mine", "dir_info": {"editable": true}}'
    )

    assert names(site, "mine") == {}


@pytest.mark.parametrize(
    ("tag", "target", "wanted"),
    [
        ("py3-none-any", IMAGE, Way.FILES),
        ("py3-none-any", replace(IMAGE, python=OTHER, machine="other"), Way.FILES),
        ("py2-none-any", IMAGE, Way.INDEX),
        (f"{COMPILED}-manylinux_2_17_{MACHINE}", IMAGE, Way.FILES),
        (f"{COMPILED}-manylinux2014_{MACHINE}", IMAGE, Way.FILES),
        (f"{COMPILED}-manylinux_2_39_{MACHINE}", IMAGE, Way.INDEX),
        (f"{COMPILED}-manylinux_2_17_{MACHINE}", replace(IMAGE, python=OTHER), Way.INDEX),
        (f"{COMPILED}-manylinux_2_17_{MACHINE}", replace(IMAGE, machine="other"), Way.INDEX),
        (f"{COMPILED}-manylinux_2_17_{MACHINE}", replace(IMAGE, libc="musl"), Way.INDEX),
        (f"{COMPILED}-linux_{MACHINE}", replace(IMAGE, libc="glibc 2.5"), Way.INDEX),
    ],
)
@pytest.mark.skipif(
    sys.platform != "linux" or not kernel_target().libc.startswith("glibc"),
    reason="the tags are those of Linux with glibc",
)
def test_whose_files_fit(site: Path, tag: str, target: Target, wanted: Way) -> None:
    """Installed files go where their wheel's tags say that they run; the rest from an index."""
    put(site, "lib", tag=tag)

    assert way(site, "lib", target) is wanted


@pytest.mark.parametrize(
    ("tag", "wanted"), [(f"{COMPILED}-linux_{MACHINE}", Way.INDEX), ("py3-none-any", Way.FILES)]
)
def test_what_conda_has_installed(site: Path, tag: str, wanted: Way) -> None:
    """Compiled it links to what lies elsewhere; and it names the folder in which it was built."""
    put(site, "lib", tag=tag)
    record = site / "lib-1.0.dist-info"
    (record / "INSTALLER").write_text("conda\n")
    (record / "direct_url.json").write_text('{"url": "file:///croot/work", "dir_info": {}}')
    needs = find_needs({"lib": "it is imported"}, (), Installed([site]), IMAGE)
    plan = make_plan(needs, IMAGE)
    check_obtainable(plan)

    assert [item.way for item in plan.items] == [wanted]


@pytest.mark.parametrize(
    ("word", "extra", "counts"),
    [
        ("plot", "plot", True),
        ("hist", "plot", True),
        ("style", "output-formatting", True),
        ("sql", "sql-other", True),
        ("engine", "fast", True),  # what it brings
        ("other", "sql-other", False),
        ("plotting", "plot", False),
        ("test", "test", False),
    ],
)
def test_extras_that_the_code_has_a_word_for(
    site: Path, word: str, extra: str, counts: bool
) -> None:
    """A library looks for what they bring when it is called so; that is not loaded before."""
    put(site, "lib", requires=[f"engine; extra == '{extra}'"])
    put(site, "engine")

    found = names(site, "lib", words=("any", word))
    assert found == {
        "lib": "it is imported",
        **({"engine": f"lib uses it for what the code calls {word}"} if counts else {}),
    }


def test_a_guess_is_no_reason_to_refuse(site: Path) -> None:
    """What a word asks for goes only where it is sure that it runs there."""
    put(site, "lib", requires=["engine; extra == 'plot'"])
    put(site, "engine", tag=f"{COMPILED}-manylinux_2_17_{MACHINE}")
    there = {True: IMAGE, False: replace(IMAGE, python=OTHER)}

    for fits, target in there.items():
        assert ("engine" in names(site, "lib", target=target, words=("plot",))) is fits


def test_a_python_that_is_refused(site: Path) -> None:
    """Of plain Python, too, this version may be for newer ones than the image's: it says so."""
    put(site, "lib", python=f">={HERE}")
    target = replace(IMAGE, python="3.8")
    needs = find_needs({"lib": "it is imported"}, (), Installed([site]), target)
    plan = make_plan(needs, target)
    with pytest.raises(LibraryError) as caught:
        check_obtainable(plan)

    assert described(plan, "auto").splitlines()[1] == "lib  1.0  refused  it is imported"
    assert f"it runs on Python >={HERE}, and image has Python 3.8" in caught.value.cause
    assert f"--python {HERE}" in caught.value.hint
    assert "--pypi lib" in caught.value.hint


def test_an_installation_without_a_list_of_files(site: Path) -> None:
    """What a distribution's package manager installed is had from an index."""
    put(site, "lib")
    record = site / "lib-1.0.dist-info"
    (record / "RECORD").unlink()
    (record / "top_level.txt").write_text("lib\n")

    assert way(site, "lib") is Way.INDEX


def test_what_is_there_is_not_sent(site: Path) -> None:
    """The same version counts; another is sent, and the table says so."""
    put(site, "same")
    put(site, "differs", "2.0")
    target = replace(IMAGE, packages={"same": "1.0", "differs": "1.9"})
    needs = find_needs({"same": "a", "differs": "b"}, {"differs"}, Installed([site]), target)
    plan = make_plan(needs, target)

    assert plan.expects == {"same": "1.0"}
    assert [item.name for item in plan.going(Way.FILES)] == ["differs"]
    assert described(plan, "auto").splitlines()[1:] == [
        "differs  2.0  sent   b; there it is 1.9",
        "same     1.0  there  a",
    ]
    assert misfits(plan) == (
        ["differs is 1.9 there and 2.0 here, and values made by it travel"],
        [],
    )
    assert described(plan, "image").splitlines()[1] == (
        "differs  2.0  refused  b; there it is 1.9, and values made by it travel"
    )


def test_what_an_image_alone_must_have(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What code imports itself; what that needs in its turn is the image's own affair."""
    put(site, "lib", "1.2", requires=["dep", "engine; extra == 'fast'"])
    put(site, "gone")
    put(site, "dep")
    put(site, "engine")
    monkeypatch.setitem(sys.modules, "engine", os)
    target = replace(IMAGE, packages={"lib": "1.1"})
    needs = find_needs({"lib": "a", "gone": "b"}, (), Installed([site]), target)
    plan = make_plan(needs, target)

    assert misfits(plan) == (["gone 1.0 is not there: b"], ["lib is 1.1 there and 1.2 here"])
    assert described(plan, "image").splitlines()[1:] == [
        "dep     1.0  missing  lib needs it",
        "engine  1.0  missing  lib uses it, and the kernel has loaded it",
        "gone    1.0  refused  b; it is not there",
        "lib     1.2  differs  a; there it is 1.1",
    ]
