"""Whether the roles of jobs exist, may be taken by them, and may do what they do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from nbbatch.backends.aws.doctor.findings import ok, untold, wrong
from nbbatch.backends.aws.doctor.pythons import parse
from nbbatch.backends.aws.environments import platform
from nbbatch.backends.aws.errors import translated
from nbbatch.backends.aws.status import LOG_GROUP
from nbbatch.errors import NbbatchError, NotFoundError
from nbbatch.facts import Finding, Verdict
from nbbatch.wire import keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nbbatch.backends.aws.doctor.findings import Looking
    from nbbatch.backends.aws.doctor.subject import Subject
    from nbbatch.options import Options

_TASKS = "ecs-tasks.amazonaws.com"
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::([0-9]{12}):role/(?:.*/)?([^/]+)")
_WRITING = ("s3:PutObject", "s3:AbortMultipartUpload")
_LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
_PULLING = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


class Role(NamedTuple):
    """A role that jobs use.

    Attributes
    ----------
    option
        That names it.
    rights
        What jobs do with it: an action, and on what.
    """

    option: str
    arn: str
    partition: str
    account: str
    name: str
    rights: tuple[tuple[str, str], ...]


def look(
    subject: Subject, account: str, environments: Sequence[Mapping[str, Any]]
) -> Looking[None]:
    """Look at each role in turn; one that is missing or misspelt is the request's own error."""
    platforms = {platform(item) for item in environments}
    if platforms == {"EKS"}:
        return
    fargate = any(name.startswith("FARGATE") for name in platforms)
    for role in _roles(subject, fargate=fargate):
        yield from _look_at(subject, role, account)


def starting_rights(
    options: Options, name: str, home: tuple[str, str, str]
) -> tuple[tuple[str, str], ...]:
    """Return what Fargate does with the execution role before a job starts.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html

    Parameters
    ----------
    name
        Of the image.
    home
        Partition, region and account of the jobs.
    """
    partition, region, account = home
    image, said = parse(name), options.log_options or {}
    found: list[tuple[str, str]] = []
    if options.log_driver in (None, "awslogs"):
        place = f"{said.get('awslogs-region', region)}:{account}"
        group = said.get("awslogs-group", LOG_GROUP)
        log = f"arn:{partition}:logs:{place}:log-group:{group}:log-stream:*"
        found += [(action, log) for action in _LOGGING]
    registry = image.ecr if image is not None else None
    if image is not None and registry is not None:
        place = f"{registry['region']}:{registry['account']}"
        repository = f"arn:{partition}:ecr:{place}:repository/{image.repository}"
        found += [("ecr:GetAuthorizationToken", "*")]
        found += [(action, repository) for action in _PULLING]
    return tuple(found)


def _roles(subject: Subject, *, fargate: bool) -> Iterator[Role]:
    options, store = subject.options, subject.store
    match = _ROLE.fullmatch(options.iam_role or "")
    if match:
        bucket = f"arn:{match[1]}:s3:::{store.bucket}"
        root = f"{bucket}/{store.prefix}/" if store.prefix else f"{bucket}/"
        written = [f"{root}{place}*" for place in (keys.JOBS, keys.BLOBS)]
        writing = [(action, below) for action in _WRITING for below in written]
        rights = (("s3:ListBucket", bucket), ("s3:GetObject", f"{root}*"), *writing)
        yield Role("iam_role", match[0], match[1], match[2], match[3], rights)
    match = _ROLE.fullmatch(options.execution_role or "")
    if match:
        home = (match[1], subject.clients.region, match[2])
        rights = starting_rights(options, subject.runner.image(options), home) if fargate else ()
        yield Role("execution_role", match[0], match[1], match[2], match[3], rights)


def _look_at(subject: Subject, role: Role, account: str) -> Looking[None]:
    title = role.option.replace("_", " ")
    if account and role.account != account:
        yield _foreign(title, role, account)
    try:
        with translated(f"can't look at the role {role.name}"):
            answer: Any = subject.clients.service("iam", brief=True).get_role(RoleName=role.name)
    except NotFoundError as error:
        hint = f"--{role.option.replace('_', '-')} ARN (aws iam list-roles lists them)"
        what = f"there is no role {role.name} in the account"
        yield wrong(title, NotFoundError(what, error.cause, hint))
        return
    except NbbatchError as error:
        yield untold(title, f"whether {role.arn} exists, and whom it trusts, can't be told", error)
    else:
        yield trust_finding(title, role, answer["Role"].get("AssumeRolePolicyDocument"))
    if role.rights:
        yield _rights(subject, title, role)


