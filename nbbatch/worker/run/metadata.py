"""What the machine says about itself: the instance's metadata (IMDSv2), and that of its task (ECS).

Both are asked on the link-local network, with short patience, beside the job and never before it.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
"""

from __future__ import annotations

from typing import Mapping, Tuple, Type

from nbbatch.wire import keys

#: Seconds for one answer: the metadata is on the machine itself.
_PATIENCE = 1.0
OK, _UNAUTHORIZED = 200, 401
_INSTANCE = "http://169.254.169.254"


def in_batch(environ: Mapping[str, str]) -> bool:
    """Tell whether this is a job of AWS Batch, and none of the local backend's."""
    return environ.get(keys.ENV_BATCH_CE, "") not in ("", keys.LOCAL)


def on_fargate(environ: Mapping[str, str]) -> bool:
    """Tell whether the container runs on Fargate."""
    return environ.get("AWS_EXECUTION_ENV", "") == "AWS_ECS_FARGATE"


def on_instance(environ: Mapping[str, str]) -> bool:
    """Tell whether there may be an instance of EC2 to ask."""
    disabled = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    return in_batch(environ) and not disabled and not on_fargate(environ)


class Instance:
    """The metadata of the instance, with the token that asking takes."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._base = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _INSTANCE
        self._token = ""

    def get(self, path: str) -> Tuple[int, str]:
        """Return the status and the text at a path below ``latest``.

        Raises
        ------
        OSError, http.client.HTTPException
            It does not answer, or not to us.
        """
        if not self._token:
            life = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
            status, token = self._ask("PUT", "api/token", life)
            if status != OK:
                raise OSError(f"no token: HTTP {status}")
            self._token = token
        status, text = self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
        if status == _UNAUTHORIZED:
            self._token = ""
        return status, text

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> Tuple[int, str]:
        return ask(method, f"{self._base.rstrip('/')}/latest/{path}", headers)


def ask(method: str, address: str, headers: Mapping[str, str]) -> Tuple[int, str]:
    """Ask at an address of the machine's own; return the status and the text."""
    # Loaded only where it is asked: most jobs never do.
    from urllib.parse import urlsplit

    from nbbatch.worker.stores.net import connect

    url = urlsplit(address)
    connection = connect(f"{url.scheme}://{url.netloc}", _PATIENCE, direct=True).connection
    try:
        connection.request(method, url.path, headers=dict(headers))
        reply = connection.getresponse()
        return reply.status, reply.read().decode("utf-8", "replace")
    finally:
        connection.close()


def failures() -> Tuple[Type[Exception], ...]:
    """Return how a question may fail."""
    import http.client

    return OSError, http.client.HTTPException
