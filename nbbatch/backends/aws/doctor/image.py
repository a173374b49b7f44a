"""Whether the image is there, and for which processor, as far as AWS tells."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3

from nbbatch.backends.aws.doctor.findings import ok, untold, wrong
from nbbatch.backends.aws.doctor.pythons import Image, parse, python_finding, python_of
from nbbatch.backends.aws.environments import processor
from nbbatch.backends.aws.errors import VENDOR, translated
from nbbatch.errors import NbbatchError, NotFoundError
from nbbatch.facts import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbbatch.backends.aws.doctor.findings import Looking
    from nbbatch.backends.aws.doctor.subject import Subject

#: What lists the images of several processors.
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    *_INDEXES,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


def look(subject: Subject, environments: Sequence[Mapping[str, Any]]) -> Looking[None]:
    """Look at the image's name, ask ECR about it where it is there, and judge its Python."""
    name = subject.runner.image(subject.options)
    image = parse(name)
    if image is None:
        yield _malformed(name)
        return
    there = python_of(image)
    if image.ecr:
        told = yield from _in_ecr(subject, name, image, wanted(subject, environments))
        if told is None:
            return
        there = python_version(told) or there
    else:
        yield _elsewhere(name, image)
    yield python_finding(name, there, "{}.{}".format(*sys.version_info), subject.options.executable)


def _malformed(name: str) -> Finding:
    return Finding(
        "image",
        Verdict.WRONG,
        f"{name!r} is not the name of an image",
        "it is of the form [registry/]repository[:tag], in lower case and without https://",
        "--image python:3.11, for example",
    )


def _elsewhere(name: str, image: Image) -> Finding:
    return Finding(
        "image",
        Verdict.SKIPPED,
        f"whether {name} can be pulled can't be told from here",
        f"{image.registry} is asked by the host of the job, over its own network",
        "nothing, if it has a way to the internet; else copy the image to ECR",
    )


def wanted(subject: Subject, environments: Sequence[Mapping[str, Any]]) -> str:
    """Return the processor that jobs will run on, in the words of image registries."""
    found = filter(None, map(processor, environments))
    return "arm64" if (subject.options.platform or next(found, "")) == "ARM64" else "amd64"


def _in_ecr(subject: Subject, name: str, image: Image, host: str) -> Looking[dict[str, Any] | None]:
    """Return the image's configuration, an empty one where it is not told; None for no image."""
    assert image.ecr is not None
    repository = Repository(
        subject.clients.service("ecr", image.ecr["region"], brief=True),
        image.ecr["account"],
        image.repository,
    )
    try:
        with translated(f"can't ask ECR about {name}"):
            manifest = repository.manifest(image.tag, image.digest)
            has = processors(manifest)
            configuration = repository.configuration(manifest, host)
    except NotFoundError as error:
        hint = f"--image another; aws ecr list-images --repository-name {image.repository}"
        yield wrong("image", NotFoundError(f"there is no image {name}", error.cause, hint))
        return None
    except NbbatchError as error:
        yield untold("image", f"whether {name} exists can't be told", error)
        return {}
    yield fitting_finding(name, has or [configuration.get("architecture", "")], host)
    return configuration


class Repository:
    """A repository in ECR; raises what botocore raises."""

    def __init__(self, client: Any, account: str, name: str) -> None:
        self._client = client
        self._where = {"registryId": account, "repositoryName": name}

    def manifest(self, tag: str, digest: str = "") -> dict[str, Any]:
        """Return the manifest of an image, or the index of several.

        Raises
        ------
        NotFoundError
            There is no such image.
        """
        which = {"imageDigest": digest} if digest else {"imageTag": tag}
        answer: Any = self._client.batch_get_image(
            **self._where, imageIds=[which], acceptedMediaTypes=list(_MANIFESTS)
        )
        for failure in answer.get("failures", ()):
            code, reason = failure.get("failureCode"), failure.get("failureReason")
            raise NotFoundError("the image is not there", f"{code}: {reason}")
        return dict(json.loads(answer["images"][0]["imageManifest"]))

    def configuration(self, manifest: Mapping[str, Any], host: str) -> dict[str, Any]:
        """Return what an image says about itself; an empty mapping where it can't be had."""
        try:
            for item in manifest.get("manifests", ()):
                if item.get("platform", {}).get("architecture") == host:
                    manifest = self.manifest("", item["digest"])
            return self._layer(manifest.get("config", {}).get("digest", ""))
        # It is there, and it tells no more; that is enough.
        except (*VENDOR, NotFoundError, ValueError):
            return {}

    def _layer(self, digest: str) -> dict[str, Any]:
        if not digest:
            return {}
        answer = self._client.get_download_url_for_layer(**self._where, layerDigest=digest)
        with urllib3.PoolManager(timeout=10, retries=1) as http:
            said = http.request("GET", answer["downloadUrl"])
        return dict(json.loads(said.data)) if said.status == HTTPStatus.OK else {}


def processors(manifest: Mapping[str, Any]) -> list[str]:
    """Return the processors that an index of images names; none for a single image."""
    platforms = [item.get("platform", {}) for item in manifest.get("manifests", ())]
    found = {str(item.get("architecture", "")) for item in platforms}
    return sorted(found - {"", "unknown"})


def python_version(configuration: Mapping[str, Any]) -> str:
    """Return the Python of an image that is built on the official ones, which say it."""
    for item in configuration.get("config", {}).get("Env") or ():
        name, _, value = str(item).partition("=")
        if name == "PYTHON_VERSION":
            return ".".join(value.split(".")[:2])
    return ""


def fitting_finding(name: str, has: Sequence[str], host: str) -> Finding:
    """Judge the processors that an image is for; ``""`` stands for one that is not told."""
    if host in has:
        return ok("image", f"{name} exists, for {host}")
    if "" in has:
        return ok("image", f"{name} exists; for which processor is not told")
    flag = " or --platform ARM64 on Fargate" if has == ["arm64"] else ""
    return Finding(
        "image",
        Verdict.WRONG,
        f"{name} is for {' and '.join(has)}, and the queue's hosts are {host}",
        "a program for another processor does not start (exec format error)",
        f"docker buildx build --platform linux/{host} ...; or --queue another{flag}",
    )
