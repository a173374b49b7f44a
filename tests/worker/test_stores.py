"""One contract for both stores, and what is peculiar to each."""

from __future__ import annotations

import calendar
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from nbbatch.worker.stores import open_store, pieces, s3
from nbbatch.worker.stores.credentials import Chain
from nbbatch.worker.stores.directory import DirectoryStore
from nbbatch.worker.stores.s3 import S3Store
from nbbatch.worker.stores.s3client import Client, Request, S3Error
from nbbatch.worker.stores.vouching import VouchingDirectory
from tests.servers import KEYS, Answer, Server, aws, serve


@pytest.fixture(params=["directory", "s3"])
def store(request, tmp_path):
    if request.param == "directory":
        yield DirectoryStore(str(tmp_path / "a b" / "root"))
        return
    endpoint, name = request.getfixturevalue("moto"), request.getfixturevalue("bucket")
    opened = S3Store(name, "pre fix/", endpoint=endpoint, credentials=Chain(KEYS))
    yield opened
    opened.close()


def read(store, key, offset, size):
    view = memoryview(bytearray(size))
    store.read_into(key, offset, view)
    return bytes(view)


# The contract


def test_what_is_put_is_there(store):
    """The pieces stand behind one another, whatever kind of buffer each was."""
    pieces = [b"one", bytearray(b"two"), memoryview(b"-three-")[1:-1], b"", memoryview(b"")]

    assert store.put("jobs/j/input", pieces)
    assert store.get("jobs/j/input") == b"onetwothree"
    assert store.size("jobs/j/input") == 11


def test_views_of_other_kinds(store):
    """A view of numbers, in several dimensions, is stored as its bytes."""
    numbers = memoryview(bytes(range(48))).cast("i", shape=[3, 4])

    store.put("n", [numbers])

    assert store.get("n") == bytes(range(48))


def test_what_is_missing_is_none(store):
    """A missing object is None for `get` and `size`, and an error to read from."""
    store.put("a/b", [b"x"])

    assert store.get("a/c") is None
    assert store.size("a/c") is None
    assert store.get("a") is None
    assert store.size("a") is None
    with pytest.raises(FileNotFoundError):
        read(store, "a/c", 0, 1)


def test_an_empty_object_is_there(store):
    """No bytes are an object too."""
    assert store.put("empty", [])
    assert store.get("empty") == b""
    assert store.size("empty") == 0
    assert read(store, "empty", 0, 0) == b""


def test_put_replaces(store):
    """A second write takes the place of the first, whole."""
    store.put("k", [b"a long first value"])

    assert store.put("k", [b"short"])
    assert store.get("k") == b"short"


def test_if_absent_keeps_what_is_there(store):
    """Of two conditional writes the first one stays, and the second is told so."""
    assert store.put("k", [b"first"], if_absent=True)
    assert not store.put("k", [b"second"], if_absent=True)
    assert store.get("k") == b"first"


def test_if_absent_has_one_winner(store):
    """Of many conditional writes at once exactly one is told that it wrote."""
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.put("k", [b"%d" % n], if_absent=True), range(8)))

    assert won.count(True) == 1
    assert store.get("k") == b"%d" % won.index(True)


@pytest.mark.parametrize(("offset", "size"), [(0, 10), (3, 4), (9, 1), (10, 0), (0, 0)])
def test_read_into(store, offset, size):
    """Any span inside an object can be read."""
    store.put("k", [b"0123456789"])

    assert read(store, "k", offset, size) == b"0123456789"[offset : offset + size]


@pytest.mark.parametrize(("offset", "size"), [(0, 11), (9, 2), (10, 1), (20, 1), (11, 0)])
def test_read_past_the_end(store, offset, size):
    """A span that is not all there is an error, not a short read."""
    store.put("k", [b"0123456789"])

    with pytest.raises(FileNotFoundError):
        read(store, "k", offset, size)


def test_read_from_threads(store):
    """Spans read at once by several threads don't mix."""
    data = os.urandom(1 << 20)
    store.put("k", [data])
    step = 1 << 16
    with ThreadPoolExecutor(8) as pool:
        spans = list(pool.map(lambda at: read(store, "k", at, step), range(0, len(data), step)))

    assert b"".join(spans) == data


def test_large(store):
    """What travels in several parts arrives as it was, pieces and parts cut differently."""
    data = os.urandom(s3.MULTIPART + 12_345_678)
    view = memoryview(data)
    cuts = [slice(0, 1), slice(1, 5_000_000), slice(9, 9), slice(5_000_000, None)]

    assert store.put("big", [view[cut] for cut in cuts])
    assert store.size("big") == len(data)
    assert read(store, "big", 0, len(data)) == data
    assert not store.put("big", [view], if_absent=True)


