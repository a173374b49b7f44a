"""``nbbatch run``: executes a notebook in a kernel and shows every cell as it runs."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, TextIO

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from nbbatch.errors import UsageError

__all__ = ["run_notebook"]

#: What a job's line says for those who read it later.
_SEEN = re.compile(r" — last seen [-\d]+ [:\d]+; %batch card \S+ shows it now")
#: Seconds for a kernel to start, and for what a cell has shown to arrive after its end: what is
#: later is lost. nbclient's own are for a machine that has nothing else to do.
_STARTS, _ARRIVES = 300, 60
_RULE = "─"
_WIDTH = 80


def run_notebook(source: Path, target: Path, out: TextIO) -> int:
    """Execute the notebook `source`, save it as `target`, and tell `out` about each cell.

    Returns
    -------
    int
        0, or 1 where a cell failed; the cells until then are saved either way.

    Raises
    ------
    UsageError
        There is no such notebook, or it is not one.
    """
    notebook = _read(source)
    client = _Client(notebook, out, resources={"metadata": {"path": str(source.parent)}})
    started = time.monotonic()
    try:
        client.execute()
        failed = 0
    except CellExecutionError:
        failed = 1
    except DeadKernelError as error:
        print(f"the kernel died: {error}", file=out)
        failed = 1
    finally:
        nbformat.write(notebook, target)  # type: ignore[no-untyped-call]
    word = "failed" if failed else "done"
    print(
        f"{_RULE * _WIDTH}\n{word} in {time.monotonic() - started:.1f} s; saved {target}", file=out
    )
    return failed


def _read(source: Path) -> Any:
    try:
        return nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        raise UsageError(
            f"there is no notebook {source}", "no such file", "nbbatch run PATH.ipynb"
        ) from None
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise UsageError(f"{source} can't be read", str(error), "is it a notebook?") from error


class _Client(NotebookClient):  # type: ignore[misc, unused-ignore]
    """nbclient, telling what happens as it happens."""

    def __init__(self, notebook: Any, out: TextIO, **options: Any) -> None:
        # Errors only: the kernel warns about its own loopback connection at every start.
        quiet = ["--log-level=ERROR"]
        super().__init__(
            notebook, timeout=None, kernel_name="python3", extra_arguments=quiet,
            startup_timeout=_STARTS, iopub_timeout=_ARRIVES, **options,
        )  # fmt: skip
        self._out = out
        self._began = 0.0
        self._line_open = False
        self._last: dict[str, str] = {}  # what was said of an output that is replaced
        self.on_cell_start = self._start
        self.on_cell_executed = self._end

    def _start(self, cell: Any, cell_index: int) -> None:
        if cell.cell_type != "code":
            return
        self._began = time.monotonic()
        number = f" cell {cell_index + 1} "
        self._say(f"{number:{_RULE}^{_WIDTH}}")
        self._say("\n".join(f"│ {line}" for line in cell.source.splitlines()))

    def _end(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        failed = execute_reply["content"]["status"] == "error"
        word = "raised" if failed else "ok"
        self._say(f"└ {word}, {time.monotonic() - self._began:.2f} s")

    def output(self, outs: Any, msg: Any, display_id: str | None, cell_index: int) -> Any:
        """Show an output as it arrives."""
        self._is_news(msg["content"])
        self._show(msg["msg_type"], msg["content"])
        return super().output(outs, msg, display_id, cell_index)

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Show an output that replaces one: a job's card, when the job is over."""
        if msg["msg_type"] == "update_display_data" and self._is_news(msg["content"]):
            self._show("display_data", msg["content"])
        return super().process_message(msg, cell, cell_index)

    def _is_news(self, content: Any) -> bool:
        """Tell whether an output that is replaced says something else than before.

        A job's line does where its state is another one: what it uses until then is for its end.
        """
        id_ = content.get("transient", {}).get("display_id")
        if id_ is None:
            return True
        text: str = content["data"].get("text/plain", "")
        if _SEEN.search(text):
            text = text.partition(" · ")[0]
        before, self._last[id_] = self._last.get(id_), text
        return text != before

    def _show(self, kind: str, content: Any) -> None:
        if kind == "stream":
            self._write(content["text"])
        elif kind == "error":
            self._say("\n".join(content["traceback"]))
        else:
            data = content["data"]
            others = ", ".join(mime for mime in data if mime.startswith(("image/", "text/html")))
            text = _SEEN.sub("", data.get("text/plain", ""))
            self._say(f"{text}  [{others}]" if others.startswith("image") else text)

    def _say(self, text: str) -> None:
        self._write(("\n" if self._line_open else "") + text + "\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
        self._line_open = bool(text) and not text.endswith("\n")
