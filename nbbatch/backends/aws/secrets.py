"""Secrets: as Batch is told of them, and read by oneself for jobs on this machine.

Batch takes a secret of Secrets Manager by its ARN alone, whose last six characters nobody knows
by heart: it is looked up once and remembered.
https://docs.aws.amazon.com/batch/latest/userguide/specifying-sensitive-data.html
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.clients import Clients
from nbbatch.backends.aws.errors import translated
from nbbatch.errors import AccessDeniedError, InvalidRequestError, NotFoundError
from nbbatch.options.sources import SECRETS_MANAGER, Source, read_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbatch.backends.aws.cache import Cache
    from nbbatch.options import Options

_DAY = 86_400.0
_KIND = "secrets"


class Secrets:
    """Finds the ARNs of secrets; thread-safe."""

    def __init__(self, clients: Clients, cache: Cache) -> None:
        self._clients = clients
        self._cache = cache

    def resolved(self, options: Options, *, ask: bool = True) -> Options:
        """Return the options with each secret of Secrets Manager by its ARN.

        Parameters
        ----------
        ask
            Whether AWS is asked where the ARN is not remembered; else the name stays.

        Raises
        ------
        NotFoundError
            There is no such secret.
        BackendError
            AWS can't be asked.
        """
        if not options.secrets:
            return options
        found = tuple((name, self._resolved(text, ask=ask)) for name, text in options.secrets)
        return dataclasses.replace(options, secrets=found)

    def _resolved(self, text: str, *, ask: bool) -> str:
        source = read_source(text)
        if source.service != SECRETS_MANAGER or source.full:
            return text
        place = f"{source.region or self._clients.region}/{source.name}"
        arn = self._cache.get(_KIND, place, _DAY)
        if arn is None and ask:
            arn = self._looked_up(source)
            if arn:
                self._cache.set(_KIND, place, arn)
        return f"{arn}{source.part}" if arn else text

    def _looked_up(self, source: Source) -> str:
        try:
            with translated(f"can't look up the secret {source.name}"):
                client = self._clients.secrets_manager(source.region)
                return str(client.describe_secret(SecretId=source.name)["ARN"])
        # Whoever may use a secret in jobs need not be allowed to look at it.
        except AccessDeniedError:
            return ""


def read_values(sources: Sequence[str], region: str | None, profile: str | None) -> list[str]:
    """Read secrets with the user's own credentials.

    Raises
    ------
    BackendError
        One does not exist, may not be read, or is no text.
    """
    clients = Clients(region, profile)
    return [_value(clients, read_source(text)) for text in sources]


def _value(clients: Clients, source: Source) -> str:
    with translated(f"can't read the secret {source.name}"):
        if source.service == SECRETS_MANAGER:
            return _of_secrets_manager(clients, source)
        client = clients.systems_manager(source.region)
        answer: Any = client.get_parameter(Name=source.name, WithDecryption=True)
        return str(answer["Parameter"]["Value"])


def _of_secrets_manager(clients: Clients, source: Source) -> str:
    version = {"VersionStage": source.stage, "VersionId": source.version}
    chosen: Any = {name: value for name, value in version.items() if value}
    client = clients.secrets_manager(source.region)
    answer: Any = client.get_secret_value(SecretId=source.name, **chosen)
    text = answer.get("SecretString")
    if text is None:
        raise InvalidRequestError(
            f"the secret {source.name} can't be given to the job",
            "it is binary, and AWS Batch gives jobs texts only",
            "store it as text, in base64 for example",
        )
    return _of_key(source, text) if source.key else str(text)


def _of_key(source: Source, text: str) -> str:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or source.key not in content:
        raise NotFoundError(
            f"the secret {source.name} has no key {source.key}",
            "it is no JSON object" if not isinstance(content, dict) else "it has other keys",
            f"--secrets NAME={source.name}, for all of it",
        )
    value = content[source.key]
    return value if isinstance(value, str) else json.dumps(value)
