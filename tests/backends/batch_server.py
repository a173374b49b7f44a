"""AWS Batch's API over HTTP, on this machine: what is submitted really runs, as a process.

It takes and gives what the documentation says, refuses what the documentation refuses, counts
the calls, and fails on request. It knows nothing of nbbatch.

https://docs.aws.amazon.com/batch/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from batch_arrays import PAGE, ArrayJob
from batch_jobs import Job, Place, _now
from batch_nodes import NodesJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = "123456789012"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
#: What DescribeJobs shows as it was submitted.
_AS_GIVEN = ("tags", "parameters", "dependsOn", "arrayProperties")
#: Seconds between SIGTERM and SIGKILL for what still runs when the server ends.
_LAST_GRACE = 1.0
#: Codes of answers, by HTTP status.
_ERRORS = {429: "TooManyRequestsException", 500: "ServerException", 403: "AccessDeniedException"}


class Fault(NamedTuple):
    """What goes wrong with a request: `status` 0 hangs up; `done` says whether it took effect."""

    status: int = 0
    done: bool = False
    code: str = ""
    message: str = "on request"


class RefusedError(Exception):
    """The request is refused as a ClientException."""


class BatchServer:
    """A region of AWS Batch.

    Attributes
    ----------
    calls
        Each request as (operation, body), in order.
    fault
        Called with operation and body before a request is served.
    queues
        Platform by name, or platforms in the order of its compute environments; ``DISABLED`` is a
        platform too.
    resources
        By queue: more of what its compute environments have (``maxvCpus``, ``instanceTypes``).
    policies
        Queues that have a scheduling policy.
    secrets
        What a container is given, by the ``valueFrom`` of its definition's ``secrets``.
    facts
        Of compute environments by name, beside or in the place of their usual ones.
    least_timeout
        What Batch takes at least, in seconds.
    """

    def __init__(self, place: Place, region: str = "us-east-1") -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fault: Callable[[str, dict[str, Any]], Fault | None] = lambda *_: None
        self.queues: dict[str, str | tuple[str, ...]] = {"queue": "EC2"}
        self.resources: dict[str, dict[str, Any]] = {}
        self.policies: set[str] = set()
        self.secrets: dict[str, str] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.least_timeout = 60
        self.definitions: dict[str, list[dict[str, Any]]] = {}
        self.jobs: dict[str, Job] = {}
        self.credentials: dict[str, str] = {}
        self.place = place
        self._region = region
        self._lock = threading.Lock()
        self._ended = False
        self._http = _Http(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def count(self) -> Counter[str]:
        """Return how often each operation was called."""
        return Counter(operation for operation, _ in self.calls)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve for a while; what still runs at the end is stopped."""
        self.place.capacity.set()
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield
        finally:
            self.place.grace = min(self.place.grace, _LAST_GRACE)
            with self._lock:
                # A thread that the test has left may be about to submit another one.
                self._ended = True
            for job in self.jobs.values():
                job.stop("the server ends")
            for job in self.jobs.values():
                job.thread.join(60)
            self._http.shutdown()
            self._http.server_close()

    def serve(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one request."""
        handler = getattr(self, "_" + operation, None)
        if handler is None:
            raise RefusedError(f"unknown operation {operation}")
        with self._lock:
            answer: dict[str, Any] = handler(body)
        return answer

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:batch:{self._region}:{ACCOUNT}:{kind}/{name}"

    def _describejobqueues(self, body: dict[str, Any]) -> dict[str, Any]:
        wanted = [name.rpartition("/")[2] for name in body.get("jobQueues", self.queues)]
        size = body.get("maxResults", 2)
        first = int(body.get("nextToken", 0))
        found = [name for name in wanted if name in self.queues]
        page = [self._queue(name) for name in found[first : first + size]]
        more = {"nextToken": str(first + size)} if first + size < len(found) else {}
        return {"jobQueues": page, **more}

    def _queue(self, name: str) -> dict[str, Any]:
        order = [
            {"order": number, "computeEnvironment": self._arn("compute-environment", environment)}
            for number, environment in enumerate(self._environments(name), 1)
        ]
        policy = {"schedulingPolicyArn": self._arn("scheduling-policy", "fair")}
        return {
            **(policy if name in self.policies else {}),
            "jobQueueName": name,
            "jobQueueArn": self._arn("job-queue", name),
            "state": "DISABLED" if self.queues[name] == "DISABLED" else "ENABLED",
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "priority": 1,
            "computeEnvironmentOrder": order,
        }

    def _environments(self, queue: str) -> dict[str, str]:
        """Return the platforms of a queue by the names of its environments."""
        platforms = self.queues[queue]
        several = (platforms,) if isinstance(platforms, str) else platforms
        return {
            f"{queue}-environment{f'-{n}' if n > 1 else ''}": platform
            for n, platform in enumerate(several, 1)
        }

    def _describecomputeenvironments(self, body: dict[str, Any]) -> dict[str, Any]:
        known = {
            name: (queue, platform)
            for queue in self.queues
            for name, platform in self._environments(queue).items()
        }
        found = []
        for arn in body["computeEnvironments"]:
            name = arn.rpartition("/")[2]
            queue, platform = known[name]
            facts = {"computeEnvironmentName": name, "computeEnvironmentArn": arn}
            kind = "EKS" if platform == "EKS" else "ECS"
            resources = {"type": "EC2" if platform in ("EKS", "DISABLED") else platform}
            resources.update(self.resources.get(queue, {}))
            found.append(
                {**facts, "computeResources": resources, "containerOrchestrationType": kind}
            )
        known = [{**one, **self.facts.get(one["computeEnvironmentName"], {})} for one in found]
        # In no order: the queue has the order.
        return {"computeEnvironments": known[::-1]}

    def _getjobqueuesnapshot(self, body: dict[str, Any]) -> dict[str, Any]:
        queue = body["jobQueue"].rpartition("/")[2]
        _refuse_unless(queue in self.queues, f"JobQueue {body['jobQueue']} does not exist.")
        jobs = [job.describe() for job in self.jobs.values() if job.status == "RUNNABLE"]
        mine = [job for job in jobs if job["jobQueue"].endswith(f"/{queue}")]
        first = [{"jobArn": j["jobArn"], "earliestTimeAtPosition": _now()} for j in mine[:100]]
        return {"frontOfQueue": {"jobs": first, "lastUpdatedAt": _now()}}

    def _registerjobdefinition(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["jobDefinitionName"]
        _refuse_unless(_NAME.fullmatch(name), f"Job definition name {name} is not valid")
        container = _container(body)
        _refuse_unless({"VCPU", "MEMORY"} <= _kinds(container), "VCPU and MEMORY are needed")
        _refuse_unless(len(json.dumps(body)) <= 24 << 10, "Job definition exceeds the maximum size")
        role = container.get("jobRoleArn", "")
        _refuse_unless("missing" not in role, f"Role {role} is not valid: the role does not exist")
        revisions = self.definitions.setdefault(name, [])
        revisions.append({**body, "status": "ACTIVE"})
        arn = self._arn("job-definition", f"{name}:{len(revisions)}")
        return {
            "jobDefinitionName": name,
            "jobDefinitionArn": arn,
            "revision": len(revisions),
        }

    def deregister(self, name: str) -> None:
        """Make all revisions of a definition INACTIVE, as a person in the console can."""
        for revision in self.definitions.get(name, ()):
            revision["status"] = "INACTIVE"

    def _describejobdefinitions(self, body: dict[str, Any]) -> dict[str, Any]:
        wanted = [name.rpartition("/")[2] for name in body.get("jobDefinitions", ())]
        found = []
        for name, revisions in self.definitions.items():
            for number, definition in enumerate(revisions, 1):
                named = f"{name}:{number}" in wanted or name == body.get("jobDefinitionName")
                if named and definition["status"] == body.get("status", definition["status"]):
                    found.append({**definition, "revision": number})
        return {"jobDefinitions": found}

    def _active(self, name: str) -> tuple[str, dict[str, Any]]:
        name = name.rpartition("/")[2].partition(":")[0]
        active = [d for d in self.definitions.get(name, ()) if d["status"] == "ACTIVE"]
        if not active:
            raise RefusedError(
                f"JobDefinition name {name} does not exist or is not in ACTIVE status."
            )
        number = self.definitions[name].index(active[-1]) + 1
        return self._arn("job-definition", f"{name}:{number}"), active[-1]

    def _submitjob(self, body: dict[str, Any]) -> dict[str, Any]:
        _refuse_unless(not self._ended, "the server ends")
        _refuse_unless(_NAME.fullmatch(body["jobName"]), "Job name should match valid pattern")
        queue = body["jobQueue"].rpartition("/")[2]
        _refuse_unless(queue in self.queues, f"JobQueue {body['jobQueue']} not found.")
        _refuse_unless(len(json.dumps(body)) <= 30 << 10, "Request exceeds the maximum size")
        arn, definition = self._active(body["jobDefinition"])
        overrides = _overrides(body)
        _refuse_unless(
            len(json.dumps(overrides)) <= 8192, "Container Overrides length must be at most 8192"
        )
        told = overrides.get("environment", overrides.get("env", ()))
        environment = {item["name"]: item["value"] for item in told}
        reserved = [name for name in environment if name.startswith("AWS_BATCH")]
        _refuse_unless(
            not reserved, f"Environment variables can't start with AWS_BATCH: {reserved}"
        )
        for secret in _container(definition).get("secrets", ()):
            _refuse_unless(secret["name"] not in environment, "The secret name must be unique")
            environment[secret["name"]] = self.secrets[secret["valueFrom"]]
        facts = self._new_job(body, queue, arn, definition)
        _refuse_unless(1 <= facts["retryStrategy"]["attempts"] <= 10, "attempts must be 1 to 10")
        timeout = facts.get("timeout", {}).get("attemptDurationSeconds", 60)
        _refuse_unless(timeout >= self.least_timeout, "attemptDurationSeconds is too short")
        after = [item["jobId"] for item in body.get("dependsOn", ())]
        _refuse_unless(set(after) <= set(self.jobs), f"Jobs {after} not found")
        _refuse_unless(len(after) <= 20, "at most 20 dependencies")
        before = [self.jobs[id_] for id_ in after]
        size = body.get("arrayProperties", {}).get("size", 2)
        _refuse_unless(2 <= size <= 10_000, "array size must be 2 to 10000")
        _refuse_unless(
            "arrayProperties" not in body or "nodeProperties" not in facts,
            "multi-node parallel jobs can't be array jobs",
        )
        kind = NodesJob if "nodeProperties" in facts else Job
        kind = ArrayJob if "arrayProperties" in facts else kind
        job = self.jobs[facts["jobId"]] = kind(self.place, facts, environment, before)
        job.thread.start()
        return {"jobName": facts["jobName"], "jobId": facts["jobId"], "jobArn": facts["jobArn"]}

    def _new_job(
        self, body: dict[str, Any], queue: str, arn: str, definition: dict[str, Any]
    ) -> dict[str, Any]:
        id_ = str(uuid.uuid4())
        container = {**_container(definition), **_overrides(body), "environment": []}
        pod = {k: definition[k] for k in ("eksProperties",) if k in definition}
        timeout = body.get("timeout", definition.get("timeout"))
        return {
            "jobName": body["jobName"],
            "jobId": id_,
            "jobArn": self._arn("job", id_),
            "jobQueue": self._arn("job-queue", queue),
            "jobDefinition": arn,
            "status": "SUBMITTED",
            "createdAt": _now(),
            "attempts": [],
            "container": container,
            "retryStrategy": body.get("retryStrategy", {"attempts": 1}),
            "platformCapabilities": definition.get("platformCapabilities", ["EC2"]),
            **pod,
            **_nodes(definition, body),
            **{
                k: body[k]
                for k in ("tags", "parameters", "dependsOn", "arrayProperties")
                if k in body
            },
            **({"timeout": timeout} if timeout else {}),
        }

    def _describejobs(self, body: dict[str, Any]) -> dict[str, Any]:
        _refuse_unless(len(body["jobs"]) <= 100, "at most 100 jobs")
        return {"jobs": [job for job in map(self._described, body["jobs"]) if job]}

    def _described(self, id_: str) -> dict[str, Any] | None:
        job_id, _, node = id_.partition("#")
        job = self.jobs.get(job_id)
        if isinstance(job, NodesJob) and node:
            return job.node(int(node))
        job_id, _, child = id_.partition(":")
        array = self.jobs.get(job_id)
        if isinstance(array, ArrayJob) and child:
            return array.children[int(child)].describe() if array.children else None
        return job.describe() if job else None

    def _listjobs(self, body: dict[str, Any]) -> dict[str, Any]:
        if "arrayJobId" in body:
            return self._listchildren(body)
        found = [job.describe() for job in self.jobs.values()]
        for item in body.get("filters", ()):
            _refuse_unless(item["name"] == "JOB_NAME", "only JOB_NAME is served here")
            found = [j for j in found if _matches(j["jobName"], item["values"][0])]
        if not body.get("filters"):
            found = [j for j in found if j["status"] == body.get("jobStatus", "RUNNING")]
        queue = body["jobQueue"].rpartition("/")[2]
        shown = ("jobId", "jobName", "jobArn", "status", "createdAt")
        found = [j for j in found if j["jobQueue"].endswith("/" + queue)]
        return {"jobSummaryList": [{k: j[k] for k in shown} for j in found]}

    def _listchildren(self, body: dict[str, Any]) -> dict[str, Any]:
        array = self.jobs.get(body["arrayJobId"])
        _refuse_unless(isinstance(array, ArrayJob), f"Job {body['arrayJobId']} is not an array")
        assert isinstance(array, ArrayJob)
        found = array.listed(body.get("jobStatus", "RUNNING"))
        first = int(body.get("nextToken", 0))
        more = {"nextToken": str(first + PAGE)} if first + PAGE < len(found) else {}
        return {"jobSummaryList": found[first : first + PAGE], **more}

    def _terminatejob(self, body: dict[str, Any]) -> dict[str, Any]:
        _refuse_unless(body["jobId"] in self.jobs, f"Job {body['jobId']} not found")
        self.jobs[body["jobId"]].stop(body["reason"])
        return {}

    def _canceljob(self, body: dict[str, Any]) -> dict[str, Any]:
        _refuse_unless(body["jobId"] in self.jobs, f"Job {body['jobId']} not found")
        job = self.jobs[body["jobId"]]
        if job.status not in ("STARTING", "RUNNING"):
            job.stop(body["reason"])
        return {}


def _container(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the one container that a definition has: of a pod's, or of all nodes."""
    if definition["type"] == "multinode":
        nodes = definition["nodeProperties"]
        _refuse_unless(nodes["mainNode"] < nodes["numNodes"], "mainNode must be a node")
        return dict(nodes["nodeRangeProperties"][0]["container"])
    _refuse_unless(definition["type"] == "container", "type must be container or multinode")
    if "eksProperties" in definition:
        for name in ("platformCapabilities", "propagateTags"):
            _refuse_unless(name not in definition, f"{name} is not for EKS")
        return dict(definition["eksProperties"]["podProperties"]["containers"][0])
    return dict(definition["containerProperties"])


def _nodes(definition: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Return what DescribeJobs says about the nodes of a job, nothing for one without."""
    if "nodeProperties" not in definition:
        return {}
    count = body.get("nodeOverrides", {}).get("numNodes", 0)
    properties = definition["nodeProperties"]
    return {"nodeProperties": {**properties, "numNodes": count or properties["numNodes"]}}


def _kinds(container: dict[str, Any]) -> set[str]:
    limits = container.get("resources", {}).get("limits", {})
    pod = {"cpu": "VCPU", "memory": "MEMORY"}
    wanted = {item["type"] for item in container.get("resourceRequirements", ())}
    return wanted | {pod[name] for name in limits if name in pod}


def _overrides(body: dict[str, Any]) -> dict[str, Any]:
    """Return what one container is told, or all nodes."""
    pods = body.get("eksPropertiesOverride", {}).get("podProperties", {}).get("containers")
    nodes = body.get("nodeOverrides", {}).get("nodePropertyOverrides")
    if nodes:
        return dict(nodes[0]["containerOverrides"])
    return dict(pods[0] if pods else body.get("containerOverrides", {}))


def _matches(name: str, wanted: str) -> bool:
    name, wanted = name.lower(), wanted.lower()
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def _refuse_unless(holds: object, message: str) -> None:
    if not holds:
        raise RefusedError(message)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    # Else the sixth who comes at once is asked to come again, a second later.
    request_queue_size = 128


def _handler(server: BatchServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One write for head and body: else each waits for the other's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            """Give a job its role's credentials, as the container agent does."""
            self._send(200, server.credentials)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            operation = self.path.rpartition("/")[2]
            server.calls.append((operation, body))
            if "Credential=" not in self.headers.get("Authorization", ""):
                self._fail(403, "MissingAuthenticationTokenException", "not signed")
                return
            fault = server.fault(operation, body)
            if fault and not fault.done:
                self._go_wrong(fault)
                return
            try:
                answer = server.serve(operation, body)
            except RefusedError as refused:
                self._fail(400, "ClientException", str(refused))
                return
            self._go_wrong(fault) if fault else self._send(200, answer)

        def _go_wrong(self, fault: Fault) -> None:
            if not fault.status:
                self.close_connection = True
                return
            code = fault.code or _ERRORS.get(fault.status, "ClientException")
            self._fail(fault.status, code, fault.message)

        def _fail(self, status: int, code: str, message: str) -> None:
            self._send(status, {"message": message}, {"x-amzn-ErrorType": code})

        def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(answer).encode()
            self.send_response_only(status)
            always = {"Content-Type": "application/json", "Content-Length": str(len(data))}
            for name, value in {**always, **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
