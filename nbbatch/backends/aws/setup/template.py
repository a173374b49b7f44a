"""The template, and what it says about itself: pure functions of its text.

It is read line by line, as we write it (two spaces a level, a comment above each resource), so
that no YAML library is needed at run time; a test holds this against a real parser.
"""

from __future__ import annotations

import re
from importlib import resources as package_files
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: CloudFormation takes no longer a template in a request.
#: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LIMIT = 51_200

_ENTRY = re.compile(r"  ([A-Za-z0-9]+):")
_COMMENT = re.compile(r"  # (.*)")
_FIELD = re.compile(r"    (Type|Condition|Default): +(.*)")


class Resource(NamedTuple):
    """One resource of the template.

    Attributes
    ----------
    kind
        CloudFormation's name of its type.
    why
        The comment above it.
    condition
        Under which it is made, ``""`` for always.
    """

    name: str
    kind: str
    why: str
    condition: str = ""


def template() -> str:
    """Return the text of the template."""
    return (package_files.files(__package__) / "template.yaml").read_text("utf-8")


def resources(text: str) -> list[Resource]:
    """Return the resources in the order of the template."""
    return [
        Resource(name, fields.get("Type", ""), why, fields.get("Condition", ""))
        for name, why, fields in _entries(text, "Resources")
    ]


def defaults(text: str) -> dict[str, str]:
    """Return the parameters in the order of the template, ``""`` for those without a default."""
    return {
        name: fields.get("Default", "").strip('"')
        for name, _, fields in _entries(text, "Parameters")
    }


def made(text: str, parameters: Mapping[str, str]) -> list[Resource]:
    """Return the resources that these parameters, and the defaults of the others, make."""
    values = {**defaults(text), **parameters}
    holds = {
        "": True,
        "OwnSecurityGroup": not values["SecurityGroupIds"],
        "WithGpu": values["Gpu"] == "yes",
        "WithSecrets": bool(values["SecretArns"]),
    }
    return [resource for resource in resources(text) if holds[resource.condition]]


def _entries(text: str, section: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield name, comment and fields of the entries of a section."""
    comment: list[str] = []
    name, why = "", ""
    fields: dict[str, str] = {}
    for line in _lines(text, section):
        said, entry, field = (p.match(line) for p in (_COMMENT, _ENTRY, _FIELD))
        if said:
            comment.append(said[1])
        elif entry:
            if name:
                yield name, why, fields
            name, why, fields = entry[1], " ".join(comment), {}
        elif field:
            fields[field[1]] = field[2]
        if not said:
            comment = []
    if name:
        yield name, why, fields


def _lines(text: str, section: str) -> list[str]:
    after = text.split(f"\n{section}:\n", 1)[1].splitlines()
    end = next((n for n, line in enumerate(after) if line[:1].strip()), len(after))
    return after[:end]
