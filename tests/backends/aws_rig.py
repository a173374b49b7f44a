"""The aws backend on this machine: moto's S3 and CloudWatch Logs, and a Batch that runs jobs."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import stub
from batch_jobs import Place
from batch_server import BatchServer
from moto_server import moto_address

from nbbatch.backends.aws import aws_backend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nbbatch.backends.base import Backend, Launch

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/job"
EXECUTION_ROLE = "arn:aws:iam::123456789012:role/execution"
#: What this backend needs in a job's options.
OPTIONS: Mapping[str, Any] = {"iam_role": ROLE, "queue": "queue"}
_KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
_LOG_GROUP = "/aws/batch/job"


@dataclass
class Rig:
    """A backend, and what stands behind it.

    Attributes
    ----------
    wire
        Counts each request that a client sent to S3 or Logs, by operation; clear it at will.
    """

    backend: Backend
    batch: BatchServer
    moto: str
    bucket: str
    cache_dir: Path
    wire: Counter[str]

    def again(self) -> Backend:
        """Build the backend anew, as another kernel of the same user would."""
        return _backend(self.bucket, self.cache_dir)

    def s3(self) -> Any:
        """Open a client of the test's own."""
        return _client("s3", self.moto)


def interpreter_folder(folder: Path, python: str) -> str:
    """Make a folder in which ``python`` is the interpreter `python`, and nothing else is."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "python"
    link.write_text(f'#!/bin/sh\nexec "{os.path.realpath(python)}" "$@"\n')
    link.chmod(0o755)
    return str(folder)


@contextlib.contextmanager
def environment(**changes: str | None) -> Iterator[None]:
    """Change environment variables for a while; None removes one."""
    before = dict(os.environ)
    for name in [n for n in before if n.startswith(("AWS_", "NBBATCH_", "METAFLOW_"))]:
        del os.environ[name]
    os.environ.update({name: value for name, value in changes.items() if value is not None})
    try:
        yield
    finally:
        # What is to stay is there all the time: other threads look, too.
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def client_environment(tmp_path: Path, moto: str, batch: str) -> dict[str, str]:
    """Return what leads boto3 to the two servers and to nothing else on this machine."""
    return {
        **_KEYS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": moto,
        "AWS_ENDPOINT_URL_BATCH": batch,
        "AWS_CONFIG_FILE": str(tmp_path / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextlib.contextmanager
def aws_rig(tmp_path: Path, python: str = sys.executable, **place: Any) -> Iterator[Rig]:
    """Run a Batch of one's own, with a bucket of one's own, and a backend that uses them.

    Parameters
    ----------
    python
        What ``python`` is in the jobs.
    place
        `second` and `grace` of `batch_jobs.Place`.
    """
    moto = moto_address()
    bucket = f"bucket-{uuid.uuid4().hex}"
    _client("s3", moto).create_bucket(Bucket=bucket)
    path = interpreter_folder(tmp_path / "bin", python) + ":/usr/local/bin:/usr/bin:/bin"
    jobs = Place(tmp_path / "jobs", path, {}, functools.partial(_keep_log, moto), **place)
    batch = BatchServer(jobs)
    with batch.running():
        batch.credentials = {"AccessKeyId": "testing", "SecretAccessKey": "testing", "Token": "t"}
        jobs.environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{batch.url}/credentials"}
        with environment(**client_environment(tmp_path, moto, batch.url)):
            made, wire = _backend(bucket, tmp_path / "cache"), Counter[str]()
            _count(made, wire)
            yield Rig(made, batch, moto, bucket, tmp_path / "cache", wire)


_RECIPE = """
from pathlib import Path
from nbbatch.backends.aws import aws_backend
backend = aws_backend(
    s3_root={root!r}, region=None, profile=None, endpoint_url=None, cache_dir=Path({cache!r})
)
"""


@dataclass(frozen=True)
class ContractRig(stub.Rig):
    """What the contract suite sees of a rig.

    Attributes
    ----------
    place
        Where its jobs run.
    """

    place: Place = field(kw_only=True)

    def kill_after(self, seconds: float) -> None:
        """Have jobs that are stopped get SIGKILL so long after SIGTERM."""
        self.place.grace = seconds

    def launch(
        self, code: str, environment: Mapping[str, str] | None = None, **options: Any
    ) -> Launch:
        """Store all that a job needs, with the role and queue that every job here has."""
        return super().launch(code, environment, **{**OPTIONS, **options})


@contextlib.contextmanager
def contract_rig(request: Any) -> Iterator[stub.Rig]:
    """Open a rig for the suite that runs against every backend."""
    # Batch takes no timeout below 60 seconds: here they are short ones.
    with aws_rig(request.getfixturevalue("tmp_path"), second=0.02) as rig:
        root = rig.backend.store.url
        recipe = _RECIPE.format(root=root, cache=str(rig.cache_dir))
        yield ContractRig(rig.backend, recipe, place=rig.batch.place)


#: For the registry of the contract suite.
RIGS: dict[str, Any] = {"aws": (contract_rig, ())}


@contextlib.contextmanager
def aws_process_backend(tmp_path: Path) -> Iterator[Backend]:
    """Yield the backend alone, for suites that run against every backend; see `OPTIONS`."""
    with aws_rig(tmp_path) as rig:
        yield rig.backend


def wait_for_end(backend: Backend, id_: str, seconds: float = stub.PATIENCE) -> Any:
    """Poll until a job has ended, and return its status."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = backend.runner.describe([id_])[id_]
        if found.state.final:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"the job {id_} did not end: {found}")


def _backend(bucket: str, cache_dir: Path) -> Backend:
    root = f"s3://{bucket}/root"
    return aws_backend(
        s3_root=root, region=None, profile=None, endpoint_url=None, cache_dir=cache_dir
    )


def _count(backend: Backend, wire: Counter[str]) -> None:
    counting = threading.Lock()

    def sent(request: Any, event_name: str, **_: Any) -> None:
        # Several threads send the parts of one object.
        with counting:
            wire[event_name.rpartition(".")[2]] += 1

    clients = backend.store._clients  # type: ignore[attr-defined]
    for client in (clients.s3, clients.logs, clients.batch, clients.batch_once):
        client.meta.events.register("before-send", sent)


def service(name: str) -> Any:
    """Open a client of the test's own to another service that moto has."""
    return _client(name, moto_address())


def _client(service: str, moto: str) -> Any:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.session.Session().client(
        service,
        endpoint_url=moto,
        region_name=REGION,
        **keys,  # type: ignore[call-overload]
    )


def _keep_log(moto: str, stream: str, lines: list[str]) -> None:
    logs, place = _logs(moto), {"logGroupName": _LOG_GROUP, "logStreamName": stream}
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(**place)
    now = int(time.time() * 1000)
    # CloudWatch takes no empty message.
    events = [{"timestamp": now, "message": line or " "} for line in lines]
    logs.put_log_events(**place, logEvents=events)


@functools.cache
def _logs(moto: str) -> Any:
    logs = _client("logs", moto)
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=_LOG_GROUP)
    return logs


def submitted(rig: Rig) -> list[Any]:
    """Return the requests of all jobs that were submitted."""
    return [body for operation, body in rig.batch.calls if operation == "submitjob"]
