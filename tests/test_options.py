"""The table of options: kinds, ranges, layers."""

from __future__ import annotations

import pytest

from nbbatch.errors import OptionError
from nbbatch.options import Options, merge, merge_defaults, option_named, table


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


def test_together_they_stay_within_the_limits() -> None:
    """What two layers may hold each may be too many together."""
    layers = [{"tags": {f"{layer}{i}": "" for i in range(30)}} for layer in "ab"]

    with pytest.raises(OptionError, match="these are 60"):
        merge(*layers)


def test_trainium_and_inferentia_exclude_each_other() -> None:
    """Both are Neuron devices; the error names them."""
    with pytest.raises(OptionError, match="inferentia = 1 and trainium = 2"):
        merge({"inferentia": 1, "trainium": 2})


def test_defaults_are_metaflows() -> None:
    """One vCPU, 4096 MB and no GPU, as Metaflow's @batch has it."""
    assert (Options().cpu, Options().memory, Options().gpu) == (1.0, 4096, 0)


def test_every_option_explains_itself() -> None:
    """Each has a help text, is found by its flag, and says what it takes."""
    for option in table():
        assert option.help
        assert option_named(option.flag) == option
        assert option.check.says


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
