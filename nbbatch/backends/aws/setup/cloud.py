"""The account as `nbbatch setup` sees it: one door to all that is in this package."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import TYPE_CHECKING

from nbbatch.backends.aws.clients import Clients
from nbbatch.backends.aws.errors import translated
from nbbatch.backends.aws.setup import gpus, network, roles
from nbbatch.backends.aws.setup.bucket import Bucket
from nbbatch.backends.aws.setup.stack import Stack
from nbbatch.backends.aws.setup.template import defaults, template

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbbatch.backends.aws.setup.network import Network
    from nbbatch.backends.aws.setup.wish import Wish


class Cloud:
    """An account, in a region, with the credentials that boto3 finds.

    Parameters
    ----------
    region, profile
        As for boto3; None takes what the environment and AWS's own files say.
    endpoint_url
        Where S3 is, if not on AWS.
    sleep
        Waits between two looks at what CloudFormation does.
    """

    def __init__(
        self,
        region: str | None,
        profile: str | None,
        endpoint_url: str | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = Clients(region, profile, endpoint_url)
        self._sleep = sleep

    @property
    def region(self) -> str:
        """Where everything is made."""
        return self._clients.region

    @functools.cached_property
    def account(self) -> str:
        """The account's number.

        Raises
        ------
        CredentialsError
            There are none that AWS accepts.
        """
        with translated("AWS can't be used"):
            return str(self._clients.service("sts").get_caller_identity()["Account"])

    def stack(self, name: str) -> Stack:
        """Return a stack, whether it is there or not."""
        return Stack(self._clients.service("cloudformation"), name, self._sleep)

    def bucket(self, name: str) -> Bucket:
        """Return a bucket, whether it is there or not."""
        return Bucket(self._clients.s3, name)

    def network(self, wish: Wish) -> Network:
        """Look up the network that was wished for; see `network.find`."""
        return network.find(self._clients.service("ec2"), self.region, wish)

    def with_gpus(self, wish: Wish) -> Wish:
        """Return `wish` with the types of GPU instances that the region has.

        Without any, and where GPUs were not asked for, it is a wish for none.

        Raises
        ------
        UsageError
            A type that was named is not there.
        """
        if wish.gpu is False:
            return wish
        ec2 = self._clients.service("ec2")
        if wish.gpu_types:
            found = gpus.all_offered(ec2, wish.gpu_types, self.region)
        else:
            usual = defaults(template())["GpuInstanceTypes"].split(",")
            found = gpus.offered(ec2, usual)
            if wish.gpu and not found:
                found = gpus.all_offered(ec2, usual, self.region)
        return dataclasses.replace(wish, gpu=bool(found), gpu_types=found)

    def missing_roles(self) -> list[str]:
        """Return the services whose service-linked role the account lacks."""
        return roles.missing(self._clients.service("iam"))

    def make_role(self, service: str) -> None:
        """Make the service-linked role of a service."""
        roles.make(self._clients.service("iam"), service)
