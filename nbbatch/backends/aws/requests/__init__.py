"""A launch as the exact requests to Batch: pure functions of plain values.

==============  ==============================================================
`definition`    RegisterJobDefinition: what does not vary from job to job
`container`     its container, on EC2 and on Fargate
`linux`         memory, devices and file systems in memory of that container
`storage`       volumes and where they are mounted
`pods`          its pod, on EKS
`secrets`       what the container is told by Batch alone
`images`        the image's whole name
`submission`    SubmitJob: what varies
`retries`       after which ends Batch tries again
`shapes`        of which kind a definition is, and what is overridden where
`extra`         raw fields, merged last
`limits`        how long requests may be
==============  ==============================================================

What does not vary from job to job is in the job definition, whose name is the hash of its
content: it can be used without looking whether it is there.
"""

from nbbatch.backends.aws.requests.definition import job_definition
from nbbatch.backends.aws.requests.images import default_image, with_registry
from nbbatch.backends.aws.requests.limits import Request
from nbbatch.backends.aws.requests.shapes import Shape, own_shape, shape_of
from nbbatch.backends.aws.requests.submission import job_name, submit_job

__all__ = [
    "Request",
    "Shape",
    "default_image",
    "job_definition",
    "job_name",
    "own_shape",
    "shape_of",
    "submit_job",
    "with_registry",
]
