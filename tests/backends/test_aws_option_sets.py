"""Any set of options becomes a request that botocore's own model takes, or a clear error."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from option_sets import ROLE, VALUES, validated

from nbbatch.backends.aws import checks, requests
from nbbatch.backends.aws.queues import Queue
from nbbatch.backends.base import Launch
from nbbatch.errors import ConfigurationError, LimitError, OptionError
from nbbatch.options import Options, merge
from nbbatch.wire import keys

JOB = "20260131-094500-1f0c2a9b"
ARN = "arn:aws:batch:eu-west-1:123456789012:job-queue/queue"
QUEUES = [
    Queue("queue", "EC2", ("EC2",), 256, ("X86_64",), False, ARN),
    Queue("queue", "EC2", ("EC2", "SPOT"), None, (), True, ARN),
    Queue("queue", "SPOT", ("SPOT",), 64, ("ARM64", "X86_64"), None, ARN),
    Queue("queue", "FARGATE", ("FARGATE", "FARGATE_SPOT"), 16, (), False, ARN),
    Queue("queue", "FARGATE_SPOT", ("FARGATE_SPOT",), None, (), None),
    Queue("queue", "EKS", ("EKS",), 64, ("ARM64",), False, ARN),
    Queue("queue", "EKS"),
    Queue("queue", "ECS_MANAGED_INSTANCES"),
]
SHAPES = [
    requests.Shape(),
    requests.Shape("multinode", "", ("0:0", "1:")),
    requests.Shape("pod", "main"),
    requests.Shape("task", "main"),
]


def built(values: dict, queue: Queue, shape: requests.Shape) -> str:
    """Go the way from options to requests, as the runner does; say how it ended."""
    try:
        options = merge(values)
        checks.check_request(options)
        if options.job_definition:
            checks.check_existing(options, shape)
        checks.check_platform(options, queue)
        environment = {**(options.environment or {}), keys.ENV_JOB: JOB}
        launch = Launch(JOB, "x", options, environment, "0" * 64, depends_on=("a", "b"))
        if options.job_definition:
            job = requests.submit_job(launch, queue, options.job_definition, shape)
        else:
            definition = requests.job_definition(options, queue)
            validated("RegisterJobDefinition", definition)
            job = requests.submit_job(launch, queue, definition["jobDefinitionName"])
        validated("SubmitJob", job)
    except (OptionError, LimitError, ConfigurationError) as error:
        assert error.what
        assert error.cause
        assert error.hint
        return type(error).__name__
    return "built"


@st.composite
def sets(draw: st.DrawFn) -> dict:
    """Draw a few options beside those that every job needs."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=6, unique=True))
    drawn = {name: draw(st.sampled_from(VALUES[name])) for name in names}
    return {"iam_role": ROLE, "execution_role": ROLE, **drawn}


def test_every_option_has_values() -> None:
    """No option is left out."""
    assert set(VALUES) == {field.name for field in fields(Options)}


def test_built_or_refused() -> None:
    """Never a crash, never a request that Batch's own model does not take."""
    ends: Counter[str] = Counter()

    @settings(
        max_examples=400,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(sets(), st.sampled_from(QUEUES), st.sampled_from(SHAPES))
    def try_one(values: dict, queue: Queue, shape: requests.Shape) -> None:
        ends[built(values, queue, shape)] += 1

    try_one()

    assert ends["built"] > 50
    assert {"built", "OptionError", "LimitError"} <= set(ends)


def test_each_value_alone_on_each_platform() -> None:
    """Each value of each option, on each kind of queue, is built or refused."""
    for name, values in VALUES.items():
        for value in values:
            for queue in QUEUES:
                built({"iam_role": ROLE, "execution_role": ROLE, name: value}, queue, SHAPES[0])
