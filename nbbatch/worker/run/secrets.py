"""Secrets that hold several variables: the backend gives each as one, and here it is expanded.

The rules are Metaflow's: https://docs.metaflow.org/scaling/secrets
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, MutableMapping, Tuple

from nbbatch.errors import ConfigurationError
from nbbatch.wire import keys
from nbbatch.wire.spec import JobSpec

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Those with which the job and its store are found.
_RESERVED = ("AWS_BATCH_", "NBBATCH_")


def expand(environ: MutableMapping[str, str], job: JobSpec) -> None:
    """Replace whole secrets in `environ` by the variables that they hold.

    Raises
    ------
    ConfigurationError
        One is no JSON object, or its variables can't be set; no message has a value in it.
    """
    whole = list(_taken(environ, job))
    given = {name: source for name, source in job.secrets if name}
    found: Dict[str, str] = {}
    for source, text in whole:
        for name, value in _variables(source, text):
            _check(name, source, given)
            if name in environ and not job.allow_override:
                raise _refused(
                    source,
                    f"it holds {name}, which is in the environment already",
                    "take one of them out, or let the secret's win: --allow-override",
                )
            given[name] = source
            found[name] = value
    environ.update(found)


def _taken(environ: MutableMapping[str, str], job: JobSpec) -> Iterator[Tuple[str, str]]:
    """Take the whole secrets out of `environ`."""
    for index, (variable, source) in enumerate(job.secrets):
        if not variable:
            text = environ.pop(keys.whole_secret(index), None)
            if text is None:
                raise _refused(
                    source,
                    "it did not arrive",
                    "let it be in the job definition: --dry-run shows what is sent",
                )
            yield source, text


def _variables(source: str, text: str) -> List[Tuple[str, str]]:
    try:
        content: Any = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise _refused(
            source,
            "it is no JSON object, whose keys could be variables",
            f"give it a variable of its own: --secrets NAME={source}",
        )
    return [(re.sub(r"[-./]", "_", key), _text(value)) for key, value in content.items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _check(name: str, source: str, given: Dict[str, str]) -> None:
    if name in given:
        raise _refused(
            source,
            f"it holds {name}, which {given[name]} gives too",
            "take one of them out",
        )
    if not _VARIABLE.fullmatch(name) or name.startswith(_RESERVED):
        raise _refused(
            source,
            f"it holds {name}, which can't be the name of a variable",
            f"rename that key, or take single ones: --secrets NAME={source}#KEY",
        )


def _refused(source: str, cause: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"the secret {source} can't be given to the job", cause, hint)
