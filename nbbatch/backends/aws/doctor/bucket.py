"""Whether objects can be listed, written, read and removed where jobs put them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.clients import another_region
from nbbatch.backends.aws.doctor.findings import ok, untold, wrong
from nbbatch.backends.aws.errors import translated
from nbbatch.errors import AccessDeniedError, NbbatchError, NotFoundError
from nbbatch.facts import Finding, Verdict
from nbbatch.wire import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbbatch.backends.aws.doctor.findings import Looking
    from nbbatch.backends.aws.doctor.subject import Subject
    from nbbatch.backends.aws.store import S3ClientStore

_CONTENT = b"nbbatch doctor wrote this to see whether it can; it may be removed"
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def look(subject: Subject) -> Looking[None]:
    """Look at the bucket itself, at objects under the root, and at how safe they are."""
    there = yield from _existence(subject)
    if not there:
        return
    failures = list(_objects(subject.store))
    yield from failures
    if not failures:
        yield ok("objects", f"list, write, read and delete work under {subject.store.url}")
    yield _public(subject)
    yield _encrypted(subject)


def _existence(subject: Subject) -> Looking[bool]:
    bucket, here = subject.store.bucket, subject.clients.region
    try:
        with translated(f"can't use the bucket {bucket}"):
            answer: Any = subject.clients.s3.head_bucket(Bucket=bucket)
    except NotFoundError as error:
        hint = f"NBBATCH_S3_ROOT names it (aws s3 ls lists yours), or: aws s3 mb s3://{bucket}"
        yield wrong("bucket", NotFoundError(f"there is no bucket {bucket}", error.cause, hint))
        return False
    except AccessDeniedError as error:
        yield untold("bucket", f"whether {bucket} is yours, and where it is, can't be told", error)
        return True
    there = answer.get("BucketRegion") or here
    if there != here:
        yield wrong("bucket", another_region(bucket, here, there))
        return False
    yield ok("bucket", f"{bucket} in {there}")
    return True


def _objects(store: S3ClientStore) -> Looking[None]:
    """Try all that is done with objects; yields what fails."""
    key = keys.probe(os.urandom(8).hex())
    yield from _try(lambda: next(store.list(keys.PROBES), None))
    failures = list(_try(lambda: store.put(key, [_CONTENT])))
    yield from failures
    if failures:
        return
    yield from _try(lambda: _conditional(store, key))
    yield from _try(lambda: _reading(store, key))
    yield from _try(lambda: store.delete([key]))


def _try(deed: Callable[[], object]) -> Looking[None]:
    """Yield what is wrong with a deed: the finding that it returns, or the error that it raises."""
    try:
        found = deed()
    except NbbatchError as error:
        found = wrong("objects", error)
    if isinstance(found, Finding):
        yield found


def _conditional(store: S3ClientStore, key: str) -> Finding | None:
    """See that an object can be kept from being overwritten: attempts of a job rely on it."""
    if not store.put(key, [b"overwritten"], if_absent=True):
        return None
    return Finding(
        "objects",
        Verdict.WRONG,
        f"{store.url} ignores conditions on writes (If-None-Match)",
        "it is no S3 of AWS's, or an old one: two attempts of one job could both run",
        "update that server, or take a bucket on AWS: NBBATCH_S3_ROOT=s3://...",
    )


def _reading(store: S3ClientStore, key: str) -> Finding | None:
    read = store.get(key)
    if read is not None:
        return None
    return Finding(
        "objects",
        Verdict.WRONG,
        f"what is written to {store.url} is not there afterwards",
        "something removes objects at once: a lifecycle rule, or a function",
        f"aws s3api get-bucket-lifecycle-configuration --bucket {store.bucket}",
    )


def _public(subject: Subject) -> Finding:
    bucket = subject.store.bucket
    try:
        with translated(f"can't ask about public access to {bucket}"):
            answer: Any = subject.clients.s3.get_public_access_block(Bucket=bucket)
        blocked = answer["PublicAccessBlockConfiguration"]
    except NotFoundError:
        blocked = {}
    except NbbatchError as error:
        return untold("public access", f"whether {bucket} is closed to the public", error)
    if all(blocked.get(name) for name in _BLOCKS):
        return ok("public access", f"{bucket} is closed to the public")
    every = ",".join(f"{name}=true" for name in _BLOCKS)
    return Finding(
        "public access",
        Verdict.WARNING,
        f"{bucket} may be opened to the public",
        "public access is not blocked on the bucket itself (the account may block it)",
        f"aws s3api put-public-access-block --bucket {bucket} "
        f"--public-access-block-configuration {every}",
    )


def _encrypted(subject: Subject) -> Finding:
    bucket = subject.store.bucket
    try:
        with translated(f"can't ask about the encryption of {bucket}"):
            answer: Any = subject.clients.s3.get_bucket_encryption(Bucket=bucket)
    except NotFoundError:
        return Finding(
            "encryption",
            Verdict.WARNING,
            f"{bucket} does not encrypt what is written to it",
            "it has no default encryption",
            f"aws s3api put-bucket-encryption --bucket {bucket} "
            "--server-side-encryption-configuration "
            '\'{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}\'',
        )
    except NbbatchError as error:
        return untold("encryption", f"whether {bucket} encrypts", error)
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    by = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if rules else {}
    if "KMSMasterKeyID" in by:
        key = f"{by['KMSMasterKeyID']}: the job's role needs kms:GenerateDataKey and kms:Decrypt"
        return ok("encryption", f"{bucket} encrypts with the key {key}")
    return ok("encryption", f"{bucket} encrypts ({by.get('SSEAlgorithm', 'AES256')})")
