"""``%batch``: look at jobs and settings, fetch a job's results again."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nbbatch.capture.values import Scene, capture_session
from nbbatch.catching import settle
from nbbatch.doctor import report
from nbbatch.errors import UsageError
from nbbatch.follow import Detached, Follower, fitting_emitter, follow, show_again
from nbbatch.futures.lazy import lazy_value
from nbbatch.listing import describe_settings, list_jobs
from nbbatch.magics.arrivals import arrives
from nbbatch.magics.cell import take_results
from nbbatch.magics.line import help_text, parse_options
from nbbatch.magics.namespace import bind
from nbbatch.monitoring import monitor
from nbbatch.origin import notebook
from nbbatch.session import current_session
from nbbatch.tidying import tidied

__all__ = ["COMMANDS", "OF_ONE_JOB", "run_command"]

#: The commands that take a job's id or name.
OF_ONE_JOB = ("logs", "cancel", "attach", "card")


def run_command(shell: Any, line: str) -> Any:
    """Run one of the commands of ``%batch``.

    Raises
    ------
    UsageError
        There is no such command, or it needs a job's id.
    """
    words = shlex.split(line)
    if not words or words[0].startswith("--"):
        words = ["monitor", *words]
    name = words[0]
    command = COMMANDS.get(name)
    if command is None:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        known = ", ".join(COMMANDS)
        raise UsageError(
            f"%batch has no command {name}",
            "unknown name",
            f"did you mean %batch {near[0]}?" if near else f"one of {known}",
        )
    return command(shell, words[1:])


def _id(words: list[str], command: str) -> str:
    if len(words) != 1:
        raise UsageError(
            f"%batch {command} takes one job",
            f"it was given {len(words)} words",
            f"%batch {command} ID, as %batch jobs lists them",
        )
    return words[0]


def _flags(words: list[str], command: str, *known: str) -> set[str]:
    """Return the flags that were given to a command that takes nothing else."""
    unknown = [word for word in words if word not in known]
    if unknown:
        raise UsageError(
            f"%batch {command} does not take {unknown[0]}",
            "unknown flag" if unknown[0].startswith("-") else "it takes no such word",
            f"%batch {command} {' '.join(f'[{flag}]' for flag in known)}",
        )
    return set(words)


def _monitor(shell: Any, words: list[str]) -> None:
    """Show this notebook's jobs live, or with --all every one of yours."""
    monitor(all=bool(_flags(words, "monitor", "--all")))


def _jobs(shell: Any, words: list[str]) -> None:
    """List the jobs that you started."""
    given = _flags(words, "jobs", "--notebook", "--all")
    of = notebook() if "--notebook" in given else ""
    print(list_jobs(of, None) if "--all" in given else list_jobs(of))


def _logs(shell: Any, words: list[str]) -> None:
    """Print what a job has said."""
    job = current_session().attach(_id(words, "logs"))
    print(job.logs(), end="")


def _cancel(shell: Any, words: list[str]) -> None:
    """Ask a job to stop."""
    id_ = current_session().cancel(_id(words, "cancel"))
    print(f"job {id_} was asked to stop")


def _attach(shell: Any, words: list[str]) -> Any:
    """Follow a job, or paint its outputs again; its variables go into the namespace."""
    follower = Follower()
    job = current_session().attach(_id(words, "attach"), follower)
    try:
        follow(job, follower, fitting_emitter(), detachable=True)
    except Detached:
        if job.kind == "cell":
            arrives(shell, job, ())
        return job
    if job.kind == "cell":
        take_results(shell, job)
        return None
    if job.record.children is not None:
        # Some of its items may have failed, and the others' values are wanted all the same.
        return job
    value = lazy_value(job)
    settle(job, partial(bind, shell))
    return value


def _card(shell: Any, words: list[str]) -> None:
    """Open a job's live card again, also after its end."""
    follower = Follower()
    show_again(current_session().attach(_id(words, "card"), follower), follower)


def _config(shell: Any, words: list[str]) -> None:
    """Show the settings in force, and where each came from."""
    print(describe_settings())


def _doctor(shell: Any, words: list[str]) -> None:
    """Look for what keeps jobs from running, and say what to type."""
    options = parse_options(shlex.join(words), "%batch doctor")
    report(options, partial(print, end="", flush=True))


def _env(shell: Any, words: list[str]) -> None:
    """Say which libraries of this notebook a job would be given, and why."""
    session = current_session()
    options = session.options(parse_options(shlex.join(words), "%batch env"))
    hidden = shell.user_ns_hidden
    own = {k: v for k, v in shell.user_ns.items() if k not in hidden and not k.startswith("_")}
    print(session.supply.described(capture_session(own, Scene(Path.cwd())), options))


def _clean(shell: Any, words: list[str]) -> None:
    """Remove what is old: [--older-than 30d] [--dry-run] [--cache]."""
    print(tidied(words, "%batch clean"))


def _help(shell: Any, words: list[str]) -> None:
    """Describe the options and the commands."""
    rows = []
    for name, command in COMMANDS.items():
        usage = f"%batch {name}{' ID' if name in OF_ONE_JOB else ''}"
        rows.append(f"  {usage:<20}{(command.__doc__ or '').splitlines()[0]}")
    print("\n".join([help_text(), "\nCommands:", *rows]))


COMMANDS: Mapping[str, Callable[[Any, list[str]], Any]] = {
    "monitor": _monitor,
    "jobs": _jobs,
    "logs": _logs,
    "cancel": _cancel,
    "attach": _attach,
    "card": _card,
    "config": _config,
    "doctor": _doctor,
    "env": _env,
    "clean": _clean,
    "help": _help,
}
