"""The runner on AWS Batch."""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws import checks, images, memory, requests
from nbbatch.backends.aws.cache import Cache
from nbbatch.backends.aws.clients import Clients, on_aws
from nbbatch.backends.aws.definitions import NO_DEFINITION, Definitions
from nbbatch.backends.aws.diagnosis import OURS
from nbbatch.backends.aws.errors import VENDOR, definition_missing, translate, translated
from nbbatch.backends.aws.explaining import Explainer
from nbbatch.backends.aws.queues import Queue, Queues
from nbbatch.backends.aws.secrets import Secrets
from nbbatch.backends.aws.status import child_status, log_stream, main_node, nodes_of, status
from nbbatch.backends.aws.submit import Listed, Submitter
from nbbatch.backends.aws.waiting import Wait, wait_of
from nbbatch.backends.base import Call, Found, Launch, Sought, Target, masked
from nbbatch.errors import ConfigurationError, NbbatchError, NotFoundError, OptionError
from nbbatch.wire import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbbatch.facts import Status
    from nbbatch.options import Options

#: DescribeJobs takes no more ids than this.
_DESCRIBE = 100
#: Pages of 100 children that are listed at most; of the others it is known how many failed.
_LISTED = 10
_ROUNDS = 3
_REASON_LIMIT = 256
_DEFINITIONS = "definitions"
_UNKNOWN_QUEUE = "(the first queue that is enabled and valid)"
#: Characters of what a job is told besides the user's own variables, about.
_OWN = 300


