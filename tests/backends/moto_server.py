"""moto's AWS in this process: one server for all tests, as careful with many clients as AWS."""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Callable


@functools.cache
def moto_address() -> str:
    """Start moto, once in this process."""
    for name in ("_bucket_response", "_key_response"):
        setattr(S3Response, name, _one_at_a_time(getattr(S3Response, name)))
    # Else each request becomes a line of the log, which nobody reads.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # It writes head and body apart: else the body waits until the head is acknowledged.
    MotoRequestHandler.disable_nagle_algorithm = True
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    return "http://{}:{}".format(*server.get_host_and_port())


_turn = threading.RLock()


def _one_at_a_time(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Have S3 do one thing after the other; by then the whole request has been read.

    Of two that write an object if it is not there, moto lets both; it reads, lists and throws away
    what another request is about to write.
    """

    @functools.wraps(answer)
    def answered(*args: Any) -> Any:
        with _turn:
            return answer(*args)

    return answered
