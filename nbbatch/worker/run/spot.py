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
from typing import Mapping

from nbbatch.wire import keys
from nbbatch.worker.run.metadata import OK, Instance, failures, on_fargate, on_instance

#: Seconds between two questions; the first one comes after as many.
POLL = 5.0
#: How often the metadata may fail to answer at first: a container may not reach them at all.
_TRIES = 2
#: Seconds that Fargate gives a container between SIGTERM and SIGKILL, unless it says more.
_FARGATE_GRACE = 30


def noticed(environ: Mapping[str, str]) -> bool:
    """Tell whether this instance is known to be taken away."""
    return on_instance(environ) and os.path.exists(keys.spot_notice(environ))


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
        self._instance = Instance(environ)
        self.time = ""

    def start(self) -> None:
        """Begin to ask, unless this is no instance of EC2."""
        if not on_instance(self._environ):
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
            with contextlib.suppress(*failures(), ValueError, KeyError):
                status, text = self._instance.get("meta-data/spot/instance-action")
                if status == OK:
                    found = str(json.loads(text)["time"])
                    _write(keys.spot_notice(self._environ), found)
                    self.time = found
                    return
            time.sleep(self._poll)

    def _is_spot(self) -> bool:
        for _ in range(_TRIES):
            time.sleep(self._poll)
            with contextlib.suppress(*failures()):
                status, text = self._instance.get("meta-data/instance-life-cycle")
                return status == OK and text.strip() == "spot"
        return False


def _write(path: str, text: str) -> None:
    # A root file system that can't be written: the card still has the notice.
    with contextlib.suppress(OSError):
        pending = f"{path}.{os.getpid()}"
        with open(pending, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(pending, path)