def test_list(store):
    """Keys come sorted as whole keys, with size and time, and only below the prefix."""
    names = ["b/y", "b/x/1", "b-", "b/x", "a", "b0", "bé &<>+%20 x"]
    names.remove("b/x")
    began = time.time()
    for name in names:
        store.put(name, [name.encode()])

    found = list(store.list("b"))

    assert [key for key, _, _ in found] == sorted(n for n in names if n.startswith("b"))
    assert [size for _, size, _ in found] == [len(key.encode()) for key, _, _ in found]
    assert all(began - 2 < changed < time.time() + 2 for _, _, changed in found)
    assert [key for key, _, _ in store.list("b/")] == ["b/x/1", "b/y"]
    assert [key for key, _, _ in store.list("b/x/1")] == ["b/x/1"]
    assert list(store.list("nothing/")) == []
    assert len(list(store.list())) == len(names)


def test_many(store, monkeypatch):
    """More keys than fit into one call are all listed, and all deleted."""
    monkeypatch.setattr(s3, "PAGE", 10)
    names = [f"many/{number:04d}" for number in range(35)]
    for name in names:
        store.put(name, [b""])

    assert [key for key, _, _ in store.list("many/")] == names
    store.delete(names[:25])
    assert [key for key, _, _ in store.list("many/")] == names[25:]


def test_delete(store):
    """The named objects are gone, the others stay, missing ones are no error."""
    for key in ("a/b/<&>", "a/b/2", "a/3"):
        store.put(key, [b"x"])

    store.delete(iter(["a/b/<&>", "a/b/2", "missing"]))
    store.delete([])

    assert [key for key, _, _ in store.list()] == ["a/3"]
    assert store.put("a/b", [b"a file where a folder was"])


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\0b", "a" * 1025])
def test_keys_outside_are_refused(store, key):
    """A key that could leave the root is refused by every call."""
    for call in (
        lambda: store.put(key, [b""]),
        lambda: store.get(key),
        lambda: store.size(key),
        lambda: store.read_into(key, 0, memoryview(bytearray(1))),
        lambda: store.delete([key]),
    ):
        with pytest.raises(ValueError, match="key"):
            call()


def test_unusual_keys(store):
    """Letters that a URL or a shell would change come back as they were."""
    keys = ["a b", "ü/ß", "a+b", "a%20b", "a?b=c&d", "a#b", "*'()", "a~b:@$,;", ".hidden"]
    for key in keys:
        store.put(key, [key.encode()])

    assert [store.get(key) for key in keys] == [key.encode() for key in keys]


def test_the_url_opens_the_same_store(store, moto, monkeypatch):
    """What the client tells the job leads to the same objects."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    store.put("k", [b"value"])

    opened = open_store({"NBBATCH_STORE": store.url, "NBBATCH_S3_ENDPOINT": moto})

    assert opened.url == store.url
    assert opened.get("k") == b"value"


def test_other_schemes_are_refused():
    """A store that is neither a directory nor S3 is an error that shows its address."""
    with pytest.raises(ValueError, match="ftp://x"):
        open_store({"NBBATCH_STORE": "ftp://x"})


# The directory


def test_directory_is_private(tmp_path):
    """Nobody else can read the objects, whatever the umask."""
    store = DirectoryStore(str(tmp_path / "a" / "root"))
    store.put("x/y/z", [b"secret"])
    modes = {p.name: p.stat().st_mode & 0o777 for p in (tmp_path / "a").rglob("*")}

    assert modes == {"root": 0o700, ".tmp": 0o700, "x": 0o700, "y": 0o700, "z": 0o600}


def test_directory_leaves_nothing_behind(tmp_path):
    """After writes, won and lost, no unfinished file remains."""
    store = DirectoryStore(str(tmp_path))
    store.put("k", [b"1"])
    store.put("l", [b"1"], if_absent=True)
    store.put("l", [b"1"], if_absent=True)

    assert list((tmp_path / ".tmp").iterdir()) == []
    with pytest.raises(ValueError, match="reserved"):
        store.put(".tmp/x", [b""])


def test_directory_when_no_room_is_left(tmp_path):
    """A write that fails half way is an error, and leaves neither object nor unfinished file."""
    program = f"""
        import resource
        from nbbatch.worker.stores.directory import DirectoryStore
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        DirectoryStore({str(tmp_path)!r}).put("k", [bytes(40 << 20)])
    """
    done = python(textwrap.dedent(program))

    assert "File too large" in done.stderr
    assert [p.name for p in tmp_path.rglob("*")] == [".tmp"]


def test_directory_without_links(tmp_path):
    """Where files can't be linked, conditional writes still have one winner."""
    store = DirectoryStore(str(tmp_path))
    store.put("pending", [b""])
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: _put_locked(store, tmp_path, n), range(8)))

    assert won.count(True) == 1
    assert store.get("k") == b"%d" % won.index(True)