def _foreign(title: str, role: Role, account: str) -> Finding:
    return Finding(
        title,
        Verdict.WARNING,
        f"{role.arn} is a role of the account {role.account}",
        f"you are signed in to {account}, and jobs take roles of their own account",
        f"--{role.option.replace('_', '-')} one of {account}, or AWS_PROFILE=one of {role.account}",
    )


def trust_finding(title: str, role: Role, document: Any) -> Finding:
    """Judge whom a role trusts, by its trust policy: a mapping, or JSON."""
    policy = json.loads(document) if isinstance(document, str) else document or {}
    trusted = set(_services(policy.get("Statement", ())))
    if trusted & {_TASKS, "*"}:
        return ok(title, f"the role {role.name} exists and trusts {_TASKS}")
    statement = {"Effect": "Allow", "Principal": {"Service": _TASKS}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return Finding(
        title,
        Verdict.WRONG,
        f"the role {role.name} can't be taken by jobs",
        f"it trusts {', '.join(sorted(trusted)) or 'no service'}, and not {_TASKS}",
        f"aws iam update-assume-role-policy --role-name {role.name} --policy-document '{trust}'",
    )


def _services(statements: Any) -> Iterator[str]:
    """Yield the services that may take a role."""
    for statement in _several(statements):
        actions = set(_several(statement.get("Action", ())))
        if statement.get("Effect") == "Allow" and actions & {"sts:AssumeRole", "sts:*", "*"}:
            principal = statement.get("Principal", {})
            yield from _several(principal.get("Service", ()) if principal != "*" else "*")


def _several(value: Any) -> Iterable[Any]:
    return [value] if isinstance(value, (str, dict)) else value


def _rights(subject: Subject, title: str, role: Role) -> Finding:
    actions = list(dict.fromkeys(action for action, _ in role.rights))
    resources = list(dict.fromkeys(resource for _, resource in role.rights))
    asked: Any = {"ActionNames": actions, "ResourceArns": resources}
    try:
        with translated(f"can't ask what {role.name} may do"):
            client = subject.clients.service("iam", brief=True)
            answer: Any = client.simulate_principal_policy(PolicySourceArn=role.arn, **asked)
    except NbbatchError as error:
        return untold(title, f"what the role {role.name} may do can't be told", error)
    denied = denials(role.rights, answer["EvaluationResults"])
    if not denied:
        return ok(title, f"the role {role.name} may {', '.join(actions)}")
    return _denied(subject, title, role, denied)


def denials(
    rights: Sequence[tuple[str, str]], results: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return which rights are lacking, from the results of SimulatePrincipalPolicy.

    Each action was asked for on each resource; only the pairs that jobs need count.
    """
    said: dict[tuple[str, str], str] = {}
    for result in results:
        action = result["EvalActionName"]
        said[action, result.get("EvalResourceName", "*")] = result["EvalDecision"]
        for one in result.get("ResourceSpecificResults", ()):
            said[action, one["EvalResourceName"]] = one["EvalResourceDecision"]
    return [right for right in rights if said.get(right, "allowed") != "allowed"]


def _denied(subject: Subject, title: str, role: Role, denied: Sequence[tuple[str, str]]) -> Finding:
    lacking = ", ".join(f"{action} on {resource}" for action, resource in denied)
    statements = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in denied]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    cause, verdict = "no policy of the role allows it", Verdict.WRONG
    if role.option == "iam_role" and _has_policy(subject):
        cause, verdict = cause + "; the bucket's own policy may", Verdict.WARNING
    return Finding(
        title,
        verdict,
        f"the role {role.name} may not {lacking}",
        cause,
        f"aws iam put-role-policy --role-name {role.name} --policy-name nbbatch "
        f"--policy-document '{policy}'",
    )


def _has_policy(subject: Subject) -> bool:
    """Tell whether the bucket has, or may have, a policy of its own."""
    try:
        with translated("can't read the bucket's policy"):
            subject.clients.s3.get_bucket_policy(Bucket=subject.store.bucket)
    except NotFoundError:
        return False
    except NbbatchError:
        return True
    return True
