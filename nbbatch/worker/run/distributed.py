"""What a node of a multi-node job is told: where the main node is, and torch's own variables."""

from __future__ import annotations

from typing import Any, Dict, MutableMapping

from nbbatch.wire import keys
from nbbatch.worker.run.identity import Identity

HERE = "127.0.0.1"
#: Each node of Batch's has an address of its own, so one port does for all jobs.
_PORT = "29500"
#: An address that is nobody's, to see by which way packets would leave; none is sent.
#: https://www.rfc-editor.org/rfc/rfc5737
_NOWHERE = ("192.0.2.1", 9)


def main_address(identity: Identity, environ: MutableMapping[str, str]) -> str:
    """Return the main node's address; Batch tells it to the other nodes only.

    https://docs.aws.amazon.com/batch/latest/userguide/mnp-env-vars.html
    """
    if identity.nodes == 1:
        return HERE
    told = environ.get(keys.ENV_BATCH_MAIN_NODE_ADDRESS) or environ.get("MASTER_ADDR")
    return told or _own_address()


def tell_torch(identity: Identity, environ: MutableMapping[str, str]) -> None:
    """Set what `torch.distributed` reads, one process a node; what is set already stays.

    https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables
    """
    if identity.nodes == 1:
        return
    node, nodes = str(identity.part), str(identity.nodes)
    variables: Dict[str, str] = {
        "MASTER_ADDR": main_address(identity, environ),
        "MASTER_PORT": _PORT,
        "RANK": node,
        "WORLD_SIZE": nodes,
        "NODE_RANK": node,
        "GROUP_RANK": node,
        "GROUP_WORLD_SIZE": nodes,
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
    }
    for name, value in variables.items():
        environ.setdefault(name, value)


def _own_address() -> str:
    import socket

    try:
        named = socket.gethostbyname(socket.gethostname())
    # The host does not know its own name.
    except OSError:
        named = HERE
    return named if not named.startswith("127.") else _outward(socket)


def _outward(socket: Any) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(_NOWHERE)
            return str(way.getsockname()[0])
        # No network at all.
        except OSError:
            return HERE
