"""What the instances of a compute environment have; asked once a month, remembered in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.errors import VENDOR
from nbbatch.backends.aws.fitting import InstanceType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbatch.backends.aws.cache import Cache
    from nbbatch.backends.aws.clients import Clients

_MONTH = 30 * 86_400.0
_KIND = "instances"


class Instances:
    """Looks types of instances up; thread-safe."""

    def __init__(self, clients: Clients, cache: Cache) -> None:
        self._clients = clients
        self._cache = cache

    def largest(self, names: Sequence[str]) -> list[InstanceType] | None:
        """Return those that no other one among them surpasses in everything.

        None where there are no names, or EC2 does not say.
        """
        key = ",".join(names)
        kept = self._cache.get(_KIND, key, _MONTH) if names else None
        if kept is not None:
            return [InstanceType(*row) for row in kept]
        try:
            found = list(self._asked(names)) if names else []
        except VENDOR:
            return None
        best = _unsurpassed(found)
        if best:
            self._cache.set(_KIND, key, [list(kind) for kind in best])
        return best or None

    def _asked(self, names: Sequence[str]) -> Iterable[InstanceType]:
        patterns = [name if "." in name else f"{name}.*" for name in names]
        pages: Any = (
            self._clients.service("ec2", brief=True)
            .get_paginator("describe_instance_types")
            .paginate(Filters=[{"Name": "instance-type", "Values": patterns}])
        )
        for page in pages:
            yield from map(_row, page["InstanceTypes"])


def _row(info: Mapping[str, Any]) -> InstanceType:
    gpus = info.get("GpuInfo", {}).get("Gpus", ())
    neuron = info.get("NeuronInfo", {}).get("NeuronDevices", ())
    return InstanceType(
        info["InstanceType"],
        info["VCpuInfo"]["DefaultVCpus"],
        info["MemoryInfo"]["SizeInMiB"],
        sum(gpu.get("Count", 0) for gpu in gpus),
        sum(device.get("Count", 0) for device in neuron),
    )


def _unsurpassed(types: Iterable[InstanceType]) -> list[InstanceType]:
    best: list[InstanceType] = []
    for kind in sorted(types, key=lambda kind: kind[1:], reverse=True):
        if not any(all(a >= b for a, b in zip(o[1:], kind[1:], strict=True)) for o in best):
            best.append(kind)
    return best
