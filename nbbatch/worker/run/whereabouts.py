"""Where the job runs, as its task and its instance tell it: asked beside the job, told when known.

Batch itself names neither the zone nor, but for multi-node jobs, the type of the instance.
"""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any, Dict, List, Mapping, Optional

from nbbatch.wire import keys
from nbbatch.wire.frames import Frame, frame
from nbbatch.worker.run import metadata

#: What an instance is asked for, by what we call it.
_ASKED = {
    "instance": "instance-type",
    "instance_id": "instance-id",
    "zone": "placement/availability-zone",
    "life": "instance-life-cycle",
}
_TASK = "ECS_CONTAINER_METADATA_URI_V4"


class Search:
    """Asks once, in a thread of its own.

    Parameters
    ----------
    environ
        Says whom to ask.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._found: List[Frame] = []

    def start(self) -> None:
        """Begin to ask, if there is anybody."""
        asks = self._environ.get(_TASK) or metadata.on_instance(self._environ)
        if asks and metadata.in_batch(self._environ):
            threading.Thread(target=self.run, name="whereabouts", daemon=True).start()

    def run(self) -> None:
        """Ask the task, then the instance, for what each of them knows."""
        given: Dict[str, Any] = {}
        fields: Dict[str, Any] = {}
        with contextlib.suppress(*metadata.failures(), ValueError, TypeError, AttributeError):
            self._ask_task(given, fields)
        with contextlib.suppress(*metadata.failures()):
            self._ask_instance(given)
        region = self._environ.get("AWS_REGION") or self._environ.get("AWS_DEFAULT_REGION")
        if region:
            given["region"] = region
        if self._environ.get(keys.ENV_BATCH_KUBERNETES_NODE):
            given["platform"] = "EKS"
        if given:
            self._found.append(frame("place", given=given, **fields))

    def take(self) -> List[Frame]:
        """Return what has been found since the last time, as frames."""
        found, self._found = self._found, []
        return found

    def _ask_task(self, given: Dict[str, Any], fields: Dict[str, Any]) -> None:
        address = self._environ.get(_TASK)
        if not address:
            return
        status, text = metadata.ask("GET", f"{address}/task", {})
        task = json.loads(text) if status == metadata.OK else {}
        for name, key in (("zone", "AvailabilityZone"), ("platform", "LaunchType")):
            if task.get(key):
                given[name] = str(task[key])
        # Its image is fetched: that is what STARTING is about.
        starting_at = _seconds(str(task.get("PullStartedAt", "")))
        if starting_at is not None:
            fields["starting_at"] = starting_at

    def _ask_instance(self, given: Dict[str, Any]) -> None:
        if not metadata.on_instance(self._environ):
            return
        instance = metadata.Instance(self._environ)
        for name, path in _ASKED.items():
            status, text = instance.get(f"meta-data/{path}")
            if status == metadata.OK and text.strip():
                given[name] = text.strip()


def _seconds(stamp: str) -> Optional[float]:
    """Read a time in UTC, with as many digits of a second as there are."""
    # Loaded only here: most jobs never ask.
    import calendar
    import re

    found = re.match(r"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(\.\d+)?", stamp)
    if found is None:
        return None
    whole = calendar.timegm((*map(int, found.groups()[:6]), 0, 0, 0))
    return whole + float(found.group(7) or 0)
