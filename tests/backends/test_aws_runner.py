"""The runner on Batch, counted at the wire: as few calls as possible, and never two jobs."""

from __future__ import annotations

import dataclasses
import json
import threading

import pytest
from aws_rig import EXECUTION_ROLE, OPTIONS, aws_rig, environment, moto_address, wait_for_end
from batch_server import Fault
from stub import until

from nbbatch import errors
from nbbatch.backends.aws import requests
from nbbatch.backends.aws.cache import Cache
from nbbatch.backends.aws.clients import Clients
from nbbatch.backends.aws.queues import Queue
from nbbatch.backends.aws.runner import BatchRunner
from nbbatch.backends.base import MASK, Launch
from nbbatch.facts import Loss, State
from nbbatch.options import merge
from nbbatch.wire import keys

REGISTER, SUBMIT = "registerjobdefinition", "submitjob"
FIRST = {
    "describejobqueues": 1,
    "describecomputeenvironments": 1,
    "registerjobdefinition": 1,
    "submitjob": 1,
}


@pytest.fixture
def rig(tmp_path):
    """Open a Batch whose jobs stay RUNNABLE: most tests here are about calls, not jobs."""
    with aws_rig(tmp_path, grace=0.2) as opened:
        opened.batch.place.capacity.clear()
        yield opened


@pytest.fixture
def waits():
    """Collect the seconds that a runner would have waited."""
    return []


@pytest.fixture
def runner(rig, waits):
    """Make a runner that notes its waits instead of waiting."""
    return BatchRunner(Clients(), rig.cache_dir, waits.append)


def launch(name="train", environment=None, **options):
    return Launch(
        job_id=keys.new_job_id(),
        name=name,
        options=merge({**OPTIONS, **options}),
        environment=environment or {"NBBATCH_KEY": "secret-key"},
        worker="0" * 64,
        secret=frozenset({"NBBATCH_KEY"}),
    )


def once(operation, fault):
    """Let only the first request of that operation go wrong."""
    left = [fault]
    return lambda called, _: left.pop() if called == operation and left else None


def jobs_named(rig, wanted):
    return [job for job in rig.batch.jobs.values() if job.describe()["jobName"] == wanted]


def test_first_submit_is_four_calls_and_a_warm_one_is_one(rig, runner):
    """Nothing is asked twice: the second job costs its SubmitJob alone."""
    job = launch()
    runner.check(job.options)
    runner.start(job)
    first = dict(rig.batch.count())
    rig.batch.calls.clear()
    warm = launch(cpu=2, memory=9000, retries=1, timeout=60)
    runner.check(warm.options)
    runner.start(warm)

    assert first == FIRST
    assert dict(rig.batch.count()) == {SUBMIT: 1}


def test_another_kernel_is_warm_too(rig, runner):
    """What one process learned, the next one finds on disk."""
    runner.start(launch())
    rig.batch.calls.clear()
    job = launch()
    other = rig.again().runner
    other.check(job.options)
    other.start(job)

    assert dict(rig.batch.count()) == {SUBMIT: 1}


def test_a_lost_cache_costs_calls_only(rig, runner):
    """A file that is damaged, or a folder that can't be written, is no error."""
    runner.start(launch())
    (rig.cache_dir / "aws.json").write_text("{]")
    rig.again().runner.start(launch())
    BatchRunner(Clients(), rig.cache_dir / "aws.json" / "no folder").start(launch())

    assert len(rig.batch.jobs) == 3


def test_requests_arrive_as_built(rig, runner):
    """What Batch receives is what `plan` shows, but for the secrets."""
    job = launch(gpu=1, timeout=90, retries=2)
    runner.check(job.options)
    planned = runner.plan(job)
    before = dict(rig.batch.count())
    runner.start(job)
    sent = {name: body for name, body in rig.batch.calls if name in (REGISTER, SUBMIT)}
    shown = {call.operation.lower(): json.loads(json.dumps(call.parameters)) for call in planned}
    pair = shown[SUBMIT]["containerOverrides"]["environment"][0]

    assert before.get(SUBMIT, 0) == 0
    assert pair == {"name": "NBBATCH_KEY", "value": MASK}
    pair["value"] = "secret-key"
    assert shown == sent


