"""`docs/metaflow.md` says what is true: its lines run, its tables have every name."""

from __future__ import annotations

import importlib
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

import nbbatch
from nbbatch.config import _VARIABLES
from nbbatch.errors import OptionError
from nbbatch.options import option_named

PAGE = (Path(__file__).parent.parent / "docs" / "metaflow.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def rows(title: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    part = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`@?(\w+)", cell)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda text: text.splitlines()[0][:40])
def test_blocks_run(block: str) -> None:
    """What is shown as Python runs, and fails where and as it says."""
    refused = [line for line in block.splitlines() if "# OptionError:" in line]
    good = "\n".join(line for line in block.splitlines() if line not in refused)
    namespace = dict(vars(nbbatch), batch=nbbatch.batch)
    exec(good, namespace)
    for line in refused:
        code, _, said = line.partition("  # OptionError: ")
        with pytest.raises(OptionError) as caught:
            exec(code, namespace)
        assert said in str(caught.value)


def metaflow(module: str) -> Any:
    """Import a module of the real Metaflow."""
    with warnings.catch_warnings():
        # What its own import says of others is not what is tested here.
        warnings.simplefilter("ignore")
        return importlib.import_module(f"metaflow.{module}")


def test_every_parameter_of_batch_has_a_line() -> None:
    """All of Metaflow's are there, each an option, and no other one."""
    decorator = metaflow("plugins.aws.batch.batch_decorator").BatchDecorator
    found = [name for row in rows("Each parameter of `@batch`") for name in names(row[0])]

    assert sorted(found) == sorted(decorator.defaults)
    assert [name for name in found if option_named(name).name != name] == []


def test_every_setting_that_is_taken_says_so() -> None:
    """What the configuration reads of Metaflow's has a line, and no other line claims it."""
    taken = {v for variables in _VARIABLES.values() for v in variables if "METAFLOW_" in v}
    said = {
        name for row in rows("Each setting") for name in names(row[0]) if row[1].startswith("taken")
    }

    assert said - {"METAFLOW_HOME", "METAFLOW_PROFILE"} == taken


def test_every_setting_is_one_of_metaflows() -> None:
    """No name is made up."""
    known = vars(metaflow("metaflow_config"))
    found = [name for row in rows("Each setting") for name in names(row[0])]
    elsewhere = {"METAFLOW_HOME", "METAFLOW_PROFILE"}

    assert [n for n in found if n.removeprefix("METAFLOW_") not in known] == sorted(elsewhere)


def test_flytes_fields_have_a_line() -> None:
    """All five, beside the option that each becomes."""
    found = {names(row[0])[0]: names(row[1])[0] for row in rows("From Flyte's `AWSBatchConfig`")}

    assert sorted(found) == sorted(vars(nbbatch.AWSBatchConfig()))
    config = nbbatch.AWSBatchConfig({"a": "1"}, 1, "EC2", True, {"b": "2"})
    assert set(config.options()) == set(found.values())
