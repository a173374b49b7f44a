"""Where secrets come from: AWS Secrets Manager, and the parameters of Systems Manager.

A source names one secret:

============================  =============================================================
``NAME``, ``ARN``             a secret of Secrets Manager
``NAME#KEY``, ``ARN#KEY``     the value of one key, where the secret is a JSON object
``ARN:KEY:STAGE:VERSION``     the same as AWS writes it; each of the three may be empty
``ssm:NAME``, ``ARN``         a parameter of Systems Manager
============================  =============================================================

Metaflow's sources (https://docs.metaflow.org/api/step-decorators/secrets) are taken as well:
``"aws-secrets-manager.NAME"`` and ``{"type": ..., "id": ..., "options": {...}}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, Tuple

from nbbatch.options.collections import check_variable, items
from nbbatch.options.kinds import Refused, kind

SECRETS_MANAGER = "secretsmanager"
SYSTEMS_MANAGER = "ssm"

_NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"
_ARN = r"arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12})?:secret:"
_SECRET = re.compile(
    rf"(?P<arn>{_ARN})?(?P<name>{_NAME})"
    r"(#(?P<only>[^:#]+)|:(?P<key>[^:#]*):(?P<stage>[^:#]*):(?P<version>[^:#]*))?"
)
_PARAMETER = re.compile(
    r"(ssm:|(?P<arn>arn:aws[a-z-]*:ssm:(?P<region>[a-z0-9-]+):[0-9]{12}:parameter/))"
    r"(?P<name>[A-Za-z0-9_./-]+)"
)
_FORMS = (
    "VARIABLE=SOURCE or SOURCE, a dict or a list of them; a source is the name or ARN of a secret, "
    "NAME#KEY, ssm:NAME, or the ARN of a parameter"
)
#: Metaflow's name of the one provider of its that AWS has.
_PROVIDER = "aws-secrets-manager"
_SPEC = {"type", "id", "options", "role"}


@dataclass(frozen=True)
class Source:
    """One secret.

    Attributes
    ----------
    service
        `SECRETS_MANAGER` or `SYSTEMS_MANAGER`.
    name
        Its name, or its whole ARN (`full`).
    region
        Where it is; ``""`` where the job runs.
    key, stage, version
        Which part of it: a key of its JSON object, a version by its stage or its id.
    """

    service: str
    name: str
    full: bool = False
    region: str = ""
    key: str = ""
    stage: str = ""
    version: str = ""

    @property
    def part(self) -> str:
        """What follows the ARN in AWS's own form: ``""`` for all of the secret."""
        parts = (self.key, self.stage, self.version)
        return ":" + ":".join(parts) if any(parts) else ""


def read_source(text: str) -> Source:
    """Read a source.

    Raises
    ------
    Refused
        It has none of the forms.
    """
    match = _PARAMETER.fullmatch(text)
    if match is not None:
        name = match["name"] if match["arn"] is None else text
        full = match["arn"] is not None
        return Source(SYSTEMS_MANAGER, name, full, match["region"] or "")
    match = _SECRET.fullmatch(text.removeprefix(f"{_PROVIDER}."))
    if match is None:
        raise Refused
    full = match["account"] is not None
    return Source(
        service=SECRETS_MANAGER,
        name=match["arn"] + match["name"] if full else match["name"],
        full=full,
        region=match["region"] or "",
        key=match["only"] or match["key"] or "",
        stage=match["stage"] or "",
        version=match["version"] or "",
    )


@kind(_FORMS)
def secrets(value: object) -> Tuple[Tuple[str, str], ...]:
    """Take secrets: (variable, source).

    Without a variable, that of one key is named after the key; else the secret is a JSON object,
    and each of its keys becomes a variable, as in Metaflow.
    """
    given = [pair for item in items(value) for pair in _pairs(item)]
    found = [(name or variable_for(read_source(source).key), source) for name, source in given]
    for variable, source in found:
        read_source(source)
        if variable:
            check_variable(variable)
    return tuple(found)


def _pairs(item: object) -> Iterator[Tuple[str, str]]:
    if isinstance(item, Mapping):
        if "id" in item and set(item) <= _SPEC:
            yield _specified(item)
        else:
            yield from ((_text(name), _text(source)) for name, source in item.items())
    elif isinstance(item, (tuple, list)) and len(item) == 2:
        yield _text(item[0]), _text(item[1])
    else:
        name, equals, source = _text(item).partition("=")
        named = equals and re.fullmatch(r"\w+", name)
        yield (name, source.strip()) if named else ("", _text(item).strip())


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Refused
    return value


def _specified(item: Mapping[Any, Any]) -> Tuple[str, str]:
    """Read what Metaflow calls a secret spec."""
    if item.get("type", _PROVIDER) != _PROVIDER:
        raise Refused(f"those of the type {_PROVIDER}: Batch reads no others")
    if item.get("role"):
        raise Refused("sources without a role of their own: Batch reads all with execution_role")
    said = item.get("options") or {}
    if not isinstance(said, Mapping):
        raise Refused
    options: Dict[str, Any] = dict(said)
    source = _text(item["id"])
    if "region" in options and ":" not in source:
        source = f"arn:aws:secretsmanager:{options.pop('region')}::secret:{source}"
    options.pop("region", None)
    whole = options.pop("json", True)
    variable = options.pop("env_var_name", "")
    if options or (whole and variable):
        raise Refused('of Metaflow\'s options "region", "json": False, and with it "env_var_name"')
    return ("" if whole else _text(variable) or variable_for(_own_name(source)), source)


def _own_name(source: str) -> str:
    read = read_source(source)
    name = read.name.rpartition(":")[2]
    # An ARN ends in six letters and digits that are not the name's.
    return re.sub(r"-[A-Za-z0-9]{6}$", "", name) if read.full else name


def variable_for(name: str) -> str:
    """Make a variable's name of a secret's, or of a key's, as Metaflow does."""
    return re.sub(r"[-./]", "_", name)
