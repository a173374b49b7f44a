"""Why a job waits: pure sentences, and the few calls behind them."""

from __future__ import annotations

import pytest
from aws_rig import OPTIONS, aws_rig, environment, moto_address
from batch_server import Fault
from botocore.config import Config
from stub import PATIENCE, until

from nbbatch.backends.aws import clients, families
from nbbatch.backends.aws.cache import Cache
from nbbatch.backends.aws.clients import Clients
from nbbatch.backends.aws.fitting import InstanceType, Need, misfit, needed
from nbbatch.backends.aws.instances import Instances
from nbbatch.backends.aws.waiting import Place, Wait, explain
from nbbatch.backends.base import Launch
from nbbatch.options import merge
from nbbatch.wire import keys

ARN = "arn:aws:batch:us-east-1:1:job/me"
BIG = InstanceType("c5.24xlarge", 96, 196_608)
GPUS = InstanceType("p3dn.24xlarge", 96, 786_432, 8)
CPU_ONLY = {"instanceTypes": ["c5", "m5.large"]}
BLOCKED = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for "
    "instance type [p4d.24xlarge]": "AWS has no such instance free (p4d.24xlarge)",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s)": "(maxvCpus)",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job": "--cpu, --memory, --gpu",
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS – Batch": "service role lacks a permission",
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED - Your": "launch template",
    "ACTION_REQUIRED - CE(s) associated with the job queue are invalid.": "are invalid",
    "UNDETERMINED - Batch job is blocked": "not why",
}


def ce(name="ce", kind="EC2", state="ENABLED", status="VALID", reason="", **resources):
    return {
        "computeEnvironmentName": name,
        "computeEnvironmentArn": f"arn:{name}",
        "state": state,
        "status": status,
        "statusReason": reason,
        "computeResources": {"type": kind, "maxvCpus": 64, **resources},
        "containerOrchestrationType": "ECS",
    }


def place(*environments, front=(ARN,), types=None, **queue):
    found = {"jobQueueName": "q", "status": "VALID", **queue}
    return Place(found, environments, front, types or {})


def wait(need=Need(), reason="", since=0.0):
    return Wait("me", ARN, "q", need, reason, since)


def others(count):
    return tuple(f"{ARN}-{number}" for number in range(count))


@pytest.mark.parametrize(
    ("need", "environment", "types", "said"),
    [
        (Need(cpu=65), ce(), None, "65 vCPUs, and the compute environment ce has at most 64"),
        (Need(cpu=20, nodes=4), ce(), None, "80 vCPUs"),
        (Need(), ce(state="DISABLED"), None, "ce is DISABLED"),
        (Need(), ce(status="INVALID", reason="no subnet"), None, "ce is INVALID: no subnet"),
        (Need(gpu=1), ce(kind="FARGATE"), None, "Fargate, which has none"),
        (Need(neuron=1), ce(kind="FARGATE_SPOT"), None, "Neuron"),
        (Need(gpu=1), ce(**CPU_ONLY), None, "no instance of the compute environment ce has any"),
        (Need(gpu=1), ce(**CPU_ONLY), [BIG], "no instance of the compute environment ce has any"),
        (Need(gpu=9), ce(), [BIG, GPUS], "has 8 GPUs"),
        (Need(memory=196_608), ce(), [BIG], "the system keeps"),
        (Need(memory=800_000), ce(), [BIG, GPUS], "has 786432 MiB of memory"),
        (Need(cpu=60), ce(), [InstanceType("c5.large", 2, 4096)], "has 2 vCPUs"),
        (
            Need(cpu=8, gpu=1),
            ce(),
            [InstanceType("small", 4, 9000, 1), InstanceType("large", 64, 9000)],
            "no single instance",
        ),
    ],
)
def test_what_can_never_be_placed(need, environment, types, said):
    """A request that no instance of an environment holds is named, with what to type."""
    found = misfit(need, environment, types)

    assert said in found.cause
    assert "--" in found.hint


@pytest.mark.parametrize(
    ("need", "environment", "types"),
    [
        (Need(64, 196_607), ce(), [BIG]),
        (Need(gpu=8, memory=5000), ce(), [BIG, GPUS]),
        (Need(gpu=1), ce(instanceTypes=["g5.xlarge", "c5"]), None),
        (Need(cpu=4000), {**ce(), "computeResources": None}, None),
        (Need(0.25, 512), ce(kind="FARGATE"), None),
        (Need(), ce(status="UPDATING"), None),
    ],
)
def test_what_may_be_placed(need, environment, types):
    """What holds, or can't be told, is no misfit."""
    assert misfit(need, environment, types) is None


