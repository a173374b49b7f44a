"""What can be told about an account as a place for jobs, with as few calls as that takes.

==============  =================================================================
`findings`      from answers and errors to findings
`identity`      who one is, and where
`bucket`        whether objects can be listed, written, read and removed
`place`         the queue and its compute environments
`roles`         whether the roles exist, may be taken, and may do what jobs do
`image`         whether the image is there, and for which processor
`pythons`       which Python it holds, by its name
==============  =================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.backends.aws.doctor import bucket, identity, image, place, roles
from nbbatch.backends.aws.doctor.findings import guarded, ok
from nbbatch.backends.aws.doctor.subject import Subject
from nbbatch.errors import ConflictError, NotFoundError
from nbbatch.facts import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbbatch.backends.aws.doctor.findings import Looking

__all__ = ["Subject", "examine"]


def examine(subject: Subject) -> Iterator[Finding]:
    """Look at one thing after the other; each only where what it builds on is there."""
    account = yield from guarded("credentials", identity.look(subject.clients), None)
    if account is None:
        rest = "bucket, queue, roles and image are not examined"
        yield Finding("the rest", Verdict.SKIPPED, rest, "they are behind that")
        return
    yield from guarded("bucket", bucket.look(subject), None)
    environments = yield from guarded("queue", place.look(subject), ())
    yield from guarded("request", _request(subject), None)
    yield from guarded("roles", roles.look(subject, account, environments), None)
    yield from guarded("image", image.look(subject, environments), None)


def _request(subject: Subject) -> Looking[None]:
    options = subject.options
    try:
        subject.runner.check(options)
    except (ConflictError, NotFoundError):
        # Of the queue, which has been looked at.
        return
    asked = f"cpu {options.cpu:g}, memory {options.memory} MiB, gpu {options.gpu}"
    yield ok("request", f"{asked}: as a request, AWS Batch takes that")
