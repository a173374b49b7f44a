"""Every option's values, on every surface: the decorator, the magic's line, the configuration."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatch import batch
from nbbatch.config import configured
from nbbatch.errors import OptionError
from nbbatch.magics.line import parse_line
from nbbatch.options import Option, Options, merge, option_named, table
from tests.options.cases import CASES, JOB

ALL = sorted(option.name for option in table())
#: What stands between a name and what it is given, on a line.
BETWEEN = {"log_options": ":", "host_volumes": ":", "efs_volumes": ":"}


def work() -> None:
    """Do nothing: a function to decorate."""


def on_decorator(name: str, value: Any) -> Options:
    return merge(batch(**{name: value})(work)._options)


def on_line(name: str, value: Any) -> Options:
    return merge(parse_line(line(option_named(name), value)).options)


def line(option: Option, value: Any) -> str:
    """Write a value as a person would on the magic's line."""
    if option.switch and isinstance(value, bool):
        return option.flag if value else option.flag.replace("--", "--no-", 1)
    return " ".join(shlex.quote(f"{option.flag}={text}") for text in texts(option, value))


def texts(option: Option, value: Any) -> list[str]:
    if isinstance(value, (int, float)):
        return [str(value)]
    if isinstance(value, dict) and option.name != "extra" and value:
        between = BETWEEN.get(option.name, "=")
        return [f"{name}{between}{_joined(said)}" for name, said in value.items()]
    if isinstance(value, list) and value:
        return [json.dumps(item) if isinstance(item, dict) else str(item) for item in value]
    return [value if isinstance(value, str) else json.dumps(value)]


def _joined(said: Any) -> str:
    return ":".join(map(str, said)) if isinstance(said, list) else str(said)


def test_every_option_has_cases() -> None:
    """None is without good values, both ends of its range, what is beyond it, and bad values."""
    assert sorted(CASES) == ALL
    for name, cases in CASES.items():
        kinds = (cases.good, cases.edges, cases.beyond, cases.bad, cases.odd)
        assert all(kinds), f"{name} lacks a kind of case"


@pytest.mark.parametrize("name", ALL)
def test_good_values_mean_the_same_on_both_surfaces(name: str) -> None:
    """What is good, to the ends of the range, becomes the same from a decorator and a line."""
    for value, becomes in CASES[name].taken:
        expected = merge({name: value if becomes is None else becomes})

        assert getattr(expected, name) == (value if becomes is None else becomes)
        assert on_decorator(name, value) == expected, value
        assert on_line(name, value) == expected, value


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("surface", [on_decorator, on_line])
def test_bad_values_are_refused(name: str, surface: Any) -> None:
    """The error names the option, the value and what is taken, and shows what works."""
    cases = CASES[name]
    for value in [*cases.refused, *(cases.odd if surface is on_decorator else [])]:
        with pytest.raises(OptionError) as caught:
            surface(name, value)

        error = caught.value
        seen = value if surface is on_decorator else _seen(option_named(name), value)
        assert error.what.startswith(f"{name} = {_beginning(seen)}"), value
        assert error.what.endswith(" can't be used")
        assert error.cause.startswith(f"{name} takes {option_named(name).check.says}")
        assert option_named(name).example in error.hint
        assert option_named(name).argument in error.hint
        assert len(str(error).splitlines()) == 3


def _seen(option: Option, value: Any) -> Any:
    """Return what the line hands over: a text, or the texts of repeated flags."""
    words = texts(option, value)
    return words if len(words) > 1 else words[0]


def _beginning(value: Any) -> str:
    try:
        return " ".join(repr(value).split())[:100]
    except ValueError:
        return "a int"


def test_operators_of_condas() -> None:
    """A version that begins with one keeps it: two signs are that very one, one is a series."""
    said = {"gdal": "==3.8.1", "numpy": "=1.26", "six": " >=2"}

    assert on_decorator("conda", said).conda == ("gdal ==3.8.1", "numpy =1.26", "six >=2")


@pytest.mark.parametrize(("env", "name"), [("none", "pypi"), ("image", "requirements")])
def test_packages_that_would_be_forgotten(env: str, name: str) -> None:
    """What is asked for by name is not left out silently."""
    with pytest.raises(OptionError, match=f"{name} can't be used with env = '{env}'"):
        merge({name: "a"}, {"env": env})


@pytest.mark.parametrize("name", ALL)
def test_examples_work_on_both_surfaces(name: str) -> None:
    """What an error or the documentation shows is taken, and says the same on both surfaces."""
    option = option_named(name)
    from_line = merge(parse_line(option.example).options)

    assert getattr(from_line, name) != option.default
    assert from_line == eval(f"merge(dict({option.argument}))")


