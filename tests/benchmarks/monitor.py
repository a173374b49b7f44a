"""What a monitor of many running jobs costs a kernel: ``tests/benchmarks/monitor.py [seconds]``.

CPU time of the kernel's process, in percent of a core, and the requests that it sends to AWS, with
200 running jobs on the monitor: noted by another kernel, or submitted by this one. Jobs are
entries of a Batch in a process of its own, S3 is moto's.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rigs
from timing import heading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
JOBS = 200
OLD = 10_000

#: A Batch whose jobs run for ever and are no processes.
SERVER = """
import json, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

jobs = {}

def submit(body):
    id_ = f"{len(jobs):08}-0000-0000-0000-000000000000"
    now = int(time.time() * 1000)
    jobs[id_] = {"jobId": id_, "jobName": body["jobName"], "jobQueue": "arn:aws:batch:::queue/q",
                 "status": "RUNNING", "createdAt": now, "startedAt": now,
                 "container": {"resourceRequirements": [{"type": "VCPU", "value": "1"}]},
                 "platformCapabilities": ["EC2"], "attempts": [], "jobDefinition": "d"}
    return {"jobId": id_, "jobName": body["jobName"]}

def queues(body):
    return {"jobQueues": [{"jobQueueName": "queue", "jobQueueArn": "arn:aws:batch:::queue/q",
            "state": "ENABLED", "status": "VALID", "priority": 1, "computeEnvironmentOrder":
            [{"order": 1, "computeEnvironment": "arn:aws:batch:::ce/c"}]}]}

def environments(body):
    resources = {"type": "EC2", "maxvCpus": 999, "instanceTypes": ["optimal"], "subnets": []}
    return {"computeEnvironments": [{"computeEnvironmentName": "c", "type": "MANAGED",
            "computeEnvironmentArn": "arn:aws:batch:::ce/c", "state": "ENABLED",
            "status": "VALID", "computeResources": resources}]}

calls = {
    "submitjob": submit,
    "describejobs": lambda body: {"jobs": [jobs[i] for i in body["jobs"] if i in jobs]},
    "describejobqueues": queues,
    "describecomputeenvironments": environments,
    "registerjobdefinition": lambda body: {"jobDefinitionName": body["jobDefinitionName"],
        "jobDefinitionArn": "arn:aws:batch:::job-definition/d:1", "revision": 1},
}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        said = json.dumps(calls[self.path.rpartition("/")[2]](body)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

SUBMIT = f"""
import os
from nbbatch import batch
from concurrent.futures import ThreadPoolExecutor
@batch
def work(): pass
work.submit()
with ThreadPoolExecutor(8) as pool:
    jobs = list(pool.map(lambda _: work.submit(), range({JOBS - 1})))
"""

COUNT = """
from collections import Counter
from nbbatch.session import current_session
wire = Counter()
clients = current_session().backend.store._clients
for client in (clients.s3, clients.batch, clients.batch_once, clients.logs):
    client.meta.events.register(
        "before-send", lambda event_name, **_: wire.update([event_name.rpartition(".")[2]]))
import ipykernel.comm.comm as comms
publish = comms.BaseComm.publish_msg
sent = []
def noted(self, kind, data=None, *args, **kwargs):
    sent.append((data or {}).get("content", {}).get("kind", kind))
    return publish(self, kind, data, *args, **kwargs)
comms.BaseComm.publish_msg = noted
"""

MEASURE = f"""
import time
time.sleep(3)
before = (time.process_time(), time.perf_counter(), dict(wire), len(sent))
for _ in range(int({SECONDS} * 10)):
    time.sleep(0.1)
cpu = 100 * (time.process_time() - before[0]) / (time.perf_counter() - before[1])
calls = {{k: v - before[2].get(k, 0) for k, v in wire.items() if v != before[2].get(k, 0)}}
said = len(sent) - before[3]
"""


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[None]:
    """Have the environment lead to moto's S3 and to the Batch above."""
    import boto3

    batch = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert batch.stdout is not None
    port = batch.stdout.readline().strip()
    try:
        with rigs.moto() as moto:
            os.environ.update(
                AWS_ACCESS_KEY_ID="testing",
                AWS_SECRET_ACCESS_KEY="testing",
                AWS_DEFAULT_REGION="us-east-1",
                AWS_ENDPOINT_URL=moto,
                AWS_ENDPOINT_URL_BATCH=f"http://127.0.0.1:{port}",
                NBBATCH_HOME=str(folder / "home"),
                NBBATCH_BACKEND="aws",
                NBBATCH_S3_ROOT="s3://bench/root",
                NBBATCH_QUEUE="queue",
                NBBATCH_IAM_ROLE="arn:aws:iam::123456789012:role/job",
            )
            boto3.client("s3").create_bucket(Bucket="bench")
            yield
    finally:
        batch.terminate()
        batch.wait()


def old_records(folder: Path) -> None:
    """Note ten thousand jobs that have ended."""
    jobs = folder / "home" / "jobs"
    template = json.loads(next(jobs.glob("*.json")).read_text())
    for number in range(OLD):
        id_ = f"20200101-000000-{number:08}"
        old = {**template, "id": id_, "name": "old", "outcome": "ok", "batch_job_id": id_}
        (jobs / f"{id_}.json").write_text(json.dumps(old))


def show(title: str, run: Callable[..., Any], monitor: str = "nbbatch.monitor(all=True)") -> None:
    """Open a monitor, measure, and print the figures."""
    run(f"import nbbatch\n{COUNT}\n{monitor}")
    run(MEASURE)
    cpu, calls, said = (run("", name) for name in ("cpu", "calls", "said"))
    print(f"  {title:<58} {float(cpu):5.2f} %  {said} messages  {calls}")


def main() -> None:
    """Measure, and print a line for each case."""
    heading(f"A kernel whose monitor shows {JOBS} running jobs, for {SECONDS:.0f} s")
    with tempfile.TemporaryDirectory() as made, servers(Path(made)):
        with rigs.kernel() as run:
            show("an idle kernel with nothing on its monitor", run)
        with rigs.kernel() as run:
            run(SUBMIT)
            time.sleep(1)
            show("submitted by this kernel, no monitor", run, "pass")
        with rigs.kernel() as run:
            show("of another kernel", run)
            run("%batch")
        with rigs.kernel() as run:
            run(SUBMIT.replace(str(JOBS - 1), "1") + "import time")
            old_records(Path(made))
            show(f"of another kernel, with {OLD:,} old records", run)
    with tempfile.TemporaryDirectory() as made, servers(Path(made)), rigs.kernel() as run:
        run(SUBMIT)
        show("submitted by this kernel", run)


if __name__ == "__main__":
    main()
