"""The backend on AWS: objects in S3, jobs on Batch, the containers' logs in CloudWatch.

==============  =================================================================
`clients`       boto3's clients, made once and late
`errors`        the one table from AWS's errors to nbbatch's
`store`         the store on S3
`transfer`      one object's bytes: bodies, parts
`checks`        what Batch can't honour, said before anything is written
`requests`      a launch as the exact requests
`secrets`       where secrets are, and what they hold
`queues`        where a queue's jobs run
`environments`  what its compute environments tell
`definitions`   job definitions that are not ours
`places`        a queue as it is at this moment
`fitting`       whether a request can be placed in a compute environment
`families`      what the names of instance types tell
`instances`     what EC2 tells about them
`waiting`       why a job waits
`explaining`    the questions behind that
`doctor`        what can be told about the whole account
`cache`         what was true yesterday, on disk
`pauses`        how long to wait before a call is made again
`recovery`      credentials that were renewed elsewhere
`clock`         AWS's time, where this machine's clock is off
`submit`        a job is submitted once, whatever the network does
`status`        Batch's description of a job as a `Status`
`diagnosis`     why a job ended without an outcome
`runner`        the runner on Batch
`sheets`        arrays of more children than Batch takes in one job
`setup/`        what `nbbatch setup` makes in an account
==============  =================================================================

Nothing here is loaded, and boto3 with it, before a backend is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbbatch.backends.base import Backend
    from nbbatch.facts import Finding
    from nbbatch.options import Options

__all__ = ["aws_backend"]


def aws_backend(
    *,
    s3_root: str,
    region: str | None,
    profile: str | None,
    endpoint_url: str | None,
    registry: str | None = None,
    cache_dir: Path,
) -> Backend:
    """Build the backend on AWS; no call is made yet.

    Parameters
    ----------
    s3_root
        ``s3://bucket/prefix`` under which all objects lie.
    region, profile
        As for boto3; None takes what the environment and AWS's own files say.
    endpoint_url
        Where S3 is, if not on AWS. The other services follow ``AWS_ENDPOINT_URL``.
    registry
        Stands before the name of an image that names no registry.
    cache_dir
        A directory for facts that save calls; it may be lost.

    Raises
    ------
    ConfigurationError
        `s3_root` is not an S3 URL.
    """
    # Here, for boto3 is slow to load and not everybody's.
    from nbbatch.backends.aws.clients import Clients
    from nbbatch.backends.aws.sheets import SheetRunner
    from nbbatch.backends.aws.store import S3ClientStore
    from nbbatch.backends.base import Backend

    clients = Clients(region, profile, endpoint_url)
    store = S3ClientStore(s3_root, clients)
    runner = SheetRunner(clients, cache_dir, registry=registry)

    def examine(options: Options) -> Iterator[Finding]:
        # Seldom asked for, and as large as all the rest.
        from nbbatch.backends.aws import doctor

        return doctor.examine(doctor.Subject(clients, store, runner, options))

    return Backend("aws", store, runner, examine, shared=True)
