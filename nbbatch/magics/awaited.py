"""``%%batch`` as a cell that awaits, where the kernel can run one.

While a cell awaits, the kernel's event loop serves its page: a page that is loaded again finds the
card, and clicks come at once. So the text that IPython makes of a ``%%batch`` cell, a call of the
magic, is awaited. Everywhere else (in a terminal, inside ``%%time``, ``%run`` or `run_cell`, under
``%autoawait off``) the magic blocks, and does the same.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["AWAITED", "awaits", "plain_input"]

#: The cell magic that returns an awaitable.
AWAITED = "batch_awaited"
#: How IPython calls the magics, and how they are awaited.
_PLAIN = "get_ipython().run_cell_magic('batch', "
_AWAITED = f"await get_ipython().run_cell_magic({AWAITED!r}, "


class _Transformer:
    """Awaits the call of ``%%batch`` that a cell has become; after all that IPython does."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        if len(lines) != 1 or not lines[0].startswith(_PLAIN) or not _can_await(self._shell):
            return lines
        # IPython refuses an empty body, and names the magic as it does.
        if lines[0].rstrip().endswith(", '')"):
            return lines
        return [_AWAITED + lines[0].removeprefix(_PLAIN)]


def awaits(shell: Any) -> None:
    """Have a kernel's ``%%batch`` cells await; once is enough."""
    transformers = getattr(shell, "input_transformers_post", None)
    if transformers is not None and not any(isinstance(t, _Transformer) for t in transformers):
        transformers.append(_Transformer(shell))


def plain_input(shell: Any) -> None:
    """Leave the plain call in ``In``: a macro, for example, runs it inside another cell."""
    inputs = shell.user_ns.get("In", ())
    if inputs and inputs[-1].startswith(_AWAITED):
        inputs[-1] = _PLAIN + inputs[-1].removeprefix(_AWAITED)


def _can_await(shell: Any) -> bool:
    """Tell whether the text is for a cell that ipykernel runs in its own event loop, by itself."""
    ipykernel = sys.modules.get("ipykernel.ipkernel")
    kernel = getattr(shell, "kernel", None)
    return (
        ipykernel is not None
        and isinstance(kernel, ipykernel.IPythonKernel)
        and shell.autoawait
        and shell.loop_runner is ipykernel._asyncio_runner
        and kernel.get_parent().get("header", {}).get("msg_type") == "execute_request"
        # Set while a cell runs: what is run inside of one can't wait for the loop.
        and sys.displayhook is not shell.displayhook
        and _loop_runs()
    )


def _loop_runs() -> bool:
    # Whoever runs a loop has loaded it; `%load_ext` need not.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
