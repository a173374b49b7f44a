"""What the container is told by Batch alone: no secret is in a request, only where it lies.

https://docs.aws.amazon.com/batch/latest/userguide/specifying-sensitive-data.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.wire import keys

if TYPE_CHECKING:
    from nbbatch.backends.aws.queues import Queue
    from nbbatch.options import Options

_MANAGER = "secretsmanager"
#: What Metaflow calls Secrets Manager, and how a parameter of Systems Manager is told apart.
_METAFLOW, _PARAMETER = "aws-secrets-manager.", "ssm:"


def secrets(options: Options, queue: Queue) -> list[dict[str, str]]:
    """Build ``secrets`` of a container: variable, and the ARN of what it holds.

    A source without a variable has its names in itself: the worker takes it from the variable
    `nbbatch.wire.keys.whole_secret` of its number.
    """
    return [
        {"name": name or keys.whole_secret(number), "valueFrom": value_from(source, queue)}
        for number, (name, source) in enumerate(options.secrets or ())
    ]


def value_from(source: str, queue: Queue) -> str:
    """Return a source as Batch wants it.

    A parameter may be named; a secret has an ARN: a bare name would mean a parameter. The six
    characters at the end of an ARN may be left out, and what follows the name (key, stage and
    version) stays.
    """
    source = source.removeprefix(_METAFLOW)
    if source.startswith(_PARAMETER):
        return source.removeprefix(_PARAMETER)
    name, hash_, key = source.partition("#")
    part = f":{key}::" if hash_ else ""
    if not name.startswith("arn:"):
        name = f"arn:{queue.partition}:{_MANAGER}:{queue.region}:{queue.account}:secret:{name}"
    # One of another region may come without the account.
    head, owner, rest = name.partition("::secret:")
    return (f"{head}:{queue.account}:secret:{rest}" if owner else name) + part