@pytest.mark.parametrize(("reason", "said"), BLOCKED.items())
def test_what_batch_says_of_a_blocked_queue(reason, said):
    """Each documented reason is said in words, with what to do."""
    told = explain(wait(reason=reason), place(ce()), 20)

    assert said in told
    assert "Next: " in told


@pytest.mark.parametrize(
    ("waiting", "where", "said"),
    [
        (wait(), place(ce()), "it is the next one in q; an instance for it is being started"),
        (wait(), place(ce(kind="SPOT")), "Spot instance"),
        (wait(), place(ce(kind="FARGATE")), "half a minute"),
        (wait(), place({**ce(), "containerOrchestrationType": "EKS"}), "a node"),
        (wait(), place(ce(), front=(*others(1), ARN)), "1 job is before it in q; "),
        (wait(), place(ce(), front=(*others(17), ARN)), "17 jobs are before it in q; "),
        (wait(), place(ce(), front=others(100)), "at least 100 jobs are before it in q; "),
        (wait(), place(ce(), front=others(3)), "an instance"),
        (wait(), place(ce(), front=None), "an instance"),
        (wait(), place(), "it is the next one in q"),
        (wait(), place(ce(desiredvCpus=64)), "ce uses 64 of at most 64 vCPUs: it starts when"),
        (wait(Need(4)), place(ce(desiredvCpus=62)), "62 of at most 64"),
        (wait(), place(ce("a", state="DISABLED"), ce("b")), "an instance"),
        (wait(), place(ce("a", state="DISABLED"), ce("b", desiredvCpus=64)), "b uses 64"),
        (
            wait(),
            place(ce("a", state="DISABLED"), ce("b", status="INVALID", reason="x")),
            "a is DISABLED; the compute environment b is INVALID: x. Next: aws batch",
        ),
        (wait(Need(gpu=1)), place(ce(), types={"arn:ce": [BIG]}), "it can't start"),
        (wait(), place(status="INVALID", statusReason="broken"), "q is INVALID: broken"),
        (wait(since=-3600.0), place(ce()), "that is long: where instances of ce run"),
        (wait(since=-3600.0), place(ce(kind="FARGATE")), "that is long for Fargate"),
    ],
)
def test_why_it_waits(waiting, where, said):
    """Its turn, and what has to happen before it; first of all what never will."""
    assert said in explain(waiting, where, 20)


def test_nothing_known_is_nothing_said():
    """Without any permission there is no explanation, rather than a guess."""
    assert explain(wait(), Place(), 20) == ""


def container(cpu, memory, gpu=None):
    asked = {"VCPU": cpu, "MEMORY": memory, **({"GPU": gpu} if gpu else {})}
    items = [{"type": kind, "value": value} for kind, value in asked.items()]
    return {"resourceRequirements": items}


POD = {"resources": {"limits": {"cpu": "2", "memory": "2048Mi", "nvidia.com/gpu": "1"}}}


@pytest.mark.parametrize(
    ("job", "need"),
    [
        ({"container": container("0.25", "512")}, Need(0.25, 512)),
        ({"container": {"vcpus": 4, "memory": 100}}, Need(4, 100)),
        ({"eksProperties": {"podProperties": {"containers": [POD]}}}, Need(2, 2048, 1)),
        (
            {
                "nodeProperties": {
                    "numNodes": 3,
                    "nodeRangeProperties": [
                        {"container": container("2", "9000")},
                        {"container": container("4", "8000", "1")},
                    ],
                }
            },
            Need(4, 9000, 1, 0, 3),
        ),
    ],
)
def test_what_a_job_asks_for(job, need):
    """It is read from DescribeJobs, for every kind of job."""
    assert needed(job) == need


@pytest.mark.parametrize(
    ("types", "gpus"),
    [
        (["c5", "m5.large"], False),
        (["optimal"], False),
        (["default_arm64"], False),
        (["g5.xlarge"], True),
        (["c5", "g5g"], True),
        (["p6-b200.48xlarge"], True),
        (["gr6"], True),
        ([], False),
    ],
)
def test_what_names_of_instances_tell(types, gpus):
    """Whether there are GPUs is in the family's name."""
    assert families.have_gpus(families.named(ce(instanceTypes=types))) is gpus


