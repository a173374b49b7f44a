"""Whole secrets become variables, with Metaflow's rules; no message tells a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nbbatch.errors import ConfigurationError
from nbbatch.wire import keys
from nbbatch.wire.spec import JobSpec
from nbbatch.worker.run.secrets import expand

HIDDEN = "hunter2"


def expanded(content: object, *named: tuple[str, str], override: bool = False) -> dict[str, str]:
    """Expand one secret after some that have a variable of their own."""
    environ = {name: "given" for name, _ in named}
    environ |= {"PATH": "/bin", keys.whole_secret(len(named)): json.dumps(content)}
    job = JobSpec("call", "job", secrets=(*named, ("", "db")), allow_override=override)
    expand(environ, job)
    return environ


def test_keys_become_variables() -> None:
    """Names are made fit for a shell, values are texts, and the whole one is gone."""
    content = {"user": "me", "pass-word": HIDDEN, "a.b/c": 3, "flag": True, "more": {"x": 1}}
    found = expanded(content, ("TOKEN", "token"))
    assert found == {
        "PATH": "/bin",
        "TOKEN": "given",
        "user": "me",
        "pass_word": HIDDEN,
        "a_b_c": "3",
        "flag": "True",
        "more": "{'x': 1}",
    }


@pytest.mark.parametrize(
    ("content", "override", "word"),
    [
        ({"PATH": HIDDEN}, False, "in the environment already"),
        ({"TOKEN": HIDDEN}, True, "which token gives too"),
        ({"a-b": HIDDEN, "a.b": HIDDEN}, True, "which db gives too"),
        ({"1a": HIDDEN}, True, "can't be the name"),
        ({"NBBATCH_STORE": HIDDEN}, True, "can't be the name"),
        ([HIDDEN], True, "no JSON object"),
        (HIDDEN, True, "no JSON object"),
    ],
)
def test_what_is_refused(content: Any, override: bool, word: str) -> None:
    """The job is refused, and says which secret it is and why."""
    with pytest.raises(ConfigurationError) as caught:
        expanded(content, ("TOKEN", "token"), override=override)
    text = str(caught.value)
    assert word in text
    assert "the secret db" in text
    assert HIDDEN not in text


def test_others_may_be_replaced() -> None:
    """Where that is asked for, the secret's variable wins."""
    assert expanded({"PATH": "/secret"}, override=True)["PATH"] == "/secret"


def test_one_that_did_not_arrive() -> None:
    """A job without its secret does not start."""
    with pytest.raises(ConfigurationError, match="db can't be given"):
        expand({}, JobSpec("call", "job", secrets=(("", "db"),)))
