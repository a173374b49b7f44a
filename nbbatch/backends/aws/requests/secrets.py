"""What the container is told by Batch alone: no secret is in a request, only where it lies.

https://docs.aws.amazon.com/batch/latest/userguide/specifying-sensitive-data.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.options.sources import SYSTEMS_MANAGER, read_source
from nbbatch.wire import keys

if TYPE_CHECKING:
    from nbbatch.backends.aws.queues import Queue
    from nbbatch.options import Options


def secrets(options: Options, queue: Queue) -> list[dict[str, str]]:
    """Build ``secrets`` of a container: variable, and the ARN of what it holds.

    A source without a variable has its names in itself: the worker takes it from the variable
    `nbbatch.wire.keys.whole_secret` of its number.
    """
    return [
        {"name": name or keys.whole_secret(number), "valueFrom": value_from(source, queue)}
        for number, (name, source) in enumerate(options.secrets or ())
    ]


def value_from(text: str, queue: Queue) -> str:
    """Return a source as Batch wants it.

    A parameter may be named; a secret has an ARN: a bare name would mean a parameter. Where the
    whole ARN is not known (`nbbatch.backends.aws.secrets`), its last six characters are left out.
    """
    source = read_source(text)
    if source.service == SYSTEMS_MANAGER or source.full:
        return source.name + source.part
    place = f"{queue.partition}:{source.service}:{source.region or queue.region}:{queue.account}"
    return f"arn:{place}:secret:{source.name}{source.part}"
