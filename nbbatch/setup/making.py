"""What `nbbatch setup` does: look, say what would be made, ask, make it, write it down."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from nbbatch.backends.aws.setup.progress import change_line, failure, short
from nbbatch.backends.aws.setup.template import defaults, made, template
from nbbatch.backends.aws.setup.wish import merged
from nbbatch.config import configured
from nbbatch.errors import ConflictError
from nbbatch.setup import place
from nbbatch.setup.arguments import wished
from nbbatch.setup.place import watched
from nbbatch.setup.screen import (
    agreed,
    cost_lines,
    must_ask,
    network_lines,
    resource_lines,
    say,
    setting_lines,
    value_lines,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from nbbatch.backends.aws.setup.cloud import Cloud
    from nbbatch.backends.aws.setup.network import Network
    from nbbatch.backends.aws.setup.stack import Found, Proposal, Stack
    from nbbatch.backends.aws.setup.wish import Wish
    from nbbatch.config import Settings
    from nbbatch.setup.configfile import Value
    from nbbatch.setup.place import Section

_DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_NOTHING = "Nothing was done."


def make(parsed: argparse.Namespace) -> int:
    """Set an account up, or bring its stack up to date; return the exit code."""
    wish = wished(parsed)
    if not parsed.dry_run:
        must_ask(parsed, "nbbatch setup")
    section = place.section(parsed)
    cloud = place.cloud(parsed, section)
    say(f"Account {cloud.account}, region {cloud.region}, CloudFormation stack {wish.name}")
    stack = cloud.stack(wish.name)
    found = place.rested(stack)
    if found is None or found.empty:
        proposal = _new(parsed, section, cloud, wish, found)
        outputs = _applied(stack, proposal) if proposal else None
    else:
        outputs = _changed(parsed, cloud, wish, found)
    if outputs is None:
        say(_NOTHING)
        return 0 if parsed.dry_run else 1
    _write(section, place.settings_of(outputs, cloud.region))
    _close(outputs)
    return 0


def _new(
    parsed: argparse.Namespace, section: Section, cloud: Cloud, wish: Wish, left: Found | None
) -> Proposal | None:
    """Propose a new stack to CloudFormation, if that is what the user wants."""
    network = cloud.network(wish)
    wish = cloud.with_gpus(network.of(wish))
    if parsed.gpu is None and not wish.gpu:
        say(f"{cloud.region} has none of the usual instances with GPUs; --gpu-types names others.")
    roles = cloud.missing_roles()
    _show(section, network, wish, roles)
    if parsed.dry_run or not agreed("Make all this?", yes=parsed.yes):
        return None
    stack = cloud.stack(wish.name)
    if left is not None and left.status == "ROLLBACK_COMPLETE":
        say("An earlier attempt failed and was taken back; its empty stack goes first:")
        watched(stack.delete(left.id))
    for service in roles:
        cloud.make_role(service)
        say(f"  made the service-linked role of {service}")
    text = template()
    return stack.propose(text, merged(wish.parameters(), defaults(text), {}), new=True)


def _show(section: Section, network: Network, wish: Wish, roles: list[str]) -> None:
    text = template()
    say("\nThis is made:\n")
    say(resource_lines(made(text, wish.parameters()), short))
    if roles:
        say(f"\nBefore that, once for the account: the service-linked roles of {', '.join(roles)}.")
    say("\n" + value_lines({**defaults(text), **wish.parameters()}))
    say("\n" + network_lines(network, wish.security_groups))
    say("\n" + cost_lines())
    replaced = {k: v for k, v in section.values().items() if k in place.KEYS}
    note = f", in place of {', '.join(replaced)}" if replaced else ""
    say(f"\nThen the settings are written to {section}{note}.")
    say("nbbatch setup --show prints the template; nbbatch setup --delete takes it all away.\n")


def _changed(
    parsed: argparse.Namespace, cloud: Cloud, wish: Wish, found: Found
) -> Mapping[str, str] | None:
    """Bring a stack up to date; return its outputs, None where the user does not want it."""
    place.check_ours(found, wish.name)
    _check_usable(found, wish.name)
    stack, text = cloud.stack(wish.name), template()
    given = _adapted(cloud, wish, found).parameters()
    proposal = stack.propose(text, merged(given, defaults(text), found.parameters), new=False)
    if proposal is None:
        say("The stack is there and up to date: nothing to change.")
        return found.outputs
    say("\nThe stack is there. This changes:\n")
    for change in proposal.changes:
        say(change_line(change))
    say()
    wanted = False
    try:
        wanted = not parsed.dry_run and agreed("Change this?", yes=parsed.yes)
    finally:
        if not wanted:
            stack.withdraw(proposal)
    return _applied(stack, proposal) if wanted else None


def _adapted(cloud: Cloud, wish: Wish, found: Found) -> Wish:
    """Check what was said against what is there; what was not said stays."""
    if wish.says_network:
        before = found.parameters
        vpc = wish.vpc or ("" if wish.subnets else before.get("VpcId", ""))
        same = vpc == before.get("VpcId") and not wish.subnets
        subnets = tuple(before.get("SubnetIds", "").split(",")) if same else wish.subnets
        network = cloud.network(dataclasses.replace(wish, vpc=vpc, subnets=subnets))
        say(network_lines(network, wish.security_groups))
        wish = network.of(wish)
    return cloud.with_gpus(wish) if wish.gpu else wish


def _check_usable(found: Found, name: str) -> None:
    if found.usable:
        return
    if found.status == "UPDATE_ROLLBACK_FAILED":
        hint = f"aws cloudformation continue-update-rollback --stack-name {name}, then again"
    else:
        hint = f"nbbatch setup --delete --name {name}, then nbbatch setup again"
    raise ConflictError(f"the stack {name} can't be changed", f"it is {found.status}", hint)


def _applied(stack: Stack, proposal: Proposal) -> Mapping[str, str]:
    """Execute a proposal and return the stack's outputs.

    Raises
    ------
    BackendError
        What failed, why, and how things are now.
    """
    events = watched(stack.execute(proposal))
    state = stack.look(proposal.stack_id)
    if state is not None and state.status in _DONE:
        return state.outputs
    if not proposal.new:
        taken_back = state is not None and state.status == "UPDATE_ROLLBACK_COMPLETE"
        after = (
            "all is as it was before" if taken_back else f"the stack is {state and state.status}"
        )
        raise failure(events, stack.name, after)
    watched(stack.delete(proposal.stack_id))
    state = stack.look(proposal.stack_id)
    gone = state is None or state.status == "DELETE_COMPLETE"
    after = "nothing of it is left" if gone else "nbbatch setup --delete removes what is left"
    raise failure(events, stack.name, after)


def _write(section: Section, values: dict[str, Value]) -> None:
    before = section.values()
    if all(before.get(name) == value for name, value in values.items()):
        say(f"\n{section} says so already.")
    else:
        backup = section.put(values)
        say(f"\nWritten to {section}:\n")
        say(setting_lines(values, before))
        if backup:
            say(f"\nAs it was before: {backup}")
    for line in _overruled(section, values):
        say(line)


def _overruled(section: Section, values: Mapping[str, Value]) -> list[str]:
    """Say which of the settings have no effect here, and what else is to be typed."""
    environ = {**os.environ, "NBBATCH_PROFILE": section.profile}
    wanted, found = configured(values, environ), configured({}, environ)
    lines = [
        f"\nMind: {name} is also set by {found.sources[name]}, which comes first."
        for name in values
        if _effective(wanted, name) != _effective(found, name)
    ]
    if section.profile and section.profile != os.environ.get("NBBATCH_PROFILE"):
        lines.append(f"\nTo use it: export NBBATCH_PROFILE={section.profile}")
    return lines


def _effective(settings: Settings, name: str) -> object:
    return getattr(settings, name, None) or settings.defaults.get(name)


def _close(outputs: Mapping[str, str]) -> None:
    others = [value for key, value in outputs.items() if key.endswith("Queue") and key != "Queue"]
    say(f"\nReady. Jobs go to the queue {outputs['Queue']}; with --queue also to")
    say(f"{', '.join(others)}.")
    say("nbbatch doctor looks whether all is well.")
    say(f"Whoever else is to use it needs the policy {outputs['UserPolicy']}")
