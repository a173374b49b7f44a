"""What Batch says about a job, as a status with a diagnosis."""

from __future__ import annotations

import pytest

from nbbatch.backends.aws.diagnosis import diagnose
from nbbatch.backends.aws.status import log_stream, status
from nbbatch.facts import Loss, State, Stay

JOB = "0b69eb24-6cf4-4fd5-8de6-4ec8ea2bd7e8"


def described(**changes):
    """Give a job as DescribeJobs does, one that runs."""
    whole = {
        "jobId": JOB,
        "jobName": "train",
        "jobQueue": "arn:aws:batch:eu-west-1:123456789012:job-queue/gpus",
        "status": "RUNNING",
        "attempts": [],
        "createdAt": 1_700_000_000_250,
        "startedAt": 1_700_000_060_000,
        "platformCapabilities": ["EC2"],
        "container": {
            "image": "python:3.12",
            "logStreamName": "nbbatch-x/default/1",
            "instanceType": "g5.xlarge",
            "resourceRequirements": [
                {"type": "VCPU", "value": "4"},
                {"type": "MEMORY", "value": "16000"},
                {"type": "GPU", "value": "1"},
            ],
        },
    }
    return {**whole, **changes}


def failed(status_reason="", reason="", code=None, **changes):
    container = {"reason": reason} if reason else {}
    if code is not None:
        container["exitCode"] = code
    attempt = {"container": container, "stoppedAt": 1, "statusReason": status_reason}
    return described(
        status="FAILED",
        statusReason=status_reason,
        container=container,
        attempts=[attempt],
        **changes,
    )


def test_running():
    """A running job's facts are in nbbatch's units and words."""
    found = status(described(), "eu-west-1")

    assert found.state is State.RUNNING
    assert (found.created_at, found.started_at) == (1_700_000_000.25, 1_700_000_060.0)
    assert (found.stopped_at, found.loss, found.exit_code) == (None, None, None)
    assert found.given == {
        "cpu": 4.0,
        "memory": 16000,
        "gpu": 1,
        "image": "python:3.12",
        "instance": "g5.xlarge",
        "queue": "gpus",
        "platform": "EC2",
    }
    assert found.log == "nbbatch-x/default/1"
    assert found.url.endswith(f"/batch/home?region=eu-west-1#jobs/detail/{JOB}")


@pytest.mark.parametrize("state", list(State))
def test_every_state(state):
    """Each of Batch's states has its counterpart, whatever else is missing."""
    bare = {"jobId": JOB, "status": state.value}

    assert status(bare, "").state is state


def test_no_console_elsewhere():
    """A Batch that is not AWS's has no page to show, and other partitions have their own."""
    assert status(described(), "").url == ""
    assert status(described(), "cn-north-1").url.startswith("https://console.amazonaws.cn/")
    assert "amazonaws-us-gov" in status(described(), "us-gov-west-1").url


def test_a_page_for_the_log():
    """The console shows a stream where there is one; its address is quoted as it wants it."""
    assert status(described(), "eu-west-1").log_url == (
        "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/"
        "$252Faws$252Fbatch$252Fjob/log-events/nbbatch-x$252Fdefault$252F1"
    )
    assert status(described(), "").log_url == ""
    elsewhere = {"logConfiguration": {"logDriver": "splunk"}, "logStreamName": "x"}
    assert status(described(container=elsewhere), "eu-west-1").log_url == ""


def test_what_batch_tells_of_times():
    """It keeps when an attempt began and ended to run, and why; nothing of the states between."""
    ran = {
        "startedAt": 1_700_000_060_000,
        "stoppedAt": 1_700_000_090_000,
        "statusReason": EXITED,
        "container": {"exitCode": 137, "reason": OOM},
    }
    never = {"stoppedAt": 1_700_000_095_000, "statusReason": "Task failed to start"}
    first = Stay(State.RUNNING, 1, 1_700_000_060.0, 1_700_000_090.0)
    created = Stay(State.SUBMITTED, 1, 1_700_000_000.25)
    waits = status(described(status="RUNNABLE", attempts=[ran]), "")
    begun = {"startedAt": 1_700_000_200_000}
    runs = status(described(attempts=[ran, never], **begun), "")
    over = status(described(status="FAILED", attempts=[ran, never]), "")

    assert (waits.stays, waits.endings) == ((created, first), {1: f"{EXITED}; {OOM}"})
    assert runs.stays == (created, first, Stay(State.RUNNING, 3, 1_700_000_200.0))
    assert runs.endings[2] == "Task failed to start"
    assert (over.stays, list(over.endings)) == ((created, first), [1])


def test_what_a_pending_job_waits_for():
    """Batch does not say it in words."""
    others = [{"jobId": name} for name in "abcd"]

    assert status(described(status="PENDING", dependsOn=others[:1]), "").reason == (
        "it waits for a to succeed"
    )
    assert status(described(status="PENDING", dependsOn=others), "").reason == (
        "it waits for a, b, c and 1 more to succeed"
    )
    assert status(described(status="RUNNABLE", dependsOn=others), "").reason == ""


ENDED = {"stoppedAt": 2, "container": {"exitCode": 1}}