def test_a_configuration_file_takes_every_option(tmp_path: Path) -> None:
    """Each may have its default in the file, in TOML's own types."""
    firsts = {name: CASES[name].good[0] for name in ALL if name != "inferentia"}
    text = "\n".join(f"{name} = {_toml(value)}" for name, (value, _) in firsts.items())
    (tmp_path / "config.toml").write_text(text)

    defaults = configured({}, {"NBBATCH_HOME": str(tmp_path), "METAFLOW_HOME": ""}).defaults

    expected = {
        name: value if becomes is None else becomes for name, (value, becomes) in firsts.items()
    }
    assert defaults == expected
    assert merge(defaults) == merge(expected)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{k}" = {_toml(v)}' for k, v in value.items()) + "}"
    return json.dumps(value)


VARIABLES = [(variable, option.name) for option in table() for variable in option.environment]


@pytest.mark.parametrize(("variable", "name"), VARIABLES)
def test_variables_take_what_the_line_takes(variable: str, name: str, tmp_path: Path) -> None:
    """A variable holds one text; texts by name are JSON, as in Metaflow."""
    home = {"NBBATCH_HOME": str(tmp_path), "METAFLOW_HOME": str(tmp_path)}
    for value, becomes in CASES[name].taken:
        text = value if isinstance(value, str) else json.dumps(value)
        assert configured({}, {**home, variable: text}).defaults[name] == becomes

    for value in CASES[name].bad:
        text = value if isinstance(value, str) else json.dumps(value)
        if text:
            with pytest.raises(OptionError, match=variable):
                configured({}, {**home, variable: text})


def test_metaflow_file_may_hold_json_or_text(tmp_path: Path) -> None:
    """Tags and limits are taken in JSON's own types, and as text; null and "" are not set."""
    environ = {"NBBATCH_HOME": str(tmp_path), "METAFLOW_HOME": str(tmp_path)}
    for tags, limit in (({"a": "1"}, 90), ('{"a": "1"}', "90")):
        content = {
            "METAFLOW_BATCH_DEFAULT_TAGS": tags,
            "METAFLOW_DEFAULT_RUNTIME_LIMIT": limit,
            "METAFLOW_BATCH_JOB_QUEUE": None,
            "METAFLOW_BATCH_CONTAINER_IMAGE": "",
        }
        (tmp_path / "config.json").write_text(json.dumps(content))

        assert configured({}, environ).defaults == {"aws_batch_tags": {"a": "1"}, "timeout": 90}


def test_jobs_are_taken_themselves() -> None:
    """`depends_on` takes a job, several, and ids among them."""
    for value in (JOB, [JOB], [JOB, JOB.id]):
        assert on_decorator("depends_on", value).depends_on == (JOB.id,)


def test_numbers_of_numpy_are_numbers() -> None:
    """A notebook's numbers are often numpy's."""
    numpy = pytest.importorskip("numpy")

    options = merge({"cpu": numpy.float32(0.5), "gpu": numpy.int64(2), "memory": numpy.int32(64)})

    assert (options.cpu, options.gpu, options.memory) == (0.5, 2, 64)
    assert [type(n) for n in (options.cpu, options.gpu, options.memory)] == [float, int, int]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
options = st.sampled_from(list(table()))


def _taken(option: Option, value: Any) -> bool:
    try:
        taken = option.take(value)
    except OptionError:
        return False
    assert option.take(taken) == taken
    assert type(option.take(taken)) is type(taken)
    return True


@settings(max_examples=150, deadline=None)
@given(options, anything)
def test_taking_never_fails_otherwise_and_is_idempotent(option: Option, value: Any) -> None:
    """Whatever Python passes is refused with `OptionError`, or taken as often as one likes."""
    _taken(option, value)


@settings(max_examples=150, deadline=None)
@given(options, st.text() | st.from_regex(r"[\[{\"]*[a-z]{1,4}[=:]?[0-9/\-\]}]*", fullmatch=True))
def test_any_text_is_taken_or_refused_alike(option: Option, text: str) -> None:
    """A line and a variable treat a text as Python does."""
    words = shlex.quote(f"{option.flag}={text}")
    if option.switch and not text:
        return
    if _taken(option, text):
        assert parse_line(words).options == {option.name: option.take(text)}
    else:
        with pytest.raises(OptionError):
            parse_line(words)


@pytest.mark.parametrize("name", ALL)
def test_everything_taken_is_taken_again(name: str) -> None:
    """Values pass several checks on their way; each leaves them as they are."""
    option = option_named(name)
    for value, _ in CASES[name].taken:
        once = option.take(value)

        assert option.take(once) == once
        assert merge({name: once}) == merge(vars(merge({name: value})))
