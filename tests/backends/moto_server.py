"""moto's AWS, on which of several writers of one new object only one is the first.

S3 promises that. moto looks whether there is such an object, and writes it a moment later.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable

#: What writes objects, in one go and as the last step of several.
_WRITING = ("put_object", "_key_response_post")


def moto_server() -> ThreadedMotoServer:
    """Make a server; `start` starts it."""
    _one_at_a_time()
    return ThreadedMotoServer("127.0.0.1", 0, verbose=False)


@functools.cache
def _one_at_a_time() -> None:
    lock = threading.RLock()
    for name in _WRITING:
        setattr(S3Response, name, _locked(getattr(S3Response, name), lock))


def _locked(work: Callable[..., Any], lock: Any) -> Callable[..., Any]:
    @functools.wraps(work)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return work(*args, **kwargs)

    return locked
