"""The same decorator, the same request: nbbatch beside the real Metaflow."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow_differences import COMMON, OF_DEFINITIONS, OF_JOBS, OURS, REFUSALS, THEIRS, Case
from metaflow_side import QUEUE, Pair, RefusedError
from metaflow_side import requests as metaflows
from option_sets import validated

from nbbatch.backends.aws import checks, requests
from nbbatch.backends.aws.queues import Queue
from nbbatch.backends.base import Launch
from nbbatch.config import configured
from nbbatch.errors import NbbatchError
from nbbatch.options import merge
from nbbatch.wire import keys

pytestmark = pytest.mark.thorough

JOB = "20260131-094500-1f0c2a9b"


def ours(case: Case) -> Pair:
    """Build nbbatch's requests as a session does; checked by botocore's model."""
    queue = Queue(QUEUE, case.platform, (case.platform,))
    more = {"nodes": max(case.nodes, 1), "environment": dict(case.variables), "queue": QUEUE}
    options = merge({**COMMON, **case.parameters, **more})
    checks.check_request(options)
    checks.check_platform(options, queue)
    environment = {**options.environment, keys.ENV_JOB: JOB}
    definition = requests.job_definition(options, queue)
    launch = Launch(JOB, "s", options, environment, "0" * 64)
    job = requests.submit_job(launch, queue, definition["jobDefinitionName"])
    return Pair(validated("RegisterJobDefinition", definition), validated("SubmitJob", job))


def theirs(case: Case) -> Pair:
    given = {**COMMON, **case.parameters}
    return metaflows(given, case.platform, case.nodes, case.variables)


def both(case: Case) -> tuple[Pair, Pair] | str:
    """Return both pairs of requests, or who alone refuses, or ``"both"``."""
    found, refused = [], []
    for who, side, error in ((THEIRS, theirs, RefusedError), (OURS, ours, NbbatchError)):
        try:
            found.append(side(case))
        except error:
            refused.append(who)
    if refused:
        return "both" if len(refused) == 2 else refused[0]
    return found[0], found[1]


def levelled(case: Case) -> tuple[set[str], Pair, Pair]:
    """Take out all listed differences; return those there were, and what is left."""
    pairs = both(case)
    assert not isinstance(pairs, str), pairs
    a, b = copy.deepcopy(pairs)
    found = {d.name for d in OF_DEFINITIONS if d.level(a.definition, b.definition)}
    found |= {d.name for d in OF_JOBS if d.level(a.job, b.job)}
    return found, a, b


PATHS = st.sampled_from(["/data", "/a.b/c", "/mnt/x:/y", "/var:/same", "/opt:/same"])
TAGS = st.dictionaries(
    st.sampled_from(["team", "cost center", "a!"]), st.sampled_from(["ml", "", "x/y"]), max_size=2
)


def one_or_more(values: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    return values | st.lists(values, min_size=1, max_size=2, unique=True)


COMMON_PARAMETERS = {
    "aws_batch_tags": TAGS,
    "efs_volumes": one_or_more(st.sampled_from(["fs-0123abcd", "fs-0123456789abcdef0:/home"])),
    "log_driver": st.sampled_from(["awslogs", "splunk", "syslog"]),
    "log_options": one_or_more(st.sampled_from(["awslogs-group:/x", "tag:a:b"])),
    "executable": st.just("python3"),
    "tmpfs_tempdir": st.booleans(),
    "tmpfs_path": st.sampled_from(["/fast", "/metaflow_temp"]),
    "image": st.sampled_from(["team/app:1", "own.io/app@sha256:00"]),
}
ON_EC2 = {
    "cpu": st.sampled_from([1, "4", 2.0, "16.0", 1.5]),
    "gpu": st.sampled_from([0, 1, "2", "1.0", 1.5]),
    "memory": st.sampled_from([512, "4096", 16000.0, "4097.0", 5001, "2G"]),
    "shared_memory": st.sampled_from([1, "64", 1000]),
    "max_swap": st.sampled_from([0, 1, "2048"]),
    "swappiness": st.sampled_from([0, "60", 99, 100]),
    "use_tmpfs": st.booleans(),
    "tmpfs_size": st.sampled_from([1, "64"]),
    "inferentia": st.sampled_from([1, "2"]),
    "efa": st.sampled_from([0, 1, 2]),
    "host_volumes": one_or_more(PATHS),
    "privileged": st.booleans(),
}
ON_FARGATE = {
    "ephemeral_storage": st.sampled_from([20, 21, 100, 200, 201]),
    "privileged": st.just(False),
    "inferentia": st.just(None),
}
PAIRS = st.sampled_from(
    [{"cpu": 0.25, "memory": 512}, {"cpu": "0.5", "memory": "4096"}, {"cpu": 4, "memory": 8192}]
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw parameters that mostly suit the platform, and sometimes do not."""
    platform = draw(st.sampled_from(["EC2", "SPOT", "FARGATE", "FARGATE_SPOT"]))
    nodes = draw(st.sampled_from([0, 0, 0, 1, 2, 5]))
    known = {**COMMON_PARAMETERS, **ON_EC2, **ON_FARGATE}
    mostly = {**COMMON_PARAMETERS, **(ON_FARGATE if platform.startswith("FARG") else ON_EC2)}
    parameters = draw(st.fixed_dictionaries({}, optional=mostly))
    if platform.startswith("FARGATE"):
        parameters.update(draw(PAIRS))
        nodes = nodes if draw(st.integers(0, 9)) == 0 else 0
    if draw(st.integers(0, 4)) == 0:
        odd = draw(st.sampled_from(sorted(known)))
        parameters[odd] = draw(known[odd])
    variables = draw(st.dictionaries(st.sampled_from(["A", "B_2"]), st.text("xyz=$ ", max_size=9)))
    return Case(parameters, platform, nodes, variables)


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(cases())
def test_same_requests(case: Case) -> None:
    """Definition and overrides are equal but for what is listed; so is what is refused."""
    outcome = both(case)
    parameters = {"aws_batch_tags": {}, **case.parameters}
    if isinstance(outcome, str):
        told = [r.reason for r in REFUSALS if r.who == outcome and r.holds(parameters, case)]
        assert outcome == "both" or told, f"{outcome} alone refuses"
        return
    _, a, b = levelled(case)

    assert b.definition == a.definition
    assert b.job == a.job


