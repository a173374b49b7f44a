"""What becomes of each option on AWS Batch, and where it has an effect: the two facts, once.

The checks before a job is sent, the help and the documentation read them from here, through
`Option.works` and `Option.becomes`.
"""

from __future__ import annotations

from typing import Dict, Tuple

#: Where a job may run. EC2 and Fargate stand for their Spot kinds too.
EC2, FARGATE, EKS, LOCAL = "EC2", "Fargate", "EKS", "local"
#: AWS Batch, wherever it runs jobs.
BATCH = (EC2, FARGATE, EKS)
EVERYWHERE = (*BATCH, LOCAL)

_JOB = "SubmitJob"
_NEEDS = f"{_JOB}.containerOverrides.resourceRequirements"
_VARIABLES = f"{_JOB}.containerOverrides.environment"
_DEFINITION = "RegisterJobDefinition"
_BOX = f"{_DEFINITION}.containerProperties"
_LINUX = f"{_BOX}.linuxParameters"

#: By option: the field of Batch's requests that it becomes, and where it has an effect. An
#: option that is not here is nbbatch's own, and has one everywhere.
PLACES: Dict[str, Tuple[str, Tuple[str, ...]]] = {
    "cpu": (_NEEDS, EVERYWHERE),
    "gpu": (_NEEDS, (EC2, EKS, LOCAL)),
    "memory": (_NEEDS, EVERYWHERE),
    "shared_memory": (f"{_LINUX}.sharedMemorySize", (EC2, EKS)),
    "max_swap": (f"{_LINUX}.maxSwap", (EC2,)),
    "swappiness": (f"{_LINUX}.swappiness", (EC2,)),
    "ephemeral_storage": (f"{_BOX}.ephemeralStorage", (FARGATE,)),
    "image": (f"{_BOX}.image", BATCH),
    "queue": (f"{_JOB}.jobQueue", BATCH),
    "iam_role": (f"{_BOX}.jobRoleArn", (EC2, FARGATE)),
    "execution_role": (f"{_BOX}.executionRoleArn", (EC2, FARGATE)),
    "service_account": (f"{_DEFINITION}.eksProperties.podProperties.serviceAccountName", (EKS,)),
    "executable": (f"{_BOX}.command", EVERYWHERE),
    "platform": (f"{_BOX}.runtimePlatform", BATCH),
    "platform_version": (f"{_BOX}.fargatePlatformConfiguration", (FARGATE,)),
    "platform_capabilities": (f"{_DEFINITION}.platformCapabilities", BATCH),
    "assign_public_ip": (f"{_BOX}.networkConfiguration", (FARGATE,)),
    "name": (f"{_JOB}.jobName", EVERYWHERE),
    "timeout": (f"{_JOB}.timeout", EVERYWHERE),
    "retries": (f"{_JOB}.retryStrategy", EVERYWHERE),
    "retry_on": (f"{_JOB}.retryStrategy", EVERYWHERE),
    "depends_on": (f"{_JOB}.dependsOn", EVERYWHERE),
    "environment": (_VARIABLES, EVERYWHERE),
    "secrets": (f"{_BOX}.secrets", (EC2, FARGATE, LOCAL)),
    "allow_override": ("", (EC2, FARGATE, LOCAL)),
    "privileged": (f"{_BOX}.privileged", (EC2, EKS)),
    "user": (f"{_BOX}.user", BATCH),
    "readonly_root": (f"{_BOX}.readonlyRootFilesystem", BATCH),
    "init_process": (f"{_LINUX}.initProcessEnabled", (EC2, FARGATE)),
    "ulimits": (f"{_BOX}.ulimits", (EC2,)),
    "use_tmpfs": (f"{_LINUX}.tmpfs", (EC2, EKS)),
    "tmpfs_tempdir": (_VARIABLES, (EC2, EKS)),
    "tmpfs_size": (f"{_LINUX}.tmpfs", (EC2, EKS)),
    "tmpfs_path": (f"{_LINUX}.tmpfs", (EC2, EKS)),
    "host_volumes": (f"{_BOX}.volumes", (EC2, EKS)),
    "efs_volumes": (f"{_BOX}.volumes", (EC2, FARGATE)),
    "inferentia": (f"{_LINUX}.devices", (EC2,)),
    "trainium": (f"{_LINUX}.devices", (EC2,)),
    "efa": (f"{_LINUX}.devices", (EC2,)),
    "nodes": (f"{_DEFINITION}.nodeProperties", (EC2, LOCAL)),
    "log_driver": (f"{_BOX}.logConfiguration", (EC2, FARGATE)),
    "log_options": (f"{_BOX}.logConfiguration", (EC2, FARGATE)),
    "aws_batch_tags": (f"{_JOB}.tags", BATCH),
    "tags": (f"{_JOB}.tags", BATCH),
    "propagate_tags": (f"{_JOB}.propagateTags", (EC2, FARGATE)),
    "share_identifier": (f"{_JOB}.shareIdentifier", BATCH),
    "scheduling_priority": (f"{_JOB}.schedulingPriorityOverride", BATCH),
    "parameters": (f"{_JOB}.parameters", BATCH),
    "job_definition": (f"{_JOB}.jobDefinition", BATCH),
    "extra": ("any field", BATCH),
}
