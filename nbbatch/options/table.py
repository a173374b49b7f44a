"""`Options`: one field is one option everywhere.

The meaning, defaults and variables of the options that Metaflow's ``@batch`` has are Metaflow's
(https://docs.metaflow.org/api/step-decorators/batch); the others are named after the fields of
AWS Batch's own requests.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Union

from nbbatch.options import collections as several
from nbbatch.options import kinds, packages, sources
from nbbatch.options.places import EVERYWHERE, PLACES
from nbbatch.options.row import Option, rows

_ROLE = "arn:aws:iam::111122223333:role/"

_resource = rows("Resources")
_place = rows("Image, queue and roles")
_library = rows("Libraries")
_attempt = rows("Name, time and attempts")
_given = rows("Variables and secrets")
_container = rows("Container")
_storage = rows("Storage")
_device = rows("Devices and nodes")
_log = rows("Log and tags")
_raw = rows("AWS Batch's own")


@dataclass(frozen=True)
class Options:
    """What a job asks for."""

    cpu: float = _resource(1.0, kinds.cores, "4", "vCPUs")
    gpu: int = _resource(0, kinds.whole(0), "1", "GPUs")
    memory: int = _resource(
        4096, kinds.mebibytes(1), "16000", "memory in MiB, or with a unit, as 16G"
    )
    shared_memory: Optional[int] = _resource(
        None, kinds.mebibytes(1), "1024", "size of /dev/shm in MiB"
    )
    max_swap: Optional[int] = _resource(
        None, kinds.mebibytes(0), "2048", "swap that the job may use, in MiB; 0 is none"
    )
    swappiness: Optional[int] = _resource(
        None,
        kinds.whole(0, 100),
        "60",
        "how readily memory is swapped out, 0 to 100; needs max_swap",
    )
    ephemeral_storage: Optional[int] = _resource(
        None, kinds.gibibytes(21, 200), "100", "size of the disk in GiB, 21 to 200"
    )

    image: Optional[str] = _place(
        None,
        kinds.image,
        "python:3.11",
        "container image; without one, the python image of the kernel's own version",
        "NBBATCH_IMAGE",
        "METAFLOW_BATCH_CONTAINER_IMAGE",
        "METAFLOW_DEFAULT_CONTAINER_IMAGE",
    )
    queue: Optional[str] = _place(
        None,
        kinds.queue,
        "my-queue",
        "job queue; without one, the first that is enabled and valid",
        "NBBATCH_QUEUE",
        "METAFLOW_BATCH_JOB_QUEUE",
    )
    iam_role: Optional[str] = _place(
        None,
        kinds.role,
        f"{_ROLE}my-job-role",
        "role that the job itself uses to reach S3 and other services",
        "NBBATCH_IAM_ROLE",
        "METAFLOW_ECS_S3_ACCESS_IAM_ROLE",
    )
    execution_role: Optional[str] = _place(
        None,
        kinds.role,
        f"{_ROLE}my-execution-role",
        "role with which Fargate pulls the image and writes the log, and secrets are read",
        "NBBATCH_EXECUTION_ROLE",
        "METAFLOW_ECS_FARGATE_EXECUTION_ROLE",
    )
    service_account: Optional[str] = _place(
        None,
        kinds.service_account,
        "my-account",
        "service account of the pod, whose role the job has, in place of iam_role",
    )
    executable: Optional[str] = _place(
        None, kinds.text, "python3", "interpreter in the image that runs the job; python by default"
    )
    platform: Optional[str] = _place(
        None,
        kinds.choice("X86_64", "ARM64", amd64="X86_64", aarch64="ARM64"),
        "ARM64",
        "processor, X86_64 or ARM64; on EC2 and EKS that of the queue's machines",
    )
    platform_version: Optional[str] = _place(
        None, kinds.platform_version, "1.4.0", "Fargate's platform version; LATEST by default"
    )
    platform_capabilities: Optional[str] = _place(
        None,
        kinds.choice("EC2", "FARGATE"),
        "EC2",
        "EC2 or FARGATE; without it, what the queue's compute environments are",
    )
    assign_public_ip: Optional[bool] = _place(
        None, kinds.switch, "false", "a public address for the job; on by default"
    )

    env: str = _library(
        "auto",
        kinds.choice("auto", "image", "none"),
        "image",
        "the kernel's libraries in the job: auto sends what the image lacks, image compares and "
        "sends nothing, none does neither",
        "NBBATCH_ENV",
    )
    pypi: Optional[Tuple[str, ...]] = _library(
        None,
        several.requirements,
        "pandas>=2",
        "packages of an index, for the job alone; name=version counts as name==version",
        many=True,
    )
    requirements: Optional[str] = _library(
        None,
        kinds.text,
        "requirements.txt",
        "a file of requirements, a pyproject.toml, pylock.toml or uv.lock, for the job",
    )
    conda: Optional[Tuple[str, ...]] = _library(
        None,
        packages.conda_specs,
        "gdal>=3.8",
        "packages of conda's, in an environment of the job's own with an interpreter of its own",
        many=True,
    )
    conda_channels: Optional[Tuple[str, ...]] = _library(
        None,
        packages.channels,
        "conda-forge",
        "where they come from: conda-forge by default",
        "NBBATCH_CONDA_CHANNELS",
        "CONDA_CHANNELS",
        many=True,
    )
    python: Optional[str] = _library(
        None,
        kinds.minor,
        "3.11",
        "the job's Python: its image, where none is named, its interpreter on this machine, or "
        "one that goes along",
    )
    library_cache: Optional[str] = _library(
        None,
        kinds.absolute_path,
        "/mnt/libraries",
        "folder of the host (host_volumes) in which libraries stay for its next jobs",
    )

    name: Optional[str] = _attempt(None, kinds.job_name, "train", "name of the job")
    timeout: Optional[int] = _attempt(
        None,
        kinds.seconds,
        "10m",
        "seconds that one attempt may run, or with a unit",
        "METAFLOW_DEFAULT_RUNTIME_LIMIT",
    )
    retries: int = _attempt(0, kinds.whole(0, 9), "2", "further attempts after one that failed")
    minutes_between_retries: float = _attempt(
        0.0, kinds.minutes, "2", "minutes to wait before a further attempt"
    )
    retry_on: Optional[Tuple[str, ...]] = _attempt(
        None,
        several.conditions,
        "spot",
        "try again after these ends only: spot, memory (then with twice as much), image, error, "
        "any, or an exit code",
        many=True,
    )
    catch: Optional[str] = _attempt(
        None,
        kinds.variable,
        "problem",
        "don't raise what went wrong, bind it to this variable, if any",
    )
    print_exception: bool = _attempt(
        True, kinds.switch, "false", "with catch, show what went wrong all the same"
    )
    depends_on: Optional[Tuple[str, ...]] = _attempt(
        None, several.jobs, "20260131-094500-1f0c2a9b", "start after these jobs", many=True
    )
    cache: Union[bool, int, str] = _attempt(
        False,
        kinds.reuse,
        "7d",
        "take an earlier job's result of the same code, values, libraries and image, no older than "
        "this, if there is one; refresh runs it again",
        "NBBATCH_CACHE",
    )
    lazy: bool = _attempt(
        False, kinds.switch, "true", "results stay in the store until somebody looks at them here"
    )

    environment: Optional[Mapping[str, str]] = _given(
        None, several.environment, "MODE=fast", "environment variables", many=True
    )
    secrets: Optional[Tuple[Tuple[str, str], ...]] = _given(
        None,
        sources.secrets,
        "DB_PASSWORD=my-secret",
        "secrets of AWS Secrets Manager or Systems Manager, as environment variables",
        many=True,
    )
    allow_override: bool = _given(
        False, kinds.switch, "true", "with secrets, their variables may replace others"
    )

    privileged: bool = _container(False, kinds.switch, "true", "the rights of the host's root")
    user: Optional[str] = _container(None, kinds.user, "1000:1000", "user, or user:group")
    readonly_root: Optional[bool] = _container(
        None, kinds.switch, "true", "a root file system that can't be written"
    )
    init_process: Optional[bool] = _container(
        None, kinds.switch, "true", "an init process that passes signals on and reaps processes"
    )
    ulimits: Optional[Tuple[Tuple[str, int, int], ...]] = _container(
        None, several.ulimits, "nofile=4096:8192", "limits of processes, soft:hard", many=True
    )

    use_tmpfs: bool = _storage(
        False, kinds.switch, "true", "a file system in memory, at tmpfs_path"
    )
    tmpfs_tempdir: bool = _storage(
        True, kinds.switch, "false", "temporary files go to the tmpfs, where there is one"
    )
    tmpfs_size: Optional[int] = _storage(
        None,
        kinds.mebibytes(1),
        "2048",
        "size of the tmpfs in MiB, by default half of memory; turns it on",
    )
    tmpfs_path: str = _storage(
        "/metaflow_temp", kinds.absolute_path, "/scratch", "where the tmpfs is in the container"
    )
    host_volumes: Optional[Tuple[Tuple[str, str], ...]] = _storage(
        None,
        several.host_volumes,
        "/data:/mnt/data",
        "folders of the host, and where they are in the container",
        many=True,
    )
    efs_volumes: Optional[Tuple[Tuple[str, str], ...]] = _storage(
        None,
        several.efs_volumes,
        "fs-0123456789abcdef0:/mnt/data",
        "EFS file systems, and where they are in the container; /mnt/ID by default",
        many=True,
    )

    inferentia: Optional[int] = _device(None, kinds.whole(0, 16), "1", "Inferentia devices")
    trainium: Optional[int] = _device(None, kinds.whole(0, 16), "1", "Trainium devices")
    efa: Optional[int] = _device(None, kinds.whole(0, 32), "1", "Elastic Fabric Adapters")
    nodes: int = _device(1, kinds.whole(1, 1000), "4", "nodes of one multi-node job")

    log_driver: Optional[str] = _log(
        None,
        kinds.choice(
            "awslogs", "awsfirelens", "fluentd", "gelf", "json-file", "journald", "splunk", "syslog"
        ),
        "awslogs",
        "where the container's own log goes",
    )
    log_options: Optional[Mapping[str, str]] = _log(
        None, several.log_options, "awslogs-group:/my/jobs", "options of that driver", many=True
    )
    aws_batch_tags: Optional[Mapping[str, str]] = _log(
        None,
        several.tags,
        "team=ml",
        "tags of the job",
        "METAFLOW_BATCH_DEFAULT_TAGS",
        many=True,
    )
    tags: Optional[Mapping[str, str]] = _log(
        None, several.tags, "team=ml", "the same, under Batch's own name", many=True
    )
    propagate_tags: Optional[bool] = _log(
        None, kinds.switch, "false", "whether the ECS task gets the tags too; on by default"
    )

    share_identifier: Optional[str] = _raw(
        None, kinds.share_identifier, "research", "fair-share identifier"
    )
    scheduling_priority: Optional[int] = _raw(
        None, kinds.whole(0, 9999), "10", "priority among jobs of one fair-share identifier"
    )
    parameters: Optional[Mapping[str, str]] = _raw(
        None, several.parameters, "model=small", "parameters of the job definition", many=True
    )
    job_definition: Optional[str] = _raw(
        None,
        kinds.job_definition,
        "my-definition:3",
        "an existing job definition, instead of an own one",
    )
    extra: Optional[Mapping[str, Any]] = _raw(
        None,
        several.fields,
        '{"schedulingPriorityOverride": 5}',
        "fields of the requests, as JSON, merged last: none of Batch's is out of reach",
    )

    def asked(self) -> Dict[str, Any]:
        """Return the resources alone, as the card shows them."""
        return {"cpu": self.cpu, "gpu": self.gpu, "memory": self.memory, "image": self.image}


def table() -> Iterator[Option]:
    """Yield every option in the order of the table."""
    for field in dataclasses.fields(Options):
        becomes, works = PLACES.get(field.name, ("", EVERYWHERE))
        facts = {"becomes": becomes, "works": works, **field.metadata}
        yield Option(name=field.name, default=field.default, **facts)
