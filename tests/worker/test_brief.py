"""The short form of the container's command, for somebody else's job definition."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nbbatch.wire import keys
from nbbatch.worker.boot import bootstrap, brief
from tests.servers import KEYS, aws

MAIN = "import sys; print(len(sys.argv), [m for m in sys.modules if m.startswith('nbbatch')])"


@pytest.fixture
def place(tmp_path, moto, bucket):
    """Put a zip into a bucket; return the environment that leads to it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("__main__.py", MAIN)
    digest = hashlib.sha256(data.getvalue()).hexdigest()
    key = "pre/fix/" + keys.worker(digest)
    aws(moto, "s3").put_object(Bucket=bucket, Key=key, Body=data.getvalue())
    return {
        keys.ENV_STORE: f"s3://{bucket}/pre/fix",
        keys.ENV_S3_ENDPOINT: moto,
        keys.ENV_WORKER: digest,
        "TMPDIR": str(tmp_path),
    }


def run(environment):
    command = bootstrap.brief_command(sys.executable)
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_runs_the_zip(place):
    """The zip's own program runs, and nothing of the loader is left."""
    done = run({**place, **KEYS})

    assert (done.stdout, done.stderr) == ("1 []\n", "")


def test_an_altered_zip_is_not_run(place):
    """The digest is checked as in the whole command."""
    wrong = {keys.ENV_WORKER: "0" * 64}
    done = run({**place, **KEYS, **wrong})

    assert done.returncode == 98
    assert "can't fetch the worker" in done.stderr


def test_is_short():
    """It leaves 2 KiB of what a container may be told to its variables."""
    assert len(json.dumps(bootstrap.brief_command())) < 6 * 1024


def test_shortening_changes_no_meaning():
    """What is carried, shortened, is the module without its docstrings."""
    source = bootstrap._source("nbbatch.worker.boot.brief")
    code = compile(bootstrap.shorten(source), "brief", "exec", ast.PyCF_ONLY_AST)
    names = [node.name for node in ast.walk(code) if isinstance(node, ast.FunctionDef)]

    assert names == [
        node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)
    ]


ANSWER = {"AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T"}
STS = (
    "<AccessKeyId>A</AccessKeyId><SecretAccessKey>S</SecretAccessKey><SessionToken>T</SessionToken>"
)


@pytest.fixture
def source():
    """Serve credentials, as a container's endpoint and as STS do; note what is asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            self._send(json.dumps(ANSWER))

        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._send(STS)

        def _send(self, text):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_credentials_of_a_container(source, tmp_path):
    """The endpoint is asked, with the token in the environment or in a file."""
    url, asked = source
    (tmp_path / "token").write_text("from-file\n")
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url + "/role"}
    for more in (
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "given"},
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")},
    ):
        assert brief.credentials({**environ, **more}) == ("A", "S", "T")

    assert asked == [("/role", "given"), ("/role", "from-file")]


def test_credentials_of_a_web_identity(source, tmp_path):
    """A pod's token is given to STS for the role's credentials."""
    url, asked = source
    (tmp_path / "token").write_text("jwt")
    environ = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
        "AWS_ENDPOINT_URL_STS": url,
    }

    assert brief.credentials(environ) == ("A", "S", "T")
    assert "WebIdentityToken=jwt" in asked[0]


def test_credentials_of_an_instance(monkeypatch):
    """The metadata service is asked for a token, for the role, then for its credentials."""
    said = {
        "api/token": b"token",
        "security-credentials/": b"role",
        "/role": json.dumps(ANSWER).encode(),
    }
    asked = []

    def answer(url, headers, *_, **how):
        asked.append((url.rpartition("latest/")[2], how.get("method", "")))
        assert how["direct"]
        return next(text for end, text in said.items() if url.endswith(end))

    monkeypatch.setattr(brief, "_ask", answer)

    assert brief.credentials({}) == ("A", "S", "T")
    assert asked == [
        ("api/token", "PUT"),
        ("meta-data/iam/security-credentials/", ""),
        ("meta-data/iam/security-credentials/role", ""),
    ]


def test_credentials_that_are_not_understood(place):
    """Half a pair is named as what it is, without a traceback."""
    done = run({**place, "AWS_ACCESS_KEY_ID": "A"})

    assert done.returncode == 98
    assert done.stderr.count("\n") == 1
    assert "credentials are not understood" in done.stderr
