"""The container's command in a real container: an image with Python and nothing else."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile

import pytest

from nbbatch.wire import keys
from nbbatch.worker.boot import bundle
from nbbatch.worker.boot.bootstrap import bootstrap_command
from tests.servers import KEYS, aws

pytestmark = pytest.mark.containers

#: Takes the place of the worker's main program in its zip.
STUB = """
import importlib.util, os, sys
from nbbatch.worker.stores import open_store
store = open_store(os.environ)
lacks = [n for n in ("boto3", "pip", "cloudpickle") if not importlib.util.find_spec(n)]
print("the stub ran")
store.put("jobs/1/said", [b"python %d.%d lacks " % sys.version_info[:2], str(lacks).encode()])
"""


def stub():
    """Pack the worker's own zip with another main program."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(bundle.build())) as whole,
        zipfile.ZipFile(target, "w") as archive,
    ):
        for name in whole.namelist():
            archive.writestr(name, STUB if name == "__main__.py" else whole.read(name))
    return target.getvalue()


def run(rig, digest):
    """Submit a job that runs the zip of that digest, and wait for its end."""
    batch = aws(rig.endpoint, "batch")
    definition = batch.register_job_definition(
        jobDefinitionName="stub",
        type="container",
        containerProperties={
            "image": rig.image,
            "command": bootstrap_command(),
            "jobRoleArn": rig.job_role,
            "resourceRequirements": [
                {"type": "VCPU", "value": "1"},
                {"type": "MEMORY", "value": "512"},
            ],
        },
    )
    environ = {
        keys.ENV_STORE: f"s3://{rig.bucket}/root",
        keys.ENV_S3_ENDPOINT: rig.endpoint,
        keys.ENV_S3_REGION: rig.region,
        keys.ENV_WORKER: digest,
        **KEYS,
    }
    job = batch.submit_job(
        jobName="stub",
        jobQueue=rig.queue,
        jobDefinition=definition["jobDefinitionArn"],
        containerOverrides={
            "environment": [{"name": name, "value": value} for name, value in environ.items()]
        },
    )["jobId"]
    end = time.monotonic() + 300
    while time.monotonic() < end:
        facts = batch.describe_jobs(jobs=[job])["jobs"][0]
        if facts["status"] in ("SUCCEEDED", "FAILED"):
            return facts
        time.sleep(0.1)
    raise TimeoutError(facts["status"])


def log(rig, facts):
    events = aws(rig.endpoint, "logs").get_log_events(
        logGroupName="/aws/batch/job", logStreamName=facts["container"]["logStreamName"]
    )["events"]
    return [event["message"] for event in events]


def test_the_worker_arrives_and_writes(rig):
    """The command fetches the zip into a bare image, and what it runs there writes to S3."""
    data = stub()
    digest = hashlib.sha256(data).hexdigest()
    s3 = aws(rig.endpoint, "s3")
    s3.put_object(Bucket=rig.bucket, Key="root/" + keys.worker(digest), Body=data)

    facts = run(rig, digest)

    assert log(rig, facts) == ["the stub ran"]
    assert facts["status"] == "SUCCEEDED"
    said = s3.get_object(Bucket=rig.bucket, Key="root/jobs/1/said")["Body"].read().decode()
    assert said == "python 3.11 lacks ['boto3', 'pip']"


def test_a_missing_zip_fails_the_job(rig):
    """A job whose zip is not there fails with one line in its log."""
    facts = run(rig, "0" * 64)
    said = log(rig, facts)

    assert facts["status"] == "FAILED"
    assert len(said) == 1
    assert said[0].startswith("nbbatch: can't fetch the worker: GET s3://rig-bucket/root/worker/")
