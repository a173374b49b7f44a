"""The store on S3: what is peculiar to it, counted at the wire."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest
from aws_rig import aws_rig, environment
from servers import Answer, serve

from nbbatch import errors
from nbbatch.backends.aws import aws_backend, transfer
from nbbatch.backends.aws.clients import Clients
from nbbatch.backends.aws.store import S3ClientStore
from nbbatch.wire import keys

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
}


@pytest.fixture
def rig(tmp_path):
    with aws_rig(tmp_path) as opened:
        yield opened


@pytest.fixture
def store(rig):
    return rig.backend.store


@pytest.fixture
def answering():
    """Open a store on a server that answers as told."""
    with contextlib.ExitStack() as stack:

        def open_store(reply):
            server = stack.enter_context(serve(reply))
            stack.enter_context(environment(**KEYS))
            clients = Clients(s3_endpoint=server.url)
            return S3ClientStore("s3://bucket/root", clients, lambda _: None), server

        yield open_store


def failure(status, code, **headers):
    body = f"<Error><Code>{code}</Code><Message>said so</Message></Error>".encode()
    return Answer(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


def test_each_call_is_one_request(rig, store):
    """A small object costs one PutObject and one GetObject, without asking for leave."""
    store.put("k", [b"one", memoryview(b"two")])
    store.get("k")
    store.size("k")
    store.read_into("k", 0, memoryview(bytearray(6)))

    assert rig.wire == {"PutObject": 1, "GetObject": 2, "HeadObject": 1}


def test_delete_is_one_call_for_a_thousand(rig, store):
    """Deleting costs a call for each thousand keys, none for no keys."""
    store.delete([])
    store.delete(f"k/{number}" for number in range(1001))

    assert rig.wire == {"DeleteObjects": 2}


def test_large_objects_travel_in_parts(rig, store):
    """From 64 MiB on an object is sent in parts, and is one object in the end."""
    size = transfer.LARGE + 5
    data = memoryview(bytearray(size))
    data[:3], data[-3:] = b"abc", b"xyz"
    assert store.put("large", [data[:10], data[10:]])
    back = memoryview(bytearray(6))
    store.read_into("large", 0, back[:3])
    store.read_into("large", size - 3, back[3:])

    assert bytes(back) == b"abcxyz"
    assert rig.wire["UploadPart"] == 5
    assert rig.wire["PutObject"] == 0


def test_a_large_object_that_is_there_is_not_sent(rig, store):
    """With `if_absent` a large object's bytes stay here where it exists."""
    data = bytearray(transfer.LARGE)
    assert store.put("large", [data], if_absent=True)
    rig.wire.clear()

    assert not store.put("large", [data], if_absent=True)
    assert rig.wire == {"HeadObject": 1}


def test_a_failed_upload_leaves_nothing(rig, store):
    """Where a part fails the upload is aborted: unfinished parts would be paid for."""
    clients = store._clients

    def refuse(params, **_):
        if params["PartNumber"] == 3:
            raise errors.ServiceError("no third part")

    clients.s3.meta.events.register("provide-client-params.s3.UploadPart", refuse)
    with pytest.raises(errors.ServiceError, match="no third part"):
        store.put("large", [bytearray(transfer.LARGE)])
    uploads = rig.s3().list_multipart_uploads(Bucket=rig.bucket)

    assert "Uploads" not in uploads
    assert store.get("large") is None


def test_missing_bucket(rig):
    """A bucket that does not exist is named, with where its name is set."""
    store = S3ClientStore("s3://no-such-bucket-here/root", Clients())
    with pytest.raises(errors.NotFoundError) as caught:
        store.put("k", [b""])

    assert "no-such-bucket-here" in caught.value.what
    assert "NBBATCH_S3_ROOT" in caught.value.hint
    with pytest.raises(errors.NotFoundError, match="no-such-bucket-here"):
        store.get("k")


MOVED = {
    "redirect": failure(301, "PermanentRedirect", x_amz_bucket_region="us-west-2"),
    "wrong signature": failure(
        400, "AuthorizationHeaderMalformed", x_amz_bucket_region="us-west-2"
    ),
    "opt-in region": failure(
        400, "IllegalLocationConstraintException", x_amz_bucket_region="us-west-2"
    ),
}


@pytest.mark.parametrize("answer", MOVED.values(), ids=MOVED)
@pytest.mark.parametrize("call", ["put", "get", "size"])
def test_bucket_in_another_region(answering, answer, call):
    """The other region is not called quietly: both are named, and what to type."""
    store, server = answering(lambda _: answer)
    calls = {"put": lambda: store.put("k", [b"x"])}
    with pytest.raises(errors.RegionError) as caught:
        calls.get(call, lambda: getattr(store, call)("k"))()

    assert "us-west-2" in caught.value.cause
    assert "eu-west-1" in caught.value.cause
    assert "export AWS_DEFAULT_REGION=us-west-2" in caught.value.hint
    assert len(server.asked) == 1


def test_bucket_in_a_region_not_named(answering):
    """Where S3 does not say which region it is, the error is the same kind."""
    store, _ = answering(lambda _: failure(301, "PermanentRedirect"))
    with pytest.raises(errors.RegionError, match="another region"):
        store.get("k")


