"""The same verbs in a terminal: ``nbbatch run NOTEBOOK``, ``jobs``, ``logs``, ``cancel``, ..."""

from __future__ import annotations

import argparse
import functools
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nbbatch import __version__, setup
from nbbatch.doctor import report
from nbbatch.errors import NbbatchError
from nbbatch.follow import Follower, fitting_emitter, follow
from nbbatch.listing import describe_settings, list_jobs
from nbbatch.magics.line import parse_options
from nbbatch.session import current_session
from nbbatch.tidying import tidied

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 where it failed, 2 for a wrong line."""
    parser = _parser()
    parsed, rest = parser.parse_known_args(arguments)
    if rest and parsed.command not in (_clean, _doctor):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    parsed.rest = rest
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        return command(parsed)
    except NbbatchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing more may be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nbbatch", description="Run notebook cells and functions as AWS Batch jobs."
    )
    parser.add_argument("--version", action="version", version=f"nbbatch {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a notebook, showing each cell as it runs")
    run.add_argument("notebook", type=Path)
    run.add_argument(
        "-o", "--output", type=Path, help="the executed notebook (NAME.executed.ipynb)"
    )
    run.set_defaults(command=_run)

    listing = commands.add_parser("jobs", help="list your jobs, the newest 100")
    listing.add_argument("--all", action="store_true", help="list every one")
    listing.set_defaults(command=_jobs)
    for name, command, text in (
        ("logs", _logs, "print what a job has said"),
        ("cancel", _cancel, "ask a job to stop"),
        ("attach", _attach, "follow a job to its end"),
    ):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("job", help="its id, the beginning or end of it, or its name")
        sub.set_defaults(command=command)
    commands.add_parser("config", help="show the settings").set_defaults(command=_config)
    doctor = commands.add_parser(
        "doctor",
        help="look for what keeps jobs from running, and say what to type",
        usage="nbbatch doctor [--queue NAME] [--gpu 1] [any other option of %%%%batch]",
        allow_abbrev=False,
    )
    doctor.set_defaults(command=_doctor)
    cleaning = commands.add_parser(
        "clean",
        help="remove what is old: jobs that are over, their results, what nothing needs any more",
        usage="nbbatch clean [--older-than 30d] [--dry-run] [--cache]",
        allow_abbrev=False,
    )
    cleaning.set_defaults(command=_clean)
    making = commands.add_parser("setup", help="make what jobs need in your AWS account")
    setup.add_arguments(making)
    making.set_defaults(command=setup.run)
    return parser


def _run(parsed: argparse.Namespace) -> int:
    # nbclient costs more to load than all other commands need.
    from nbbatch.notebook import run_notebook

    output = parsed.output or parsed.notebook.with_suffix(".executed.ipynb")
    return run_notebook(parsed.notebook, output, sys.stdout)


def _jobs(parsed: argparse.Namespace) -> int:
    print(list_jobs(most=None) if parsed.all else list_jobs())
    return 0


def _logs(parsed: argparse.Namespace) -> int:
    print(current_session().attach(parsed.job).logs(), end="")
    return 0


def _cancel(parsed: argparse.Namespace) -> int:
    print(f"job {current_session().cancel(parsed.job)} was asked to stop")
    return 0


def _attach(parsed: argparse.Namespace) -> int:
    follower = Follower()
    job = current_session().attach(parsed.job, follower)
    follow(job, follower, fitting_emitter(), detachable=False)
    return 0 if job.facts.outcome == "ok" else 1


def _config(parsed: argparse.Namespace) -> int:
    print(describe_settings())
    return 0


def _clean(parsed: argparse.Namespace) -> int:
    print(tidied(parsed.rest, "nbbatch clean"))
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    options = parse_options(shlex.join(parsed.rest), "nbbatch doctor")
    return 0 if report(options, functools.partial(print, end="", flush=True)) else 1


if __name__ == "__main__":
    sys.exit(main())
