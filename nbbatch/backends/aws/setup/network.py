"""In which network jobs will run: what was said, else the account's default one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbbatch.backends.aws.errors import translated
from nbbatch.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbbatch.backends.aws.setup.wish import Wish

_EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class Network:
    """Where jobs will run.

    Attributes
    ----------
    default
        Whether it is the account's default VPC.
    isolated
        Those of the subnets that have no way to the internet.
    """

    vpc: str
    subnets: tuple[str, ...]
    default: bool = False
    isolated: tuple[str, ...] = ()

    def of(self, wish: Wish) -> Wish:
        """Return `wish` with this network."""
        return dataclasses.replace(wish, vpc=self.vpc, subnets=self.subnets)


def find(ec2: Any, region: str, wish: Wish) -> Network:
    """Look up the network that was wished for.

    Parameters
    ----------
    ec2
        boto3's client.

    Raises
    ------
    ConfigurationError
        Nothing was said, and there is no default VPC; or the VPC has no subnets.
    UsageError
        The subnets and security groups are not all in one VPC.
    NotFoundError
        One of them does not exist.
    """
    with translated("the network can't be looked up"):
        vpc = wish.vpc or _vpc_of(ec2, wish.subnets) or _default_vpc(ec2, region)
        default = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["IsDefault"]
        subnets = _subnets(ec2, vpc, wish.subnets, region)
        _check_groups(ec2, vpc, wish.security_groups)
        tables = _described(ec2, "describe_route_tables", "RouteTables", vpc)
    return chosen(vpc, subnets, tables, default=default, all_of_them=bool(wish.subnets))


def chosen(
    vpc: str,
    subnets: Sequence[Mapping[str, Any]],
    tables: Sequence[Mapping[str, Any]],
    *,
    default: bool,
    all_of_them: bool,
) -> Network:
    """Choose among the subnets of a VPC: those with a way out, all where none has one.

    Parameters
    ----------
    subnets, tables
        As EC2 describes them.
    all_of_them
        Whether they were named, so that all are taken.
    """
    out = [subnet["SubnetId"] for subnet in subnets if has_way_out(subnet, tables)]
    names = [subnet["SubnetId"] for subnet in subnets]
    taken = names if all_of_them or not out else out
    isolated = tuple(name for name in taken if name not in out)
    return Network(vpc, tuple(taken), default, isolated)


def has_way_out(subnet: Mapping[str, Any], tables: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether an instance in this subnet reaches the internet.

    Through an internet gateway it does only with a public address of its own.
    """
    links = [(link, table) for table in tables for link in table.get("Associations", ())]
    own = [table for link, table in links if link.get("SubnetId") == subnet["SubnetId"]]
    main = [table for link, table in links if link.get("Main")]
    for route in (own or main or [{"Routes": ()}])[0]["Routes"]:
        if route.get("DestinationCidrBlock") == _EVERYWHERE and route.get("State") != "blackhole":
            public = str(route.get("GatewayId", "")).startswith("igw-")
            return bool(subnet.get("MapPublicIpOnLaunch")) if public else True
    return False


def _default_vpc(ec2: Any, region: str) -> str:
    found = ec2.describe_vpcs()["Vpcs"]
    default = next((vpc["VpcId"] for vpc in found if vpc["IsDefault"]), None)
    if default:
        return str(default)
    names = ", ".join(_named(vpc) for vpc in found) or "none"
    raise ConfigurationError(
        f"there is no default VPC in {region}",
        f"and none was named; those there are: {names}",
        "nbbatch setup --vpc vpc-..., or --subnets subnet-...,subnet-...; "
        "or make the default one: aws ec2 create-default-vpc",
    )


def _named(vpc: Mapping[str, Any]) -> str:
    name = next((tag["Value"] for tag in vpc.get("Tags", ()) if tag["Key"] == "Name"), "")
    return f"{vpc['VpcId']} ({name})" if name else str(vpc["VpcId"])


def _vpc_of(ec2: Any, subnets: Sequence[str]) -> str:
    if not subnets:
        return ""
    found = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
    return str(found[0]["VpcId"])


def _subnets(ec2: Any, vpc: str, wanted: Sequence[str], region: str) -> list[Mapping[str, Any]]:
    if wanted:
        found = ec2.describe_subnets(SubnetIds=list(wanted))["Subnets"]
        _check_vpc("--subnets", vpc, {item["SubnetId"]: item["VpcId"] for item in found})
        return list(found)
    # Batch does not run in the zones of Local Zones and the like, eu-west-1-xyz-1a.
    everywhere = _described(ec2, "describe_subnets", "Subnets", vpc)
    found = [item for item in everywhere if item["AvailabilityZone"][:-1] == region]
    if not found:
        raise ConfigurationError(
            f"{vpc} has no subnets in {region}",
            "jobs run in subnets",
            "nbbatch setup --vpc of another, or: aws ec2 create-subnet --vpc-id " + vpc,
        )
    return found


def _check_groups(ec2: Any, vpc: str, wanted: Sequence[str]) -> None:
    if wanted:
        found = ec2.describe_security_groups(GroupIds=list(wanted))["SecurityGroups"]
        _check_vpc("--security-groups", vpc, {item["GroupId"]: item["VpcId"] for item in found})


def _check_vpc(flag: str, vpc: str, found: Mapping[str, str]) -> None:
    elsewhere = [f"{name} is in {place}" for name, place in found.items() if place != vpc]
    if elsewhere:
        raise UsageError(
            f"{flag} can't be used",
            f"all must be in one VPC, {vpc}; {', '.join(elsewhere)}",
            f"{flag} of {vpc}, or --vpc with subnets and groups of another",
        )


def _described(ec2: Any, method: str, key: str, vpc: str) -> list[Mapping[str, Any]]:
    pages = ec2.get_paginator(method).paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    return [item for page in pages for item in page[key]]