def test_conflicting_writers_try_again(answering):
    """S3's 409 to a conditional write is no answer yet; its 412 is."""
    answers = [failure(412, "PreconditionFailed"), failure(409, "ConditionalRequestConflict")]
    store, server = answering(lambda _: answers.pop())

    assert store.put("claim", [b"x"], if_absent=True) is False
    assert [asked.headers["If-None-Match"] for asked in server.asked] == ["*", "*"]


def test_conflict_without_end(answering):
    """A write that meets a conflict each time is given up."""
    store, server = answering(lambda _: failure(409, "ConditionalRequestConflict"))
    with pytest.raises(errors.ConflictError, match="can't write s3://bucket/root/claim"):
        store.put("claim", [b"x"], if_absent=True)

    assert len(server.asked) == 4


def test_reading_goes_on_where_it_broke_off(answering):
    """An answer that ends too early is asked for again, from there on."""
    data = bytes(range(256)) * 64

    def reply(asked):
        first, last = (int(part) for part in asked.headers["Range"][6:].split("-"))
        whole = data[first : last + 1]
        return Answer(206, whole[:9000], {}, len(whole))

    store, server = answering(reply)
    target = memoryview(bytearray(len(data)))
    store.read_into("k", 0, target)

    assert bytes(target) == data
    assert len(server.asked) == 2


def test_reading_that_never_comes_forward(answering):
    """A server that breaks off at once, each time, is unreachable in the end."""
    store, server = answering(lambda _: Answer(206, b"", {}, 100))
    with pytest.raises(errors.UnreachableError, match="can't read"):
        store.read_into("k", 0, memoryview(bytearray(100)))

    assert len(server.asked) == 4


def test_no_server():
    """A server that is not there is unreachable, said within seconds."""
    with environment(**KEYS):
        store = S3ClientStore("s3://b/p", Clients(s3_endpoint="http://127.0.0.1:9"))
        with pytest.raises(errors.UnreachableError, match="can't read s3://b/p/k"):
            store.get("k")


NOBODY = """
import sys, time
from pathlib import Path
from nbbatch.backends.aws import aws_backend
from nbbatch.errors import CredentialsError
backend = aws_backend(
    s3_root="s3://b/p", region="us-east-1", profile=None, endpoint_url=None, cache_dir=Path(".")
)
try:
    backend.store.put("k", [b"x"])
except CredentialsError as error:
    print(error.hint)
"""


def test_no_credentials():
    """Without credentials the error comes soon, not after minutes of asking the network."""
    settings = {k: v for k, v in KEYS.items() if "KEY" not in k and "METADATA" not in k}
    before = time.monotonic()
    # No machine has this address: a laptop without instance metadata.
    with environment(**settings, AWS_EC2_METADATA_SERVICE_ENDPOINT="http://192.0.2.1/"):
        ended = subprocess.run(
            [sys.executable, "-c", NOBODY], capture_output=True, text=True, check=True
        )

    assert "aws sso login" in ended.stdout
    assert time.monotonic() - before < 100


def test_no_region():
    """Without a region the error says how to set one."""
    with environment(**{**KEYS, "AWS_DEFAULT_REGION": None}):
        with pytest.raises(errors.ConfigurationError, match="AWS_DEFAULT_REGION"):
            S3ClientStore("s3://b/p", Clients()).get("k")


def test_no_such_profile():
    """A profile that AWS's files do not know is named."""
    with environment(**KEYS):
        with pytest.raises(errors.ConfigurationError, match="nobody"):
            S3ClientStore("s3://b/p", Clients(profile="nobody")).get("k")


@pytest.mark.parametrize("root", ["", "bucket/prefix", "s3://", "file:///tmp", "s3://b/p?q"])
def test_not_an_s3_root(root, tmp_path):
    """What is no S3 URL is refused when the backend is built."""
    with pytest.raises(errors.ConfigurationError, match="s3://my-bucket/nbbatch"):
        aws_backend(s3_root=root, region=None, profile=None, endpoint_url=None, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("variable", "argument"),
    [
        ("AWS_ENDPOINT_URL", None),
        ("AWS_ENDPOINT_URL_S3", None),
        ("METAFLOW_S3_ENDPOINT_URL", None),
        (None, "http://here:9000"),
    ],
)
def test_endpoint_is_told_to_the_job(variable, argument):
    """However S3's address is set, the job is told of it."""
    with environment(**KEYS, **({variable: "http://here:9000"} if variable else {})):
        told = S3ClientStore("s3://b/p/", Clients(s3_endpoint=argument)).environment()

    assert told == {
        keys.ENV_STORE: "s3://b/p",
        keys.ENV_S3_REGION: "eu-west-1",
        keys.ENV_S3_ENDPOINT: "http://here:9000",
    }


def test_no_endpoint_on_aws():
    """On AWS itself the job is told the region alone."""
    with environment(**KEYS):
        told = S3ClientStore("s3://b", Clients()).environment()

    assert told == {keys.ENV_STORE: "s3://b", keys.ENV_S3_REGION: "eu-west-1"}


def test_import_is_inert():
    """The backend's package loads no boto3 until a backend is built."""
    code = (
        "import sys, nbbatch.backends.aws; "
        "print([m for m in ('boto3', 'botocore') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[]"