def test_plan_of_many_options(rig, runner):
    """The plan shows where a secret lies, and no value of one."""
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
    job = launch(
        secrets={"DB": f"{arn}#password"},
        execution_role=EXECUTION_ROLE,
        tags={"team": "ml"},
        environment={"NBBATCH_KEY": "secret-key", "MODE": "fast"},
    )
    runner.check(job.options)
    register, submit = runner.plan(job)

    assert register.parameters["containerProperties"]["secrets"] == [
        {"name": "DB", "valueFrom": f"{arn}:password::"}
    ]
    assert submit.parameters["containerOverrides"]["environment"] == [
        {"name": "MODE", "value": "fast"},
        {"name": "NBBATCH_KEY", "value": MASK},
    ]
    assert "secret-key" not in str([register, submit])


def test_plan_asks_nobody(rig, runner):
    """A plan of a cold client sends nothing at all, and says so of a queue it can't know."""
    planned = runner.plan(launch(queue=None))

    assert [call.operation for call in planned] == ["RegisterJobDefinition", "SubmitJob"]
    assert "first queue" in planned[1].parameters["jobQueue"]
    assert rig.batch.calls == []


def test_plan_of_a_warm_client(rig, runner):
    """Where the definition is known the plan is SubmitJob alone."""
    runner.start(launch())

    assert [call.operation for call in runner.plan(launch())] == ["SubmitJob"]


def test_no_queue_given(rig, runner):
    """The first enabled queue is taken, beyond the first page of them."""
    rig.batch.queues = {"a": "DISABLED", "b": "DISABLED", "c": "EC2", "d": "EC2"}
    id_ = runner.start(launch(queue=None))

    assert rig.batch.jobs[id_].describe()["jobQueue"].endswith("/c")
    assert rig.batch.count()["describejobqueues"] == 2


def test_fargate(rig, runner):
    """A queue on Fargate is recognised and gets a definition for Fargate."""
    rig.batch.queues["serverless"] = "FARGATE"
    job = launch(queue="serverless", execution_role=EXECUTION_ROLE, cpu=0.25, memory=512)
    runner.check(job.options)
    runner.start(job)

    assert rig.batch.calls[2][1]["platformCapabilities"] == ["FARGATE"]


@pytest.mark.parametrize(
    ("queue", "kind", "said"),
    [
        ("queu", errors.NotFoundError, "--queue queue"),
        ("off", errors.ConflictError, "ENABLED"),
        ("managed", errors.OptionError, "--queue NAME of a queue"),
        ("serverless", errors.ConfigurationError, "--execution-role"),
    ],
)
def test_unusable_queues(rig, runner, queue, kind, said):
    """A queue that can't take the job is refused by `check`, with what to type."""
    rig.batch.queues.update(off="DISABLED", managed="ECS_MANAGED_INSTANCES", serverless="FARGATE")
    with pytest.raises(kind) as caught:
        runner.check(launch(queue=queue).options)

    assert said in caught.value.hint
    assert rig.batch.jobs == {}


def test_a_queue_as_it_is(rig, runner):
    """Its environments are known in their order, with what they may have and how they are."""
    rig.batch.queues["mixed"] = ("SPOT", "EC2")
    rig.batch.resources["mixed"] = {"maxvCpus": 64, "instanceTypes": ["c7g", "m6g.xlarge"]}
    rig.batch.policies.add("mixed")
    runner.check(launch(queue="mixed", share_identifier="team").options)
    for queue in (runner._queues.known("mixed"), rig.again().runner._queues.known("mixed")):
        assert (queue.platform, queue.platforms) == ("SPOT", ("SPOT", "EC2"))
        assert (queue.vcpus, queue.processors, queue.fair_share) == (64, ("ARM64",), True)
        assert (queue.partition, queue.region) == ("aws", "us-east-1")
        assert queue.account == "123456789012"


