"""Who one is to AWS, and in which region."""

from __future__ import annotations

import difflib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.clients import on_aws
from nbbatch.backends.aws.doctor.findings import ok, untold, wrong
from nbbatch.backends.aws.errors import translated
from nbbatch.errors import ConfigurationError, CredentialsError, NbbatchError
from nbbatch.facts import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbbatch.backends.aws.clients import Clients
    from nbbatch.backends.aws.doctor.findings import Looking

_SIGN_IN = (
    "aws configure, or aws sso login, or export AWS_PROFILE=... (aws configure list-profiles)"
)
#: Seconds below which credentials are said to end soon.
_SOON = 900


def look(clients: Clients) -> Looking[str | None]:
    """Return the account's number, ``""`` where it is not told, None where nothing will work."""
    try:
        region = clients.region
    except ConfigurationError as error:
        yield wrong("region", error)
        return None
    yield region_finding(region, clients.regions(), known=on_aws(clients.batch.meta.endpoint_url))
    found = clients.credentials
    if found is None:
        raise CredentialsError(
            "nobody is signed in to AWS",
            "boto3 found no credentials in the environment, in its files or on this machine",
            _SIGN_IN,
        )
    try:
        with translated("AWS does not know who you are"):
            caller: Any = clients.service("sts", brief=True).get_caller_identity()
    except CredentialsError as error:
        raise CredentialsError(error.what, error.cause, _SIGN_IN) from error
    except NbbatchError as error:
        yield untold("credentials", "who you are can't be told", error)
        return ""
    yield lasting(f"{caller['Arn']} ({found.method})", _ends(found), datetime.now(timezone.utc))
    return str(caller["Account"])


def region_finding(region: str, regions: Sequence[str], *, known: bool) -> Finding:
    """Judge the name of the region; `known` is False for servers that are not AWS's."""
    if region in regions or not known:
        return ok("region", region)
    near = difflib.get_close_matches(region, regions, 1)
    return Finding(
        "region",
        Verdict.WARNING,
        f"this version of botocore knows no region {region} that has AWS Batch",
        "the name is mistyped, or the region is newer than botocore",
        f"export AWS_DEFAULT_REGION={near[0] if near else '...'}, or: pip install -U boto3",
    )


def lasting(who: str, ends: datetime | None, now: datetime) -> Finding:
    """Judge how long credentials last; `ends` is None where they do not say."""
    if ends is None:
        return ok("credentials", who)
    left = int((ends - now).total_seconds())
    if left > _SOON:
        return ok("credentials", f"{who}, for {_span(left)} more")
    return Finding(
        "credentials",
        Verdict.WARNING,
        f"{who}, for {_span(max(left, 0))} more",
        "they are renewed where the sign-in behind them still holds; jobs don't need them, "
        "following one does",
        "aws sso login, or whatever gave you these",
    )


def _span(seconds: int) -> str:
    return (
        f"{seconds // 3600} h {seconds % 3600 // 60} min"
        if seconds >= 3600
        else (f"{seconds // 60} min")
    )


def _ends(credentials: Any) -> datetime | None:
    # botocore has no public name for it; without it nothing is said.
    found = getattr(credentials, "_expiry_time", None)
    return found if isinstance(found, datetime) else None
