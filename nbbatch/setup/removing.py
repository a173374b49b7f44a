"""What `nbbatch setup --delete` does: say what goes, ask, take it away, results last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.backends.aws.setup.progress import failure
from nbbatch.errors import NotFoundError, UsageError
from nbbatch.setup import place
from nbbatch.setup.arguments import wished
from nbbatch.setup.place import watched
from nbbatch.setup.screen import agreed, must_ask, say, typed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from nbbatch.backends.aws.setup.bucket import Bucket
    from nbbatch.backends.aws.setup.cloud import Cloud
    from nbbatch.backends.aws.setup.stack import Found, Made, Stack
    from nbbatch.setup.place import Section


def remove(parsed: argparse.Namespace) -> int:
    """Take away what `nbbatch setup` made; return the exit code."""
    name = wished(parsed).name
    if not parsed.dry_run:
        _must_know(parsed)
    section = place.section(parsed)
    cloud = place.cloud(parsed, section)
    say(f"Account {cloud.account}, region {cloud.region}, CloudFormation stack {name}")
    stack = cloud.stack(name)
    found = _found(stack, cloud.region)
    resources = stack.resources(found.id)
    bucket = _bucket(cloud, resources)
    _show(resources, bucket, section)
    if parsed.dry_run or not agreed("Delete all this?", yes=parsed.yes):
        say("Nothing was done.")
        return 0 if parsed.dry_run else 1
    doomed = bucket if bucket and _results_may_go(parsed, bucket) else None
    _delete(stack, found)
    _forget(section, found, cloud.region)
    if doomed:
        _destroy(doomed)
    elif bucket:
        say(f"Kept: s3://{bucket.name} (aws s3 rb --force s3://{bucket.name} deletes it)")
    say(f"The stack {name} is gone.")
    return 0


def _must_know(parsed: argparse.Namespace) -> None:
    """Refuse at once where a question will come that nobody can answer."""
    must_ask(parsed, "nbbatch setup --delete")
    if parsed.yes and not (parsed.keep_bucket or parsed.delete_results):
        raise UsageError(
            "nbbatch setup --delete --yes was not run",
            "it does not say what becomes of the results in the bucket",
            "nbbatch setup --delete --yes --keep-bucket, or --delete-results",
        )


def _found(stack: Stack, region: str) -> Found:
    found = place.rested(stack)
    if found is None:
        raise NotFoundError(
            f"there is no stack {stack.name} in {region}",
            "nothing of that name was set up there, or it is deleted already",
            "nbbatch setup --delete --name NAME --region REGION; "
            "aws cloudformation list-stacks lists them",
        )
    place.check_ours(found, stack.name)
    return found


def _bucket(cloud: Cloud, resources: Sequence[Made]) -> Bucket | None:
    names = [made.id for made in resources if made.kind == "AWS::S3::Bucket" and made.id]
    bucket = cloud.bucket(names[0]) if names else None
    return bucket if bucket and bucket.exists() else None


def _show(resources: Sequence[Made], bucket: Bucket | None, section: Section) -> None:
    say("\nThis goes:\n")
    for made in resources:
        # An ARN says little but at its end, where its slashes belong to the name.
        say(f"  {made.name:<24}{made.id.rpartition(':')[2]}".rstrip())
    say("\nJobs that wait or run in these queues are ended.")
    if bucket:
        say(f"The bucket s3://{bucket.name} holds {bucket.content()}.")
    say(f"What setup wrote to {section} is taken out.")
    say("The account's service-linked roles stay; they cost nothing.\n")


def _results_may_go(parsed: argparse.Namespace, bucket: Bucket) -> bool:
    """Ask about the results on their own: they can't be had back."""
    if parsed.keep_bucket or parsed.delete_results:
        return bool(parsed.delete_results)
    say("The results of all jobs are in the bucket; deleted, they can't be had back.")
    return typed(f"Type {bucket.name} to delete them, or nothing to keep them: ", bucket.name)


def _delete(stack: Stack, found: Found) -> None:
    events = watched(stack.delete(found.id))
    state = stack.look(found.id)
    if state is not None and state.status != "DELETE_COMPLETE":
        after = "the bucket was not touched, and the configuration is as it was"
        raise failure(events, stack.name, after)


def _forget(section: Section, found: Found, region: str) -> None:
    backup = section.take_out(place.settings_of(found.outputs, region)) if found.outputs else None
    if backup:
        say(f"Taken out of {section}; as it was before: {backup}")


def _destroy(bucket: Bucket) -> None:
    say(f"Deleting s3://{bucket.name}; aws s3 rb --force does it too, if this is interrupted.")
    done = 0
    for count in bucket.empty():
        done += count
        say(f"  {done} objects deleted")
    bucket.remove()