def test_a_queue_that_has_changed(rig, runner):
    """Nobody is refused for what is only remembered: the queue is looked at again first."""
    rig.batch.resources["queue"] = {"maxvCpus": 4}
    runner.check(launch().options)
    with pytest.raises(errors.OptionError, match="maxvCpus"):
        runner.check(launch(cpu=8).options)
    rig.batch.resources["queue"] = {"maxvCpus": 8}
    runner.check(launch(cpu=8).options)


def test_said_before_anything_is_written(rig, runner):
    """A check finds too long an environment, too many rules, and fields that Batch has not."""
    for options, kind in (
        ({"environment": {"A": "x" * 9000}}, errors.LimitError),
        ({"retries": 1, "retry_on": "1 2 3 4"}, errors.OptionError),
        ({"extra": {"nonsense": 1}}, errors.OptionError),
        ({"executable": "x" * (24 << 10)}, errors.LimitError),
    ):
        with pytest.raises(kind):
            runner.check(merge({**OPTIONS, **options}))

    assert rig.batch.count()[REGISTER] == 0


THEIRS = {
    "jobDefinitionName": "theirs",
    "type": "container",
    "containerProperties": {
        "image": "python",
        "command": ["true"],
        "resourceRequirements": [
            {"type": "VCPU", "value": "1"},
            {"type": "MEMORY", "value": "512"},
        ],
    },
}


def test_somebody_elses_definition(rig, runner):
    """It is looked at once, nothing is registered, and what can be overridden is."""
    rig.batch.serve("registerjobdefinition", THEIRS)
    for name in (
        "theirs",
        "theirs:1",
        "arn:aws:batch:us-east-1:123456789012:job-definition/theirs:1",
    ):
        job = launch(job_definition=name, iam_role=None, cpu=2)
        rig.batch.calls.clear()
        runner.check(job.options)
        runner.start(job)
        body = rig.batch.calls[-1][1]
        assert body["jobDefinition"] == name
        assert body["containerOverrides"]["command"][0] == "python"
        assert rig.batch.count()["describejobdefinitions"] == 1
        assert rig.batch.count()[REGISTER] == 0
    again = launch(job_definition="theirs", iam_role=None)
    rig.batch.calls.clear()
    runner.check(again.options)

    assert [call.operation for call in runner.plan(again)] == ["SubmitJob"]
    assert rig.batch.calls == []


def test_no_such_definition(rig, runner):
    """A definition that is not there, or no more, is named."""
    with pytest.raises(errors.NotFoundError, match="definition theirs not found"):
        runner.check(launch(job_definition="theirs").options)
    rig.batch.serve("registerjobdefinition", THEIRS)
    runner.check(launch(job_definition="theirs", iam_role=None).options)
    rig.batch.deregister("theirs")
    with pytest.raises(errors.NotFoundError, match="not submitted") as caught:
        runner.start(launch(job_definition="theirs", iam_role=None))
    assert "--job-definition" in caught.value.hint
    with pytest.raises(errors.NotFoundError, match="definition theirs not found"):
        runner.check(launch(job_definition="theirs").options)


def test_registry(rig):
    """The configured registry stands before an image that names none."""
    runner = BatchRunner(Clients(), rig.cache_dir, registry="reg.io/mirror")
    runner.start(launch(image="team/app"))
    sent = next(body for name, body in rig.batch.calls if name == REGISTER)

    assert sent["containerProperties"]["image"] == "reg.io/mirror/team/app"


def test_a_job_after_others(rig, runner):
    """It waits for those that it depends on, and fails where one of them does."""
    first, second = runner.start(launch()), runner.start(launch())
    after = runner.start(dataclasses.replace(launch(), depends_on=(first, second)))
    until(lambda: runner.describe([after])[after].state, lambda s: s is State.PENDING)
    runner.stop([first], "")

    assert wait_for_end(rig.backend, after).reason == "Dependent Job failed"


