"""Waiting for other jobs, as Batch's ``dependsOn`` does; loaded only where there are any.

https://docs.aws.amazon.com/batch/latest/userguide/job_dependencies.html
"""

import fcntl
import json
import os
import time

from .processes import exists
from .record import LOCK_FILE, STATE_FILE
from .stop import Stop

#: Seconds between two looks at the other jobs, at first and at most.
_LOOK, _LOOK_MOST = 0.05, 1.0
#: Jobs that are named.
_NAMED = 3


def wait(folders: "list[str]", stop: Stop) -> str:
    """Wait until all of the jobs have succeeded, or this one is to stop.

    Returns
    -------
    str
        Why this job can't be started; empty where it can, or is to stop.
    """
    pause = _LOOK
    while folders and not stop.reason():
        words = {folder: _word(folder) for folder in folders}
        for folder, word in words.items():
            if word not in ("", "SUCCEEDED"):
                return f"Dependent Job {os.path.basename(folder)} failed: {word}"
        folders = [folder for folder in folders if not words[folder]]
        if folders:
            time.sleep(pause)
            pause = min(pause * 1.2, _LOOK_MOST)
    return ""


def words(folders: "list[str]") -> str:
    """Say in a few words what is waited for."""
    names = ", ".join(os.path.basename(folder) for folder in folders[:_NAMED])
    if len(folders) > _NAMED:
        names += f" and {len(folders) - _NAMED} more"
    return f"it waits for {names} to succeed"


def _word(folder: str) -> str:
    """Say how a job has ended; empty while it lives."""
    # First who answers for it, then how it is: the other way round its end might fall between.
    held = _is_held(folder)
    facts = _facts(folder)
    if held is None:
        held = exists(_supervisor(facts))
    state = facts.get("state")
    if state == "SUCCEEDED":
        return "SUCCEEDED"
    if state == "FAILED":
        return str(facts.get("reason") or "it failed")
    if state is None:
        return "there is no such job"
    return "" if held else "its supervisor died"


def _facts(folder: str) -> "dict[str, object]":
    try:
        with open(os.path.join(folder, STATE_FILE), encoding="utf-8") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return {}
    # It is being written over in place, the last resort on a full disk.
    except (OSError, ValueError):
        return {"state": "RUNNING"}


def _supervisor(facts: "dict[str, object]") -> "int | None":
    found = facts.get("supervisor")
    return found if isinstance(found, int) else None


def _is_held(folder: str) -> "bool | None":
    """Tell whether somebody answers for a job; None on a filesystem without locks."""
    try:
        lock = os.open(os.path.join(folder, LOCK_FILE), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(lock)
    return False
