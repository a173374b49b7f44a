"""Each option that means nothing somewhere, with why: Batch would refuse it, or ignore it.

https://docs.aws.amazon.com/batch/latest/userguide/fargate.html#when-to-use-fargate
https://docs.aws.amazon.com/batch/latest/APIReference/API_LinuxParameters.html
https://docs.aws.amazon.com/batch/latest/APIReference/API_EksPodProperties.html
"""

from __future__ import annotations

_NO_DEVICES = "which gives no devices of its hosts to a job"
_NO_MEMORY = "where Batch takes no sizes of swap, of /dev/shm or of a file system in memory"
_ONE_NODE = "where Batch has no multi-node jobs"

ON_FARGATE = {
    "gpu": "which has no GPUs",
    "inferentia": _NO_DEVICES,
    "trainium": _NO_DEVICES,
    "efa": _NO_DEVICES,
    "nodes": _ONE_NODE,
    "shared_memory": _NO_MEMORY,
    "max_swap": _NO_MEMORY,
    "swappiness": _NO_MEMORY,
    "use_tmpfs": _NO_MEMORY,
    "tmpfs_size": _NO_MEMORY,
    "privileged": "where no job has the rights of its host",
    "host_volumes": "where a job does not see the folders of its host",
    "ulimits": "where Batch takes no limits of processes",
    "service_account": "and a service account is for pods, on EKS",
}

_ITS_OWN_DISK = "where the disk is that of the instance or the launch template"
_FARGATES = "and only Fargate has it"

ON_EC2 = {
    "ephemeral_storage": _ITS_OWN_DISK,
    "platform_version": _FARGATES,
    "assign_public_ip": "where a job has the address of its instance",
    "service_account": "and a service account is for pods, on EKS",
}

_NO_RESOURCE = "where Batch gives a pod CPUs, memory and GPUs, and nothing else"
_NOT_IN_PODS = "and Batch has no field for it in a pod"

ON_EKS = {
    "inferentia": _NO_RESOURCE,
    "trainium": _NO_RESOURCE,
    "efa": _NO_RESOURCE,
    "ephemeral_storage": _NO_RESOURCE,
    "max_swap": _NOT_IN_PODS,
    "swappiness": _NOT_IN_PODS,
    "ulimits": _NOT_IN_PODS,
    "init_process": _NOT_IN_PODS,
    "platform_version": _FARGATES,
    "assign_public_ip": "where the pod's address is the cluster's affair",
    "nodes": _ONE_NODE,
    "efs_volumes": "where such a volume is a claim of the cluster's (extra can name one)",
    "log_driver": "where the log is the cluster's affair",
    "log_options": "where the log is the cluster's affair",
    "propagate_tags": "where a pod has no tags",
    "secrets": "and Batch gives secrets to containers on ECS only",
}
