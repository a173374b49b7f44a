"""The state file of a job: written whole, or not at all."""

import os
import time

STATE_FILE = "state.json"
STOP_FILE = "stop"
#: The states that each attempt comes through, in their order.
ATTEMPT_STATES = ("RUNNABLE", "STARTING", "RUNNING")
LOCK_FILE = "lock"
#: The descriptor on which a supervisor inherits the lock that shows that it lives.
LOCK_FD = 3


def log_name(attempt: int) -> str:
    """Name the file with the output of one attempt."""
    return f"log.{attempt}"


def node_folder(folder: str, node: int) -> str:
    """Name the folder of one node of a multi-node job."""
    return os.path.join(folder, f"node.{node}")


def child_folder(folder: str, child: int) -> str:
    """Name the folder of one child of an array."""
    return os.path.join(folder, f"child.{child}")


class Record:
    """What is known about one job, kept on disk.

    Every state leaves its time behind as ``<state>_at``; those of an attempt before the last as
    ``<state>_at.<attempt>``, with the reason of its end as ``reason.<attempt>``.

    Parameters
    ----------
    folder
        Of the job.
    facts
        What does not change.
    """

    def __init__(self, folder: str, **facts: object) -> None:
        self.facts = facts
        self._path = os.path.join(folder, STATE_FILE)

    def enter(self, state: str, **facts: object) -> None:
        """Note a new state and what is known with it.

        Raises
        ------
        OSError
            It can't be written.
        """
        self.facts.update(facts, state=state)
        self.facts[f"{state.lower()}_at"] = round(time.time(), 6)
        self._write(encode(self.facts).encode())

    def update(self, **facts: object) -> None:
        """Note what else is known in the same state.

        Raises
        ------
        OSError
            It can't be written.
        """
        self.facts.update(facts)
        self._write(encode(self.facts).encode())

    def begin(self, attempt: int, reason: str) -> None:
        """Set apart what is known of the attempts before, the last of which ended so."""
        for state in ATTEMPT_STATES:
            name = f"{state.lower()}_at"
            if name in self.facts:
                self.facts[f"{name}.{attempt - 1}"] = self.facts.pop(name)
        self.facts[f"reason.{attempt - 1}"] = reason

    def _write(self, data: bytes) -> None:
        pending = f"{self._path}.{os.getpid()}"
        try:
            _write_file(pending, data, os.O_CREAT | os.O_TRUNC)
            os.replace(pending, self._path)
        except OSError:
            _remove(pending)
            # On a full disk the blocks that the file already has can still be written.
            _write_file(self._path, data.ljust(os.stat(self._path).st_size), 0)


def _write_file(path: str, data: bytes, flags: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
    try:
        if os.write(file, data) != len(data):
            raise OSError(28, "No space left on device", path)
    finally:
        os.close(file)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def encode(facts: "dict[str, object]") -> str:
    """Write a flat mapping as JSON; the `json` module takes longer to load than all the rest."""
    return "{" + ", ".join(f"{_text(k)}: {_value(v)}" for k, v in facts.items()) + "}"


def _value(value: object) -> str:
    if value is None:
        return "null"
    return repr(value) if isinstance(value, (int, float)) else _text(str(value))


def _text(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return '"' + "".join("\\u" + units[i : i + 4] for i in range(0, len(units), 4)) + '"'