def test_instances_are_asked_for_once(tmp_path, monkeypatch):
    """EC2 tells the largest types of families and sizes; another kernel finds them on disk."""
    # moto reads all that there is to know of them first: on a slow machine that takes its time.
    monkeypatch.setattr(clients, "_BRIEF", clients._BRIEF.merge(Config(read_timeout=PATIENCE)))
    keyed = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    region = {"AWS_DEFAULT_REGION": "us-east-1"}
    cache = tmp_path / "aws.json"
    with environment(**keyed, **region, AWS_ENDPOINT_URL=moto_address()):
        found = Instances(Clients(), Cache(cache, "a")).largest(("g4dn", "m5.large"))
    with environment(**keyed, **region, AWS_ENDPOINT_URL="http://127.0.0.1:9"):
        again = Instances(Clients(), Cache(cache, "a"))
        assert again.largest(("g4dn", "m5.large")) == found
        assert again.largest(("c5",)) is None
        assert again.largest(()) is None

    assert {kind.name.partition(".")[0] for kind in found} == {"g4dn"}
    assert max(kind.gpu for kind in found) == 8
    assert len(found) < 4


def test_jobs_of_a_queue_share_three_calls(tmp_path):
    """However many jobs wait, their queue is asked about once, and none of them is."""
    with aws_rig(tmp_path, grace=0.2) as rig:
        rig.batch.place.capacity.clear()
        rig.batch.facts["queue-environment"] = {
            "computeResources": {"type": "EC2", "maxvCpus": 4, "desiredvCpus": 4}
        }
        runner = rig.backend.runner
        ids = [runner.start(launch()) for _ in range(3)]
        known = until_runnable(runner, ids)
        rig.batch.calls.clear()
        said = runner.explain([*ids, "never seen"])

        assert dict(rig.batch.count()) == {
            "describejobqueues": 1,
            "describecomputeenvironments": 1,
            "getjobqueuesnapshot": 1,
        }
        assert set(said) == set(known) == set(ids)
        assert said[ids[0]].startswith("it is the next one in queue; queue-environment uses 4 of")
        assert said[ids[2]].startswith("2 jobs are before it in queue; ")


def test_what_is_denied_is_not_asked_again(tmp_path):
    """Without the permission for a queue's snapshot the rest is told, and it is asked for once."""
    with aws_rig(tmp_path, grace=0.2) as rig:
        rig.batch.place.capacity.clear()
        runner = rig.backend.runner
        ids = [runner.start(launch())]
        until_runnable(runner, ids)
        rig.batch.fault = lambda operation, _: (
            Fault(403) if operation == "getjobqueuesnapshot" else None
        )
        first, again = runner.explain(ids), runner.explain(ids)
        asked = rig.batch.count()["getjobqueuesnapshot"]
        rig.batch.fault = lambda *_: Fault(403)
        nothing = runner.explain(ids)
        rig.batch.fault = lambda *_: None

        assert (
            first[ids[0]]
            == again[ids[0]]
            == ("an instance for it is being started, which takes a few minutes")
        )
        assert asked == 1
        assert nothing == {ids[0]: ""}


def test_a_job_that_runs_is_no_longer_explained(tmp_path):
    """What is kept of a job that waits goes when it has started."""
    with aws_rig(tmp_path, grace=0.2) as rig:
        rig.batch.place.capacity.clear()
        runner = rig.backend.runner
        ids = [runner.start(launch(executable="true"))]
        until_runnable(runner, ids)
        rig.batch.place.capacity.set()
        until(lambda: runner.describe(ids)[ids[0]].state.final, bool)

        assert runner.explain(ids) == {}


def test_a_job_that_begins_to_run_while_it_is_explained(tmp_path):
    """Another thread may describe it just then: it is left out."""

    class Stale(dict):
        def __contains__(self, _):
            return True

    with aws_rig(tmp_path, grace=0.2) as rig:
        rig.backend.runner._waits = Stale()

        assert rig.backend.runner.explain(["job"]) == {}


def launch(**options):
    return Launch(
        job_id=keys.new_job_id(),
        name="waits",
        options=merge({**OPTIONS, **options}),
        environment={"NBBATCH_KEY": "secret-key"},
        worker="0" * 64,
    )


def until_runnable(runner, ids):
    return until(
        lambda: runner.describe(ids),
        lambda known: all(str(status.state) == "RUNNABLE" for status in known.values()),
    )
