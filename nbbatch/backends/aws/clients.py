"""boto3's clients: made when first used, once, with the same settings."""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from nbbatch.backends.aws.clock import Clock
from nbbatch.backends.aws.errors import translated
from nbbatch.backends.aws.recovery import Recovery, whole
from nbbatch.errors import ConfigurationError, RegionError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

#: Of one call; the pauses between them are about half a minute in all.
_TRIES = 7
_COMMON = Config(
    retries={"mode": "standard", "total_max_attempts": _TRIES},
    connect_timeout=3,
    read_timeout=60,
    max_pool_connections=16,
    tcp_keepalive=True,
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
#: What is not idempotent is sent once: `submit` knows what an error means and what to do then.
_ONCE = _COMMON.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
#: For what is nice to know: two tries, and no long wait for an answer.
_BRIEF = _COMMON.merge(
    Config(retries={"mode": "standard", "total_max_attempts": 2}, read_timeout=15)
)

_AWS_HOST = re.compile(r"https://([a-z0-9-]+\.)*amazonaws\.com(\.cn)?")
_MOVED = frozenset({301, 302, 307})
_ELSEWHERE = frozenset({"PermanentRedirect", "IllegalLocationConstraintException"})


class Clients:
    """The clients of one backend; thread-safe.

    Parameters
    ----------
    region, profile, s3_endpoint
        As `nbbatch.backends.aws.aws_backend` takes them.
    """

    def __init__(
        self, region: str | None = None, profile: str | None = None, s3_endpoint: str | None = None
    ) -> None:
        self.profile = profile
        self._region = region
        self._s3_endpoint = s3_endpoint
        # Clients may be shared between threads; a session may not, not even to make one.
        self._lock = threading.RLock()
        self._session: Any = None
        self._made: dict[str, Any] = {}
        self._clock = Clock()
        self._recovery = Recovery(self._clock, self._held, self._look_up)

    @property
    def region(self) -> str:
        """The region of all services.

        Raises
        ------
        ConfigurationError
            None is configured, or the profile does not exist.
        """
        session = self._opened()
        found = self._region or session.region_name or os.environ.get("AWS_REGION")
        if not found:
            raise ConfigurationError(
                "the AWS region is not known",
                "neither the environment nor AWS's configuration file names one",
                "export AWS_DEFAULT_REGION=us-east-1 (yours), or: aws configure set region ...",
            )
        return str(found)

    @property
    def s3(self) -> S3Client:
        """For objects; never follows a bucket to another region."""
        client: S3Client = self._client("s3", "s3", self._s3_config(), endpoint_url=self._s3_url())
        return client

    @property
    def batch(self) -> BatchClient:
        """For calls that may be repeated."""
        client: BatchClient = self._client("batch", "batch", _COMMON)
        return client

    @property
    def batch_once(self) -> BatchClient:
        """For SubmitJob and RegisterJobDefinition: each call is sent exactly once."""
        client: BatchClient = self._client("batch once", "batch", _ONCE)
        return client

    @property
    def logs(self) -> CloudWatchLogsClient:
        """For the containers' own logs."""
        client: CloudWatchLogsClient = self._client("logs", "logs", _COMMON)
        return client

    def secrets_manager(self, region: str = "") -> SecretsManagerClient:
        """For secrets of a region: of the one in use, if none is named."""
        client: SecretsManagerClient = self.service("secretsmanager", region)
        return client

    def systems_manager(self, region: str = "") -> SSMClient:
        """For parameters of a region: of the one in use, if none is named."""
        client: SSMClient = self.service("ssm", region)
        return client

    def service(self, name: str, region: str = "", *, brief: bool = False) -> Any:
        """Return the client of another service.

        Parameters
        ----------
        name
            As boto3 has it: ``sts``, ``iam``, ``ecr``, ``ec2``.
        region
            Where it is, if not in the region of all others.
        brief
            Whether it is only looked at: its answers are a help, and not worth a long wait.
        """
        config = _BRIEF if brief else _COMMON
        return self._client(f"{name} {region} {brief}", name, config, region_name=region)

    @property
    def credentials(self) -> Any:
        """What botocore has found to sign with, None for nothing."""
        with self._lock, translated("no credentials can be had"):
            return self._opened().get_credentials()

    def regions(self) -> list[str]:
        """Return the regions that have Batch, as far as this botocore knows."""
        return list(self._opened().get_available_regions("batch"))

    @property
    def custom_s3_endpoint(self) -> str | None:
        """S3's address where it is not AWS's own for the region."""
        address = self.s3.meta.endpoint_url
        return None if on_aws(address) and "vpce" not in address else address

    def _s3_url(self) -> str | None:
        named = ("METAFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        return self._s3_endpoint or next((os.environ[n] for n in named if os.environ.get(n)), None)

    def _s3_config(self) -> Config:
        # Payloads carry nbbatch's own digests and seals, and TLS protects them on the way: a
        # third hash over each byte only costs time.
        options: Any = {"payload_signing_enabled": False}
        if self._s3_url():
            # A server of one's own seldom has a host name per bucket.
            options["addressing_style"] = "path"
        return _COMMON.merge(Config(s3=options))

    def _opened(self) -> Any:
        with self._lock, translated("AWS can't be used"):
            if self._session is None:
                self._session = boto3.session.Session(profile_name=self.profile)
            return self._session

    def _client(self, key: str, service: str, config: Config, **extra: Any) -> Any:
        if key in self._made:
            return self._made[key]
        with self._lock, translated(f"no client for {service} can be made"):
            if key not in self._made:
                region = extra.pop("region_name", None) or self.region
                made = self._opened().client(service, region_name=region, config=config, **extra)
                if service == "s3":
                    made.meta.events.register_first("needs-retry.s3", _stay_in(region))
                made.meta.events.register_first("needs-retry", self._recovery)
                made.meta.events.register("before-sign", self._clock.sign)
                tries = 1 if config is _ONCE else _TRIES
                made.meta.events.register_first("needs-retry", whole(tries))
                # Without anything to sign with it would go on having nothing.
                if self._held() is None:
                    self._session = None
                    return made
                self._made[key] = made
        return self._made[key]

    def _held(self) -> Any:
        """Return what the clients sign with."""
        return self._opened().get_credentials()

    def _look_up(self) -> Any:
        """Return what a process that starts now would sign with."""
        with translated("no credentials can be had"):
            return boto3.session.Session(profile_name=self.profile).get_credentials()


def on_aws(address: str) -> bool:
    """Tell whether `address` is one of AWS's own."""
    return _AWS_HOST.fullmatch(address) is not None


def _stay_in(region: str) -> Any:
    """Refuse a bucket elsewhere, where botocore would quietly call the other region."""

    def guard(response: Any = None, request_dict: Any = None, **_: Any) -> None:
        if response is None:
            return
        there = _bucket_region(response[0], response[1].get("Error", {}), region)
        if there:
            bucket = request_dict["context"].get("s3_redirect", {}).get("bucket", "")
            raise another_region(bucket, region, there)

    return guard


def _bucket_region(http: Any, error: dict[str, Any], here: str) -> str:
    """Return the region that an answer points to, ``"another"`` if it does not say which."""
    # A HEAD in the wrong region is answered with a bare 400.
    if http is None or http.status_code not in (*_MOVED, 400):
        return ""
    named = http.headers.get("x-amz-bucket-region") or error.get("Region") or ""
    if named:
        return "" if named == here else str(named)
    moved = http.status_code in _MOVED or error.get("Code") in _ELSEWHERE
    return "another" if moved else ""


def another_region(bucket: str, here: str, there: str) -> RegionError:
    """Build the error for a bucket that is not where it was looked for."""
    which = f"the region {there}" if there != "another" else "another region"
    name = there if there != "another" else "THE-BUCKET'S-REGION"
    return RegionError(
        f"the bucket {bucket} can't be used from {here}",
        f"it lives in {which}, and the region in use is {here}",
        f"export AWS_DEFAULT_REGION={name}, or take a bucket in {here}",
    )