@pytest.mark.parametrize("difference", [*OF_DEFINITIONS, *OF_JOBS], ids=lambda d: d.name)
def test_differences_are_real(difference: object) -> None:
    """What is listed as different is so; where it no longer is, the list is wrong."""
    found, a, b = levelled(difference.example)

    assert difference.name in found
    assert a == b


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: r.reason)
def test_refusals_are_real(refusal: object) -> None:
    """What one side alone is said to refuse, it alone refuses."""
    parameters = {"aws_batch_tags": {}, **refusal.example.parameters}

    assert both(refusal.example) == refusal.who
    assert refusal.holds(parameters, refusal.example)


#: What Metaflow makes of its configuration, as the parameters of an empty ``@batch``.
ASK = """
import json, warnings
warnings.simplefilter("ignore")
from metaflow.plugins.aws.batch.batch_decorator import BatchDecorator
from metaflow import metaflow_config as c
d = BatchDecorator(attributes={})
d.init()
names = ("image", "queue", "iam_role", "execution_role", "aws_batch_tags")
print(json.dumps({**{n: d.attributes[n] for n in names}, "root": c.DATASTORE_SYSROOT_S3,
                  "endpoint": c.S3_ENDPOINT_URL}))
"""
P = "METAFLOW_"
USER = {
    P + "BATCH_JOB_QUEUE": "user-queue",
    P + "BATCH_CONTAINER_IMAGE": "user/image",
    P + "BATCH_CONTAINER_REGISTRY": "user.io/x/",
    P + "ECS_S3_ACCESS_IAM_ROLE": "arn:aws:iam::123456789012:role/user",
    P + "DATASTORE_SYSROOT_S3": "s3://user/root",
}
SOURCES = {
    "nothing": ({}, {}, {}),
    "the user's file": (USER, {}, {}),
    "a profile": ({P + "BATCH_JOB_QUEUE": "team"}, {}, {"METAFLOW_PROFILE": "team"}),
    "the project's file": (USER, {P + "BATCH_JOB_QUEUE": "project"}, {}),
    "variables": (
        USER,
        {P + "BATCH_JOB_QUEUE": "project"},
        {P + "BATCH_JOB_QUEUE": "variable", P + "DEFAULT_CONTAINER_IMAGE": "later"},
    ),
    "an empty variable": (USER, {}, {P + "BATCH_CONTAINER_IMAGE": "", P + "BATCH_JOB_QUEUE": ""}),
    "defaults": (
        {},
        {},
        {
            P + "DEFAULT_CONTAINER_IMAGE": "team/app",
            P + "DEFAULT_CONTAINER_REGISTRY": "reg.io",
            P + "ECS_FARGATE_EXECUTION_ROLE": "arn:aws:iam::123456789012:role/x",
            P + "BATCH_DEFAULT_TAGS": '{"a": "1"}',
            P + "S3_ENDPOINT_URL": "http://127.0.0.1:9000",
        },
    ),
}


@pytest.mark.parametrize(("user", "project", "variables"), SOURCES.values(), ids=SOURCES)
def test_same_configuration(
    user: dict, project: dict, variables: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables, the project's file and the user's, by profile, mean what they mean there."""
    work = tmp_path / "work" / "deeper"
    (work.parent / ".metaflow").mkdir(parents=True)
    work.mkdir()
    name = f"config_{variables['METAFLOW_PROFILE']}.json" if P + "PROFILE" in variables else ""
    (tmp_path / (name or "config.json")).write_text(json.dumps(user))
    (work.parent / ".metaflow" / "config.json").write_text(json.dumps(project))
    environ = {**os.environ, "METAFLOW_HOME": str(tmp_path), **variables}
    asked = subprocess.run(
        [sys.executable, "-c", ASK], cwd=work, env=environ, capture_output=True, text=True
    )
    assert asked.returncode == 0, asked.stderr
    monkeypatch.chdir(work)
    found = configured({"backend": "local"}, environ)
    defaults = merge(found.defaults)

    assert json.loads(asked.stdout) == {
        "image": requests.with_registry(defaults.image, found.registry),
        "queue": defaults.queue or variables.get(P + "BATCH_JOB_QUEUE"),
        "iam_role": defaults.iam_role,
        "execution_role": defaults.execution_role,
        "aws_batch_tags": defaults.aws_batch_tags or {},
        "root": found.s3_root or None,
        "endpoint": found.endpoint_url,
    }
