"""The roles through which AWS's own services act for the account: one each, made once."""

from __future__ import annotations

from typing import Any

from nbbatch.backends.aws.errors import translated

#: Without the second a new account's first environment on Fargate is INVALID; without the third
#: no Spot instance starts.
#: https://docs.aws.amazon.com/batch/latest/userguide/using-service-linked-roles.html
SERVICES = {
    "batch.amazonaws.com": "AWSServiceRoleForBatch",
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
}


def missing(iam: Any) -> list[str]:
    """Return the services of those roles that the account lacks."""
    found = []
    with translated("the account's service-linked roles can't be looked up"):
        for service, role in SERVICES.items():
            try:
                iam.get_role(RoleName=role)
            except iam.exceptions.NoSuchEntityException:
                found.append(service)
    return found


def make(iam: Any, service: str) -> None:
    """Make a service's role; one that is there by now is no error."""
    with translated(f"the service-linked role of {service} can't be made"):
        try:
            iam.create_service_linked_role(AWSServiceName=service)
        except iam.exceptions.InvalidInputException as error:
            if "has been taken" not in str(error):
                raise
