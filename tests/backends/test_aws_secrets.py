"""Secrets on AWS: ARNs are found once, values are read with one's own credentials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbbatch.backends.aws.cache import Cache
from nbbatch.backends.aws.clients import Clients
from nbbatch.backends.aws.secrets import Secrets, read_values
from nbbatch.errors import InvalidRequestError, NbbatchError, NotFoundError
from nbbatch.options import merge
from tests.servers import KEYS, REGION, Answer, aws, serve


@pytest.fixture
def secrets(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put some secrets into an account of AWS, once; return a client of it."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": moto, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    manager, parameters = aws(moto, "secretsmanager"), aws(moto, "ssm")
    parameters.put_parameter(Name="/app/key", Value="of ssm", Type="SecureString", Overwrite=True)
    texts = {"db": '{"user": "me", "port": 5432}', "token": "plain"}
    for name, text in texts.items():
        if not manager.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"]:
            manager.create_secret(Name=name, SecretString=text)
    return manager


def arn(manager: Any, name: str) -> str:
    return str(manager.describe_secret(SecretId=name)["ARN"])


def test_values_are_read(secrets: Any, moto: str) -> None:
    """Whole ones, keys of them, and parameters, by names and by ARNs."""
    parameter = aws(moto, "ssm").get_parameter(Name="/app/key")["Parameter"]["ARN"]
    db = arn(secrets, "db")
    sources = ["token", "db", "db#user", f"{db}:port:AWSCURRENT:", "ssm:/app/key", parameter]
    sources.append(f"arn:aws:secretsmanager:{REGION}::secret:token")
    whole = '{"user": "me", "port": 5432}'
    assert read_values(sources, None, None) == [
        "plain",
        whole,
        "me",
        "5432",
        "of ssm",
        "of ssm",
        "plain",
    ]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("nothing", NotFoundError),
        ("ssm:/nothing", NotFoundError),
        ("db#nothing", NotFoundError),
        ("token#user", NotFoundError),
    ],
)
def test_what_is_not_there(secrets: Any, source: str, kind: type[NbbatchError]) -> None:
    """A missing secret or key is named, without a value."""
    with pytest.raises(kind) as caught:
        read_values([source], None, None)
    assert "nothing" in str(caught.value) or "token" in str(caught.value)
    assert not any(value in str(caught.value) for value in ("plain", "5432"))


def test_bytes_are_no_text(secrets: Any) -> None:
    """A binary secret, which Batch can't give either, is refused here too."""
    secrets.create_secret(Name="bytes", SecretBinary=b"\0\1")
    try:
        with pytest.raises(InvalidRequestError, match="bytes can't be given"):
            read_values(["bytes"], None, None)
    finally:
        secrets.delete_secret(SecretId="bytes", ForceDeleteWithoutRecovery=True)


def counted(tmp_path: Path) -> tuple[Callable[..., Any], list[str]]:
    """Return what finds ARNs, as in a new kernel, and the calls that it makes."""
    asked: list[str] = []

    def resolve(given: object, **how: Any) -> Any:
        clients = Clients()
        events = clients.secrets_manager().meta.events
        events.register("before-send", lambda event_name, **_: asked.append(event_name))
        finder = Secrets(clients, Cache(tmp_path / "aws.json", "scope"))
        return finder.resolved(merge({"secrets": given}), **how).secrets

    return resolve, asked


def test_arns_are_found_once(secrets: Any, tmp_path: Path) -> None:
    """Batch is told full ARNs; a warm kernel asks nobody."""
    resolve, asked = counted(tmp_path)
    db, token = arn(secrets, "db"), arn(secrets, "token")
    given = ["USER=db#user", f"ALL={db}", "T=token", "OLD=token::AWSPREVIOUS:", "K=ssm:/app/key"]
    assert resolve(given, ask=False)[0] == ("USER", "db#user")
    assert asked == []
    wanted = (
        ("USER", f"{db}:user::"),
        ("ALL", db),
        ("T", token),
        ("OLD", f"{token}::AWSPREVIOUS:"),
        ("K", "ssm:/app/key"),
    )
    assert resolve(given) == wanted
    assert len(asked) == 2
    assert resolve(given) == wanted
    assert resolve(given, ask=False) == wanted
    assert len(asked) == 2
    with pytest.raises(NotFoundError, match="nowhere"):
        resolve(["nowhere"])


def test_who_may_not_look(secrets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without leave to look a name stays one: the job may be allowed what its owner is not."""
    denied = Answer(400, b'{"__type": "AccessDeniedException", "Message": "not you"}')
    with serve(lambda asked: denied) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        resolve, _ = counted(tmp_path)
        assert resolve(["A=db#user"]) == (("A", "db#user"),)