def test_a_pod(rig, runner, tmp_path):
    """A job on EKS is submitted, read, and its end is told from its container's."""
    rig.batch.queues["cluster"] = "EKS"
    rig.batch.place.capacity.set()
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 600\n")
    sleeper.chmod(0o755)
    job = launch(queue="cluster", executable=str(sleeper), cpu=0.25, memory=64, iam_role=None)
    runner.check(job.options)
    id_ = runner.start(job)
    running = until(lambda: runner.describe([id_])[id_], lambda s: s.state is State.RUNNING)
    rig.batch.jobs[id_].kill("OOMKilled")
    ended = wait_for_end(rig.backend, id_)

    assert running.given["host"] == "node-1"
    assert (running.given["cpu"], running.given["memory"]) == (1.0, 4096)
    assert (ended.exit_code, ended.loss, ended.attempt) == (137, Loss.MEMORY, 1)
    assert "OOMKilled" in ended.reason
    assert list(runner.log(id_)) == []


def test_several_nodes(rig, runner):
    """A multi-node job is submitted as one; another number of nodes needs no other definition."""
    for nodes in (2, 5):
        job = launch(nodes=nodes)
        runner.check(job.options)
        runner.start(job)

    assert rig.batch.count()[REGISTER] == 1
    assert rig.batch.calls[-1][1]["nodeOverrides"]["numNodes"] == 5


def test_no_queue_at_all(rig, runner):
    """Without any queue the error is Metaflow's, with what to type."""
    rig.batch.queues = {"off": "DISABLED"}
    with pytest.raises(errors.NotFoundError, match="none was specified"):
        runner.check(launch(queue=None).options)


def test_missing_role(rig, runner):
    """A role that does not exist is named, and nothing is submitted."""
    role = "arn:aws:iam::123456789012:role/missing"
    with pytest.raises(errors.NotFoundError) as caught:
        runner.start(launch(iam_role=role))

    assert role in caught.value.cause
    assert "--iam-role" in caught.value.hint
    assert rig.batch.jobs == {}


def test_queue_deleted_meanwhile(rig, runner):
    """A queue that was known and is gone is forgotten: the next check asks again."""
    runner.start(launch())
    rig.batch.queues = {"other": "EC2"}
    with pytest.raises(errors.NotFoundError, match="not found"):
        runner.start(launch())
    with pytest.raises(errors.NotFoundError, match="AWS Batch job queue queue not found"):
        runner.check(launch().options)


def test_definition_deleted_meanwhile(rig, runner):
    """A definition that Batch does not know any more is registered anew, unasked."""
    runner.start(launch())
    for name in rig.batch.definitions:
        rig.batch.deregister(name)
    rig.batch.calls.clear()
    runner.start(launch())

    assert dict(rig.batch.count()) == {SUBMIT: 2, REGISTER: 1}
    assert len(rig.batch.jobs) == 2


