"""An account on moto, as the tests of setup need it."""

from __future__ import annotations

import contextlib
import functools
import json
from typing import TYPE_CHECKING

from nbbatch.backends.aws.setup import roles
from tests import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Clients are slow to make; those of the tests themselves are made once.
aws = functools.cache(servers.aws)


@contextlib.contextmanager
def corrected() -> Iterator[None]:
    """Correct moto for as long as the block runs."""
    # It takes long to load, and most processes of a run need none of it.
    from tests.setup import corrections

    with corrections.corrected():
        yield


@functools.cache
def prepare(endpoint: str) -> None:
    """Give the account what an account has that used Batch before."""
    iam = aws(endpoint, "iam")
    for service, role in roles.SERVICES.items():
        # Another test may have had it made.
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(
                RoleName=role,
                Path=f"/aws-service-role/{service}/",
                AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}),
            )


@functools.cache
def open_network(endpoint: str) -> str:
    """Give the default VPC its way to the internet, as AWS does; return the VPC."""
    ec2 = aws(endpoint, "ec2")
    vpc = next(v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if v["IsDefault"])
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    table = tables["RouteTables"][0]
    if len(table["Routes"]) == 1:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.create_route(
            RouteTableId=table["RouteTableId"],
            DestinationCidrBlock="0.0.0.0/0",
            GatewayId=gateway,
        )
    return str(vpc)
