"""The table of options: kinds, ranges, layers."""

from __future__ import annotations

import pytest

from nbbatch.errors import OptionError
from nbbatch.options import Options, merge, merge_defaults, option_named, table


@pytest.mark.parametrize(
    ("name", "typed", "taken"),
    [
        ("cpu", "4", 4.0),
        ("cpu", 0.25, 0.25),
        ("gpu", "1", 1),
        ("memory", "16000", 16000),
        ("memory", "16G", 16384),
        ("memory", "1.5 GiB", 1536),
        ("memory", 512, 512),
        ("timeout", "90", 90),
        ("timeout", "2h", 7200),
        ("retries", "3", 3),
        ("image", " python:3.12 ", "python:3.12"),
        ("name", "train_1", "train_1"),
    ],
)
def test_values_are_taken(name: str, typed: object, taken: object) -> None:
    """What a person types becomes a value of the option's kind."""
    assert option_named(name).take(typed) == taken


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("cpu", "0"),
        ("cpu", "-1"),
        ("cpu", "nan"),
        ("cpu", "inf"),
        ("cpu", True),
        ("cpu", "four"),
        ("gpu", "1.5"),
        ("gpu", -1),
        ("memory", "lots"),
        ("memory", "0"),
        ("memory", "16X"),
        ("timeout", "soon"),
        ("image", ""),
        ("name", "a b"),
        ("name", "x" * 129),
        ("retries", 10),
    ],
)
def test_values_are_refused(name: str, typed: object) -> None:
    """A wrong value gets an error that names the option, the value and an example."""
    with pytest.raises(OptionError) as caught:
        merge({name: typed})

    assert name in caught.value.what
    assert caught.value.cause
    assert f"--{name}" in caught.value.hint


def test_unknown_option_names_the_nearest() -> None:
    """A typing error is answered with the option that was meant."""
    with pytest.raises(OptionError, match="did you mean --memory"):
        option_named("--memmory")


def test_the_first_layer_that_sets_an_option_wins() -> None:
    """Arguments come before defaults; None does not count as set."""
    merged = merge({"cpu": 2, "memory": None}, {"cpu": 8, "memory": "1G"})

    assert merged == Options(cpu=2.0, memory=1024)


def test_texts_by_name_of_all_layers_are_taken_together() -> None:
    """Tags and variables are merged name by name, the most specific layer first."""
    merged = merge({"tags": {"a": "1"}}, {"tags": {"a": "2", "b": "3"}})

    assert merged.tags == {"a": "1", "b": "3"}


def test_trainium_and_inferentia_exclude_each_other() -> None:
    """Both are Neuron devices; the error names them."""
    with pytest.raises(OptionError, match="inferentia = 1 and trainium = 2"):
        merge({"inferentia": 1, "trainium": 2})


def test_defaults_are_metaflows() -> None:
    """One vCPU, 4096 MB and no GPU, as Metaflow's @batch has it."""
    assert (Options().cpu, Options().memory, Options().gpu) == (1.0, 4096, 0)


def test_every_option_explains_itself() -> None:
    """Each has a flag, an example that it takes itself, and a help text."""
    for option in table():
        assert option.take(option.metavar) is not None
        assert option.help
        assert option_named(option.flag).name == option.name


def test_what_the_configuration_says_of_definitions_is_for_our_own() -> None:
    """A job with somebody else's definition goes without the configured image and roles."""
    defaults = {"image": "team/app", "iam_role": "role", "cpu": 8, "job_definition": None}

    assert merge_defaults(defaults, {"memory": 64}).image == "team/app"
    theirs = merge_defaults(defaults, {"job_definition": "theirs"})
    assert (theirs.image, theirs.iam_role, theirs.cpu) == (None, None, 8.0)
    assert merge_defaults(defaults, {"job_definition": "theirs", "image": "x"}).image == "x"


def test_defaults_are_merged_name_by_name() -> None:
    """Tags of the configuration stay beside those of the job."""
    assert merge_defaults({"tags": {"a": "1"}}, {"tags": {"b": "2"}}).tags == {"a": "1", "b": "2"}
