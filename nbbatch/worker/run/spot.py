"""The notice that a Spot instance is about to be taken away: asked for, and kept in a file.

EC2 gives it two minutes before, in the instance's metadata; Fargate with SIGTERM.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from typing import Mapping, Tuple, Type

from nbbatch.wire import keys

#: Seconds between two questions; the first one comes after as many.
POLL = 5.0
#: Seconds for one answer: the metadata is on the machine itself.
_PATIENCE = 1.0
#: How often the metadata may fail to answer at first: a container may not reach them at all.
_TRIES = 2
#: Seconds that Fargate gives a container between SIGTERM and SIGKILL, unless it says more.
_FARGATE_GRACE = 30
_OK, _UNAUTHORIZED = 200, 401
_INSTANCE = "http://169.254.169.254"


def on_fargate(environ: Mapping[str, str]) -> bool:
    """Tell whether the container runs on Fargate."""
    return environ.get("AWS_EXECUTION_ENV", "") == "AWS_ECS_FARGATE"


def _worth_asking(environ: Mapping[str, str]) -> bool:
    disabled = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    in_batch = environ.get(keys.ENV_BATCH_CE, "") not in ("", keys.LOCAL)
    return in_batch and not disabled and not on_fargate(environ)


def noticed(environ: Mapping[str, str]) -> bool:
    """Tell whether this instance is known to be taken away."""
    return _worth_asking(environ) and os.path.exists(keys.spot_notice(environ))


def note_fargate(environ: Mapping[str, str]) -> None:
    """Take SIGTERM for the notice that it is on Fargate Spot."""
    if on_fargate(environ):
        end = time.gmtime(time.time() + _FARGATE_GRACE)
        _write(keys.spot_notice(environ), time.strftime("%Y-%m-%dT%H:%M:%SZ", end))


class Watch:
    """Asks for the notice, in a thread of its own, as long as that makes sense.

    Parameters
    ----------
    poll
        Seconds before each question.

    Attributes
    ----------
    time
        When the instance goes, as EC2 writes it; ``""`` while nothing is known.
    """

    def __init__(self, environ: Mapping[str, str], poll: float = POLL) -> None:
        self._environ = environ
        self._poll = poll
        self._base = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _INSTANCE
        self._token = ""
        self.time = ""

    def start(self) -> None:
        """Begin to ask, unless this is no instance of EC2."""
        if not _worth_asking(self._environ):
            return
        # Left by an earlier job, where the folder is the instance's own.
        with contextlib.suppress(OSError):
            os.unlink(keys.spot_notice(self._environ))
        threading.Thread(target=self.run, name="spot", daemon=True).start()

    def run(self) -> None:
        """Ask until the notice comes, or it is clear that none will."""
        if not self._is_spot():
            return
        while not self.time:
            with contextlib.suppress(*_failures(), ValueError, KeyError):
                status, text = self._get("meta-data/spot/instance-action")
                if status == _OK:
                    found = str(json.loads(text)["time"])
                    _write(keys.spot_notice(self._environ), found)
                    self.time = found
                    return
            time.sleep(self._poll)

    def _is_spot(self) -> bool:
        for _ in range(_TRIES):
            time.sleep(self._poll)
            with contextlib.suppress(*_failures()):
                status, text = self._get("meta-data/instance-life-cycle")
                return status == _OK and text.strip() == "spot"
        return False

    def _get(self, path: str) -> Tuple[int, str]:
        if not self._token:
            life = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
            status, token = self._ask("PUT", "api/token", life)
            if status != _OK:
                raise OSError(f"no token: HTTP {status}")
            self._token = token
        status, text = self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
        if status == _UNAUTHORIZED:
            self._token = ""
        return status, text

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> Tuple[int, str]:
        from nbbatch.worker.stores.net import connect

        connection = connect(self._base.rstrip("/"), _PATIENCE, direct=True).connection
        try:
            connection.request(method, f"/latest/{path}", headers=dict(headers))
            reply = connection.getresponse()
            return reply.status, reply.read().decode("utf-8", "replace")
        finally:
            connection.close()


def _failures() -> Tuple[Type[Exception], ...]:
    # Loaded only where it is asked: most jobs never do.
    import http.client

    return OSError, http.client.HTTPException


def _write(path: str, text: str) -> None:
    # A root file system that can't be written: the card still has the notice.
    with contextlib.suppress(OSError):
        pending = f"{path}.{os.getpid()}"
        with open(pending, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(pending, path)
