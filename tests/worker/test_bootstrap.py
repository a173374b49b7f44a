"""The container's command, run as the container would: Python, an environment, nothing else."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nbbatch.wire import keys
from nbbatch.worker.boot import bootstrap, fetch
from tests.servers import KEYS, aws
from tests.worker.pythons import find, pythons

ROOT = Path(__file__).parents[2]
CARRIED = [f"nbbatch.worker.{name}" for name in bootstrap._CARRIED]
STUB = """
import os, sys, nbbatch
print(nbbatch.WHO, sys.argv, __name__, [m for m in sys.modules if "stores" in m or "fetch" in m])
print(sorted(n for n in vars() if not n.startswith("__")))
print(sys.path[0], repr(sys.path[-1]))
sys.exit(int(os.environ.get("CODE", 0)))
"""


def pack(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("__main__.py", files.get("main", STUB))
        archive.writestr("nbbatch/__init__.py", "WHO = 'the zip'")
    return data.getvalue()


class Image:
    """Runs the command on one Python, with a private home and the store that the test filled."""

    def __init__(self, folder, endpoint, bucket):
        self.folder, self.endpoint, self.bucket = folder, endpoint, bucket
        self.python = sys.executable

    def upload(self, data, digest=""):
        digest = digest or hashlib.sha256(data).hexdigest()
        key = "pre/fix/" + keys.worker(digest)
        aws(self.endpoint, "s3").put_object(Bucket=self.bucket, Key=key, Body=data)
        return digest

    def run(self, digest, **environ):
        (self.folder / "tmp").mkdir(exist_ok=True)
        given = {
            keys.ENV_STORE: f"s3://{self.bucket}/pre/fix",
            keys.ENV_S3_ENDPOINT: self.endpoint,
            keys.ENV_WORKER: digest,
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": os.environ["PATH"],
            "AWS_EC2_METADATA_DISABLED": "true",
            **KEYS,
            **environ,
        }
        return subprocess.run(
            bootstrap.bootstrap_command(self.python),
            env={name: value for name, value in given.items() if value is not None},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def image(tmp_path, moto, bucket):
    return Image(tmp_path, moto, bucket)


def test_runs_the_zip(image):
    """The zip's own program runs as the main one, finds its package and nothing of the loader."""
    done = image.run(image.upload(pack()), CODE="7")
    lines = done.stdout.splitlines()

    assert done.stderr == ""
    assert done.returncode == 7
    assert re.fullmatch(r"the zip \['.*/nbbatch-\w{16}/worker.zip'\] __main__ \[\]", lines[0])
    assert lines[1] == "['nbbatch', 'os', 'sys']"
    assert re.fullmatch(r".*/worker.zip ''", lines[2])


def test_leaves_nothing_behind(image):
    """The zip lies in a private folder below TMPDIR while the job runs, and is gone after it."""
    main = "import os, sys; print(oct(os.stat(os.path.dirname(sys.path[0])).st_mode)[-3:])"
    done = image.run(image.upload(pack(main=main)))

    assert done.stdout == "700\n"
    assert list((image.folder / "tmp").iterdir()) == []


def test_a_fork_does_not_remove_the_zip(image):
    """A child of the worker that ends first takes nothing away from it."""
    main = (
        "import os, sys\n"
        "if os.fork() == 0: sys.exit()\n"
        "os.wait()\n"
        "print(os.path.exists(sys.path[0]))"
    )

    assert image.run(image.upload(pack(main=main))).stdout == "True\n"


def test_the_working_directory_hides_nothing(image):
    """Files of the image that are named like the standard library's don't reach the worker."""
    for name in ("hashlib", "http", "base64", "zlib", "nbbatch"):
        (image.folder / f"{name}.py").write_text("raise RuntimeError('from the image')")
    (image.folder / "of_the_image.py").write_text("FACT = 'importable'")
    main = "import nbbatch, http.client, of_the_image; print(nbbatch.WHO, of_the_image.FACT)"

    assert image.run(image.upload(pack(main=main))).stdout == "the zip importable\n"


def test_from_a_directory(image, tmp_path):
    """A store that is a mounted directory serves as well."""
    data = pack()
    digest = hashlib.sha256(data).hexdigest()
    path = tmp_path / "a store" / keys.worker(digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)

    done = image.run(digest, NBBATCH_STORE=f"file://{tmp_path}/a%20store")

    assert done.stdout.startswith("the zip")


def test_an_altered_zip_is_not_run(image):
    """A zip of another hash is refused before anything in it is used."""
    digest = image.upload(pack(main="print('altered')"), digest="0" * 64)
    done = image.run(digest)

    assert done.returncode == fetch.ALTERED == 99
    assert done.stdout == ""
    assert re.fullmatch(r"nbbatch: the worker was altered: [^\n]*, expected 0{64}\n", done.stderr)


def test_no_zip(image):
    """A zip that is not there ends with one line that names it."""
    done = image.run("f" * 64)

    assert done.returncode == fetch.UNAVAILABLE == 98
    assert re.fullmatch(r"nbbatch: can't fetch the worker: [^\n]* NoSuchKey [^\n]*\n", done.stderr)
    assert f"{image.bucket}/pre/fix/worker/{'f' * 64}.zip" in done.stderr


def test_no_credentials(image):
    """A job without a role ends with one line that says so."""
    done = image.run("f" * 64, AWS_ACCESS_KEY_ID=None)

    assert done.returncode == 98
    assert re.fullmatch(r"nbbatch: [^\n]*no AWS credentials[^\n]*\(is a job role set\?\)[^\n]*\n",
                        done.stderr)  # fmt: skip


def test_no_store(image):
    """An environment without a store ends with one line."""
    done = image.run("f" * 64, NBBATCH_STORE=None)

    assert done.returncode == 98
    assert done.stderr == (
        "nbbatch: can't fetch the worker: the store is neither s3:// nor file://: ''\n"
    )


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_python_too_old(image, version):
    """An old Python reads the loader far enough to say that it is too old."""
    image.python = find(version) or pytest.skip(f"no Python {version} here")
    done = image.run("f" * 64)

    assert done.returncode == bootstrap.TOO_OLD == 97
    assert done.stderr == (
        f"nbbatch: this image has Python {version}, and 3.9 or newer is needed (option image)\n"
    )


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_every_python(image, python):
    """Every supported Python runs the same command."""
    image.python = python

    assert image.run(image.upload(pack())).stdout.startswith("the zip")


def test_fits_into_a_job_definition():
    """The command leaves more than half of a job definition's 24 KiB to the rest."""
    assert sum(map(len, bootstrap.bootstrap_command())) < 11 * 1024


@pytest.mark.parametrize("name", CARRIED)
def test_shortening_changes_no_meaning(name):
    """A carried module, shortened, is the module without its docstrings."""
    source = bootstrap._source(name)

    assert ast.dump(ast.parse(bootstrap.shorten(source))) == ast.dump(bare(ast.parse(source)))


def bare(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def test_what_is_carried_suffices():
    """The carried modules import the standard library and, in order, one another."""
    known = set()
    for name in CARRIED:
        for node in ast.walk(ast.parse(bootstrap.shorten(bootstrap._source(name)))):
            for module in imported(node):
                top = module.split(".")[0]
                assert module in known or top in sys.stdlib_module_names, (name, module)
        known.add(name)
    assert all(importlib.util.find_spec(name) for name in known)


def imported(node):
    if isinstance(node, ast.ImportFrom):
        return [node.module]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