class BatchRunner:
    """Runs jobs on AWS Batch; thread-safe.

    Parameters
    ----------
    cache_dir
        Where facts that save calls are kept.
    sleep
        Waits between tries.
    registry
        Stands before the name of an image that names no registry.
    """

    poll_seconds = 2.0

    def __init__(
        self,
        clients: Clients,
        cache_dir: Path,
        sleep: Callable[[float], None] = time.sleep,
        registry: str | None = None,
    ) -> None:
        self._clients = clients
        self._registry = registry
        self._path = Path(cache_dir) / "aws.json"
        self._submitter = Submitter(clients, sleep)
        #: Jobs that waited when they were last described, by their ids.
        self._waits: dict[str, Wait] = {}

    def check(self, options: Options) -> None:
        """Refuse options that Batch or the queue can't honour; asks about a queue once a day."""
        checks.check_request(options)
        if options.job_definition:
            checks.check_existing(options, self._definitions.get(options.job_definition))
        queue = self._fitting(options)
        # What is too long, or no field of Batch's, is said now too.
        self._requests(_stand_in(options), queue)

    def target(self, options: Options) -> Target:
        """Return what the image's name and the queue tell; see `nbbatch.backends.base.Runner`."""
        known = self._queues.known(options.queue)
        return images.target(options, self.image(options), known.processors if known else ())

    def at_once(self, options: Options) -> int | None:
        """Return nothing: what a queue has room for is known once it is asked for."""
        return None

    def larger(self, options: Options) -> Options | None:
        """Double the memory; see `nbbatch.backends.base.Runner.larger`."""
        return memory.larger(options, self._queues.get(options.queue))

    def start(self, launch: Launch) -> str:
        """Submit a job and return Batch's id of it; see `nbbatch.backends.base.Runner.start`."""
        queue = self._queues.get(launch.options.queue)
        definition, request = self._requests(launch, queue)
        try:
            return self._start(definition, request)
        except NotFoundError as error:
            self._queues.forget(launch.options.queue)
            if not launch.options.job_definition or not definition_missing(error):
                raise
            self._definitions.forget(launch.options.job_definition)
            raise NotFoundError(error.what, error.cause, NO_DEFINITION) from error

    def find(self, sought: Sought) -> Found | None:
        """Look for a job by its name; see `nbbatch.backends.base.Runner.find`."""
        listed = self._listed(sought)
        return Found(listed.id) if listed is not None else None

    def _listed(self, sought: Sought) -> Listed | None:
        place = self._queues.get(sought.queue or None).name
        with translated(f"can't look for the job {sought.name}"):
            return self._submitter.find(requests.job_name(sought.name, sought.unique), place)

    def describe(self, ids: Sequence[str]) -> Mapping[str, Status]:
        """Return what Batch knows about jobs, 100 with each call; unknown ones are left out.

        The nodes of a multi-node job are asked for once it has failed: which of them did?
        """
        place = self._clients.region if on_aws(self._clients.batch.meta.endpoint_url) else ""
        found = [self._noted(job) for job in self._jobs(ids)]
        nodes = [id_ for job in found if job["status"] == "FAILED" for id_ in nodes_of(job)]
        known = {node["jobId"]: node for node in self._jobs(nodes)}
        return {job["jobId"]: status(job, place, _those(nodes_of(job), known)) for job in found}

    def failed(self, id_: str) -> Mapping[int, Status]:
        """Return the children that failed; see `nbbatch.backends.base.Runner.failed`."""
        found: dict[int, Status] = {}
        token: Any = {}
        for _ in range(_LISTED):
            with translated("can't ask AWS Batch about the children of a job"):
                answer: Any = self._clients.batch.list_jobs(
                    arrayJobId=id_, jobStatus="FAILED", **token
                )
            for child in answer["jobSummaryList"]:
                found[int(child["jobId"].rpartition(":")[2])] = child_status(child)
            if not answer.get("nextToken"):
                break
            token = {"nextToken": answer["nextToken"]}
        return found

    def explain(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Say why jobs wait: nothing is asked about them again, only about their queues."""
        # Other threads describe jobs meanwhile: one that has begun to run is not among them.
        known = [self._waits.get(id_) for id_ in ids]
        return self._explainer.explain(wait for wait in known if wait is not None)

    def stop(self, ids: Sequence[str], reason: str) -> None:
        """Cancel jobs that wait and terminate those that run."""
        failed: NbbatchError | None = None
        ours = f"{OURS} {reason.removeprefix(OURS).strip() or 'cancelled'}"[:_REASON_LIMIT]
        for id_ in ids:
            try:
                self._clients.batch.terminate_job(jobId=id_, reason=ours)
            except VENDOR as error:
                trouble = translate(error, f"the job {id_} was not stopped")
                trouble.__cause__ = error
                # A job that Batch has forgotten has ended; the others are still to be stopped.
                failed = failed if isinstance(trouble, NotFoundError) else trouble
        if failed:
            raise failed

    def log(self, id_: str) -> Iterator[str]:
        """Yield what CloudWatch Logs has of the job's last container."""
        for job in self._jobs([id_]):
            main = main_node(job)
            container = job if main == job["jobId"] else next(self._jobs([main]), job)
            group, stream = log_stream(container)
            if stream:
                with translated(f"can't read the log of the job {id_}"):
                    yield from self._events(group, stream)

    def plan(self, launch: Launch) -> Sequence[Call]:
        """Return the requests that `start` would send, secrets masked; sends none."""
        options = launch.options
        assumed = Queue(options.queue or _UNKNOWN_QUEUE, options.platform_capabilities or "EC2")
        queue = self._queues.known(options.queue) or assumed
        shown = {**vars(launch), "environment": masked(launch.environment, launch.secret)}
        definition, request = self._requests(Launch(**shown), queue, ask=False)
        submit = Call("batch", "SubmitJob", request)
        if not definition or self._registered(definition):
            return [submit]
        return [Call("batch", "RegisterJobDefinition", definition), submit]

    def _fitting(self, options: Options) -> Queue:
        """Return the queue, whose platform can honour the options."""
        known = self._queues.known(options.queue)
        queue = known or self._queues.get(options.queue)
        try:
            checks.check_platform(options, queue)
        except (OptionError, ConfigurationError):
            if not known:
                raise
            # It may have changed since; nobody is refused for what is only remembered.
            self._queues.forget(options.queue)
            queue = self._queues.get(options.queue)
            checks.check_platform(options, queue)
        return queue

    def _requests(
        self, launch: Launch, queue: Queue, *, ask: bool = True
    ) -> tuple[requests.Request, requests.Request]:
        """Return the definition, empty where there is one already, and the job."""
        named = launch.options.job_definition
        if named:
            known = self._definitions.get(named) if ask else self._definitions.known(named)
            shape = known or requests.own_shape(launch.options, queue)
            return {}, requests.submit_job(launch, queue, named, shape)
        options = self._secrets.resolved(launch.options, ask=ask)
        options = replace(options, image=self.image(options))
        definition = requests.job_definition(options, queue)
        return definition, requests.submit_job(launch, queue, definition["jobDefinitionName"])

    def _start(self, definition: requests.Request, request: requests.Request) -> str:
        known = not definition or self._registered(definition)
        for last in (*[False] * (_ROUNDS - 1), True):
            if not known:
                known = self._register(definition)
            try:
                return self._submitter.submit(request)
            except NotFoundError as error:
                if last or not definition or not definition_missing(error):
                    raise
                known = False
        raise AssertionError("unreachable")

    def _registered(self, definition: requests.Request) -> bool:
        return self._cache.get(_DEFINITIONS, definition["jobDefinitionName"]) is not None

    @functools.cached_property
    def _cache(self) -> Cache:
        endpoint = self._clients.batch.meta.endpoint_url
        scope = (self._clients.region, endpoint, self._clients.profile or "")
        return Cache(self._path, "|".join(scope))

    @functools.cached_property
    def _queues(self) -> Queues:
        return Queues(self._clients, self._cache)

    @functools.cached_property
    def _definitions(self) -> Definitions:
        return Definitions(self._clients, self._cache)

    @functools.cached_property
    def _secrets(self) -> Secrets:
        return Secrets(self._clients, self._cache)

    def image(self, options: Options) -> str:
        """Return the image in full, as jobs will have it."""
        return requests.with_registry(options.image, self._registry, options.python)

    @property
    def queues(self) -> Queues:
        """Where the jobs of queues run, as remembered."""
        return self._queues

    @property
    def cache(self) -> Cache:
        """What else is remembered about this account and region."""
        return self._cache

    @functools.cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._clients, self._cache)

    def _noted(self, job: dict[str, Any]) -> dict[str, Any]:
        """Keep what explains a wait for as long as the job waits."""
        if job["status"] == "RUNNABLE":
            self._waits[job["jobId"]] = wait_of(job)
        else:
            self._waits.pop(job["jobId"], None)
        return job

    def _register(self, definition: requests.Request) -> bool:
        certain = self._submitter.register(definition)
        if certain:
            self._cache.set(_DEFINITIONS, definition["jobDefinitionName"], True)
        return certain

    def _jobs(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(ids), _DESCRIBE):
            with translated("can't ask AWS Batch about jobs"):
                answer: Any = self._clients.batch.describe_jobs(
                    jobs=list(ids[start : start + _DESCRIBE])
                )
            yield from answer["jobs"]

    def _events(self, group: str, stream: str) -> Iterator[str]:
        token: Any = {}
        while True:
            try:
                answer = self._clients.logs.get_log_events(
                    logGroupName=group, logStreamName=stream, startFromHead=True, **token
                )
            except self._clients.logs.exceptions.ResourceNotFoundException:
                return
            yield from (event["message"] for event in answer["events"])
            # At its end the stream gives back the token that it was given.
            if answer["nextForwardToken"] == token.get("nextToken"):
                return
            token = {"nextToken": answer["nextForwardToken"]}


def _stand_in(options: Options) -> Launch:
    """Return a launch as long as the one to come, for what can be said before there is one."""
    environment = {**(options.environment or {}), keys.ENV_JOB: "0" * _OWN}
    return Launch("0" * 24, options.name or "job", options, environment, "")


def _those(ids: list[str], known: Mapping[str, dict[str, Any]]) -> list[dict[str, Any] | None]:
    """Return what is known about nodes; nothing where they were not asked for."""
    found = [known.get(id_) for id_ in ids]
    return found if any(found) else []
