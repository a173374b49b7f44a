"""The signature against the one that botocore makes for the same request."""

from __future__ import annotations

import calendar
import time

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.worker.stores import sigv4
from nbbatch.worker.stores.credentials import Credentials

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
NAMES = st.sampled_from(["range", "if-none-match", "content-md5", "x-amz-meta-a", "Content-Type"])
REGIONS = st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"])


@given(
    method=st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE"]),
    key=TEXT,
    query=st.dictionaries(TEXT, st.text(max_size=20), max_size=4),
    headers=st.dictionaries(NAMES, st.lists(ASCII, min_size=1, max_size=3).map("  ".join)),
    region=REGIONS,
    token=ASCII,
)
def test_equals_botocore(method, key, query, headers, region, token):
    """Any key, query and headers are signed as botocore's own S3 signer signs them."""
    path = sigv4.encode_path("/" + key)
    text = sigv4.encode_query(query.items())
    url = f"https://bucket.example.com:9000{path}" + (f"?{text}" if text else "")
    theirs = AWSRequest(method, url, headers=dict(headers), data=b"")
    signer = S3SigV4Auth(TheirCredentials("AKID", "secret", token or None), "s3", region)
    signer.add_auth(theirs)
    stamp = theirs.headers["X-Amz-Date"]
    now = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))

    target = sigv4.Target(method, "bucket.example.com:9000", path, text, region)
    payload = theirs.headers["X-Amz-Content-SHA256"]
    ours = sigv4.sign(target, headers, payload, Credentials("AKID", "secret", token), now)

    assert ours["authorization"] == theirs.headers["Authorization"]


def test_a_different_secret_signs_differently():
    """The signature depends on the secret, so that the comparison above can fail."""
    target = sigv4.Target("GET", "host", "/key", "", "us-east-1")
    one, other = (
        sigv4.sign(target, {}, sigv4.UNSIGNED, Credentials("AKID", secret), 0.0)["authorization"]
        for secret in ("one", "other")
    )

    assert one.split("Signature=")[0] == other.split("Signature=")[0]
    assert one != other


def test_the_host_is_signed_and_the_date_is_the_one_given():
    """What the service checks first, host and date, stands in the headers as it was signed."""
    target = sigv4.Target("GET", "host:81", "/key", "", "us-east-1")

    signed = sigv4.sign(target, {"Range": "bytes=0-1"}, sigv4.UNSIGNED, Credentials("A", "B"), 0.0)

    assert signed["host"] == "host:81"
    assert signed["x-amz-date"] == "19700101T000000Z"
    assert "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," in signed["authorization"]
