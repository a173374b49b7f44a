"""Sets of options as people may give them, and botocore's own model of the requests."""

from __future__ import annotations

import functools
import json
from typing import Any

import botocore.session
from botocore.validate import ParamValidator


@functools.cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("batch")


def validated(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return a request that botocore's model takes, and that has no value outside its lists."""
    shape = _model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    _check_words(shape, request)
    return json.loads(json.dumps(request))


def _check_words(shape: Any, value: Any) -> None:
    """Check words against the lists that the model has of them: botocore itself does not."""
    if shape.type_name == "structure":
        for name, inside in value.items():
            _check_words(shape.members[name], inside)
    elif shape.type_name == "list":
        for inside in value:
            _check_words(shape.member, inside)
    elif getattr(shape, "enum", None):
        assert value in shape.enum, (shape.name, value)


ROLE = "arn:aws:iam::123456789012:role/job"
#: For each option: values that suit somewhere, at the edge of what does, or nowhere.
VALUES: dict[str, list[Any]] = {
    "cpu": [0.25, 0.3, 1, "2", 4, 8.0, 500],
    "gpu": [0, 1, "2"],
    "memory": [3, 4, 512, 4096, "16G", 249856],
    "shared_memory": [1, "1G"],
    "max_swap": [0, "2G"],
    "swappiness": [0, 100],
    "ephemeral_storage": [21, 200],
    "image": ["python", "a.io/b@sha256:00", "ü"],
    "queue": ["queue"],
    "iam_role": [ROLE, "role"],
    "execution_role": [ROLE, "role"],
    "service_account": ["reader"],
    "executable": ["python3", "x" * 30000],
    "platform": ["X86_64", "arm64"],
    "platform_version": ["1.4.0"],
    "platform_capabilities": ["EC2", "FARGATE"],
    "assign_public_ip": [True, False],
    "timeout": [59, 60, "2h"],
    "retries": [0, 1, 9],
    "minutes_between_retries": [0, 1.5],
    "retry_on": ["spot", "any memory", "error image 3", "1 2 3 4 5", 95],
    "cache": [True, "7d", "refresh"],
    "catch": ["problem"],
    "print_exception": [False],
    "depends_on": ["20260131-094500-1f0c2a9b"],
    "lazy": [True],
    "environment": [
        {"A": "1"},
        {"A": "x" * 9000},
        {"TMPDIR": ""},
        {f"V{n}": "ü" for n in range(99)},
    ],
    "secrets": ["A=b", ["x", "B=ssm:/y"], "C=" + ROLE],
    "allow_override": [True],
    "privileged": [True, False],
    "user": ["me", "1000", "1000:100", "1:x"],
    "readonly_root": [True, False],
    "init_process": [True, False],
    "ulimits": ["nofile=9", "nofile=9:3", "bogus=1", ["core=0", "core=1"]],
    "use_tmpfs": [True],
    "tmpfs_tempdir": [False],
    "tmpfs_size": [1, "1G"],
    "tmpfs_path": ["/tmp", "/", "/x"],
    "host_volumes": ["/data", ["/a:/x", "/a:/y"], "/", [f"/{n}/{'x' * 99}" for n in range(99)]],
    "efs_volumes": ["fs-0123456789abcdef0:/x"],
    "inferentia": [0, 1, 16],
    "trainium": [1],
    "efa": [0, 1, 32],
    "nodes": [1, 2, 1000],
    "log_driver": ["awslogs", "syslog"],
    "log_options": ["a:b"],
    "aws_batch_tags": [{f"a{n}": "" for n in range(50)}, {"a": "1"}],
    "tags": [{}, {"b": "2"}],
    "propagate_tags": [True, False],
    "name": ["train"],
    "share_identifier": ["team"],
    "scheduling_priority": [0, 9999],
    "parameters": [{}, {"a": "b"}, {"a": "x" * 31000}],
    "job_definition": ["theirs", "theirs:3"],
    "env": ["auto", "image", "none"],
    "pypi": [["six>=1"], []],
    "conda": [["six>=1"], []],
    "conda_channels": [["conda-forge"]],
    "requirements": ["requirements.txt"],
    "python": ["3.12"],
    "library_cache": ["/var/cache/libraries"],
    "extra": [
        {},
        {"timeout": {"attemptDurationSeconds": 60}},
        {"containerProperties": {"enableExecuteCommand": True}},
        {"containerProperties": {"image": 3}},
        {"containerOverrides": {"environment": []}},
        {"containerOverrides": None},
        {"eksProperties": {"podProperties": {"hostNetwork": False}}},
        {"nodeOverrides": {"numNodes": 9}},
        {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:"}]}},
        {"tags": {"c": "3"}, "jobname": "x"},
    ],
}
