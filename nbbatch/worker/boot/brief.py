"""As much of `stores.s3client` as gets one object, for a command that must be short.

Where a job definition is somebody else's the command is an override, and Batch takes few of them.
Stands in for `stores.s3client` in `fetch`; the worker that it gets brings the whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from nbbatch.worker.stores.sigv4 import Target, encode_path, sign

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRIES = 6
_REGION_HEADER = "x-amz-bucket-region"
#: From here on it may be another time.
_FAILURE = 500


class Request(NamedTuple):
    """What is asked of the bucket: one object."""

    method: str
    key: str


class Reply(NamedTuple):
    """An answer, read to its end."""

    body: bytes


class Client:
    """Gets objects; see `nbbatch.worker.stores.s3client.Client`."""

    def __init__(self, bucket: str, region: str = "", endpoint: str = "") -> None:
        self.bucket, self.region, self.endpoint = bucket, region or "us-east-1", endpoint

    def call(self, request: Request) -> Reply:
        """Return an object, after several tries where that may help.

        Raises
        ------
        OSError
            It can't be had.
        """
        problem = OSError()
        for attempt in range(_TRIES):
            time.sleep(attempt * attempt * 0.2)
            try:
                return Reply(self._get(request.key))
            except urllib.error.HTTPError as error:
                problem = error
                self.region, before = error.headers.get(_REGION_HEADER) or self.region, self.region
                if error.code < _FAILURE and before == self.region:
                    break
            except OSError as error:
                problem = error
            except (KeyError, IndexError) as error:
                raise OSError(f"the AWS credentials are not understood: {error!r}") from None
        raise problem

    def close(self) -> None:
        """Keep nothing open."""

    def _get(self, key: str) -> bytes:
        suffix = ".cn" if self.region.startswith("cn-") else ""
        origin = self.endpoint.rstrip("/") or f"https://s3.{self.region}.amazonaws.com{suffix}"
        path = encode_path(f"/{self.bucket}/{key}")
        target = Target("GET", urlsplit(origin).netloc, path, "", self.region)
        empty = hashlib.sha256().hexdigest()
        headers = sign(target, {}, empty, credentials(os.environ), time.time())
        return _ask(origin + path, headers, timeout=60)


class Who(NamedTuple):
    """Whom to sign as."""

    access_key: str
    secret_key: str
    token: str = ""


def credentials(environ: Mapping[str, str]) -> Any:
    """Return those of the environment, the web identity, the container or the instance."""
    get = environ.get
    if get("AWS_ACCESS_KEY_ID"):
        pair = environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]
        return Who(*pair, get("AWS_SESSION_TOKEN", ""))
    file, relative = (
        get("AWS_WEB_IDENTITY_TOKEN_FILE"),
        get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    )
    if file:
        return _web_identity(environ, file)
    full = get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if relative or full:
        return _container(environ, f"http://169.254.170.2{relative}" if relative else full or "")
    return _instance()


def _web_identity(environ: Mapping[str, str], file: str) -> Who:
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    suffix = ".cn" if region.startswith("cn-") else ""
    url = environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.amazonaws.com{suffix}/"
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": environ["AWS_ROLE_ARN"],
        "RoleSessionName": "nbbatch",
        "WebIdentityToken": _read(file),
    }
    answer = _ask(url, {}, urlencode(form).encode()).decode()
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    return Who(*(re.findall(f"<{name}>([^<]*)<", answer)[0] for name in names))


def _container(environ: Mapping[str, str], url: str) -> Who:
    file = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = _read(file) if file else environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    return _parsed(_ask(url, {"Authorization": token} if token else {}, direct=True))


def _instance() -> Who:
    base = "http://169.254.169.254/latest/"
    roles = base + "meta-data/iam/security-credentials/"
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "600"}
    token = _ask(base + "api/token", life, direct=True, method="PUT").decode()
    headers = {"X-aws-ec2-metadata-token": token}
    role = _ask(roles, headers, direct=True).decode().split("\n")[0]
    return _parsed(_ask(roles + quote(role), headers, direct=True))


def _parsed(answer: bytes) -> Who:
    found = json.loads(answer)
    return Who(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token") or "")


def _ask(
    url: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    *,
    direct: bool = False,
    method: str = "",
    timeout: float = 5,
) -> bytes:
    # What is on the link-local network is not behind a proxy.
    proxies = [urllib.request.ProxyHandler({})] if direct else []
    asked = urllib.request.Request(url, body, dict(headers), method=method or None)
    with urllib.request.build_opener(*proxies).open(asked, timeout=timeout) as answer:
        data: bytes = answer.read()
    return data


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()
