"""The chain of credentials against servers that stand in for the sources."""

from __future__ import annotations

import calendar
import json
import threading
from urllib.parse import parse_qs

import pytest

from nbbatch.worker.stores import credentials
from nbbatch.worker.stores.credentials import Chain, Credentials, NoCredentialsError
from tests.servers import Answer, serve

END = "2030-01-01T00:00:00Z"
END_SECONDS = calendar.timegm((2030, 1, 1, 0, 0, 0, 0, 0, 0))
FOUND = {"AccessKeyId": "AK", "SecretAccessKey": "SK", "Token": "TK", "Expiration": END}
NOWHERE = {"AWS_EC2_METADATA_DISABLED": "true"}
STS = b"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>AK</AccessKeyId><SecretAccessKey>SK</SecretAccessKey><SessionToken>TK</SessionToken>
<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


def found(**changes):
    return Answer(body=json.dumps({**FOUND, **changes}).encode())


def at(seconds):
    return lambda: END_SECONDS + seconds


def test_environment_wins():
    """Keys in the environment are taken before any other source is asked."""
    environ = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "c",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost:1/",
    }

    assert Chain(environ).get() == Credentials("a", "b", "c")


def test_web_identity(tmp_path):
    """A token file and a role are exchanged at STS."""
    token = tmp_path / "token"
    token.write_text("a+b/c=\n")
    with serve(lambda asked: Answer(body=STS)) as sts:
        environ = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
            "AWS_ENDPOINT_URL_STS": sts.url,
        }
        got = Chain(environ).get()

    form = parse_qs(sts.asked[0].body.decode())
    assert got == Credentials("AK", "SK", "TK", END_SECONDS)
    assert form["WebIdentityToken"] == ["a+b/c="]
    assert form["RoleArn"] == ["arn:aws:iam::1:role/r"]


def test_web_identity_region_of_china():
    """STS is asked in the region's own domain."""
    assert credentials._sts({"AWS_REGION": "cn-north-1"}) == (
        "https://sts.cn-north-1.amazonaws.com.cn/"
    )


def test_container_full_uri_with_token_file(tmp_path):
    """The container's endpoint gets the authorization from the file, read anew each time."""
    token = tmp_path / "token"
    token.write_text("first")
    with serve(lambda asked: found()) as server:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/creds?x=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "unused",
        }
        chain = Chain(environ, clock=at(-60))
        got = chain.get()
        token.write_text("second")
        chain.get()

    assert got == Credentials("AK", "SK", "TK", END_SECONDS)
    assert [asked.headers["Authorization"] for asked in server.asked] == ["first", "second"]
    assert server.asked[0].path == "/creds?x=1"


def test_container_relative_uri(monkeypatch):
    """A relative URI is asked at the container agent's address."""
    with serve(lambda asked: found()) as server:
        monkeypatch.setattr(credentials, "_CONTAINER", server.url)
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"})

        assert chain.get().access_key == "AK"
    assert server.asked[0].path == "/v2/x"


def test_container_uri_elsewhere_is_not_asked():
    """The authorization token is never sent in the clear to a host that is not the agent."""
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/creds"}

    with pytest.raises(NoCredentialsError, match=r"not asked for at http://example\.com"):
        Chain(environ).get()


def test_a_proxy_is_passed_by(monkeypatch):
    """The container's endpoint is asked directly although a proxy is set."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serve(lambda asked: found()) as server:
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url})

        assert chain.get().access_key == "AK"


def instance(asked):
    if asked.path == "/latest/api/token":
        return Answer(body=b"session") if asked.method == "PUT" else Answer(403)
    if asked.headers["X-aws-ec2-metadata-token"] != "session":
        return Answer(401)
    if asked.path.endswith("/security-credentials/"):
        return Answer(body=b"role\n")
    return found() if asked.path.endswith("/security-credentials/role") else Answer(404)


def test_instance_metadata():
    """The instance's role is found with a session token, as IMDSv2 wants it."""
    with serve(instance) as server:
        chain = Chain({"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url + "/"})

        assert chain.get() == Credentials("AK", "SK", "TK", END_SECONDS)


def test_instance_without_a_role():
    """An instance that has no role is as good as no source, and the error says what was tried."""
    with serve(lambda asked: Answer(404)) as server:
        chain = Chain({"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url})

        with pytest.raises(NoCredentialsError, match="no container role"):
            chain.get()


def test_no_source():
    """Without any source the error names them."""
    with pytest.raises(NoCredentialsError, match="no AWS credentials"):
        Chain(NOWHERE).get()


def test_a_failing_endpoint_is_asked_again():
    """A server error is tried again; the third answer is taken."""
    answers = iter([Answer(500), None, found()])
    with serve(lambda asked: next(answers)) as server:
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url})

        assert chain.get().access_key == "AK"


def test_a_refusal_is_final():
    """A refusal is not tried again, and its reason is told."""
    body = b"<Error><Code>AccessDenied</Code></Error>"
    with serve(lambda asked: Answer(403, body)) as server:
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url})

        with pytest.raises(NoCredentialsError, match="HTTP 403 AccessDenied"):
            chain.get()
    assert len(server.asked) == 1


@pytest.mark.parametrize("body", [b"no json", b"[]", b"{}", b'{"AccessKeyId": "A"}'])
def test_an_answer_that_is_not_understood(body):
    """An endpoint that answers something else gives an error that quotes nothing."""
    with serve(lambda asked: Answer(body=body)) as server:
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url})

        with pytest.raises(NoCredentialsError) as error:
            chain.get()
    assert body.decode() not in str(error.value)


@pytest.mark.parametrize(("left", "calls"), [(301, 1), (299, 2)])
def test_renewed_before_the_end(left, calls):
    """Credentials are kept until five minutes before their end."""
    with serve(lambda asked: found()) as server:
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}
        chain = Chain(environ, clock=at(-left))
        chain.get()
        chain.get()

    assert len(server.asked) == calls


def test_kept_while_the_source_is_away():
    """Credentials that are near their end still serve when they can't be renewed."""
    answers = iter([found(), Answer(404)])
    with serve(lambda asked: next(answers)) as server:
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}
        chain = Chain(environ, clock=at(-60))
        first = chain.get()

        assert chain.get() is first
    assert len(server.asked) == 2


def test_forgotten_ones_are_fetched_again():
    """After `forget` the source is asked although there is time left."""
    answers = iter([found(), found(AccessKeyId="NEW")])
    with serve(lambda asked: next(answers)) as server:
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}, clock=at(-1000))
        chain.get()
        chain.forget()

        assert chain.get().access_key == "NEW"


def test_threads_share_one_fetch():
    """Many threads that start at once ask the source once."""
    with serve(lambda asked: found()) as server:
        chain = Chain({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}, clock=at(-1000))
        threads = [threading.Thread(target=chain.get) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(server.asked) == 1


def test_repr_hides_the_secret():
    """What is printed by chance shows neither the secret nor the token."""
    text = repr(Credentials("AKID", "hush", "quiet"))

    assert "AKID" in text
    assert "hush" not in text
    assert "quiet" not in text