@pytest.mark.parametrize(
    ("state", "attempts", "number"),
    [
        ("SUBMITTED", [], 1),
        ("RUNNING", [], 1),
        ("RUNNABLE", [ENDED], 2),
        ("RUNNING", [ENDED, {"startedAt": 3}], 2),
        ("SUCCEEDED", [ENDED, ENDED], 2),
        ("FAILED", [], 1),
    ],
)
def test_attempt(state, attempts, number):
    """The attempt is the one that runs, or the last one that ran."""
    assert status(described(status=state, attempts=attempts), "").attempt == number


OOM = "OutOfMemoryError: Container killed due to memory usage"
NO_PYTHON = (
    'CannotStartContainerError: Error response from daemon: exec: "python": '
    "executable file not found in $PATH: unknown"
)
NO_IMAGE = "CannotPullContainerError: Error response from daemon: manifest for x not found"
EXITED = "Essential container in task exited"


@pytest.mark.parametrize(
    ("job", "loss"),
    [
        (failed(EXITED, OOM, 137), Loss.MEMORY),
        (failed(EXITED, "", 137), Loss.EXIT),
        (failed(EXITED, "", 1), Loss.EXIT),
        (failed(EXITED, "", 139), Loss.EXIT),
        (failed("Host EC2 (instance i-0123456789abcdef0) terminated."), Loss.SPOT),
        (failed("Your Spot Task was interrupted.", "", 143), Loss.SPOT),
        (failed("Job attempt duration exceeded timeout", "", 137), Loss.TIMEOUT),
        (failed("Task failed to start", NO_IMAGE), Loss.IMAGE),
        (failed("Task failed to start", NO_PYTHON), Loss.IMAGE),
        (failed("nbbatch: cancelled", "", 143), Loss.CANCELLED),
        (failed("done by somebody in the console", isTerminated=True), Loss.CANCELLED),
        (failed("not needed", isCancelled=True), Loss.CANCELLED),
        (failed("nbbatch: cancelled", OOM, 137), Loss.CANCELLED),
        (failed("Something new"), Loss.UNKNOWN),
        (failed(), Loss.UNKNOWN),
    ],
)
def test_diagnosis(job, loss):
    """What ended a job is read from Batch's words, and from the exit code after them."""
    assert diagnose(job).loss is loss
    assert status(job, "").loss is loss


def test_reasons_are_kept():
    """The words of Batch and of the container are both there, each once."""
    found = status(failed(EXITED, OOM, 137), "")

    assert found.reason == f"{EXITED}; {OOM}"
    assert found.exit_code == 137


def test_missing_python_says_what_to_type():
    """An image without `python` is told from one that can't be pulled, with a way out."""
    assert "--executable python3" in status(failed("", NO_PYTHON), "").reason
    assert "--image" in status(failed("", NO_IMAGE), "").reason


def test_role_that_cannot_be_assumed():
    """A role that ECS can't take is named as such, since the loss alone says nothing."""
    said = "ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided"

    assert "--iam-role" in status(failed(said), "").reason


def test_pod():
    """A job on EKS has pods where others have containers."""
    limits = {"cpu": "0.5", "memory": "2048Mi", "nvidia.com/gpu": "2"}
    main = {
        "image": "python:3.12",
        "exitCode": 1,
        "reason": "Error",
        "resources": {"limits": limits},
    }
    pod = {"containers": [main], "nodeName": "ip-10-0-0-1"}
    attempt = {"containers": [{"exitCode": 1, "reason": "Error"}], "stoppedAt": 1}
    job = described(status="FAILED", eksProperties={"podProperties": pod}, eksAttempts=[attempt])
    del job["container"]
    found = status(job, "")

    assert (found.exit_code, found.attempt, found.loss) == (1, 1, Loss.EXIT)
    assert found.reason == "Error"
    assert found.given == {
        "cpu": 0.5,
        "memory": 2048,
        "gpu": 2,
        "image": "python:3.12",
        "host": "ip-10-0-0-1",
        "queue": "gpus",
        "platform": "EKS",
    }


def test_attempts_of_a_pod():
    """Before the pod is known what ended is in the attempts."""
    ended = {"containers": [{"exitCode": 137, "reason": "OOMKilled"}], "stoppedAt": 1}
    job = described(status="RUNNABLE", eksProperties={}, eksAttempts=[ended], container={})

    assert (status(job, "").attempt, status(job, "").exit_code) == (2, 137)
    assert diagnose({**job, "status": "FAILED"}).loss is Loss.MEMORY
    image = {"containers": [{"reason": "ImagePullBackOff"}]}
    assert diagnose({**job, "eksAttempts": [image]}).loss is Loss.IMAGE


def test_a_log_that_goes_elsewhere():
    """Of another driver's log CloudWatch has nothing."""
    other = {"logConfiguration": {"logDriver": "splunk"}, "logStreamName": "x"}

    assert log_stream(described(container=other)) == ("", "")


def test_log_stream():
    """The last attempt's log is the one to read, in its own group where it has one."""
    last = {"container": {"logStreamName": "second"}}
    retried = described(container={}, attempts=[{"container": {"logStreamName": "first"}}, last])
    own = {"logDriver": "awslogs", "options": {"awslogs-group": "mine"}}

    assert log_stream(described()) == ("/aws/batch/job", "nbbatch-x/default/1")
    assert log_stream(retried) == ("/aws/batch/job", "second")
    assert log_stream(described(container={"logConfiguration": own})) == ("mine", "")
