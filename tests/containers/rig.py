"""AWS on this host: moto's Batch runs each job in a real container, with no code of ours between.

podman's Docker API on a private socket, and a moto server that uses it. The containers share the
host's network, so that they reach moto on loopback. `.ci/install-containers` installs what it
needs. What moto's Batch leaves out (retries, attempt numbers, nodes, live logs) is tested
elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from uv import find_uv_bin

from tests.servers import KEYS, REGION, Answer, aws, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: The image that `.ci/install-containers` makes.
IMAGE = "docker.io/library/python:3.11"
#: Where its Python has libraries.
SITE = "/usr/lib/python3/dist-packages"
_TRUST = '{"Version": "2012-10-17", "Statement": []}'
_PATIENCE = 180.0
#: moto's server, with what its Batch lacks.
_MOTO = Path(__file__).parent / "moto_arrays.py"


class Rig(NamedTuple):
    """The names of what a job needs, all existing."""

    endpoint: str
    region: str
    bucket: str
    queue: str
    job_role: str
    image: str


def missing() -> str:
    """Say what this host lacks to run jobs in containers; nothing if it can."""
    if not shutil.which("podman"):
        return "no podman here (.ci/install-containers)"
    found = subprocess.run(["podman", "image", "exists", IMAGE], check=False)
    return "" if found.returncode == 0 else f"no image {IMAGE} (.ci/install-containers)"


@contextlib.contextmanager
def containers(folder: Path) -> Iterator[Rig]:
    """Start the servers, set up an account with one queue, and stop the servers at the end.

    Parameters
    ----------
    folder
        Where the socket and the servers' logs go.
    """
    with contextlib.ExitStack() as stack:
        # Not below `folder`: a socket's path has at most 107 characters.
        path = f"/tmp/nbbatch-rig-{os.getpid()}.sock"
        stack.callback(Path(path).unlink, missing_ok=True)
        podman = ["podman", "system", "service", "--time=0", f"unix://{path}"]
        stack.enter_context(_server(podman, folder / "podman.log", lambda: _connects(path)))
        image = _with_task_role(stack, folder)
        port = _free_port()
        moto = [sys.executable, str(_MOTO), "-H", "127.0.0.1", "-p", str(port)]
        environ = {"DOCKER_HOST": f"unix://{path}", "MOTO_DOCKER_NETWORK_MODE": "host"}
        ready = _server(moto, folder / "moto.log", lambda: _connects(port), environ)
        stack.enter_context(ready)
        yield _account(f"http://127.0.0.1:{port}", image)


def _with_task_role(stack: contextlib.ExitStack, folder: Path) -> str:
    """Build an image whose containers find a role's credentials as ECS gives them: by address."""
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))
    document = {
        "AccessKeyId": KEYS["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"],
        "Token": "a-session-token",
        "Expiration": expires,
    }
    reply = Answer(body=json.dumps(document).encode())
    address = stack.enter_context(serve(lambda _: reply)).url
    name = f"docker.io/library/nbbatch-rig:{os.getpid()}"
    (folder / "Containerfile").write_text(
        f"FROM {IMAGE}\nENV AWS_CONTAINER_CREDENTIALS_FULL_URI={address}\n"
    )
    subprocess.run(["podman", "build", "--quiet", "--tag", name, "."], check=True, cwd=folder)
    stack.callback(subprocess.run, ["podman", "rmi", "--force", name], check=False)
    return name


def build_with(libraries: Sequence[str], image: str, name: str, folder: Path) -> None:
    """Build an image that has libraries too, in the versions that are installed here.

    Parameters
    ----------
    image
        What it is built from.
    name
        What it is called.
    folder
        An empty one, for what is built.
    """
    wanted = [f"{each}=={version(each)}" for each in libraries]
    install = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
    subprocess.run([*install, "--target", "site", *wanted], check=True, cwd=folder)
    (folder / "Containerfile").write_text(f"FROM {image}\nCOPY site {SITE}\n")
    subprocess.run(["podman", "build", "--quiet", "--tag", name, "."], check=True, cwd=folder)


@contextlib.contextmanager
def _server(
    command: list[str], log: Path, ready: Callable[[], bool], environ: dict[str, str] | None = None
) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **KEYS, **(environ or {})}
        )
    try:
        end = time.monotonic() + _PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _connects(where: str | int) -> bool:
    kind = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with socket.socket(kind) as probe:
        return probe.connect_ex(where if isinstance(where, str) else ("127.0.0.1", where)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _account(endpoint: str, image: str) -> Rig:
    """Create what a Batch queue needs, down to the subnet."""
    aws(endpoint, "s3").create_bucket(Bucket="rig-bucket")
    iam, ec2, batch = (aws(endpoint, service) for service in ("iam", "ec2", "batch"))
    roles = [
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"]
        for name in ("rig-service", "rig-job")
    ]
    profile = iam.create_instance_profile(InstanceProfileName="rig-instance")["InstanceProfile"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="rig", Description="rig", VpcId=vpc)["GroupId"]
    environment = batch.create_compute_environment(
        computeEnvironmentName="rig-environment",
        type="MANAGED",
        state="ENABLED",
        serviceRole=roles[0],
        computeResources={
            "type": "EC2",
            "minvCpus": 0,
            "maxvCpus": 64,
            "instanceTypes": ["m5.large"],
            "instanceRole": profile["Arn"],
            "subnets": [subnet],
            "securityGroupIds": [group],
        },
    )
    queue = batch.create_job_queue(
        jobQueueName="rig-queue",
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[
            {"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}
        ],
    )
    return Rig(endpoint, REGION, "rig-bucket", queue["jobQueueName"], roles[1], image)
