"""What each option takes and what it does not: one table for every surface.

`good` and `edges` hold pairs of a value and what it becomes; `edges` are the least and the most
that is taken, `beyond` what is just not. `bad` are wrong on every surface, `odd` are values of a
wrong type, which only Python can pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Cases:
    good: list[tuple[Any, Any]]
    edges: list[tuple[Any, Any]]
    beyond: list[Any]
    bad: list[Any]
    odd: list[Any] = field(default_factory=lambda: [object(), b"1"])

    @property
    def taken(self) -> list[tuple[Any, Any]]:
        return [*self.good, *self.edges]

    @property
    def refused(self) -> list[Any]:
        return [*self.beyond, *self.bad]


def same(*values: Any) -> list[tuple[Any, Any]]:
    """Pair values with themselves."""
    return [(value, value) for value in values]


ROLE = "arn:aws:iam::111122223333:role/team/job"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/db-a1B2c3"
NUMBER = [object(), b"1", True, [1], {"a": 1}, 10**400]
TEXT = [object(), b"a", True, ["a"], {"a": "b"}]
SEVERAL = [object(), b"a=b", 1, True, [object()], [[]], [["a", "b", "c"]]]

switch = Cases(
    good=[("true", True), ("YES", True), ("on", True), ("false", False), ("no", False)],
    edges=[(True, True), (False, False), ("1", True), ("0", False)],
    beyond=["2", "-1"],
    bad=["maybe", "None"],
    odd=[object(), b"true", "", 2, 1.0, [True]],
)
sizes = [
    (512, 512),
    ("16000", 16000),
    ("16G", 16384),
    ("1.5 GiB", 1536),
    ("2Gi", 2048),
    ("1.3g", 1331),
    ("1T", 1 << 20),
    (8192.0, 8192),
]
size = Cases(
    good=sizes,
    edges=same(1) + [("1M", 1)],
    beyond=[0, "0.4G0", "0.9"],
    bad=["lots", "16X", "-1G", "1.5", "nan", "inf", "9" * 400 + "G"],
    odd=NUMBER,
)
texts_by_name = [
    ({"a": "1"}, {"a": "1"}),
    ({"a": "b=c", "d": ""}, {"a": "b=c", "d": ""}),
    (["a=1", "b=x=y"], {"a": "1", "b": "x=y"}),
    ('{"a": "1", "b": "2"}', {"a": "1", "b": "2"}),
    ('["a=1", "b=2"]', {"a": "1", "b": "2"}),
    ({"n": 7, "x": 0.5}, {"n": "7", "x": "0.5"}),
]
tags = Cases(
    good=[*texts_by_name, ({"Größe": "a b+c-d=e.f_g:h/i@j"}, {"Größe": "a b+c-d=e.f_g:h/i@j"})],
    edges=[
        ({}, {}),
        ({"k" * 128: "v" * 256}, {"k" * 128: "v" * 256}),
        ({f"k{i}": "" for i in range(50)}, {f"k{i}": "" for i in range(50)}),
    ],
    beyond=[{"k" * 129: "v"}, {"k": "v" * 257}, {"": "v"}, {f"k{i}": "" for i in range(51)}],
    bad=["a", "aws:a=1", "a=AWS:b", {"a": "b,c"}, {"a": "b\nc"}, ["a=1", "a=2"], '{"a": '],
    odd=[*SEVERAL, {"a": None}, {"a": ["b"]}, {1: "b"}],
)
devices = {"bad": ["one", "1.5", -1], "odd": NUMBER}

CASES: dict[str, Cases] = {
    "cpu": Cases(
        good=[(4, 4.0), ("4", 4.0), ("2.5", 2.5)],
        edges=[(0.25, 0.25), (0.001, 0.001)],
        beyond=[0, "0.0"],
        bad=["four", "", -1, "nan", "inf"],
        odd=NUMBER,
    ),
    "gpu": Cases(
        good=[(1, 1), ("8", 8), ("2.0", 2)],
        edges=same(0),
        beyond=[-1],
        bad=["1.5", "one", "inf"],
        odd=NUMBER,
    ),
    "memory": size,
    "shared_memory": size,
    "max_swap": Cases(sizes, same(0), [-1, "-1"], size.bad, NUMBER),
    "swappiness": Cases(
        good=[(60, 60), ("60", 60)],
        edges=same(0, 100),
        beyond=[-1, 101],
        bad=["99.5", "low"],
        odd=NUMBER,
    ),
    "ephemeral_storage": Cases(
        good=[(100, 100), ("100G", 100), ("100 GiB", 100)],
        edges=same(21, 200),
        beyond=[20, 201],
        bad=["1T", "100M", "big", "21.5"],
        odd=NUMBER,
    ),
    "image": Cases(
        good=[
            ("python:3.11", "python:3.11"),
            (" python:3.12 ", "python:3.12"),
            *same(
                "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/image:v1.0",
                "team/image@sha256:" + "0" * 64,
                "localhost:5000/image",
            ),
        ],
        edges=same("a", "a" * 255),
        beyond=["", "a" * 256],
        bad=["my image", "a\tb", "image;ls"],
        odd=TEXT,
    ),
    "queue": Cases(
        good=same("my-queue", "arn:aws:batch:eu-west-1:111122223333:job-queue/my_queue"),
        edges=same("q", "q" * 128),
        beyond=["", "q" * 129],
        bad=["my queue", "team/queue", "arn:aws:batch:eu-west-1:111122223333:job/x"],
        odd=TEXT,
    ),
    "iam_role": Cases(same(ROLE), same("r"), [""], [" ", "a role"], TEXT),
    "execution_role": Cases(same(ROLE), same("r"), [""], [" ", "a role"], TEXT),
    "service_account": Cases(
        good=same("my-account", "team.account-2"),
        edges=same("a", "a" * 253),
        beyond=["", "a" * 254],
        bad=["My-account", "a_b", "-a", "a b"],
        odd=TEXT,
    ),
    "executable": Cases(
        good=[("python3.11", "python3.11"), (" /opt/my env/bin/python ", "/opt/my env/bin/python")],
        edges=same("p"),
        beyond=[""],
        bad=[" ", "\t"],
        odd=[*TEXT, 3, "a\0b"],
    ),
    "platform": Cases(
        good=[("arm64", "ARM64"), ("aarch64", "ARM64"), ("amd64", "X86_64")],
        edges=same("X86_64", "ARM64"),
        beyond=["ARM", ""],
        bad=["sparc", 64],
        odd=TEXT,
    ),
    "platform_version": Cases(
        good=same("1.4.0"),
        edges=same("LATEST", "1.3.0"),
        beyond=["1.4", "1.4.0.0"],
        bad=["newest", ""],
        odd=TEXT,
    ),
    "platform_capabilities": Cases(
        good=[("ec2", "EC2"), (" Fargate ", "FARGATE")],
        edges=same("EC2", "FARGATE"),
        beyond=["FARGATE_SPOT"],
        bad=["EKS", ""],
        odd=TEXT,
    ),
    "assign_public_ip": switch,
    "env": Cases(
        good=[("auto", "auto"), ("IMAGE", "image"), (" none ", "none")],
        edges=same("image"),
        beyond=["lock"],
        bad=["", "images"],
        odd=TEXT,
    ),
    "pypi": Cases(
        good=[
            ("pandas>=2", ("pandas>=2",)),
            ("pandas=2.2", ("pandas==2.2",)),
            (["a", "b[c]~=1.0 ; python_version < '4'"], ("a", "b[c]~=1.0 ; python_version < '4'")),
            ({"pandas": "2.2", "numpy": ">=2", "six": ""}, ("pandas==2.2", "numpy>=2", "six")),
            # Never another package: the name ends where the version begins.
            ({"pandas": "latest", "six": "v1.2"}, ("pandas==latest", "six==v1.2")),
        ],
        edges=[("a", ("a",))],
        beyond=["-r x", ">=2"],
        bad=["", "--index-url=x"],
        odd=[object(), b"a", 1, True, [], [object()], {"a": object()}],
    ),
    "conda": Cases(
        good=[
            ("gdal>=3.8", ("gdal>=3.8",)),
            ("numpy=1.26", ("numpy=1.26",)),
            (["a", "x::b 1.*", "c[build='x*']"], ("a", "x::b 1.*", "c[build='x*']")),
            (["a==1.2", "b=1.*=py*"], ("a==1.2", "b=1.*=py*")),
            ({"gdal": "3.8", "numpy": ">=2", "six": ""}, ("gdal=3.8", "numpy >=2", "six")),
        ],
        edges=[("a", ("a",))],
        beyond=["-c x", ">=2"],
        bad=["", "--channel=x"],
        odd=[object(), b"a", 1, True, [], [object()], {"a": object()}],
    ),
    "conda_channels": Cases(
        good=[
            ("conda-forge", ("conda-forge",)),
            ("a, https://b/c", ("a", "https://b/c")),
            (["a", "b"], ("a", "b")),
        ],
        edges=same(("a",)),
        beyond=["a b"],
        bad=["", ","],
        odd=[object(), b"a", 1, True, [], [object()]],
    ),
    "requirements": Cases(
        good=same("requirements.txt", "/a/uv.lock"),
        edges=same("x"),
        beyond=[""],
        bad=[" "],
        odd=TEXT,
    ),
    "python": Cases(
        good=same("3.11", "3.9"),
        edges=[(3.12, "3.12")],
        beyond=["2.7", "4.0"],
        bad=["3", "3.11.2", "py311", ""],
        odd=[object(), b"3.11", True, ["3.11"]],
    ),
    "library_cache": Cases(
        good=same("/mnt/libraries"),
        edges=same("/a"),
        beyond=["/"],
        bad=["relative", "/a:/b"],
        odd=[object(), b"/a", ["/a"]],
    ),
    "name": Cases(
        good=same("train_1", "train-2", "3"),
        edges=same("x", "x" * 128),
        beyond=["", "x" * 129],
        bad=["a b", "-a", "_a", "a.b", "é"],
        odd=TEXT,
    ),
    "timeout": Cases(
        good=[
            (90, 90),
            ("90", 90),
            ("90s", 90),
            ("10m", 600),
            ("1.1m", 66),
            ("5 min", 300),
            ("2h", 7200),
            ("5d", 432000),
            (432000.0, 432000),
        ],
        edges=same(1) + [("1s", 1)],
        beyond=[0, "0s", "0.5"],
        bad=["soon", "1w", "-5m", ""],
        odd=NUMBER,
    ),
    "retries": Cases(
        good=[(2, 2), ("3", 3)],
        edges=same(0, 9),
        beyond=[-1, 10],
        bad=["1.5", "twice"],
        odd=NUMBER,
    ),
    "minutes_between_retries": Cases(
        good=[(2, 2.0), ("0.5", 0.5)],
        edges=[(0, 0.0), ("0", 0.0)],
        beyond=[-0.1],
        bad=["soon", "inf", "nan", ""],
        odd=NUMBER,
    ),
    "retry_on": Cases(
        good=[
            ("spot", ("spot",)),
            ("spot, memory", ("spot", "memory")),
            (["SPOT", 137], ("spot", "137")),
            (137, ("137",)),
            ('["spot", 3]', ("spot", "3")),
            (["spot", "spot"], ("spot",)),
        ],
        edges=[
            (1, ("1",)),
            (255, ("255",)),
            (
                ["any", "error", "image", "memory", "spot"],
                ("any", "error", "image", "memory", "spot"),
            ),
        ],
        beyond=[0, 256],
        bad=["rain", "-1", "²", "", ["spot", "rain"]],
        odd=[object(), [], True, 1.5, [None], b"spot"],
    ),
    "cache": Cases(
        good=[("true", True), ("7d", 604800), (90, 90), ("refresh", "refresh"), ("no", False)],
        edges=[(True, True), (False, False), (1, 1), ("1s", 1)],
        beyond=["0", 0, "0s"],
        bad=["soon", "-1", "7w"],
        odd=[object(), b"true", [True]],
    ),
    "catch": Cases(
        good=same("problem", "_e1", "café"),
        edges=same("x", ""),
        beyond=["1", "1x"],
        bad=["a b", "a.b", "class"],
        odd=[object(), 1, True, ["a"]],
    ),
    "print_exception": switch,
    "depends_on": Cases(
        good=[
            ("20260131-094500-1f0c2a9b", ("20260131-094500-1f0c2a9b",)),
            ("one, two", ("one", "two")),
            (["one", "two", "one"], ("one", "two")),
        ],
        edges=[
            ("j", ("j",)),
            ([f"j{i}" for i in range(20)], tuple(f"j{i}" for i in range(20))),
        ],
        beyond=["", [f"j{i}" for i in range(21)]],
        bad=[",", ' [ "one" '],
        odd=[object(), 1, [], [1], {"a": "b"}],
    ),
    "lazy": switch,
    "environment": Cases(
        good=[
            *texts_by_name,
            ({"_A1": "b c", "PATH": "/a:/b"}, {"_A1": "b c", "PATH": "/a:/b"}),
            ("A=b=c", {"A": "b=c"}),
            ({"DEBUG": True}, {"DEBUG": "True"}),
        ],
        edges=[({}, {}), ("A=", {"A": ""}), ({"AWS_BATC": "x"}, {"AWS_BATC": "x"})],
        beyond=["=x", {"AWS_BATCH": "x"}, {"AWS_BATCH_JOB_ID": "x"}, {"NBBATCH_HOME": "x"}],
        bad=["A", {"1A": "b"}, {"a-b": "c"}, ["A=1", "A=2"], "{A=1", '{"A": "1"'],
        odd=[*SEVERAL, {"A": None}, {"A": "\0"}, {1: "b"}],
    ),
    "secrets": Cases(
        good=[
            ("my-secret", (("", "my-secret"),)),
            ("DB=my/secret", (("DB", "my/secret"),)),
            ({"DB": "my-secret"}, (("DB", "my-secret"),)),
            (["one", "B=two"], (("", "one"), ("B", "two"))),
            ("team/db#password", (("password", "team/db#password"),)),
            ("KEY=ssm:/team/key", (("KEY", "ssm:/team/key"),)),
            ("aws-secrets-manager.db", (("", "aws-secrets-manager.db"),)),
            ([{"type": "aws-secrets-manager", "id": "db", "options": {}}], (("", "db"),)),
            (SECRET, (("", SECRET),)),
        ],
        edges=[("s", (("", "s"),)), ("A=" + "s" * 512, (("A", "s" * 512),))],
        beyond=["", "A=", "A=" + "s" * 513],
        bad=["1A=s", {"a b": "s"}, "a b", "AWS_BATCH_X=s", {"A": "arn:aws:s3:::bucket"}],
        odd=[object(), 1, [1], {"A": None}, {"id": "a", "options": 3}, {"id": "a", "type": 1}],
    ),
    "allow_override": switch,
    "privileged": switch,
    "user": Cases(
        good=same("1000:1000", "app", "app:users") + [(1000, "1000")],
        edges=same("a", "0") + [(0, "0")],
        beyond=["", "a:b:c"],
        bad=["a b", ":users", "app:"],
        odd=TEXT,
    ),
    "readonly_root": switch,
    "init_process": switch,
    "ulimits": Cases(
        good=[
            ("nofile=4096", (("nofile", 4096, 4096),)),
            ("nofile=1024:4096", (("nofile", 1024, 4096),)),
            ({"nofile": 10, "core": "0"}, (("nofile", 10, 10), ("core", 0, 0))),
            ({"nofile": [10, 20]}, (("nofile", 10, 20),)),
            (["nofile=10", "nproc=5:6"], (("nofile", 10, 10), ("nproc", 5, 6))),
        ],
        edges=[
            ("memlock=-1", (("memlock", -1, -1),)),
            ("memlock=0:-1", (("memlock", 0, -1),)),
            ("stack=2147483647", (("stack", 2147483647, 2147483647),)),
        ],
        beyond=["memlock=-2", "stack=2147483648", "nofile=2:1", "nofile=-1:5"],
        bad=["nofile", "files=10", "nofile=many", "nofile=1:2:3", ["core=1", "core=2"], ""],
        odd=[object(), 1, [1], {"nofile": None}, {"nofile": [1, 2, 3]}, {"nofile": []}, [[]]],
    ),
    "use_tmpfs": switch,
    "tmpfs_tempdir": switch,
    "tmpfs_size": size,
    "tmpfs_path": Cases(
        good=same("/scratch", "/metaflow_temp", "/a/b c"),
        edges=same("/a"),
        beyond=["/", "//"],
        bad=["scratch", "./scratch", "", "/a:ro"],
        odd=TEXT,
    ),
    "host_volumes": Cases(
        good=[
            ("/data", (("/data", "/data"),)),
            ("/data:/mnt/data", (("/data", "/mnt/data"),)),
            (["/a", "/b:/c"], (("/a", "/a"), ("/b", "/c"))),
            ({"/a": "/b"}, (("/a", "/b"),)),
            ('["/a", "/b:/c"]', (("/a", "/a"), ("/b", "/c"))),
        ],
        edges=[("/a", (("/a", "/a"),)), ("/:/host", (("/", "/host"),))],
        beyond=["", "/"],
        bad=["data", "/a:b", "/a:/b:ro", "/a:/", ["/a:/c", "/b:/c"]],
        odd=[object(), 1, [1], {"/a": None}],
    ),
    "efs_volumes": Cases(
        good=[
            ("fs-0123456789abcdef0", (("fs-0123456789abcdef0", "/mnt/fs-0123456789abcdef0"),)),
            ("fs-01234567:/data", (("fs-01234567", "/data"),)),
            ({"fs-01234567": "/data"}, (("fs-01234567", "/data"),)),
        ],
        edges=[
            ("fs-" + "0" * 8 + ":/d", (("fs-" + "0" * 8, "/d"),)),
            ("fs-" + "f" * 40 + ":/d", (("fs-" + "f" * 40, "/d"),)),
        ],
        beyond=["fs-" + "0" * 7, "fs-" + "f" * 41],
        bad=["", "/data", "fs-0123456g", "fs-01234567:data", "fs-01234567:/a:ro"],
        odd=[object(), 1, [1], {"fs-01234567": None}],
    ),
    "inferentia": Cases([(1, 1), ("2", 2)], same(0, 16), [-1, 17], **devices),
    "trainium": Cases([(1, 1), ("2", 2)], same(0, 16), [-1, 17], **devices),
    "efa": Cases([(1, 1), ("4", 4)], same(0, 32), [-1, 33], **devices),
    "nodes": Cases(
        good=[(4, 4), ("4", 4)],
        edges=same(1, 1000),
        beyond=[0, 1001],
        bad=["two", "1.5"],
        odd=NUMBER,
    ),
    "log_driver": Cases(
        good=[("awslogs", "awslogs"), ("Splunk", "splunk")],
        edges=same("awsfirelens", "syslog"),
        beyond=["awslog", "json"],
        bad=["", "none"],
        odd=TEXT,
    ),
    "log_options": Cases(
        good=[
            (["awslogs-group:aws/batch/job"], {"awslogs-group": "aws/batch/job"}),
            ("awslogs-group:/a:b", {"awslogs-group": "/a:b"}),
            ({"awslogs-group": "/a", "mode": "non-blocking"}, None),
            (["a:1", "b:2"], {"a": "1", "b": "2"}),
        ],
        edges=[({}, {}), ("a:", {"a": ""})],
        beyond=[":a", "a"],
        bad=["awslogs-group=/my/jobs", "awslogs-endpoint=https://logs", ["a:1", "a:2"]],
        odd=[*SEVERAL, {"a": None}],
    ),
    "aws_batch_tags": tags,
    "tags": tags,
    "propagate_tags": switch,
    "share_identifier": Cases(
        good=same("research", "team1*"),
        edges=same("a", "a" * 255, "a" * 255 + "*"),
        beyond=["", "a" * 256],
        bad=["a-b", "a b", "*", "a**"],
        odd=TEXT,
    ),
    "scheduling_priority": Cases(
        good=[(10, 10), ("10", 10)],
        edges=same(0, 9999),
        beyond=[-1, 10000],
        bad=["high", "1.5"],
        odd=NUMBER,
    ),
    "parameters": Cases(
        good=[*texts_by_name, ({"any name": " any value "}, None)],
        edges=[({}, {}), ("a=", {"a": ""})],
        beyond=["=a", "a"],
        bad=[["a=1", "a=2"], '{"a": "1"'],
        odd=[*SEVERAL, {"a": None}],
    ),
    "job_definition": Cases(
        good=same(
            "my-definition:3",
            "my_definition",
            "arn:aws:batch:eu-west-1:111122223333:job-definition/my-definition:3",
        ),
        edges=same("d", "d" * 128),
        beyond=["", "d" * 129],
        bad=["my definition", "d:latest", "d:", "arn:aws:batch:eu-west-1:1:job-queue/d"],
        odd=TEXT,
    ),
    "extra": Cases(
        good=[
            ({"schedulingPriorityOverride": 5}, None),
            ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ],
        edges=[({}, {}), ("{}", {})],
        beyond=["[]", "null"],
        bad=["a=1", "", "{", "[" * 100_000],
        odd=[object(), 1, True, [], {1: 2}, b"{}"],
    ),
}

#: A job, as `depends_on` takes it: what it has of `nbbatch.Job`.
JOB = SimpleNamespace(id="20260131-094500-1f0c2a9b", batch_job_id="b")
