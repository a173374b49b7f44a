"""Settings: the order of their sources, files, Metaflow's, the secret."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from nbbatch.config import configured, secret
from nbbatch.errors import ConfigurationError, OptionError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"NBBATCH_HOME": str(home), "METAFLOW_HOME": str(home / "metaflow"), **more}


def test_nothing_configured_is_local(home: Path) -> None:
    """The first minute needs no cloud."""
    settings = configured({}, environ(home))

    assert (settings.backend, settings.home, settings.s3_root) == ("local", home, "")


def test_a_bucket_makes_it_aws(home: Path) -> None:
    """With an S3 root the backend is aws, unless it is set to local."""
    root = {"NBBATCH_S3_ROOT": "s3://bucket/some/prefix/"}

    assert configured({}, environ(home, **root)).backend == "aws"
    assert configured({}, environ(home, **root)).s3_root == "s3://bucket/some/prefix"
    assert configured({"backend": "local"}, environ(home, **root)).backend == "local"


def test_order_of_sources(home: Path) -> None:
    """Arguments, then the environment, then the file, then Metaflow's."""
    (home / "config.toml").write_text('image = "from-file"\nqueue = "from-file"\nmemory = "2G"\n')
    variables = environ(
        home,
        NBBATCH_QUEUE="from-environment",
        METAFLOW_BATCH_CONTAINER_IMAGE="from-metaflow",
        METAFLOW_ECS_S3_ACCESS_IAM_ROLE="role-from-metaflow",
    )

    settings = configured({"iam_role": "from-argument"}, variables)

    assert settings.defaults == {
        "image": "from-file",
        "queue": "from-environment",
        "iam_role": "from-argument",
        "memory": 2048,
    }
    assert settings.sources["queue"] == "NBBATCH_QUEUE"


def test_profiles(home: Path) -> None:
    """A profile's section is laid over the file's own settings."""
    (home / "config.toml").write_text('queue = "a"\ncpu = 2\n[profiles.big]\nqueue = "b"\n')

    settings = configured({}, environ(home, NBBATCH_PROFILE="big"))

    assert settings.defaults == {"queue": "b", "cpu": 2.0}


def test_unknown_profile(home: Path) -> None:
    """The error lists the profiles there are."""
    (home / "config.toml").write_text("[profiles.big]\ncpu = 2\n")

    with pytest.raises(ConfigurationError, match="profiles there are: big"):
        configured({}, environ(home, NBBATCH_PROFILE="bigg"))


def test_metaflow_configuration_file(home: Path) -> None:
    """A Metaflow user's file, with its profile, is enough; objects get a place of their own."""
    metaflow = home / "metaflow"
    metaflow.mkdir()
    (metaflow / "config_team.json").write_text(
        json.dumps(
            {
                "METAFLOW_DATASTORE_SYSROOT_S3": "s3://team/metaflow",
                "METAFLOW_BATCH_JOB_QUEUE": "team-queue",
                "METAFLOW_ECS_S3_ACCESS_IAM_ROLE": "arn:aws:iam::1:role/team",
            }
        )
    )

    settings = configured({}, environ(home, METAFLOW_PROFILE="team"))

    assert settings.backend == "aws"
    assert settings.s3_root == "s3://team/metaflow/nbbatch"
    assert settings.defaults["queue"] == "team-queue"


def test_metaflow_profile_without_a_file(home: Path) -> None:
    """Metaflow itself would not start; here the error says which file is missing."""
    with pytest.raises(ConfigurationError, match="config_team.json does not exist"):
        configured({}, environ(home, METAFLOW_PROFILE="team"))


def test_damaged_metaflow_file(home: Path) -> None:
    """The error names the file."""
    (home / "metaflow").mkdir()
    (home / "metaflow" / "config.json").write_text("{")
    with pytest.raises(ConfigurationError, match="can't be read"):
        configured({}, environ(home))


def test_registry(home: Path) -> None:
    """Our own variable, then Metaflow's for Batch, then its default."""
    names = (
        "NBBATCH_REGISTRY",
        "METAFLOW_BATCH_CONTAINER_REGISTRY",
        "METAFLOW_DEFAULT_CONTAINER_REGISTRY",
    )
    variables = {name: f"{number}.io" for number, name in enumerate(names)}
    for number, name in enumerate(names):
        assert configured({}, environ(home, **variables)).registry == f"{number}.io"
        del variables[name]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("not toml = [", ConfigurationError),
        ("colour = 3", OptionError),
        ('memory = "lots"', OptionError),
        ('backend = "gcp"', ConfigurationError),
        ('backend = "aws"', ConfigurationError),
        ('s3_root = "bucket/prefix"', ConfigurationError),
    ],
)
def test_bad_files(home: Path, content: str, error: type[Exception]) -> None:
    """A file that can't be meant is refused with what to correct."""
    (home / "config.toml").write_text(content)

    with pytest.raises(error) as caught:
        configured({}, environ(home))

    assert caught.value.hint  # type: ignore[attr-defined]


def test_the_secret_is_made_once_and_private(home: Path) -> None:
    """It stays the same, and nobody else can read it."""
    first = secret(home / "new")

    assert secret(home / "new") == first
    assert len(first) == 32
    assert stat.S_IMODE((home / "new" / "secret").stat().st_mode) == 0o600


PRICES = {"vcpu": 0.04, "memory": 0.0045, "currency": "USD"}


def test_prices(home: Path) -> None:
    """Said in Python, in the environment as JSON or in short, or in a table of the file."""
    text = json.dumps({"vcpu": 0.04, "memory": 0.0045})
    in_file = '[prices]\nvcpu = 0.04\np3.2xlarge = 3\n"m5.large" = 0.1\ncurrency = "EUR"\n'

    assert configured({}, environ(home)).prices == {}
    assert (
        configured({"prices": {"vcpu": 0.04, "memory": "0.0045"}}, environ(home)).prices == PRICES
    )
    for said in (text, "vcpu=0.04,memory=0.0045", " vcpu = 0.04, memory=0.0045, currency=USD"):
        assert configured({}, environ(home, NBBATCH_PRICES=said)).prices == PRICES
    (home / "config.toml").write_text(in_file)
    settings = configured({}, environ(home))
    assert settings.prices == {"vcpu": 0.04, "p3.2xlarge": 3, "m5.large": 0.1, "currency": "EUR"}
    assert settings.sources["prices"] == str(home / "config.toml")
    assert configured({"prices": {}}, environ(home)).prices == {}


@pytest.mark.parametrize(
    ("prices", "what"),
    [
        ({"cpu": 1}, "'cpu' has no price"),
        ({"vcpu": "dear"}, "the price of vcpu is 'dear'"),
        ({"vcpu": -1}, "the price of vcpu is -1"),
        ({"vcpu": True}, "the price of vcpu is True"),
        ({"vcpu": float("nan")}, "the price of vcpu is nan"),
        ({"vcpu": None}, "the price of vcpu is None"),
        ({"vcpu": 1, "currency": "dollars"}, "'dollars' is no currency"),
        ({"vcpu": 1, "currency": 3}, "3 is no currency"),
        (0.04, "0.04 is no table of prices"),
        ("0.04", "'0.04' has no price"),
        ("{vcpu", "the prices are no JSON"),
        ("vcpu", "the price of vcpu is ''"),
    ],
)
def test_bad_prices(home: Path, prices: object, what: str) -> None:
    """What can't be meant is refused, with its place and what would do."""
    with pytest.raises(ConfigurationError, match=what) as caught:
        configured({"prices": prices}, environ(home))

    assert caught.value.cause == "set in configure()"
    assert caught.value.hint
