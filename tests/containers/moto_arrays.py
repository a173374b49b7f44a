"""moto's server, whose Batch also tells each child of an array which one it is, as AWS does."""

from __future__ import annotations

from typing import Any

from moto.batch.models import Job
from moto.server import main

_property = Job._get_container_property


def _with_index(self: Job, name: str, default: Any) -> Any:
    if name != "environment":
        return _property(self, name, default)
    # The children have one request: what is added for one must not be there for the next.
    own = list(self.container_overrides.get(name, default))
    self.container_overrides = {**self.container_overrides, name: own}
    found = _property(self, name, default)
    index = self.array_properties.get("index")
    if index is not None:
        found.append({"name": "AWS_BATCH_JOB_ARRAY_INDEX", "value": str(index)})
    return found


if __name__ == "__main__":
    Job._get_container_property = _with_index  # type: ignore[method-assign]
    main()