def python(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def _put_locked(store, root, number):
    pending = root / ".tmp" / str(number)
    pending.write_bytes(b"%d" % number)
    return store._replace_locked(str(pending), str(root / "k"))


def test_directory_put_while_pruned(tmp_path):
    """Writes into a folder that deletions keep removing succeed."""
    store = DirectoryStore(str(tmp_path))

    def churn(name):
        for number in range(300):
            store.put(f"f/g/{name}{number}", [b""])
            store.delete([f"f/g/{name}{number}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, "abcd"))

    assert list(store.list()) == []


def test_directory_module_loads_no_network():
    """The local side pays for no HTTP."""
    program = "import sys, nbbatch.worker.stores.directory; print('http' in sys.modules)"
    done = python(program)

    assert done.stdout == "False\n"


# S3


@pytest.fixture
def scripted():
    """Open a store on a server that answers as told; its pauses are recorded, not slept."""
    opened = []

    def connect(server, chain=None):
        store = S3Store("b", "p", endpoint=server.url, credentials=chain or Chain(KEYS))
        store.pauses = []
        store.client._sleep = store.pauses.append
        opened.append(store)
        return store

    yield connect
    for store in opened:
        store.close()


def refusal(status, code, **headers):
    body = f"<Error><Code>{code}</Code><Message>why</Message></Error>".encode()
    return Answer(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    "failure",
    [
        None,
        Answer(500),
        Answer(503),
        refusal(503, "SlowDown"),
        Answer(429),
        refusal(400, "RequestTimeout"),
        refusal(409, "ConditionalRequestConflict"),
        Answer(200, b"half", length=10),
    ],
)
def test_transient_failures_are_tried_again(scripted, failure):
    """A dropped connection, an overload, a broken answer: the next try is taken."""
    answers = iter([failure, failure, Answer(body=b"value")])
    with serve(lambda asked: next(answers)) as server:
        assert scripted(server).get("k") == b"value"
    assert len(server.asked) == 3


def test_tries_end(scripted):
    """A service that keeps failing is given up with its last error, after growing pauses."""
    with serve(lambda asked: refusal(503, "SlowDown")) as server:
        store = scripted(server)
        with pytest.raises(S3Error, match="GET s3://b/p/k: SlowDown why") as error:
            store.get("k")

    assert (error.value.status, error.value.code) == (503, "SlowDown")
    assert len(server.asked) == Client.attempts
    assert store.pauses[0] < store.pauses[-1] <= 10
    assert len(store.pauses) == Client.attempts - 1


def test_no_answer_at_all(scripted):
    """A service that can't be reached is an error that says why."""
    # A port that is taken, so that nobody else gets it, and on which nobody listens.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store = scripted(Server(f"http://127.0.0.1:{taken.getsockname()[1]}", []))
        with pytest.raises(S3Error, match="Unreachable ConnectionRefused"):
            store.get("k")


def test_refusals_are_final(scripted):
    """What another try can't change is told at once, without the secret."""
    with (
        serve(lambda asked: refusal(403, "AccessDenied")) as server,
        pytest.raises(S3Error, match="AccessDenied why") as error,
    ):
        scripted(server).get("k")

    assert len(server.asked) == 1
    assert "testing" not in str(error.value)


def test_a_missing_bucket_is_an_error(moto):
    """A bucket that does not exist is not mistaken for a missing object."""
    store = S3Store("no-such-bucket", endpoint=moto, credentials=Chain(KEYS))
    with pytest.raises(S3Error, match="NoSuchBucket"):
        store.get("k")
    store.close()


def test_lost_answer_of_a_conditional_write(scripted):
    """A conditional write whose answer was lost is recognized as ours by its bytes."""
    stored = []

    def reply(asked):
        if asked.method == "PUT" and not stored:
            stored.append(asked.body)
            return None
        if asked.method == "PUT":
            return refusal(412, "PreconditionFailed")
        return Answer(206 if asked.method == "GET" else 200, stored[0])

    with serve(reply) as server:
        store = scripted(server)

        assert store.put("k", [b"mi", b"ne"], if_absent=True)
        stored[0] = b"his!"
        assert not store.put("k", [b"mine"], if_absent=True)


def test_lost_answer_and_another_writer(scripted):
    """A conditional write whose connection broke has lost if other bytes are there."""
    puts = iter([None, refusal(412, "PreconditionFailed")])

    def reply(asked):
        return next(puts) if asked.method == "PUT" else Answer(206, b"his!")

    with serve(reply) as server:
        assert not scripted(server).put("k", [b"mine"], if_absent=True)


def test_lost_answer_of_a_completed_upload(scripted):
    """An upload in parts whose last answer was lost is complete if the object is there."""
    data = bytes(s3.MULTIPART + 1)
    ends = iter([None, refusal(404, "NoSuchUpload")])

    def reply(asked):
        if asked.path.endswith("?uploads="):
            return Answer(body=b"<UploadId>u&amp;1</UploadId>")
        if asked.method == "POST":
            return next(ends)
        if asked.method == "PUT":
            return Answer(headers={"ETag": '"e"'})
        if asked.method == "GET":
            first, last = asked.headers["Range"][6:].split("-")
            return Answer(206, bytes(int(last) - int(first) + 1))
        return Answer(length=len(data)) if asked.method == "HEAD" else Answer(204)

    with serve(reply) as server:
        assert scripted(server).put("k", [data])
    assert "uploadId=u%261" in server.asked[1].path


def test_a_failed_upload_is_aborted(scripted):
    """When a part is refused, the upload is taken back and its error told."""

    def reply(asked):
        if asked.method == "POST":
            return Answer(body=b"<UploadId>u1</UploadId>")
        return refusal(403, "AccessDenied") if asked.method == "PUT" else Answer(204)

    with serve(reply) as server, pytest.raises(S3Error, match="AccessDenied"):
        scripted(server).put("k", [bytes(s3.MULTIPART + 1)])
    last = server.asked[-1]
    assert (last.method, last.path) == ("DELETE", "/b/p/k?uploadId=u1")


def test_an_error_that_says_200(scripted):
    """A completed upload that answers success with an error inside has failed."""
    late = b'<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>'
    request = Request("POST", "k", [("uploadId", "u")])
    answers = iter([Answer(body=late), Answer(body=b"<CompleteMultipartUploadResult/>")])
    with serve(lambda asked: next(answers)) as server:
        reply = scripted(server).client.call(request)

    assert b"Result" in reply.body


@pytest.mark.parametrize(
    "refused",
    [
        refusal(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1"),
        Answer(
            400,
            b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
        ),
        Answer(307, headers={"Location": "https://b.s3.eu-west-1.amazonaws.com/k"}),
    ],
)
def test_the_region_is_corrected(scripted, refused):
    """The region that the answer names is signed for from then on."""

    def reply(asked):
        here = "/eu-west-1/s3/" in asked.headers["Authorization"]
        return Answer(body=b"value") if here else refused

    with serve(reply) as server:
        store = scripted(server)

        assert store.get("k") == b"value"
        assert store.get("k") == b"value"
    assert len(server.asked) == 3
    assert store.pauses == []


def test_a_region_that_is_no_better_ends_it(scripted):
    """A service that sends from one region to the next is not followed for ever."""
    names = iter(["eu-west-1", "eu-west-2", "eu-west-3"])
    with (
        serve(lambda asked: refusal(301, "Moved", x_amz_bucket_region=next(names))) as server,
        pytest.raises(S3Error, match="Moved"),
    ):
        scripted(server).get("k")
    assert len(server.asked) == 2


@pytest.mark.parametrize("method", ["get", "size"])
def test_a_clock_that_is_off(scripted, method):
    """A clock that is hours off is corrected by the service's date."""
    ahead = time.time() + 7200

    def reply(asked):
        told = time.strptime(asked.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        if abs(calendar.timegm(told) - ahead) < 900:
            return Answer(body=b"value")
        return Answer(403, headers={"Date": formatdate(ahead, usegmt=True)})

    with serve(reply) as server:
        assert getattr(scripted(server), method)("k") in (b"value", 5)
    assert len(server.asked) == 2


def test_expired_credentials_are_renewed(scripted):
    """When the service says that the token is over, the source is asked again."""
    names = iter(["OLD", "NEW"])
    text = '{"AccessKeyId": "%s", "SecretAccessKey": "S", "Expiration": "2100-01-01T00:00:00Z"}'

    def reply(asked):
        new = "Credential=NEW/" in asked.headers["Authorization"]
        return Answer(body=b"value") if new else refusal(400, "ExpiredToken")

    with (
        serve(lambda asked: Answer(body=(text % next(names)).encode())) as source,
        serve(reply) as server,
    ):
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": source.url})

        assert scripted(server, chain).get("k") == b"value"


def test_a_large_body_refused_early():
    """A refusal that comes while the body is still being sent is told as what it is."""
    listener = socket.create_server(("127.0.0.1", 0))
    body = b"<Error><Code>AccessDenied</Code></Error>"

    def refuse():
        connection, _ = listener.accept()
        connection.recv(1000)
        head = f"HTTP/1.1 403 No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass
        connection.close()

    thread = threading.Thread(target=refuse)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    store = S3Store("b", endpoint=url, credentials=Chain(KEYS))
    with pytest.raises(S3Error, match="AccessDenied"):
        store.put("k", [bytes(32 << 20)])
    store.close()
    thread.join()
    listener.close()


def test_connections_are_kept(scripted):
    """Calls one after another travel on one connection."""
    with serve(lambda asked: Answer(body=b"v")) as server:
        store = scripted(server)
        for _ in range(3):
            store.get("k")

    assert len({asked.port for asked in server.asked}) == 1


def test_addresses():
    """Buckets are in the host's name unless a dot or another endpoint forbids it."""
    assert Client("b", "eu-west-1")._address() == (
        "https://b.s3.eu-west-1.amazonaws.com",
        "b.s3.eu-west-1.amazonaws.com",
        "",
    )
    assert Client("a.b", "cn-north-1")._address() == (
        "https://s3.cn-north-1.amazonaws.com.cn",
        "s3.cn-north-1.amazonaws.com.cn",
        "/a.b",
    )
    assert Client("b", "", "http://h:9/")._address() == ("http://h:9", "h:9", "/b")


def test_through_a_proxy(scripted, monkeypatch):
    """A proxy gets the whole address and who we are; what is excepted passes it by."""
    with serve(lambda asked: Answer(body=b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:p%40ss@"))
        store = S3Store("b", endpoint="http://s3.example.com", credentials=Chain(KEYS))
        got = store.get("k")
        store.close()
        with serve(lambda asked: Answer(body=b"direct")) as server:
            monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")

            assert scripted(server).get("k") == b"direct"

    assert got == b"by proxy"
    assert proxy.asked[0].path == "http://s3.example.com/b/k"
    assert proxy.asked[0].headers["Host"] == "s3.example.com"
    assert proxy.asked[0].headers["Proxy-Authorization"] == "Basic bWU6cEBzcw=="


def test_boto3_reads_what_the_store_writes(moto, bucket):
    """The objects are ordinary ones, under the key that their name says."""
    store = S3Store(bucket, "a/b", endpoint=moto, credentials=Chain(KEYS))
    store.put("jobs/ü x", [b"value"])
    store.close()
    found = aws(moto, "s3").get_object(Bucket=bucket, Key="a/b/jobs/ü x")

    assert found["Body"].read() == b"value"


def test_errors_in_a_deletion_are_told(scripted):
    """A deletion that the service carried out in part names the first key that stayed."""
    body = b"<DeleteResult><Error><Key>p/k</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    with (
        serve(lambda asked: Answer(body=body)) as server,
        pytest.raises(S3Error, match=r"p/k: AccessDenied"),
    ):
        scripted(server).delete(["k"])


def test_reliable(store, monkeypatch):
    """The job, too, sends again what is so old that it may be about to be taken away."""
    store.put("a/b", [b"content"])

    assert store.reliable("a/b", 7)
    assert not store.reliable("a/b", 8)
    assert not store.reliable("a/c", 7)
    monkeypatch.setattr(pieces, "RELIABLE", -1.0)
    assert not store.reliable("a/b", 7)


def test_a_file_that_is_old_is_not_vouched_for_again(tmp_path, monkeypatch):
    """It stays what it was for those who have its voucher; whoever comes now gets another one."""
    store = VouchingDirectory(str(tmp_path))
    data = b"x" * (2 << 20)
    first, same = store.keep("blobs/x", data), store.keep("blobs/x", data)
    monkeypatch.setattr(pieces, "RELIABLE", -1.0)
    other = store.keep("blobs/x", data)

    assert (first.key, same.new) == (same.key, False)
    assert other.new
    assert store.take(first.key, first.voucher, memoryview(bytearray(len(data))))
