"""Where secrets come from: the forms that people write, Metaflow's among them."""

from __future__ import annotations

import pytest

from nbbatch.errors import OptionError
from nbbatch.options import merge, option_named
from nbbatch.options.sources import Source, read_source

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"
PARAMETER = "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/app/key"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("prod/db", [("", "prod/db")]),
        ("DB=prod/db", [("DB", "prod/db")]),
        ("DB=prod/db#password", [("DB", "prod/db#password")]),
        ("prod/db#pass-word", [("pass_word", "prod/db#pass-word")]),
        (f"DB={ARN}:password::", [("DB", f"{ARN}:password::")]),
        (f"KEY={PARAMETER}", [("KEY", PARAMETER)]),
        (["A=x", "ssm:/app/all"], [("A", "x"), ("", "ssm:/app/all")]),
        ({"A": "x", "B": ARN}, [("A", "x"), ("B", ARN)]),
        ([{"A": "x"}, "y"], [("A", "x"), ("", "y")]),
        ('{"A": "x"}', [("A", "x")]),
        ("aws-secrets-manager.prod/db", [("", "aws-secrets-manager.prod/db")]),
        ([{"type": "aws-secrets-manager", "id": "x"}], [("", "x")]),
        ({"id": "a/b.c-d", "options": {"json": False}}, [("a_b_c_d", "a/b.c-d")]),
        ({"id": ARN, "options": {"json": False}}, [("prod_db", ARN)]),
        ({"id": "x", "options": {"json": False, "env_var_name": "A"}}, [("A", "x")]),
        (
            {"id": "x", "options": {"region": "eu-west-1"}},
            [("", "arn:aws:secretsmanager:eu-west-1::secret:x")],
        ),
    ],
)
def test_what_is_taken(given: object, taken: object) -> None:
    """Each form becomes pairs of variable and source, which are taken as they are again."""
    found = option_named("secrets").take(given)
    assert list(found) == taken
    assert merge({"secrets": found}).secrets == found


@pytest.mark.parametrize(
    "given",
    [
        "",
        "A=",
        "a b",
        "A=sm:/x",
        "ssm:/x#key",
        "x:key",
        "AWS_BATCH_KEY=x",
        "NBBATCH_KEY=x",
        3,
        {"A": 3},
        {"1A": "x"},
        {"id": "x", "type": "gcp-secret-manager"},
        {"id": "x", "role": "r"},
        {"id": "x", "options": {"env_var_name": "A"}},
        {"id": "x", "options": {"jsn": False}},
        {"id": 3},
    ],
)
def test_what_is_refused(given: object) -> None:
    """What names no secret, or could be no variable, is said with the forms that there are."""
    with pytest.raises(OptionError) as caught:
        merge({"secrets": given})
    assert "secrets" in caught.value.what
    assert caught.value.hint.startswith("for example --secrets")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("x", Source("secretsmanager", "x")),
        ("aws-secrets-manager.x", Source("secretsmanager", "x")),
        ("x#k", Source("secretsmanager", "x", key="k")),
        ("x:k:AWSPREVIOUS:", Source("secretsmanager", "x", key="k", stage="AWSPREVIOUS")),
        (f"{ARN}:::v1", Source("secretsmanager", ARN, True, "eu-west-1", version="v1")),
        (
            "arn:aws:secretsmanager:eu-west-1::secret:x",
            Source("secretsmanager", "x", region="eu-west-1"),
        ),
        ("ssm:/a/b", Source("ssm", "/a/b")),
        ("ssm:plain", Source("ssm", "plain")),
        (PARAMETER, Source("ssm", PARAMETER, True, "cn-north-1")),
    ],
)
def test_reading_a_source(text: str, source: Source) -> None:
    """Service, name, region and part are told apart."""
    assert read_source(text) == source


def test_a_variable_has_one_value() -> None:
    """Two secrets, or a secret and the environment, can't share one unless that is allowed."""
    both = {"secrets": ["A=x"], "environment": {"A": "1", "B": "2"}}
    with pytest.raises(OptionError, match="A is among the secrets"):
        merge(both)
    with pytest.raises(OptionError, match="gives A twice"):
        merge({"secrets": ["A=x", "A=y"], "allow_override": True})
    merged = merge({**both, "allow_override": True})
    assert (merged.secrets, merged.environment) == ((("A", "x"),), {"B": "2"})
