"""Every object key and every environment variable that the two sides agree on.

Layout under the root of a store::

    worker/<sha256>.zip              the worker, once per content
    blobs/<digest>                   large buffers and local modules, by content
    blobs/<sample>/<random>          the same, in a store that vouches for its objects
    layers/<sha256>                  a piece of a library, once per content
    jobs/<job>/input                 spec and values, sealed
    jobs/<job>/items                 what the children of an array get, each sealed (`wire.items`)
    jobs/<job>/claim/<attempt>       who runs this attempt
    jobs/<job>/frames/<attempt>/<n>  the job's story, sealed, numbered from 0
    jobs/<job>/outcome/<attempt>     what became of it, sealed
    jobs/<job>/again/<attempt>       who starts this attempt, where a client does
    jobs/<job>/anew/<n>              who starts it anew that has not run, where a client does
    jobs/<job>/files/<name>          whatever the job itself keeps (checkpoints)
    jobs/<job>/calls/<n>             what an executor's worker is to call, sealed, numbered from 0
    jobs/<job>/returned/<n>-<to>     what came of these calls, up to one of them, sealed
    jobs/<job>/share/<n>             how many of these calls are the worker's: the others are made
                                     elsewhere; sealed, and there only where somebody asked
    cache/<key>                      the result of a job, for later ones like it, sealed
    records/<user>/<job>             what the user's other machines must know of it, sealed
    probe/<word>                     what `nbbatch doctor` writes, reads and removes

Where a job has several parts (the nodes of a multi-node job, the children of an array), each
has its own claim, frames and outcome, and all share the input::

    jobs/<job>/claim/<attempt>/<part>
    jobs/<job>/frames/<attempt>/<part>/<n>
    jobs/<job>/outcome/<attempt>/<part>

so that one listing tells which parts of an attempt have begun, and another which have ended.
A child that has failed leaves an empty mark beside its outcome, and before it, so that the same
listing tells how each has ended: ``.failed``, or ``.again`` where another attempt follows::

    jobs/<job>/outcome/<attempt>/<part>.failed
"""

from __future__ import annotations

import os
import re
import time
from typing import Mapping, NamedTuple, Optional, Tuple

#: Where the store is: ``file:///path`` or ``s3://bucket/prefix``.
ENV_STORE = "NBBATCH_STORE"
#: The job's id (ours, not the backend's).
ENV_JOB = "NBBATCH_JOB"
#: The job's sealing key, hexadecimal. The worker takes it out of the environment at once.
ENV_KEY = "NBBATCH_KEY"
#: SHA-256 of the worker's zip, hexadecimal, checked before the zip is run.
ENV_WORKER = "NBBATCH_WORKER"
#: Endpoint and region of the store, where they differ from the service's own.
ENV_S3_ENDPOINT = "NBBATCH_S3_ENDPOINT"
ENV_S3_REGION = "NBBATCH_S3_REGION"
#: Whole secrets, which the worker turns into variables; see `whole_secret`.
_ENV_SECRET = "NBBATCH_SECRET_"  # noqa: S105 a name, no secret
#: What the backend gave, as JSON, where the worker can't find it out by itself.
ENV_GIVEN = "NBBATCH_GIVEN"

#: Where the job's temporary files are to be, where that is not the system's usual place.
ENV_TEMPDIR = "NBBATCH_TEMPDIR"
#: Where libraries stay, for the next jobs on the same host; they stay nowhere without it.
ENV_LIBRARIES = "NBBATCH_LIBRARIES"
#: How many attempts of the job came before the first one of this backend's job: a job that is
#: started again with more memory goes on counting. And the memory, in MiB, that it has then.
ENV_BEFORE = "NBBATCH_ATTEMPTS_BEFORE"
ENV_MEMORY = "NBBATCH_MEMORY"

#: How many children the job has, where it is an array of ours; each is a part of the job.
ENV_CHILDREN = "NBBATCH_CHILDREN"
#: The first of those that belong to the same array job of the backend; 0 without it.
ENV_FIRST_CHILD = "NBBATCH_FIRST_CHILD"

#: Set by AWS Batch, and by the local supervisor in its place.
#: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
ENV_BATCH_JOB = "AWS_BATCH_JOB_ID"
ENV_BATCH_ATTEMPT = "AWS_BATCH_JOB_ATTEMPT"
ENV_BATCH_QUEUE = "AWS_BATCH_JQ_NAME"
ENV_BATCH_CE = "AWS_BATCH_CE_NAME"
ENV_BATCH_ARRAY_SIZE = "AWS_BATCH_JOB_ARRAY_SIZE"
ENV_BATCH_KUBERNETES_NODE = "AWS_BATCH_JOB_KUBERNETES_NODE_UID"
ENV_BATCH_ARRAY_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
ENV_BATCH_NODE_INDEX = "AWS_BATCH_JOB_NODE_INDEX"
ENV_BATCH_NUM_NODES = "AWS_BATCH_JOB_NUM_NODES"
ENV_BATCH_MAIN_NODE_INDEX = "AWS_BATCH_JOB_MAIN_NODE_INDEX"
ENV_BATCH_MAIN_NODE_ADDRESS = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"

