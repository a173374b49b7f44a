"""RegisterJobDefinition: what does not vary from job to job.

https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from nbbatch.backends.aws.requests import extra
from nbbatch.backends.aws.requests.container import container
from nbbatch.backends.aws.requests.limits import (
    DEFINITION_LIMIT,
    Request,
    check_size,
    compact,
)
from nbbatch.backends.aws.requests.pods import pod

if TYPE_CHECKING:
    from nbbatch.backends.aws.queues import Queue
    from nbbatch.options import Options

#: One range with an open end holds for any number of nodes: each job overrides the number.
ALL_NODES = "0:"
_FEWEST_NODES = 2
_HINT = "shorten what is long: --image, --executable, --host-volumes, --log-options, --extra"


def job_definition(options: Options, queue: Queue) -> Request:
    """Build the request.

    Raises
    ------
    LimitError
        It is longer than Batch takes.
    OptionError
        `extra` has what Batch does not know.
    """
    content = extra.merged(_content(options, queue), options, extra.REGISTER)
    name = "nbbatch-" + hashlib.sha256(compact(content)).hexdigest()[:32]
    request = {"jobDefinitionName": name, **content}
    extra.validate(request, options, extra.REGISTER)
    check_size("the job definition", request, DEFINITION_LIMIT, _HINT)
    return request


def _content(options: Options, queue: Queue) -> Request:
    if queue.eks:
        return {"type": "container", "eksProperties": pod(options)}
    # Each job may say otherwise, and this is what Metaflow's definitions say.
    common: Request = {"propagateTags": True}
    if options.nodes > 1:
        nodes = {"targetNodes": ALL_NODES, "container": container(options, queue)}
        common["nodeProperties"] = {
            "numNodes": _FEWEST_NODES,
            "mainNode": 0,
            "nodeRangeProperties": [nodes],
        }
        return {"type": "multinode", "platformCapabilities": ["EC2"], **common}
    platform = "FARGATE" if queue.fargate else "EC2"
    common["containerProperties"] = container(options, queue)
    return {"type": "container", "platformCapabilities": [platform], **common}
