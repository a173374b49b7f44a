"""What the table says of places and fields is what the backends do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from aws_rig import EXECUTION_ROLE, ROLE

from nbbatch.backends.aws import checks, requests
from nbbatch.backends.aws.queues import Queue
from nbbatch.backends.base import Launch
from nbbatch.backends.local import machine
from nbbatch.errors import OptionError
from nbbatch.options import Option, merge, option_named, table
from nbbatch.options.places import BATCH, EC2, EKS, FARGATE, LOCAL, PLACES

_ARN = "arn:aws:batch:eu-west-1:111122223333:job-queue/my-queue"
QUEUES = {
    EC2: Queue("my-queue", "EC2", arn=_ARN),
    FARGATE: Queue("my-queue", "FARGATE", arn=_ARN),
    EKS: Queue("my-queue", "EKS", arn=_ARN),
}
#: A job that may run in each of them.
POSSIBLE = {
    "cpu": 2,
    "memory": 16384,
    "image": "python",
    "iam_role": ROLE,
    "execution_role": EXECUTION_ROLE,
}
#: Without these an option means nothing anywhere.
TOGETHER: dict[str, dict[str, Any]] = {
    "swappiness": {"max_swap": 1},
    "tmpfs_path": {"use_tmpfs": True},
    "tmpfs_tempdir": {"use_tmpfs": True},
    "retry_on": {"retries": 1},
    "print_exception": {"catch": "x"},
    "allow_override": {"secrets": "A=b"},
}
#: Values that fit what else is asked for, and what asks for something: a job without a public
#: address is no mistake anywhere.
VALUES = {"memory": 8192, "platform_capabilities": None}
ASKING = {"assign_public_ip": True, "propagate_tags": True}
#: The configuration says them for all jobs, and where they mean nothing that is no mistake.
ROLES = {"iam_role", "execution_role"}


def example(option: Option, values: dict[str, Any]) -> dict[str, Any]:
    said = eval(f"dict({option.argument})")
    said.update({name: value for name, value in values.items() if name in said})
    return {**TOGETHER.get(option.name, {}), **said}


def test_all_are_options() -> None:
    """No place is given to an option that is gone."""
    assert [name for name in PLACES if option_named(name).name != name] == []


@pytest.mark.parametrize("place", BATCH)
@pytest.mark.parametrize("option", list(table()), ids=lambda option: option.name)
def test_an_option_is_refused_where_it_does_not_work(option: Option, place: str) -> None:
    """Batch would ignore it, or refuse it later: the check says it first; elsewhere it passes."""
    asked = merge({**POSSIBLE, **example(option, {**VALUES, **ASKING})})
    if place in option.works or option.name in ROLES:
        checks.check_platform(asked, QUEUES[place])
    else:
        with pytest.raises(OptionError, match=QUEUES[place].name):
            checks.check_platform(asked, QUEUES[place])


#: What says where on AWS a job runs and what it is called there, and details of a tmpfs, which is
#: named itself: their lack is no lack.
QUIET = {"image", "queue", "iam_role", "execution_role", "aws_batch_tags", "tags"}
QUIET |= {"propagate_tags", "tmpfs_path", "tmpfs_tempdir"}


@pytest.mark.parametrize("option", list(table()), ids=lambda option: option.name)
def test_the_local_backend_names_what_it_does_not_apply(option: Option) -> None:
    """What has no effect there is said on the card."""
    asked = merge(example(option, {"platform_capabilities": "EC2", **ASKING}))
    note = machine.given(asked, {}).get("not_applied", "")
    named = note.partition(": ")[2].split(", ")

    assert (option.name in named) == (LOCAL not in option.works and option.name not in QUIET)


def sent(changes: dict[str, Any], queue: Queue) -> dict[str, Any]:
    """Return both requests of a job, as the session and the backend make them."""
    options = merge({**POSSIBLE, **changes})
    launch = Launch(
        job_id="20260131-094500-1f0c2a9b",
        name=options.name or "cell",
        options=options,
        environment=options.environment or {"A": "b"},
        worker="",
        depends_on=options.depends_on or (),
    )
    queue = replace(queue, name=options.queue or "queue")
    definition = requests.job_definition(options, queue)
    name = options.job_definition or definition["jobDefinitionName"]
    return {
        "RegisterJobDefinition": definition,
        "SubmitJob": requests.submit_job(launch, queue, name),
    }


def at(request: Any, path: str) -> Any:
    for name in path.split("."):
        request = request.get(name) if isinstance(request, dict) else None
    return request


BECOMING = [o for o in table() if "." in o.becomes and o.name != "platform_capabilities"]


@pytest.mark.parametrize("option", BECOMING, ids=lambda option: option.name)
def test_an_option_becomes_the_field_that_is_documented(option: Option) -> None:
    """With the option, that field of the request is another one."""
    # On EC2 the execution role is there for secrets alone, and the processor is the queue's.
    queue = next(QUEUES[place] for place in (FARGATE, EC2, EKS) if place in option.works)
    before = at(sent(TOGETHER.get(option.name, {}), queue), option.becomes)
    after = at(sent(example(option, VALUES), queue), option.becomes)

    assert before != after
    assert after is not None