#: What the local backend calls its queue and compute environment.
LOCAL = "local"

#: How a child has failed: for good, or to be tried again.
FAILED, AGAIN = "failed", "again"

JOBS = "jobs/"
BLOBS = "blobs/"
CACHE = "cache/"
PROBES = "probe/"
RECORDS = "records/"

_JOB_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


def new_job_id() -> str:
    """Mint a job id: sortable by time, unique by chance, e.g. ``20260131-094500-1f0c2a9b``."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    # What `secrets` does, which takes longer to import than all that is around it.
    return f"{stamp}-{os.urandom(4).hex()}"


def is_job_id(text: str) -> bool:
    """Tell whether `text` has the shape of a job id."""
    return _JOB_ID.fullmatch(text) is not None


def whole_secret(index: int) -> str:
    """Name the variable of a secret that holds variables by name itself."""
    return f"{_ENV_SECRET}{index}"


def spot_notice(environ: Mapping[str, str]) -> str:
    """Return the file that exists once the job's instance is to be taken away."""
    folder = environ.get(ENV_TEMPDIR) or environ.get("TMPDIR") or "/tmp"  # noqa: S108
    return f"{folder}/spot_termination_notice"


def worker(digest: str) -> str:
    return f"worker/{digest}.zip"


def blob(digest: str) -> str:
    return f"{BLOBS}{digest}"


def blob_name(key: str) -> str:
    """Return the name that `blob` made `key` from."""
    return key[len(BLOBS) :]


def input_(job: str) -> str:
    return f"{JOBS}{job}/input"


def items(job: str) -> str:
    return f"{JOBS}{job}/items"


def claims(job: str) -> str:
    """Return what the names of all claims of a job begin with."""
    return f"{JOBS}{job}/claim/"


def outcomes(job: str) -> str:
    """Return what the names of all outcomes of a job begin with."""
    return f"{JOBS}{job}/outcome/"


class OfChild(NamedTuple):
    """What the name of a child's claim or outcome says; `mark` is `FAILED`, `AGAIN` or empty."""

    attempt: int
    child: int
    mark: str


def of_child(key: str) -> Optional[OfChild]:
    """Read the name of a child's claim, outcome or mark; None where it is none."""
    path, _, mark = key.partition(".")
    attempt, _, child = path.rpartition("/")
    attempt = attempt.rpartition("/")[2]
    if not (attempt.isdecimal() and child.isdecimal()):
        return None
    return OfChild(int(attempt), int(child), mark)


def owner(job: str, part: Optional[int] = None) -> str:
    """Name whose object it is, as its seal does, so that no part's can pass for another's."""
    return f"{job}{_slash(part)}"


def part_of(key: str) -> int:
    """Return the part whose claim or outcome a key names."""
    return int(key.rpartition("/")[2])


def again(job: str, attempt: int) -> str:
    return f"{JOBS}{job}/again/{attempt}"


def anew(job: str, number: int) -> str:
    return f"{JOBS}{job}/anew/{number}"


def claim(job: str, attempt: int, part: Optional[int] = None) -> str:
    return f"{JOBS}{job}/claim/{attempt}{_slash(part)}"


def frames(job: str, attempt: int, number: int, part: Optional[int] = None) -> str:
    return f"{JOBS}{job}/frames/{attempt}{_slash(part)}/{number:08d}"


def stories(job: str) -> str:
    """Return what the names of all frames of a job begin with."""
    return f"{JOBS}{job}/frames/"


def outcome(job: str, attempt: int, part: Optional[int] = None) -> str:
    return f"{JOBS}{job}/outcome/{attempt}{_slash(part)}"


def mark(job: str, attempt: int, child: int, word: str) -> str:
    """Name the mark that a child leaves which has failed."""
    return f"{outcome(job, attempt, child)}.{word}"


def _slash(part: Optional[int]) -> str:
    return "" if part is None else f"/{part}"


def file(job: str, name: str) -> str:
    return f"{JOBS}{job}/files/{name}"


def calls(job: str, number: int) -> str:
    return f"{JOBS}{job}/calls/{number:08d}"


def share(job: str, number: int) -> str:
    return f"{JOBS}{job}/share/{number:08d}"


def returned_all(job: str) -> str:
    """Return what the names of all that an executor's worker gave back begin with."""
    return f"{JOBS}{job}/returned/"


def returned(job: str, number: int, upto: int) -> str:
    return f"{returned_all(job)}{number:08d}-{upto:06d}"


def of_returned(key: str) -> Tuple[int, int]:
    """Read a name that `returned` made: the calls' number, and up to which of them."""
    number, _, upto = key.rpartition("/")[2].partition("-")
    return int(number), int(upto)


def cached(key: str) -> str:
    return f"{CACHE}{key}"


def records(user: str) -> str:
    """Return what the names of all records of a user begin with."""
    return f"{RECORDS}{user}/"


def record(user: str, job: str) -> str:
    return f"{records(user)}{job}"


def probe(word: str) -> str:
    return f"{PROBES}{word}"
