"""The container's command: a program short enough to travel inside the job definition.

The image holds Python and nothing of ours, so the command carries `fetch` and what it imports,
compressed, and `fetch` gets the rest.
"""

from __future__ import annotations

import ast
import base64
import functools
import importlib.resources
import re
import zlib

from nbbatch.wire import keys

#: The exit code of an image whose Python is too old; see `fetch` for the others.
TOO_OLD = 97
#: Carried modules below `nbbatch.worker`, each after those that it imports.
_CARRIED = ("stores.net", "stores.credentials", "stores.sigv4", "stores.s3client", "boot.fetch")
#: The same for a command that must be short, each under the name by which it is imported.
_BRIEF = {
    "stores.sigv4": "stores.sigv4",
    "stores.s3client": "boot.brief",
    "boot.fetch": "boot.fetch",
}

# The first lines are read by any Python, down to 2.7.
_LOADER = """\
import sys
if sys.version_info < (3, 9):
    sys.stderr.write("nbbatch: this image has Python %d.%d, and 3.9 or newer is needed"
        " (option image)\\n" % sys.version_info[:2])
    sys.exit({too_old})
path = [p for p in sys.path if not p]
sys.path = [p for p in sys.path if p]
import base64, os, zlib
text = zlib.decompress(base64.b64decode("{packed}")).decode().split("\\0")
for name, source in zip(text[::2], text[1::2]):
    module = sys.modules[name] = type(sys)(name)
    exec(compile(source, name, "exec"), vars(module))
get = lambda name: os.environ.get(name, "")
digest = get("{worker}")
key = "{key}".format(digest)
place = module.Place(get("{store}"), key, digest, get("{region}"), get("{endpoint}"))
module.main(place, text[::2], path)
"""


@functools.cache
def loader() -> str:
    """Return the program that fetches, checks and runs the worker, for ``python -c``."""
    return _packed({name: name for name in _CARRIED})


@functools.cache
def brief_loader() -> str:
    """Return the same in about half the length: less patient, and for one object alone."""
    return _packed(_BRIEF)


def _packed(carried: dict[str, str]) -> str:
    sources = {f"nbbatch.worker.{k}": f"nbbatch.worker.{v}" for k, v in carried.items()}
    text = "\0".join(part for k, v in sources.items() for part in (k, shorten(_source(v))))
    return _LOADER.format(
        too_old=TOO_OLD,
        packed=base64.b64encode(zlib.compress(text.encode(), 9)).decode(),
        worker=keys.ENV_WORKER,
        store=keys.ENV_STORE,
        key=keys.worker("{}"),
        region=keys.ENV_S3_REGION,
        endpoint=keys.ENV_S3_ENDPOINT,
    )


def bootstrap_command(executable: str = "python") -> list[str]:
    """Return the command of a container that runs the worker named in its environment.

    Parameters
    ----------
    executable
        The image's Python.
    """
    return [executable, "-c", loader()]


def brief_command(executable: str = "python") -> list[str]:
    """Return the same command, short enough for the overrides of somebody else's definition."""
    return [executable, "-c", brief_loader()]


def shorten(source: str) -> str:
    """Drop docstrings, comments and indentation that Python does not need.

    The rest of the text stays as it is, so that the result depends on nothing but the source: no
    string in it may span lines, and no comment may follow one on its line with a hash in it.
    """
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node, clean=False
        ):
            first, last = node.body[0].lineno - 1, node.body[0].end_lineno or 0
            lines[first:last] = [""] * (last - first)
            if len(node.body) == 1:
                lines[first] = " " * node.body[0].col_offset + "pass"
    kept = (line for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return "\n".join(re.sub("^( +)", _dedent, line) for line in kept)


def _dedent(spaces: re.Match[str]) -> str:
    return " " * (len(spaces.group()) // 4)


def _source(module: str) -> str:
    package, _, name = module.rpartition(".")
    return importlib.resources.files(package).joinpath(name + ".py").read_text("utf-8")
