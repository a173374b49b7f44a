"""Where `nbbatch setup` works: the section of the configuration file, the account, the stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbbatch.config import configured, user_home
from nbbatch.errors import ConflictError
from nbbatch.setup import configfile
from nbbatch.setup.configfile import Value
from nbbatch.setup.screen import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbbatch.backends.aws.setup.cloud import Cloud
    from nbbatch.backends.aws.setup.progress import Event
    from nbbatch.backends.aws.setup.stack import Found, Stack

#: The template's outputs, and the settings that they become.
_SETTINGS = {
    "Root": "s3_root",
    "Queue": "queue",
    "JobRole": "iam_role",
    "ExecutionRole": "execution_role",
}
KEYS = ("backend", "region", *_SETTINGS.values(), "log_driver", "log_options")


@dataclass(frozen=True)
class Section:
    """A section of the configuration file.

    Attributes
    ----------
    profile
        Its name, ``""`` for what stands outside of all sections.
    """

    path: Path
    profile: str

    def values(self) -> dict[str, Any]:
        """Return what it says now."""
        return configfile.settings(configfile.read(self.path), self.profile)

    def put(self, values: Mapping[str, Value]) -> Path | None:
        """Write settings; return the copy of the file as it was, if it changes."""
        text = configfile.read(self.path)
        return configfile.write(self.path, configfile.with_settings(text, self.profile, values))

    def take_out(self, values: Mapping[str, Value]) -> Path | None:
        """Remove those of the settings that are still as given; return the copy as in `put`."""
        text = configfile.read(self.path)
        return configfile.write(self.path, configfile.without_settings(text, self.profile, values))

    def __str__(self) -> str:
        return f"{self.path}, [profiles.{self.profile}]" if self.profile else str(self.path)


def section(parsed: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Section:
    """Return the section that is meant, checked: it can be edited.

    Raises
    ------
    ConfigurationError
        The file can't be read, or can't be edited line by line.
    """
    named = parsed.profile if parsed.profile is not None else environ.get("NBBATCH_PROFILE", "")
    found = Section(user_home(environ) / "config.toml", named)
    configfile.with_settings(configfile.read(found.path), named, dict.fromkeys(KEYS, "x"))
    return found


def cloud(parsed: argparse.Namespace, place: Section) -> Cloud:
    """Open the account with the configured credentials, in the region that was said."""
    # Here, for boto3 is slow to load and a wrong line needs none of it.
    from nbbatch.backends.aws.setup.cloud import Cloud

    environ = {k: v for k, v in os.environ.items() if k != "NBBATCH_PROFILE"}
    if place.profile and place.values():
        environ["NBBATCH_PROFILE"] = place.profile
    settings = configured({"backend": "local", "region": parsed.region}, environ)
    return Cloud(settings.region, settings.profile, settings.endpoint_url)


def settings_of(outputs: Mapping[str, str], region: str) -> dict[str, Value]:
    """Return the settings that a stack's outputs become."""
    found: dict[str, Value] = {"backend": "aws", "region": region}
    found.update({name: outputs[key] for key, name in _SETTINGS.items() if key in outputs})
    if "LogGroup" in outputs:
        found["log_driver"] = "awslogs"
        found["log_options"] = [f"awslogs-group:{outputs['LogGroup']}"]
    return found


def rested(stack: Stack) -> Found | None:
    """Return the stack, after what is just being done to it; None where there is none."""
    found = stack.look()
    if found is not None and found.busy:
        check_ours(found, stack.name)
        say(f"The stack {stack.name} is {found.status}; waiting for that to end:")
        watched(stack.follow(found.id))
        found = stack.look(found.id)
    return None if found is None or found.status == "DELETE_COMPLETE" else found


def check_ours(found: Found, name: str) -> None:
    """Leave alone what somebody else made.

    Raises
    ------
    ConflictError
        The stack was not made by `nbbatch setup`.
    """
    if not found.ours:
        raise ConflictError(
            f"the stack {name} can't be used",
            "it is there, and nbbatch setup has not made it (it lacks the tag nbbatch)",
            "take another name: --name NAME",
        )


def watched(steps: Iterable[Event]) -> list[Event]:
    """Say each step as it happens, each once; return them all."""
    from nbbatch.backends.aws.setup.progress import event_line

    seen: list[Event] = []
    try:
        for event in steps:
            # A resource is said to be in progress again when its id is known.
            if (event.resource, event.status) not in {(e.resource, e.status) for e in seen}:
                say(event_line(event, seen[0].at if seen else event.at))
            seen.append(event)
    except KeyboardInterrupt:
        say("\nCloudFormation goes on by itself; the same command again shows how it ends.")
        raise
    return seen