LOST = {
    "answer lost": Fault(0, done=True),
    "500 after acceptance": Fault(500, done=True),
    "502 after acceptance": Fault(502, done=True, code="x"),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_accepted_and_not_answered(rig, runner, fault):
    """Where Batch took the job and the answer was lost, that job is found and none is added."""
    rig.batch.fault = once(SUBMIT, fault)
    job = launch()
    id_ = runner.start(job)
    found = jobs_named(rig, requests.job_name(job.name, job.job_id))

    assert [one.id for one in found] == [id_]
    assert len(rig.batch.jobs) == 1
    assert rig.batch.count()[SUBMIT] == 1


NEVER = {"hung up": Fault(0), "500": Fault(500), "429": Fault(429)}


@pytest.mark.parametrize("fault", NEVER.values(), ids=NEVER)
def test_not_accepted(rig, runner, fault):
    """Where Batch did not take the job it is sent again, after a look where that is needed."""
    rig.batch.fault = once(SUBMIT, fault)
    id_ = runner.start(launch())

    assert list(rig.batch.jobs) == [id_]
    assert rig.batch.count()[SUBMIT] == 2
    assert (rig.batch.count()["listjobs"] > 0) is (fault.status != 429)


def test_list_of_jobs_lags_behind(rig, runner, waits):
    """A job that appears in the list only later is still found."""
    original = rig.batch.serve
    unseen = iter([True, True])
    rig.batch.fault = once(SUBMIT, Fault(0, done=True))
    rig.batch.serve = lambda operation, body: (
        {"jobSummaryList": []}
        if operation == "listjobs" and next(unseen, False)
        else original(operation, body)
    )
    id_ = runner.start(launch())

    assert list(rig.batch.jobs) == [id_]
    assert rig.batch.count()["listjobs"] == 3
    assert waits == [0.5, 1.0]


def test_nobody_can_tell(rig, runner):
    """Where the answer was lost and the list can't be read, no second job is risked."""

    def fault(operation, _):
        if operation == SUBMIT:
            return Fault(0, done=True)
        return Fault(403) if operation == "listjobs" else None

    rig.batch.fault = fault
    with pytest.raises(errors.UnreachableError) as caught:
        runner.start(launch())

    assert "not known whether" in caught.value.what
    assert rig.batch.count()[SUBMIT] == 1


def test_registration_not_answered(rig, runner):
    """A registration whose answer was lost is not sent again: the job's own answer tells."""
    rig.batch.fault = once(REGISTER, Fault(0, done=True))
    runner.start(launch())

    assert rig.batch.count()[REGISTER] == 1
    assert len(rig.batch.jobs) == 1


def test_throttled_for_good(rig, runner, waits):
    """Throttling is met with longer and longer waits, and in the end with a clear error."""
    rig.batch.fault = lambda operation, _: Fault(429) if operation == SUBMIT else None
    with pytest.raises(errors.ThrottledError, match="was not submitted"):
        runner.start(launch())

    assert rig.batch.count()[SUBMIT] == len(waits) + 1 == 8
    assert all(0.1 <= wait <= 8 for wait in waits)
    assert rig.batch.jobs == {}


def test_expired_token(rig, runner):
    """An expired token is said at once, with how to get a new one; nothing is repeated."""
    expired = Fault(403, code="ExpiredTokenException", message="The token has expired")
    rig.batch.fault = lambda *_: expired
    with pytest.raises(errors.CredentialsError) as caught:
        runner.check(launch().options)

    assert "aws sso login" in caught.value.hint
    assert rig.batch.count() == {"describejobqueues": 1}


def test_no_permission(rig, runner):
    """A refused call is an error of its own kind, in Batch's words."""
    rig.batch.fault = lambda *_: Fault(403, message="not authorized to perform: batch:X")
    with pytest.raises(errors.AccessDeniedError, match="batch:X"):
        runner.check(launch().options)


def test_describe_is_one_call_for_a_hundred(rig, runner):
    """A hundred jobs cost one call, a hundred and one cost two."""
    known = runner.start(launch())
    unknown = [f"00000000-0000-4000-8000-{number:012d}" for number in range(200)]
    asked = []
    for count in (99, 100, 0):
        rig.batch.calls.clear()
        runner.describe([known, *unknown[:count]] if count else [])
        asked.append(rig.batch.count()["describejobs"])

    assert asked == [1, 2, 0]


def test_stop_of_a_waiting_and_a_running_job(rig, runner):
    """Both end as cancelled, in our words."""
    waiting = runner.start(launch())
    runner.stop([waiting], "nbbatch: not needed")
    status = wait_for_end(rig.backend, waiting)

    assert (status.state, status.loss) == (State.FAILED, Loss.CANCELLED)
    assert status.reason == "nbbatch: not needed"


def test_stop_goes_on_after_a_failure(rig, runner):
    """One job that can't be stopped does not save the others, and is not kept quiet."""
    ids = [runner.start(launch()) for _ in range(3)]
    rig.batch.fault = lambda operation, body: (
        Fault(403) if operation == "terminatejob" and body["jobId"] == ids[0] else None
    )
    with pytest.raises(errors.AccessDeniedError, match=ids[0]):
        runner.stop(ids, "")
    rig.batch.fault = lambda *_: None

    assert [wait_for_end(rig.backend, id_).loss for id_ in ids[1:]] == [Loss.CANCELLED] * 2
    assert runner.describe(ids[:1])[ids[0]].state is State.RUNNABLE


def test_killed_from_outside(rig, runner, tmp_path):
    """What the kernel or AWS does to a job is in its diagnosis."""
    rig.batch.place.capacity.set()
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 600\n")
    sleeper.chmod(0o755)
    losses = []
    for reasons in (("OutOfMemoryError: Container killed", ""), ("", "Host EC2 (x) terminated.")):
        id_ = runner.start(launch(executable=str(sleeper)))
        until(lambda one=id_: runner.describe([one])[one].state, lambda s: s is State.RUNNING)
        rig.batch.jobs[id_].kill(*reasons)
        losses.append(wait_for_end(rig.backend, id_).loss)

    assert losses == [Loss.MEMORY, Loss.SPOT]


def test_many_threads(rig, runner):
    """Jobs started at once are all started, each once, and the queue is not asked each time."""
    runner.start(launch())
    rig.batch.calls.clear()
    started = []
    threads = [
        threading.Thread(target=lambda: started.append(runner.start(launch()))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(started)) == 12
    assert dict(rig.batch.count()) == {SUBMIT: 12}


def test_moto_takes_the_requests_too(rig):
    """Another reading of Batch's API accepts exactly what ours accepts."""
    with environment(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL=moto_address(),
    ):
        client = Clients().batch_once
        job = launch(gpu=1, timeout=60, retries=1)
        given = {**OPTIONS, "execution_role": EXECUTION_ROLE}
        rich = {"use_tmpfs": True, "efs_volumes": "fs-0123456789abcdef0", "log_driver": "awslogs"}
        for queue, more in (
            (Queue("q", "EC2"), {}),
            (Queue("q", "EC2"), {**rich, "secrets": "A=b", "efa": 1, "ulimits": "core=0"}),
            (Queue("q", "EC2"), {"nodes": 3}),
            (Queue("q", "EKS"), {}),
            (Queue("q", "FARGATE"), {"platform": "ARM64", "ephemeral_storage": 21}),
            (Queue("q", "FARGATE"), {}),
        ):
            definition = requests.job_definition(merge({**given, **more}), queue)
            answer = client.register_job_definition(**definition)
            assert answer["jobDefinitionName"] == definition["jobDefinitionName"]
        request = requests.submit_job(job, Queue("q", "EC2"), definition["jobDefinitionName"])
        with pytest.raises(client.exceptions.ClientException, match="Job queue q does not exist"):
            client.submit_job(**request)


def test_cache_forgets_what_is_too_old(tmp_path):
    """A fact older than asked for is no fact; another scope does not see it."""
    now = [1000.0]
    cache = Cache(tmp_path / "aws.json", "a", lambda: now[0])
    cache.set("queues", "q", {"x": 1})
    now[0] += 10

    assert cache.get("queues", "q", 10) == {"x": 1}
    assert cache.get("queues", "q", 9) is None
    assert Cache(tmp_path / "aws.json", "b").get("queues", "q") is None


def test_cache_is_shared_and_bounded(tmp_path):
    """Two processes keep each other's entries, and the oldest go first."""
    now = iter(range(1000))
    one = Cache(tmp_path / "aws.json", "a", lambda: next(now))
    two = Cache(tmp_path / "aws.json", "a", lambda: next(now))
    assert two.get("definitions", "none") is None
    for number in range(150):
        one.set("definitions", f"one-{number}", True)
        two.set("definitions", f"two-{number}", True)
    whole = json.loads((tmp_path / "aws.json").read_text())["a"]["definitions"]

    assert len(whole) == 200
    assert {"one-149", "two-149"} <= set(whole)
    assert "one-0" not in whole
