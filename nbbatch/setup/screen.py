"""What `nbbatch setup` says and asks in a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from nbbatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nbbatch.backends.aws.setup.network import Network
    from nbbatch.backends.aws.setup.template import Resource

_COST = (
    "Costs: nothing while no job runs. No instance is kept (minimum 0 vCPUs), and roles, queues "
    "and networks are free. A job costs what Fargate or its EC2 instance costs while it runs; "
    "objects and logs what S3 and CloudWatch take for them, cents for a gigabyte and month."
)


def say(text: str = "") -> None:
    """Write a line at once."""
    print(text, flush=True)


def must_ask(parsed: Any, command: str) -> None:
    """Refuse at once where a question will come that nobody can answer.

    Raises
    ------
    UsageError
        There is no terminal, and ``--yes`` was not said.
    """
    if not parsed.yes and not sys.stdin.isatty():
        raise UsageError(
            f"{command} was not run",
            "it asks before it does anything, and there is no terminal to answer in",
            f"{command} --dry-run to see what it would do, then {command} --yes",
        )


def agreed(question: str, *, yes: bool) -> bool:
    """Ask a question that is answered with no unless ``y`` is typed."""
    return yes or _ask(f"{question} [y/N] ").lower() in ("y", "yes")


def typed(question: str, word: str) -> bool:
    """Ask for a word to be typed, where a mere yes comes too easily."""
    return _ask(question) == word


def _ask(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        say()
        return ""


def resource_lines(resources: Iterable[Resource], short: Callable[[str], str]) -> str:
    """Write resources: name, why it is there, and its kind."""
    return "\n".join(
        _filled(f"{resource.why} ({short(resource.kind)})", f"  {resource.name:<24}", 26)
        for resource in resources
    )


def value_lines(parameters: Mapping[str, str]) -> str:
    """Write the template's values that are for the user to decide."""
    days, gpus = parameters["ExpiryDays"], parameters["GpuInstanceTypes"].replace(",", ", ")
    said = [
        f"up to {parameters['MaxvCpus']} vCPUs in each environment",
        f"GPUs of {gpus}" if parameters["Gpu"] == "yes" else "no GPUs",
        f"{parameters['DiskGiB']} GiB of disk for an EC2 instance",
        "objects are kept" if days == "0" else f"objects of jobs go after {days} days",
        f"log lines after {parameters['LogDays']} days",
    ]
    return _filled(f"With: {'; '.join(said)}.", "", 2)


def network_lines(network: Network, groups: Sequence[str]) -> str:
    """Write in which network jobs will run, and what to mind about it."""
    which = f"{network.vpc}, the account's default one" if network.default else network.vpc
    guard = f"security groups {', '.join(groups)}" if groups else "a security group of its own"
    lines = [f"Network: VPC {which}, with {guard}; subnets {', '.join(network.subnets)}."]
    if network.isolated:
        lines.append(
            f"Mind: from {', '.join(network.isolated)} there is no way to the internet (a NAT, or "
            "an internet gateway and public addresses): images, S3 and logs are then reached "
            "through VPC endpoints alone."
        )
    return "\n".join(_filled(line, "", 2) for line in lines)


def _filled(text: str, head: str, indent: int) -> str:
    width = min(max(shutil.get_terminal_size().columns, 80), 120) - 1
    return textwrap.fill(text, width, initial_indent=head, subsequent_indent=" " * indent)


def cost_lines() -> str:
    """Write what it costs."""
    return _filled(_COST, "", 2)


def setting_lines(values: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Write settings, and what each takes the place of."""
    lines = []
    for name, value in values.items():
        old = before.get(name)
        note = f"   (was {old})" if name in before and old != value else ""
        shown = ", ".join(value) if isinstance(value, list) else value
        lines.append(f"  {name:<16}{shown}{note}")
    return "\n".join(lines)
