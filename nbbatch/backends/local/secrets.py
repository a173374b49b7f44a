"""Secrets, which Batch would give to a job: here the kernel reads them, with its own credentials.

They go from this process to the job's own environment, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nbbatch.errors import ConfigurationError
from nbbatch.options import Options
from nbbatch.wire import keys

#: Returns the values of secrets by their sources.
ReadSecrets = Callable[[Sequence[str]], Sequence[str]]


def no_secrets(sources: Sequence[str]) -> Sequence[str]:
    """Stand for the reader where there is none."""
    raise ConfigurationError(
        "the job can't be given its secrets",
        f"nobody reads {', '.join(sources)} here",
        "leave --secrets out",
    )


def variables(options: Options, read: ReadSecrets) -> dict[str, str]:
    """Return the variables in which a job is given its secrets.

    Raises
    ------
    NbbatchError
        They can't be read.
    """
    if not options.secrets:
        return {}
    names = [name or keys.whole_secret(number) for number, (name, _) in enumerate(options.secrets)]
    values = read([source for _, source in options.secrets])
    return dict(zip(names, values, strict=True))
