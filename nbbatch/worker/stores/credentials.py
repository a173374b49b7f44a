"""Who the job is to AWS: the first source that is there, asked again before it expires.

In this order: the environment, a web identity token (EKS), the container's endpoint (ECS, EKS
pod identity), the instance's metadata (IMDSv2).
"""

from __future__ import annotations

import calendar
import http.client
import json
import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from nbbatch.worker.stores.net import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Seconds before the end at which new ones are fetched.
MARGIN = 300.0
_CONTAINER = "http://169.254.170.2"
_INSTANCE = "http://169.254.169.254"
_PLAIN_HTTP = frozenset(
    {"127.0.0.1", "::1", "localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"}
)


class NoCredentialsError(OSError):
    """No source has credentials, or the one that is there refused; never quotes a secret."""

    passing = True


class Credentials(NamedTuple):
    """A key pair, and until when (seconds since the epoch) it is good."""

    access_key: str
    secret_key: str
    token: str = ""
    expires: float | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, ...)"


class Chain:
    """The credentials of this process, shared by its threads.

    Parameters
    ----------
    environ
        Where the sources are named; the process's own environment if not given.
    clock
        Seconds since the epoch.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Credentials | None = None

    def get(self) -> Credentials:
        """Return credentials that are good for at least a while.

        Raises
        ------
        NoCredentialsError
            None can be had.
        """
        with self._lock:
            held = self._held
            if held is None or self._left(held) < MARGIN:
                held = self._held = self._renew(held)
            return held

    def forget(self) -> None:
        """Drop what is held, as the service does not take it any more."""
        with self._lock:
            self._held = None

    def _left(self, held: Credentials) -> float:
        return float("inf") if held.expires is None else held.expires - self._clock()

    def _renew(self, held: Credentials | None) -> Credentials:
        try:
            return self._find()
        except NoCredentialsError:
            # The source may be away for a moment; what is held still works.
            if held is None or self._left(held) <= 0:
                raise
            return held

    def _find(self) -> Credentials:
        for source in (_from_environment, _from_web_identity, _from_container, _from_instance):
            found = source(self._environ)
            if found:
                return found
        raise NoCredentialsError(
            "no AWS credentials: none in the environment, no web identity, no container role "
            "(is a job role set?), no instance role"
        )


def _from_environment(environ: Mapping[str, str]) -> Credentials | None:
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not access or not secret:
        return None
    return Credentials(access, secret, environ.get("AWS_SESSION_TOKEN", ""))


def _from_web_identity(environ: Mapping[str, str]) -> Credentials | None:
    path, role = environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environ.get("AWS_ROLE_ARN")
    if not path or not role:
        return None
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": environ.get("AWS_ROLE_SESSION_NAME") or f"nbbatch-{os.getpid()}",
        "WebIdentityToken": _read("the web identity token", path),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    ask = _Ask("POST", _sts(environ), headers, urlencode(form).encode())
    answer = ask.text("the web identity of " + role)
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    return _parse({name: _element(name, answer) for name in names}, "SessionToken")


def _sts(environ: Mapping[str, str]) -> str:
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.{suffix}/"


def _from_container(environ: Mapping[str, str]) -> Credentials | None:
    relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    url = _CONTAINER + relative if relative else environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not url:
        return None
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in _PLAIN_HTTP:
        raise NoCredentialsError(f"the container's credentials are not asked for at {url}")
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    path = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if path:
        token = _read("the container's authorization token", path)
    ask = _Ask("GET", url, {"Authorization": token} if token else {}, timeout=5, direct=True)
    return _parse(ask.json("the container's credentials endpoint"))


def _from_instance(environ: Mapping[str, str]) -> Credentials | None:
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    base = (environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _INSTANCE).rstrip("/") + "/latest"
    roles = base + "/meta-data/iam/security-credentials/"
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
    what = "the instance's metadata"
    try:
        token = _Ask("PUT", base + "/api/token", life, timeout=1, direct=True).text(what)
        headers = {"X-aws-ec2-metadata-token": token}
        role = _Ask("GET", roles, headers, timeout=1, direct=True).text(what).split("\n")[0]
        return _parse(_Ask("GET", roles + role, headers, timeout=1, direct=True).json(what))
    except _UnansweredError:
        return None


class _UnansweredError(NoCredentialsError):
    """The source did not answer, or has nothing."""


class _Ask(NamedTuple):
    """One small request to a source of credentials."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    timeout: float = 10
    direct: bool = False

    def text(self, what: str, attempts: int = 3) -> str:
        """Return the answer; `what` names the source in an error."""
        problems: list[str] = []
        for attempt in range(attempts):
            time.sleep(attempt * 0.2)
            try:
                status, answer = self._once()
            except (OSError, http.client.HTTPException) as error:
                problems.append(f"{type(error).__name__}: {error}")
                continue
            if status == http.client.OK:
                return answer
            problems.append(f"HTTP {status} {_element('Code', answer)}".rstrip())
            if status < http.client.INTERNAL_SERVER_ERROR and status != _TOO_MANY:
                break
        raise _UnansweredError(f"{what}: {problems[-1]}")

    def json(self, what: str) -> dict[str, Any]:
        try:
            answer = json.loads(self.text(what))
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise NoCredentialsError(f"{what}: the answer is no JSON object")
        return answer

    def _once(self) -> tuple[int, str]:
        url = urlsplit(self.url)
        link = connect(f"{url.scheme}://{url.netloc}", self.timeout, direct=self.direct)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            body = self.body or None
            link.connection.request(
                self.method, link.prefix + path, body, {**link.headers, **self.headers}
            )
            reply = link.connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            link.connection.close()


_TOO_MANY = 429


def _element(name: str, xml: str) -> str:
    found = re.search(f"<{name}>([^<]*)</{name}>", xml)
    return found.group(1).strip() if found else ""


def _parse(found: Mapping[str, Any], session: str = "Token") -> Credentials:
    try:
        pair = found["AccessKeyId"], found["SecretAccessKey"]
        if all(pair):
            end = _seconds(found.get("Expiration") or "")
            return Credentials(*pair, found.get(session) or "", end)
    except (KeyError, TypeError, ValueError):
        pass
    # Not chained: the cause might quote the answer.
    raise NoCredentialsError("the answer of the credentials' source is not understood") from None


def _seconds(stamp: str) -> float | None:
    # ISO 8601 in UTC, with or without a fraction.
    parts = re.match(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)", stamp)
    return float(calendar.timegm((*map(int, parts.groups()), 0, 0, 0))) if parts else None


def _read(what: str, path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise NoCredentialsError(f"{what}: {error}") from error
